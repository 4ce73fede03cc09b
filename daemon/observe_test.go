package daemon_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing/tracingtest"
	"github.com/gofiber/fiber/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	os.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // spans come when they are waited for
	os.Exit(m.Run())
}

// observed is a server that counts, and traces.
type observed struct {
	*daemon.Server
	addr     string
	log      *syncBuffer
	metrics  *metrics.Metrics
	spans    *tracingtest.Collector
	starting atomic.Value  // string
	release  chan struct{} // streams and sockets end when it is closed
}

func observe(t *testing.T) *observed {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { // the last of all
		goleak.VerifyNone(t, leaks,
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	})
	s := &observed{log: &syncBuffer{}, metrics: metrics.New("1"), spans: tracingtest.New(t), release: make(chan struct{})}
	s.starting.Store("")
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tracer, err := tracing.Open(t.Context(), tracing.Config{Endpoint: s.spans.URL + "/v1/traces", Ratio: 1}, log)
	if err != nil {
		t.Fatal(err)
	}
	hello := func(c *fiber.Ctx) error { return daemon.WriteJSON(c, "hello") }
	s.Server = daemon.New(testConfig(), daemon.Deps{
		Log: log, Metrics: s.metrics, Tracer: tracer, Starting: func() string { return s.starting.Load().(string) },
		Routes: []daemon.Route{
			{Method: http.MethodGet, Path: "/hello", Handler: hello},
			{Method: http.MethodGet, Path: "/early", Early: true, Handler: hello},
			{Method: http.MethodGet, Path: "/things/:id", Handler: hello},
			{Method: http.MethodGet, Path: "/panic", Handler: func(*fiber.Ctx) error { panic("no") }},
			{Method: http.MethodGet, Path: "/stream", Handler: func(c *fiber.Ctx) error {
				daemon.Stream(c, "text/plain", func(_ context.Context, w *daemon.StreamWriter) {
					_ = w.Send([]byte("begun"))
					<-s.release
				})
				return nil
			}},
			{Method: http.MethodGet, Path: "/socket", Handler: func(c *fiber.Ctx) error {
				return daemon.UpgradeSocket(c, func(context.Context, *daemon.Socket) { <-s.release })
			}},
		},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := tracer.Close(ctx); err != nil {
			t.Errorf("close the tracer: %v", err)
		}
	})
	return s
}

// send sends a request by hand and returns the answer, its body read.
func (s *observed) send(t *testing.T, line string, headers ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", line, strings.Join(append(headers, ""), "\r\n"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// series are the series of one metric, "name{labels} value".
func (s *observed) series(t *testing.T, name string) []string {
	t.Helper()
	text, _, err := s.metrics.Scrape()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name+"{") {
			found = append(found, strings.TrimSpace(strings.TrimPrefix(line, name)))
		}
	}
	return found
}

