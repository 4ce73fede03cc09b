package daemon_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestGuard_Host(t *testing.T) {
	cfg := testConfig()
	cfg.AllowedHosts = []string{"Repl.Internal", "192.0.2.7"}
	s := serve(t, cfg)
	cases := []struct {
		host string
		want int
	}{
		{"localhost", 200}, {"LocalHost:8000", 200}, {"127.0.0.1", 200}, {"127.8.9.10:1", 200}, {"[::1]:8000", 200},
		{"[::1]", 200}, {"repl.internal", 200}, {"REPL.internal:80", 200}, {"192.0.2.7:8000", 200},
		{"evil.example", 421}, {"localhost.evil.example", 421}, {"127.0.0.1.evil.example", 421}, {"evil.example:8000", 421},
		{"0.0.0.0", 421}, {"[::]", 421}, {"[fe80::1%25lo]", 421}, {"192.0.2.8", 421}, {"127.1", 421}, {"2130706433", 421},
		{"localhost:", 421}, {"localhost:x", 400}, {"localhost:123456", 421}, {"[::1", 400}, {"[::1]x", 400}, {":8000", 421},
		{"localhost@evil.example", 421}, {"*", 421},
	}
	for _, tc := range cases {
		status, body, _ := s.one(t, "GET", "/hello", []string{"Host: " + tc.host}, "")
		if status != tc.want {
			t.Errorf("Host %q: %d %s, want %d", tc.host, status, body, tc.want)
		}
		// Before routing: what is not there is not told either.
		if status, _, _ := s.one(t, "GET", "/nowhere", []string{"Host: " + tc.host}, ""); tc.want == 421 && status != 421 {
			t.Errorf("Host %q on an unknown path: %d, want 421", tc.host, status)
		}
	}
	for _, version := range []string{"1.1", "1.0"} {
		got := s.raw(t, "GET /hello HTTP/"+version+"\r\n\r\n")
		if len(got) != 1 || got[0].StatusCode != 400 {
			t.Errorf("HTTP/%s without Host: %v, want one 400", version, got)
		}
	}
	got := s.raw(t, "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
	if len(got) != 1 || got[0].StatusCode != 400 {
		t.Errorf("two Hosts: %v, want one 400", got)
	}
}

func TestGuard_AllowedHostsChangeLive(t *testing.T) {
	s := serve(t, testConfig())
	get := func() int {
		status, _, _ := s.one(t, "GET", "/hello", []string{"Host: repl.internal"}, "")
		return status
	}
	for _, step := range []struct {
		allowed []string
		want    int
	}{{nil, 421}, {[]string{"repl.internal"}, 200}, {[]string{"other"}, 421}, {[]string{"*"}, 200}, {nil, 421}} {
		s.SetAllowedHosts(step.allowed)
		if got := get(); got != step.want {
			t.Errorf("allowed %q: %d, want %d", step.allowed, got, step.want)
		}
	}
}

func TestGuard_Origin(t *testing.T) {
	s := serve(t, testConfig())
	cases := []struct {
		header string
		want   int
	}{
		{"Origin: http://" + s.addr, 200},
		{"Sec-Fetch-Site: same-origin", 200},
		{"Sec-Fetch-Site: none", 200},
		{"Origin: null", 403},
		{"Origin: http://evil.example", 403},
		{"Origin: https://" + s.addr, 403},
		{"Origin: http://127.0.0.1:1", 403},
		{"Origin: http://127.0.0.1", 403},
		{"Origin: http://" + s.addr + ".evil.example", 403},
		{"Origin: http://localhost:" + strings.Split(s.addr, ":")[1], 403},
		{"Origin: file://", 403},
		{"Sec-Fetch-Site: cross-site", 403},
		{"Sec-Fetch-Site: same-site", 403},
		{"Origin: http://" + s.addr + "\r\nOrigin: http://evil.example", 400},
	}
	for _, tc := range cases {
		for _, method := range []string{"GET /hello", "POST /echo", "OPTIONS /echo"} {
			verb, path, _ := strings.Cut(method, " ")
			body, headers := "", []string{"Host: " + s.addr, tc.header}
			if verb == "POST" {
				body = `{"text":"x"}`
				headers = append(headers, "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(body)))
			}
			status, text, header := s.one(t, verb, path, headers, body)
			want := tc.want
			if want == 200 && verb == "OPTIONS" {
				want = 405
			}
			if status != want {
				t.Errorf("%s with %s: %d %s, want %d", method, tc.header, status, text, want)
			}
			for name := range header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s with %s: has %s", method, tc.header, name)
				}
			}
		}
	}
	// The default port is no other origin.
	status, _, _ := s.one(t, "GET", "/hello", []string{"Host: localhost", "Origin: http://localhost:80"}, "")
	if status != 200 {
		t.Errorf("Origin with the default port: %d, want 200", status)
	}
}

