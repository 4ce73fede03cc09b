package daemon_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gofiber/fiber/v2"
)

// swallow reads an upload, and answers with how long it was said to be and was.
func swallow(c *fiber.Ctx) error {
	body := daemon.ReadUpload(c)
	said := int64(-1)
	if size := body.Size(); size != nil {
		said = *size
	}
	n, err := io.Copy(io.Discard, body)
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, fmt.Sprintf("%d of %d", n, said))
}

func uploadConfig() daemon.Config {
	cfg := testConfig()
	cfg.MaxUpload = 4 * cfg.MaxBody
	return cfg
}

func TestUpload_TakesAnyBodyOnItsOwnRoutesAlone(t *testing.T) {
	s := serve(t, uploadConfig())
	text := strings.Repeat("x", 3<<20) // more than any other body
	for _, tc := range []struct {
		method, path string
		headers      []string
		want         int
	}{
		{"PUT", "/files/a", nil, 200},
		{"PUT", "/files/a", []string{"Content-Type: text/plain"}, 200},
		{"PUT", "/files/a", []string{"Content-Type: application/json"}, 200},
		{"PUT", "/files/a/b%20c", []string{"Content-Type: text/html; charset=x"}, 200},
		{"PUT", "/files/a", []string{"Content-Type: a/b", "Content-Encoding: gzip"}, 415},
		{"PUT", "/files/a", []string{"Content-Type: a/b", "Content-Type: c/d"}, 400},
		{"POST", "/files", []string{"Content-Type: multipart/form-data; boundary=x"}, 200},
		{"POST", "/files", []string{"Content-Type: application/x-tar"}, 200},
		{"POST", "/files", []string{"Content-Type: application/json"}, 415},
		{"POST", "/files", nil, 415},
		{"POST", "/files/a", []string{"Content-Type: application/x-tar"}, 415}, // no route, and no upload
		{"POST", "/echo", []string{"Content-Type: application/x-tar"}, 415},
		{"POST", "/echo", []string{"Content-Type: application/json"}, 413},
		{"PATCH", "/files/a", []string{"Content-Type: application/json"}, 413},
	} {
		headers := append([]string{"Host: localhost", fmt.Sprint("Content-Length: ", len(text))}, tc.headers...)
		sent := text
		if tc.want != 200 {
			sent = text[:8<<10] // what fasthttp reads ahead; the answer comes before the rest
		}
		status, answer, _ := s.one(t, tc.method, tc.path, headers, sent)
		if status != tc.want || status == 200 && answer != `"3145728 of 3145728"` {
			t.Errorf("%s %s %q: %d %s, want %d", tc.method, tc.path, tc.headers, status, answer, tc.want)
		}
	}
}

// What a page of another origin can send without asking must not reach the handler, whatever its type.
func TestUpload_IsNothingForOtherOrigins(t *testing.T) {
	s := serve(t, uploadConfig())
	for _, header := range []string{
		"Origin: https://evil.example", "Origin: null", "Origin: http://localhost:1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
	} {
		for _, request := range []string{"PUT /files/a", "POST /files"} {
			method, path, _ := strings.Cut(request, " ")
			headers := []string{"Host: localhost", header, "Content-Type: multipart/form-data; boundary=x", "Content-Length: 1"}
			if status, text, _ := s.one(t, method, path, headers, "x"); status != 403 {
				t.Errorf("%s with %s: %d %s", request, header, status, text)
			}
		}
	}
	for _, header := range []string{"Origin: http://" + s.addr, "Sec-Fetch-Site: same-origin"} {
		if status, text, _ := s.one(t, "POST", "/files", []string{"Host: " + s.addr, header, "Content-Type: application/x-tar", "Content-Length: 1"}, "x"); status != 200 {
			t.Errorf("with %s: %d %s", header, status, text)
		}
	}
}