func TestMetrics_CountRequestsByRoute(t *testing.T) {
	s := observe(t)
	for range 2 {
		s.send(t, "GET /hello")
	}
	s.send(t, "GET /things/some-client's-text")
	s.send(t, "GET /nowhere/some-client's-text")
	s.send(t, "BREW /hello")
	s.send(t, "POST /hello")
	s.send(t, "GET /hello", "Origin: https://evil.example")
	s.send(t, "GET /panic")
	s.send(t, "GET /hello", "X: "+strings.Repeat("x", 64<<10)) // which fasthttp does not read
	want := []string{
		`{code="200",method="GET",route="/hello"} 2`,
		`{code="200",method="GET",route="/things/:id"} 1`,
		`{code="403",method="",route=""} 1`,
		`{code="404",method="",route=""} 1`,
		`{code="405",method="",route=""} 2`,
		`{code="431",method="",route=""} 1`,
		`{code="500",method="GET",route="/panic"} 1`,
	}
	if got := s.series(t, "fastpyrepl_http_requests_total"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	want = []string{`{route=""} 4`, `{route="/hello"} 2`, `{route="/panic"} 1`, `{route="/things/:id"} 1`}
	if got := s.series(t, "fastpyrepl_http_request_duration_seconds_count"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A stream has been answered at its beginning, and is over at its end.
func TestMetrics_AStreamTakesUntilItsEnd(t *testing.T) {
	s := observe(t)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, len("begun"))); err != nil {
		t.Fatal(err)
	}
	if n := s.Now(); n.Connections != 1 || n.WebSockets != 0 {
		t.Errorf("it has open %+v", n)
	}
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+s.addr+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	eventually(t, "the socket is counted", func() bool { n := s.Now(); return n.Connections == 2 && n.WebSockets == 1 })
	if got := s.series(t, "fastpyrepl_http_request_duration_seconds_count"); len(got) != 0 {
		t.Errorf("over are %q", got)
	}
	if got := s.series(t, "fastpyrepl_http_requests_total"); len(got) != 2 {
		t.Errorf("answered are %q", got)
	}
	close(s.release)
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream is over", func() bool {
		return slices.Equal(s.series(t, "fastpyrepl_http_request_duration_seconds_count"), []string{`{route="/stream"} 1`})
	})
	spans := s.spans.Await(t, "spans of both", func(all []tracingtest.Span) bool { return len(all) == 2 })
	for _, span := range spans {
		if span.Failed || span.Parent != "" || span.Name != "GET /stream" && span.Name != "GET /socket" {
			t.Errorf("got %+v", span)
		}
	}
}

func TestTracing_ARequestHasASpan(t *testing.T) {
	s := observe(t)
	resp, _ := s.send(t, "GET /things/some-client's-text", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	for name := range resp.Header {
		if strings.HasPrefix(name, "Trace") {
			t.Errorf("the answer has a header %s", name)
		}
	}
	s.send(t, "GET /nowhere/some-client's-text", "traceparent: nonsense")
	spans := s.spans.Await(t, "two spans", func(all []tracingtest.Span) bool { return len(all) == 2 })
	first, second := spans[0], spans[1]
	if first.Name != "GET /things/:id" || first.Trace != "0af7651916cd43dd8448eb211c80319c" || first.Parent != "b7ad6b7169203331" ||
		first.Attributes["http.response.status_code"] != "200" {
		t.Errorf("got %+v", first)
	}
	if second.Name != "GET" || second.Parent != "" || second.Attributes["http.response.status_code"] != "404" {
		t.Errorf("got %+v", second)
	}
	if text := fmt.Sprint(spans); strings.Contains(text, "client's-text") {
		t.Errorf("the spans have what the client sent: %s", text)
	}
	if !strings.Contains(s.log.String(), "trace=0af7651916cd43dd8448eb211c80319c") {
		t.Errorf("the log has %s", s.log.String())
	}
}

func TestStarting_RoutesWait(t *testing.T) {
	s := observe(t)
	s.starting.Store("building image default")
	resp, body := s.send(t, "GET /hello")
	if want := `{"detail":"the daemon is starting: building image default"}`; resp.StatusCode != 503 || body != want || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("got %d %s, Retry-After %q", resp.StatusCode, body, resp.Header.Get("Retry-After"))
	}
	if log := s.log.String(); strings.Contains(log, "level=ERROR") || !strings.Contains(log, "level=DEBUG msg=request method=GET route=/hello status=503") {
		t.Errorf("who comes early, as health checks do, is no fault: %s", log)
	}
	if resp, body := s.send(t, "GET /early"); resp.StatusCode != 200 {
		t.Errorf("one that is early: %d %s", resp.StatusCode, body)
	}
	if resp, _ := s.send(t, "GET /nowhere"); resp.StatusCode != 404 {
		t.Errorf("what is not there: %d", resp.StatusCode)
	}
	s.starting.Store("")
	if resp, body := s.send(t, "GET /hello"); resp.StatusCode != 200 {
		t.Errorf("after the start: %d %s", resp.StatusCode, body)
	}
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to be that %s", what)
		}
	}
}
