package daemon_test

import (
	"io"
	"strings"
	"testing"
)

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

func TestFraming_NothingIsReadAsASecondRequest(t *testing.T) {
	s := serve(t, testConfig())
	json := "Host: localhost\r\nContent-Type: application/json\r\n"
	for name, request := range map[string]string{
		"length and chunked":      "POST /echo HTTP/1.1\r\n" + json + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"chunked and length":      "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"identity":                "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: identity\r\n\r\n" + smuggled,
		"identity and length":     "POST /echo HTTP/1.1\r\n" + json + "Content-Length: 1\r\nTransfer-Encoding: identity\r\n\r\n{" + smuggled,
		"gzip, chunked":           "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"xchunked":                "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
		"chunked twice":           "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"two lengths":             "POST /echo HTTP/1.1\r\n" + json + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + smuggled,
		"negative length":         "POST /echo HTTP/1.1\r\n" + json + "Content-Length: -5\r\n\r\n" + smuggled,
		"signed length":           "POST /echo HTTP/1.1\r\n" + json + "Content-Length: +0\r\n\r\n" + smuggled,
		"length of a list":        "POST /echo HTTP/1.1\r\n" + json + "Content-Length: 0, 5\r\n\r\n" + smuggled,
		"huge length":             "POST /echo HTTP/1.1\r\n" + json + "Content-Length: 99999999999999999999\r\n\r\n" + smuggled,
		"space before the colon":  "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"space in a name":         "POST /echo HTTP/1.1\r\n" + json + "Transfer Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"folded header":           "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"bare LF":                 "POST /echo HTTP/1.1\r\n" + json + "X: y\nContent-Length: 0\r\n\r\n" + smuggled,
		"chunked in HTTP/1.0":     "POST /echo HTTP/1.0\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"bad chunk size":          "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + smuggled,
		"chunk size with LF":      "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n" + smuggled,
		"chunk longer than named": "POST /echo HTTP/1.1\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" + smuggled,
		"absolute target":         "GET http://localhost/hello HTTP/1.1\r\nHost: localhost\r\n\r\n" + smuggled,
		"CONNECT":                 "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n" + smuggled,
		"asterisk":                "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n" + smuggled,
	} {
		t.Run(name, func(t *testing.T) {
			got := s.raw(t, request)
			if len(got) != 1 || got[0].StatusCode != 400 {
				for _, r := range got {
					body, _ := io.ReadAll(r.Body)
					t.Errorf("got %d %s", r.StatusCode, body)
				}
				t.Errorf("%d responses, want one 400", len(got))
			}
		})
	}
}

func TestFraming_ABodyIsNotTheNextRequest(t *testing.T) {
	s := serve(t, testConfig())
	inner := strings.Replace(smuggled, "/smuggled", "/hello?inner", 1)
	last := "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	length := "Content-Type: application/json\r\nContent-Length: " + itoa(len(inner)) + "\r\n\r\n"
	for name, request := range map[string]string{
		"GET with a body":             "GET /hello HTTP/1.1\r\nHost: localhost\r\n" + length + inner,
		"POST that reads none":        "POST /fail?error=none HTTP/1.1\r\nHost: localhost\r\n" + length + inner,
		"DELETE on an unknown path":   "DELETE /nowhere HTTP/1.1\r\nHost: localhost\r\n" + length + inner,
		"GET with a chunked body":     "GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + hex(len(inner)) + "\r\n" + inner + "\r\n0\r\n\r\n",
		"POST of what is not JSON":    "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + length + inner,
		"HEAD with a body":            "HEAD /hello HTTP/1.1\r\nHost: localhost\r\n" + length + inner,
		"method that nobody knows":    "BREW /hello HTTP/1.1\r\nHost: localhost\r\n" + length + inner,
		"POST refused for its Origin": "POST /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n" + length + inner,
	} {
		t.Run(name, func(t *testing.T) {
			// One answer, or two where the connection went on to the request behind the body; never one to the body.
			conn := s.dial(t)
			if _, err := io.WriteString(conn, request+last); err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(raw), "HTTP/1.1 "); n < 1 || n > 2 {
				t.Errorf("%d responses:\n%s", n, raw)
			}
			if strings.Contains(s.log.String(), "inner") {
				t.Error("the body was served")
			}
		})
	}
}

func TestFraming_PipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	s := serve(t, testConfig())
	var b strings.Builder
	for _, text := range []string{`{"text":"a"}`, `{"text":"b"}`} {
		b.WriteString("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " + itoa(len(text)) + "\r\n\r\n" + text)
	}
	b.WriteString("POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n" +
		"Transfer-Encoding: chunked\r\n\r\n" + "5;ext=1\r\n{\"tex\r\n7\r\nt\":\"c\"}\r\n0\r\nX-Trailer: y\r\n\r\n")
	got := s.raw(t, b.String())
	if len(got) != 3 {
		t.Fatalf("%d responses, want 3", len(got))
	}
	for i, want := range []string{`{"text":"a"}`, `{"text":"b"}`, `{"text":"c"}`} {
		if body, _ := io.ReadAll(got[i].Body); string(body) != want {
			t.Errorf("response %d: %d %s, want %s", i, got[i].StatusCode, body, want)
		}
	}
}

// curl asks before it sends more than a megabyte, and need not send what would be refused.
func TestFraming_ExpectContinue(t *testing.T) {
	s := serve(t, testConfig())
	body := textBody(64 << 10)
	request := func(header string, length int) string {
		return "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n" + header +
			"Expect: 100-continue\r\nContent-Length: " + itoa(length) + "\r\n\r\n"
	}
	conn := s.dial(t)
	if _, err := io.WriteString(conn, request("", len(body))); err != nil {
		t.Fatal(err)
	}
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	first := make([]byte, len(goOn))
	if _, err := io.ReadFull(conn, first); err != nil || string(first) != goOn {
		t.Fatalf("got %q, %v", first, err)
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	if got := responses(t, conn); len(got) != 1 || got[0].StatusCode != 200 {
		t.Errorf("%v, want one 200", got)
	}
	for _, tc := range []struct {
		request, want string
		status        int
	}{
		{request("", 2<<20), `{"detail":"the body is larger than 1048576 bytes"}`, 413},
		{request("Origin: null\r\n", 10), `{"detail":"requests from other origins are not allowed"}`, 403},
	} {
		got := s.raw(t, tc.request)
		if len(got) != 1 || got[0].StatusCode != tc.status || !got[0].Close {
			t.Fatalf("%v, want one %d that closes", got, tc.status)
		}
		if text, _ := io.ReadAll(got[0].Body); string(text) != tc.want {
			t.Errorf("%d %s, want %s", tc.status, text, tc.want)
		}
	}
}
