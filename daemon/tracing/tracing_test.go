package tracing_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing/tracingtest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

func TestMain(m *testing.M) {
	// A collection in time, whatever the machine is busy with.
	os.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	goleak.VerifyTestMain(m)
}

// said is a log that can be read while it is written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// open makes a Tracer that delivers to url, and closes it at the end.
func open(t *testing.T, url string, ratio float64) (*tracing.Tracer, *said) {
	t.Helper()
	log := &said{}
	tracer, err := tracing.Open(t.Context(), tracing.Config{Endpoint: url + "/v1/traces", Ratio: ratio, Version: "1.2"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = tracer.Close(ctx) // some collectors are not there
	})
	return tracer, log
}

const (
	parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	other  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" // which its client does not keep
)

func TestTracer_ASpanOfARequest(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	c := tracingtest.New(t)
	tracer, _ := open(t, c.URL, 0) // what a client begins is as the client says
	ctx, span := tracer.Request(t.Context(), "POST", parent, "vendor=1")
	claim, claimed := tracing.Claim(ctx)
	tracing.Engine(claim, "container_create")("ok", false)
	tracing.Engine(claim, "container_start")("timeout", true)
	claimed(false, &sandbox.Error{Code: sandbox.CodeEngine, Message: "SECRET", Err: errors.New("SECRET")})
	span.End("POST", "/execute", 503)
	if got := span.TraceID(); got != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("its trace is %s", got)
	}

	spans := map[string]tracingtest.Span{}
	for _, s := range c.Await(t, "four spans", func(s []tracingtest.Span) bool { return len(s) == 4 }) {
		spans[s.Name] = s
		if s.Trace != span.TraceID() || s.Resource["service.name"] != "fastpyrepl" || s.Resource["service.version"] != "1.2" ||
			s.Resource["deployment.environment.name"] != "test" {
			t.Errorf("got %+v", s)
		}
	}
	request := spans["POST /execute"]
	if request.Parent != "b7ad6b7169203331" || !request.Server || !request.Failed || request.Attributes["http.route"] != "/execute" ||
		request.Attributes["http.response.status_code"] != "503" || request.Attributes["http.request.method"] != "POST" {
		t.Errorf("request: got %+v", request)
	}
	if got := spans["claim"]; got.Parent != request.ID || !got.Failed || got.Message != "engine" {
		t.Errorf("claim: got %+v", got)
	}
	if got := spans["engine container_create"]; got.Parent != spans["claim"].ID || got.Failed || got.Attributes["fastpyrepl.engine.result"] != "ok" {
		t.Errorf("create: got %+v", got)
	}
	if got := spans["engine container_start"]; got.Parent != spans["claim"].ID || !got.Failed {
		t.Errorf("start: got %+v", got)
	}
}

func TestTracer_KeepsAsManyAsItIsTo(t *testing.T) {
	c := tracingtest.New(t)
	for name, tc := range map[string]struct {
		ratio       float64
		traceparent string
		kept        bool
	}{
		"all":                       {1, "", true},
		"none":                      {0, "", false},
		"what its client keeps":     {0, parent, true},
		"what its client does not":  {1, other, false},
		"with a header that is not": {1, "00-zzz", true},
	} {
		tracer, _ := open(t, c.URL, tc.ratio)
		ctx, span := tracer.Request(t.Context(), "GET", tc.traceparent, strings.Repeat("x", 9000))
		if got := span.TraceID() != ""; got != tc.kept {
			t.Errorf("%s: kept is %t", name, got)
		}
		_, claimed := tracing.Claim(ctx)
		claimed(true, nil)
		span.End("GET", "/"+name, 200)
		if err := tracer.Close(t.Context()); err != nil { // which delivers what there is
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(c.Await(t, "spans", func([]tracingtest.Span) bool { return true })); n != 6 {
		t.Errorf("%d spans came, want 6: of three requests, and below them", n)
	}
}

func TestTracer_OffCostsNothing(t *testing.T) {
	var tracer *tracing.Tracer
	ctx, span := tracer.Request(t.Context(), "GET", parent, "")
	if ctx != t.Context() || span.In(ctx) != ctx || span.TraceID() != "" {
		t.Error("a request has a span")
	}
	span.End("GET", "/", 200)
	if err := tracer.Close(ctx); err != nil {
		t.Error(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		_, claimed := tracing.Claim(ctx)
		claimed(false, nil)
		tracing.Engine(ctx, "ping")("ok", false)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// A collector that is broken, or not there, costs its spans and a line of the log.
func TestTracer_ACollectorThatFails(t *testing.T) {
	c := tracingtest.New(t)
	c.Refuse(http.StatusBadRequest)
	tracer, log := open(t, c.URL, 1)
	one := func() {
		_, span := tracer.Request(t.Context(), "GET", "", "")
		span.End("GET", "/", 200)
	}
	for n := range 3 {
		one()
		eventually(t, "it was delivered", func() bool { return c.Asked() > n })
	}
	eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "spans not delivered") })
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
	c.Refuse(0)
	one()
	eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "spans are delivered again") })
}

func TestTracer_CloseIsBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tracer, _ := open(t, "http://"+ln.Addr().String(), 1)
	begun := time.Now()
	for range 10_000 { // more than may wait
		_, span := tracer.Request(t.Context(), "GET", "", "")
		span.End("GET", "/", 200)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("requests took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := tracer.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
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