// A link on somebody's page may lead to a page of the daemon's; nothing else that a page can do reaches it.
func TestGuard_LinksLeadToWhatIsOpen(t *testing.T) {
	s := serve(t, testConfig())
	for _, tc := range []struct {
		path, mode, dest, more string
		want                   int
	}{
		{"GET /free", "navigate", "document", "", 200},
		{"GET /pages/a", "navigate", "document", "", 200},
		{"GET /free", "navigate", "iframe", "", 403},
		{"GET /free", "no-cors", "script", "", 403},
		{"GET /free", "cors", "empty", "", 403},
		{"GET /free", "navigate", "document", "Origin: null", 403},
		{"GET /free", "navigate", "document", "Origin: https://evil.example", 403},
		{"GET /hello", "navigate", "document", "", 403},
		{"GET /nowhere", "navigate", "document", "", 403},
		{"POST /free", "navigate", "document", "", 403},
		{"POST /echo", "navigate", "document", "", 403},
	} {
		method, path, _ := strings.Cut(tc.path, " ")
		for _, site := range []string{"cross-site", "same-site"} {
			headers := []string{"Host: localhost", "Sec-Fetch-Site: " + site, "Sec-Fetch-Mode: " + tc.mode, "Sec-Fetch-Dest: " + tc.dest}
			if tc.more != "" {
				headers = append(headers, tc.more)
			}
			if status, body, _ := s.one(t, method, path, headers, ""); status != tc.want {
				t.Errorf("%s, %s, %s %s: %d %s, want %d", tc.path, site, tc.mode, tc.dest+" "+tc.more, status, body, tc.want)
			}
		}
	}
}

func TestGuard_ContentType(t *testing.T) {
	s := serve(t, testConfig())
	cases := []struct {
		headers []string
		want    int
	}{
		{[]string{"Content-Type: application/json"}, 200},
		{[]string{"Content-Type: Application/JSON; charset=UTF-8"}, 200},
		{[]string{`content-type: application/json;charset="utf-8"`}, 200},
		{nil, 415},
		{[]string{"Content-Type: text/plain"}, 415},
		{[]string{"Content-Type: application/x-www-form-urlencoded"}, 415},
		{[]string{"Content-Type: multipart/form-data; boundary=x"}, 415},
		{[]string{"Content-Type: application/json; charset=utf-16"}, 415},
		{[]string{"Content-Type: application/json; boundary=x"}, 415},
		{[]string{"Content-Type: text/plain; a=application/json"}, 415},
		{[]string{"Content-Type: application/json, text/plain"}, 415},
		{[]string{"Content-Type: application/jsonp"}, 415},
		{[]string{"Content-Type: text/plain", "Content-Type: application/json"}, 400},
		{[]string{"Content-Type: application/json", "Content-Encoding: gzip"}, 415},
		{[]string{"Content-Type: application/json", "Content-Encoding: identity"}, 415},
	}
	body := `{"text":"x"}`
	for _, tc := range cases {
		headers := append([]string{"Host: localhost", fmt.Sprint("Content-Length: ", len(body))}, tc.headers...)
		status, text, _ := s.one(t, "POST", "/echo", headers, body)
		if status != tc.want {
			t.Errorf("%q: %d %s, want %d", tc.headers, status, text, tc.want)
		}
	}
}

func TestGuard_RefusesABodyBeforeItIsSent(t *testing.T) {
	s := serve(t, testConfig())
	for _, tc := range []struct {
		header string
		want   int
	}{
		{"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 1000000", 415},
		{"Content-Type: text/plain\r\nContent-Length: 1000000", 415},
		{"Content-Type: application/json\r\nContent-Length: 1048577", 413},
		{"Content-Type: application/json\r\nContent-Length: 1000000\r\nOrigin: null", 403},
	} {
		// Some of the body is what fasthttp reads ahead; no more than that is sent, and the answer comes all the same.
		got := s.raw(t, "POST /echo HTTP/1.1\r\nHost: localhost\r\n"+tc.header+"\r\n\r\n"+strings.Repeat(" ", 8<<10))
		if len(got) != 1 || got[0].StatusCode != tc.want {
			t.Errorf("%q: %v, want one %d", tc.header, got, tc.want)
		}
	}
}

func TestServer_EveryResponseIsPlain(t *testing.T) {
	s := serve(t, testConfig())
	for _, request := range []string{
		"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		"DELETE /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"BREW /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"not HTTP\r\n\r\n",
		"GET /hello HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n",
	} {
		for _, resp := range s.raw(t, request) {
			body, _ := io.ReadAll(resp.Body)
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%.40q: sniffing is not turned off", request)
			}
			if resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%.40q: caches may keep it", request)
			}
			if resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%.40q: type %q, body %s", request, resp.Header.Get("Content-Type"), body)
			}
			if server, ok := resp.Header[http.CanonicalHeaderKey("Server")]; ok {
				t.Errorf("%.40q: Server %q", request, server)
			}
		}
	}
}