func TestUpload_IsBoundedWholeAndInTime(t *testing.T) {
	cfg := uploadConfig()
	cfg.ReadTimeout = 300 * time.Millisecond
	s := serve(t, cfg)
	limit := cfg.MaxUpload
	put := func(headers, body string) (int, string) {
		got := s.raw(t, "PUT /files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+headers+"\r\n\r\n"+body)
		if len(got) != 1 {
			return 0, ""
		}
		text, _ := io.ReadAll(got[0].Body)
		return got[0].StatusCode, string(text)
	}
	chunk := func(n int64) string { return fmt.Sprintf("%x\r\n%s\r\n", n, strings.Repeat("x", int(n))) }
	for name, tc := range map[string]struct {
		headers, body string
		want          int
		says          string
	}{
		"as long as may be":        {fmt.Sprint("Content-Length: ", limit), strings.Repeat("x", int(limit)), 200, fmt.Sprintf(`"%d of %d"`, limit, limit)},
		"announced too long":       {fmt.Sprint("Content-Length: ", limit+1), strings.Repeat("x", 8<<10), 413, "larger than"},
		"asked before, too long":   {fmt.Sprint("Expect: 100-continue\r\nContent-Length: ", limit+1), "", 413, "larger than"},
		"in chunks":                {"Transfer-Encoding: chunked", chunk(1000) + chunk(70_000) + "0\r\n\r\n", 200, `"71000 of -1"`},
		"in chunks, too long":      {"Transfer-Encoding: chunked", chunk(limit) + chunk(1), 413, "larger than"},
		"in chunks, without end":   {"Transfer-Encoding: chunked", chunk(1000), 408, "in time"},
		"in broken chunks":         {"Transfer-Encoding: chunked", chunk(1000) + "x\r\n", 400, "could not be read"},
		"less than announced":      {"Content-Length: 20000", strings.Repeat("x", 9000), 408, "in time"},
		"nothing of what was said": {"Content-Length: 20000", "", 408, ""},
		"none":                     {"X: y", "", 200, `"0 of 0"`},
		"empty":                    {"Content-Length: 0", "", 200, `"0 of 0"`},
	} {
		if status, text := put(tc.headers, tc.body); status != tc.want || !strings.Contains(text, tc.says) {
			t.Errorf("%s: %d %s, want %d %s", name, status, text, tc.want, tc.says)
		}
	}
}

// A client that closes its side has not sent all: what came must not be taken for the whole.
func TestBody_ThatEndsEarlyIsAnError(t *testing.T) {
	s := serve(t, uploadConfig())
	chunk := "c350\r\n" + strings.Repeat("x", 50_000) + "\r\n"
	json := "Content-Type: application/json\r\n"
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"of a length":                 {"PUT /files/a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50_000), 400},
		"in a chunk":                  {"PUT /files/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk[:1000], 400},
		"between chunks":              {"PUT /files/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk, 400},
		"in the last chunk":           {"PUT /files/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + "0\r\n", 400},
		"after all":                   {"PUT /files/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + "0\r\n\r\n", 200},
		"of JSON, of a length":        {"POST /echo HTTP/1.1\r\n" + json + "Content-Length: 100000\r\n\r\n" + `{"text":"x"}` + strings.Repeat(" ", 9000), 400},
		"of JSON, between chunks":     {"POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\nc\r\n" + `{"text":"x"}` + "\r\n", 400},
		"of JSON, in the last chunk":  {"POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\nc\r\n" + `{"text":"x"}` + "\r\n0\r\n", 400},
		"of JSON, in chunks, but all": {"POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\nc\r\n" + `{"text":"x"}` + "\r\n0\r\n\r\n", 200},
	} {
		conn := s.dial(t)
		if _, err := io.WriteString(conn, strings.Replace(tc.request, "\r\n", "\r\nHost: localhost\r\n", 1)); err != nil {
			t.Fatal(err)
		}
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got := responses(t, conn)
		if len(got) != 1 || got[0].StatusCode != tc.status {
			t.Errorf("%s: got %v, want %d", name, got, tc.status)
		}
	}
}

// The time counts from one part to the next: a body that comes slowly, but comes, is none that is late.
func TestUpload_MayTakeLongerThanTheReadTimeout(t *testing.T) {
	cfg := uploadConfig()
	cfg.ReadTimeout = 400 * time.Millisecond
	s := serve(t, cfg)
	conn := s.dial(t)
	if _, err := io.WriteString(conn, "PUT /files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := io.WriteString(conn, strings.Repeat("x", 10_000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // which is what is tested
	}
	got := responses(t, conn)
	if len(got) != 1 || got[0].StatusCode != http.StatusOK {
		t.Errorf("got %v", got)
	}
}

func TestUpload_EndsWithTheKeyItBeganWith(t *testing.T) {
	ann, key := tenant(t, "ann", nil)
	cfg := uploadConfig()
	cfg.ReadTimeout = time.Minute // which is not waited for
	s := serve(t, cfg)
	for name, goesOn := range map[string]bool{"the client says nothing more": false, "the client goes on": true} {
		s.SetAuth(auth.Config{Required: true, Keys: []auth.Key{key}})
		conn := s.dial(t)
		if _, err := io.WriteString(conn, "PUT /begun HTTP/1.1\r\nHost: localhost\r\nX-API-Key: "+ann+"\r\nContent-Length: 100000\r\n\r\n"+
			strings.Repeat("x", 9000)); err != nil {
			t.Fatal(err)
		}
		<-s.entered
		s.SetAuth(auth.Config{Required: true})
		if goesOn {
			if _, err := io.WriteString(conn, strings.Repeat("x", 50_000)); err != nil {
				t.Fatal(err)
			}
		}
		if got := responses(t, conn); len(got) != 1 || got[0].StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
