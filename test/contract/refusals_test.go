package contract_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// What the server refuses on every route is described on every route.
func TestRefusals_OnEveryRoute(t *testing.T) {
	p := newPlayer(t, instance)
	for i := range p.routes {
		r := &p.routes[i]
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			t.Parallel() // for the sake of the read timeout
			p.refuses(t, r)
		})
	}
}

func (p *player) refuses(t *testing.T, r *daemon.Route) {
	path, _ := p.fill(r, r.Examples[0])
	const json = "Host: localhost\r\nContent-Type: application/json"
	refusals := []struct {
		what   string
		head   string // of the request
		body   string
		status int
	}{
		{"another host", "Host: evil.example", "", http.StatusMisdirectedRequest},
		{"another origin", "Host: localhost\r\nOrigin: http://evil.example", "", http.StatusForbidden},
		{"a body that is no JSON", "Host: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1", "x", http.StatusUnsupportedMediaType},
		{"a body that is too large", json + "\r\nContent-Length: 999999999999\r\nExpect: 100-continue", "", http.StatusRequestEntityTooLarge},
		{"two lengths", "Host: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "0\r\n\r\n", http.StatusBadRequest},
		{"a body that does not come", json + "\r\nContent-Length: 20000", "{", http.StatusRequestTimeout},
		{"a body that comes in part", json + "\r\nContent-Length: 20000", "{" + strings.Repeat(" ", 15_000), http.StatusRequestTimeout},
	}
	for _, tc := range refusals {
		anyBody := len(r.Takes) > 0 && r.Takes[0].Type == "*/*"
		if tc.status == http.StatusRequestTimeout && r.In == nil || tc.status == http.StatusUnsupportedMediaType && anyBody {
			continue
		}
		resp, text := raw(t, r.Method+" "+path+" HTTP/1.1\r\n"+tc.head+"\r\n\r\n"+tc.body)
		if resp.StatusCode != tc.status {
			t.Errorf("%s: %s %s", tc.what, resp.Status, text)
			continue
		}
		if err := p.d.checkAnswer(r, resp, text); err != nil {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
}

// checkAnswer checks all of an answer that is no stream.
func (d *description) checkAnswer(r *daemon.Route, resp *http.Response, text string) error {
	mediaType, err := d.checkHead(r, resp)
	if err != nil {
		return err
	}
	return d.checkBody(r, resp.StatusCode, mediaType, text)
}

// Where there is no route, errors look as they do beside it.
func TestRefusals_WithoutARoute(t *testing.T) {
	d := describe(t)
	for path, schema := range map[string]string{"/nowhere": "Failure", "/v1/nowhere": "Problem"} {
		resp, text := raw(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err := d.check(text, "components", "schemas", schema); err != nil || resp.StatusCode != http.StatusNotFound || resp.Header.Get("X-Request-ID") == "" {
			t.Errorf("%s: %s, %v", path, resp.Status, err)
		}
	}
	for path, schema := range map[string]string{"/execute": "Failure", "/v1/sessions/demo/interrupt": "Problem"} {
		resp, text := raw(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if err := d.check(text, "components", "schemas", schema); err != nil || resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %s, %v", path, resp.Status, err)
		}
	}
}

// raw sends a request as it is written, and reads the answer.
func raw(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(instance.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}
