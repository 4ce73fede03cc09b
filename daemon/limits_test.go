package daemon_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }
func hex(n int) string  { return strconv.FormatInt(int64(n), 16) }

func textBody(size int) string {
	const frame = `{"text":""}`
	return `{"text":"` + strings.Repeat("x", size-len(frame)) + `"}`
}

func TestLimits_BodySize(t *testing.T) {
	cfg := testConfig()
	s := serve(t, cfg)
	for _, chunked := range []bool{false, true} {
		for _, tc := range []struct{ size, want int }{{int(cfg.MaxBody), 200}, {int(cfg.MaxBody) + 1, 413}, {int(cfg.MaxBody) * 8, 413}} {
			var body io.Reader = strings.NewReader(textBody(tc.size))
			if chunked {
				body = struct{ io.Reader }{body} // a length that the client does not know
			}
			resp, err := http.Post("http://"+s.addr+"/echo", "application/json", body)
			if err != nil {
				t.Fatalf("%d bytes, chunked %t: %v", tc.size, chunked, err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != tc.want {
				t.Errorf("%d bytes, chunked %t: %d %.80s, want %d", tc.size, chunked, resp.StatusCode, text, tc.want)
			}
			if want := `{"detail":"the body is larger than 1048576 bytes"}`; tc.want == 413 && string(text) != want {
				t.Errorf("got %s, want %s", text, want)
			}
		}
	}
}

func TestLimits_InflightBodiesShareABudget(t *testing.T) {
	cfg := testConfig()
	cfg.MaxBody, cfg.MaxInflightBody = 1<<20, 1<<20
	s := serve(t, cfg)
	head := "POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"

	// Announcing a body takes little of it.
	holder := s.dial(t)
	if _, err := io.WriteString(holder, head); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if status, text := s.post(t, "/echo", textBody(256<<10)); status != 200 {
			t.Fatalf("beside an announced body: %d %s", status, text)
		}
	}
	// Sending it takes the rest.
	if _, err := io.WriteString(holder, textBody(1_000_000)); err != nil {
		t.Fatal(err)
	}
	<-s.entered
	status, text := s.post(t, "/echo", textBody(256<<10))
	if want := `{"detail":"too many bytes of request bodies are in flight"}`; status != 503 || text != want {
		t.Errorf("beside a full budget: %d %s, want 503 %s", status, text, want)
	}
	if status, text := s.post(t, "/echo", textBody(4<<10)); status != 200 {
		t.Errorf("a small body beside it: %d %s", status, text)
	}
	// It is given back, whether the body was good or not.
	close(s.release)
	buf := make([]byte, 12)
	if _, err := io.ReadFull(holder, buf); err != nil || string(buf) != "HTTP/1.1 200" {
		t.Fatalf("the first body: %q, %v", buf, err)
	}
	for i, body := range []string{textBody(1 << 20), "[" + textBody(1<<19), textBody(1 << 20)} {
		if status, text := s.post(t, "/echo", body); status == 503 {
			t.Errorf("body %d after it: %d %s", i, status, text)
		}
	}
}

func TestLimits_BudgetRefusalSaysWhenToComeBack(t *testing.T) {
	cfg := testConfig()
	cfg.MaxInflightBody = 16
	s := serve(t, cfg)
	body := textBody(64)
	status, _, header := s.one(t, "POST", "/echo",
		[]string{"Host: localhost", "Content-Type: application/json", "Content-Length: " + itoa(len(body))}, body)
	if status != 503 || header.Get("Retry-After") != "1" {
		t.Errorf("got %d, Retry-After %q; want 503 and 1", status, header.Get("Retry-After"))
	}
}

func TestLimits_Headers(t *testing.T) {
	cfg := testConfig()
	s := serve(t, cfg)
	for _, tc := range []struct{ size, want int }{{cfg.MaxHeader - 200, 200}, {cfg.MaxHeader, 431}, {cfg.MaxHeader * 16, 431}} {
		status, text, _ := s.one(t, "GET", "/hello", []string{"Host: localhost", "X-Long: " + strings.Repeat("x", tc.size)}, "")
		if status != tc.want {
			t.Errorf("header of %d bytes: %d %s, want %d", tc.size, status, text, tc.want)
		}
	}
}

func TestLimits_SlowHeadersAndBodies(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout, cfg.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond
	s := serve(t, cfg)
	for name, part := range map[string]string{
		"half a header":         "GET /hello HTTP/1.1\r\nHost: local",
		"half a small body":     "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"half a large body":     "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat(" ", 50_000),
		"half a chunked body":   "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"a chunk that trickles": "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{",
	} {
		start := time.Now()
		got := s.raw(t, part)
		if len(got) != 1 || got[0].StatusCode != 408 {
			t.Errorf("%s: %v, want one 408", name, got)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
	// A connection that asks for nothing more is closed without a word.
	got := s.raw(t, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if len(got) != 1 || got[0].StatusCode != 200 {
		t.Errorf("an idle connection: %v, want one 200 and the end", got)
	}
}

func TestLimits_WriteTimeoutEndsAClientThatDoesNotRead(t *testing.T) {
	cfg := testConfig()
	cfg.MaxBody, cfg.MaxInflightBody, cfg.WriteTimeout = 64<<20, 128<<20, 200*time.Millisecond
	s := serve(t, cfg)
	conn := s.dial(t)
	body := textBody(1 << 20)
	head := "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n"
	// Answers nobody reads fill the socket's buffers; then writing stalls, and the server gives up on the connection.
	for range 64 {
		if _, err := io.WriteString(conn, head+body); err != nil {
			return
		}
	}
	t.Error("64 MiB of answers were written to a client that reads nothing")
}

func TestLimits_Connections(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections = 2
	s := serve(t, cfg)
	for range cfg.MaxConnections {
		conn := s.dial(t)
		if _, err := io.WriteString(conn, "POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-s.entered
	}
	got := responses(t, s.dial(t)) // before anything is asked
	if len(got) != 1 || got[0].StatusCode != 503 {
		t.Errorf("one connection too many: %v, want a 503", got)
	}
	close(s.release)
}

func TestLimits_JSON(t *testing.T) {
	cfg := testConfig()
	s := serve(t, cfg)
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tc := range []struct {
		name, body string
		want       int
	}{
		{"deepest", `{"text":"x","more":` + nested(cfg.MaxJSONDepth-1) + `}`, 200},
		{"too deep", `{"text":"x","more":` + nested(cfg.MaxJSONDepth) + `}`, 422},
		{"much too deep", strings.Repeat("[", 500_000), 422},
		{"most keys", `{"text":"x","more":{` + keys(cfg.MaxJSONKeys-3) + `}}`, 200},
		{"too many keys", `{"text":"x","more":{` + keys(cfg.MaxJSONKeys) + `}}`, 422},
		{"too many elements", `{"text":"x","more":[` + strings.Repeat("0,", cfg.MaxJSONKeys) + `0]}`, 422},
	} {
		if status, text := s.post(t, "/echo", tc.body); status != tc.want {
			t.Errorf("%s: %d %s, want %d", tc.name, status, text, tc.want)
		}
	}
}

func keys(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `"k%d":0,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}
