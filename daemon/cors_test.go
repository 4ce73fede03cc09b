package daemon_test

import (
	"net/http"
	"strings"
	"testing"
)

const app = "https://app.example"

// cors are the headers that speak to browsers.
func cors(h http.Header) string {
	var got []string
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
		"Access-Control-Allow-Credentials", "Access-Control-Max-Age", "Vary"} {
		if v := h.Get(name); v != "" {
			got = append(got, strings.TrimPrefix(name, "Access-Control-")+"="+v)
		}
	}
	return strings.Join(got, "; ")
}

func TestCORS_OriginsOfTheConfigurationAlone(t *testing.T) {
	ann, key := tenant(t, "ann", nil)
	cfg := locked(key)
	cfg.CORSOrigins = []string{app, "http://localhost:3000"}
	s := serve(t, cfg)
	allowed := "Allow-Origin=" + app + "; Vary=Origin"
	asked := "Allow-Origin=" + app + "; Allow-Methods=GET, POST, PUT; " +
		"Allow-Headers=Authorization, Content-Type, Idempotency-Key, " +
		"If-Match, If-None-Match, If-Range, Last-Event-ID, Range, X-API-Key, X-Request-ID; Max-Age=600; Vary=Origin"
	with := "\r\nX-API-Key: " + ann
	for _, tc := range []struct {
		name, request, headers string
		status                 int
		cors                   string
	}{
		{"allowed", "GET /hello", "Origin: " + app + "\r\nSec-Fetch-Site: cross-site" + with, 200, allowed},
		{"allowed, without a key", "GET /hello", "Origin: " + app, 401, allowed},
		{"allowed, nowhere", "GET /nowhere", "Origin: " + app + with, 404, allowed},
		{"asked, without a key", "OPTIONS /echo", "Origin: " + app + "\r\nAccess-Control-Request-Method: POST", 204, asked},
		{"asked, nowhere", "OPTIONS /nowhere", "Origin: " + app + "\r\nAccess-Control-Request-Method: POST", 204, asked},
		{"asked nothing", "OPTIONS /echo", "Origin: " + app, 401, allowed},
		{"another", "GET /hello", "Origin: https://evil.example" + with, 403, ""},
		{"another asks", "OPTIONS /echo", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST", 403, ""},
		{"another scheme", "GET /hello", "Origin: http://app.example" + with, 403, ""},
		{"another port", "GET /hello", "Origin: https://app.example:8443" + with, 403, ""},
		{"a longer name", "GET /hello", "Origin: https://app.example.evil.example" + with, 403, ""},
		{"a name below", "GET /hello", "Origin: https://x.app.example" + with, 403, ""},
		{"null", "GET /hello", "Origin: null" + with, 403, ""},
		{"no origin, from elsewhere", "GET /hello", "Sec-Fetch-Site: cross-site" + with, 403, ""},
		{"two origins", "GET /hello", "Origin: " + app + "\r\nOrigin: https://evil.example" + with, 400, ""},
		{"a program", "GET /hello", "X-Nothing: x" + with, 200, ""},
		{"its own, asked", "OPTIONS /echo", "Origin: http://" + s.addr + "\r\nAccess-Control-Request-Method: POST", 401, ""},
		{"a WebSocket of another", "GET /socket", "Origin: https://evil.example\r\n" + upgrade + with, 403, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			method, path, _ := strings.Cut(tc.request, " ")
			status, body, header := s.one(t, method, path, []string{"Host: " + s.addr, tc.headers}, "")
			if status != tc.status || cors(header) != tc.cors {
				t.Errorf("got %d %s\n%s\nwant %d\n%s", status, body, cors(header), tc.status, tc.cors)
			}
		})
	}
	s.SetCORSOrigins(nil)
	if status, _, header := s.one(t, "GET", "/hello", []string{"Host: " + s.addr, "Origin: " + app + with}, ""); status != 403 || cors(header) != "" {
		t.Errorf("after it was taken off the list: %d, %s", status, cors(header))
	}
}

func TestSecurePage_AllowsNothingButWhatItSays(t *testing.T) {
	s := serve(t, testConfig())
	status, _, h := s.one(t, "GET", "/page", []string{"Host: localhost"}, "")
	for name, want := range map[string]string{
		"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'; connect-src 'self'",
		"Referrer-Policy":              "no-referrer",
		"X-Frame-Options":              "DENY",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"Cache-Control":                "no-cache", // the page's own
	} {
		if got := h.Get(name); status != 200 || got != want {
			t.Errorf("%d, %s: got %q, want %q", status, name, got, want)
		}
	}
}
