package ops_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/ops"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// admin is an Admin that serves until the test ends.
type admin struct {
	*ops.Admin
	addr    string
	startup ops.Startup
	stop    func(ctx context.Context) error // once
}

func serve(t *testing.T) *admin {
	t.Helper()
	a := &admin{}
	health := ops.NewHealth(&a.startup, []ops.Check{ops.StateCheck(func() error { return nil })}, logger(&said{}))
	m := metrics.New("1")
	m.Watch(metrics.Now{
		Sandbox: func() sandbox.Stats { return sandbox.Stats{} },
		Server:  func() metrics.Server { return metrics.Server{} },
		Ready:   health.Well,
	})
	a.Admin = ops.NewAdmin(health, m, logger(&said{}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.Serve(ln) }()
	stopped := false
	a.stop = func(ctx context.Context) error {
		stopped = true
		err := a.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		return err
	}
	t.Cleanup(func() {
		if !stopped {
			if err := a.stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
	})
	return a
}

// send sends a request with headers over a connection of its own, and returns status and body.
func (a *admin) send(t *testing.T, method, path string, headers ...string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	host := "Host: " + a.addr + "\r\n"
	if len(headers) > 0 && strings.HasPrefix(headers[0], "Host:") {
		host = ""
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%sConnection: close\r\n%s\r\n", method, path, host, strings.Join(append(headers, ""), "\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
		"X-Frame-Options":        "DENY",
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
			"style-src 'unsafe-inline'",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
		}
	}
	return resp.StatusCode, string(body)
}

func TestAdmin_Answers(t *testing.T) {
	a := serve(t)
	a.SetPprof(true)
	for path, want := range map[string]string{
		"/livez":                    `{"status":"alive"}`,
		"/readyz":                   `{"status":"ready","checks":{"state":"can be written"}}`,
		"/metrics":                  "fastpyrepl_ready{check=\"state\"} 1\n",
		"/debug/pprof/":             "goroutine",
		"/debug/pprof/heap?debug=1": "heap profile",
		"/debug/pprof/cmdline":      "ops.test",
	} {
		if status, body := a.send(t, "GET", path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.300s, want %q in it", path, status, body, want)
		}
	}
	a.startup.Step("pulling image default")
	if status, body := a.send(t, "GET", "/readyz"); status != 503 || body != `{"status":"starting","checks":{"start":"pulling image default"}}` {
		t.Errorf("/readyz while it starts: %d %s", status, body)
	}
	if status, _ := a.send(t, "GET", "/livez"); status != 200 {
		t.Errorf("/livez while it starts: %d", status)
	}
}

func TestAdmin_Refuses(t *testing.T) {
	a := serve(t)
	for name, tc := range map[string]struct {
		status       int
		method, path string
		headers      []string
	}{
		"profiles that are off":   {404, "GET", "/debug/pprof/heap", nil},
		"what is not there":       {404, "GET", "/execute", nil},
		"what is not asked for":   {405, "POST", "/metrics", nil},
		"a rebound host":          {421, "GET", "/metrics", []string{"Host: evil.example"}},
		"a page of another site":  {403, "GET", "/metrics", []string{"Sec-Fetch-Site: cross-site"}},
		"a page by its origin":    {403, "GET", "/metrics", []string{"Origin: http://evil"}},
		"profiles for that page":  {403, "GET", "/debug/pprof/heap", []string{"Origin: http://evil"}},
		"a page without origin":   {403, "GET", "/readyz", []string{"Origin: null"}},
		"another port's page":     {403, "GET", "/livez", []string{"Origin: http://localhost:8000"}},
		"headers without end":     {431, "GET", "/metrics", []string{"X: " + strings.Repeat("x", 64<<10)}},
		"no host, where it needs": {400, "GET", "/metrics", []string{"Host:", "Host:"}},
	} {
		conn, err := net.Dial("tcp", a.addr)
		if err != nil {
			t.Fatal(err)
		}
		headers := tc.headers
		if len(headers) == 0 || !strings.HasPrefix(headers[0], "Host:") {
			headers = append([]string{"Host: localhost"}, headers...)
		}
		go fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%s\r\n\r\n", tc.method, tc.path, strings.Join(headers, "\r\n"))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if resp.StatusCode != tc.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, tc.status)
		}
		resp.Body.Close()
		conn.Close()
	}
	if status, body := a.send(t, "GET", "/livez", "Host: localhost:9090", "Origin: http://localhost:9090"); status != 200 {
		t.Errorf("its own page: %d %s", status, body)
	}
	a.SetAllowedHosts([]string{"admin.internal"})
	if status, _ := a.send(t, "GET", "/livez", "Host: admin.internal:9090"); status != 200 {
		t.Errorf("a host that is allowed: %d", status)
	}
}

// A profile that is being taken does not keep the daemon from ending.
func TestAdmin_ShutdownCutsOffAProfile(t *testing.T) {
	a := serve(t)
	a.SetPprof(true)
	conn, err := net.Dial("tcp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /debug/pprof/trace?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	for !trace.IsEnabled() {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := a.stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
