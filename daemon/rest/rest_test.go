package rest_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/go-json-experiment/json"
)

// api is the routes over a Manager whose containers are played.
type api struct {
	url     string
	manager *sandbox.Manager
	runtime *sandboxtest.Runtime
	handler *rest.Handler
	server  *daemon.Server
}

func testConfig() sandbox.Config {
	return sandbox.Config{
		MaxSessions: 3, MaxStarting: 2, StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second,
		Lease: time.Hour, LostKept: time.Hour, StartQueue: 8,
		Execution: sandbox.ExecutionConfig{
			Timeout: 10 * time.Second, MaxTimeout: time.Minute, Grace: time.Second, Queue: 1,
			MaxContext: 80 << 20, MaxCode: 1 << 10, MaxStdout: 1 << 20, MaxStderr: 1 << 20, MaxDisplay: 1 << 20,
			MaxLocals: 1 << 20, MaxLocalsValue: 1 << 16, MaxEvents: 16384,
		},
		Files: sandbox.FilesConfig{MaxUpload: 4 << 20, Transfers: 4},
	}
}

func start(t testing.TB, play func(*sandboxtest.Call)) *api {
	t.Helper()
	cfg := testConfig()
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	a := &api{runtime: &sandboxtest.Runtime{Play: play}}
	a.manager = sandbox.NewManager(a.runtime, nil, cfg, log)
	counts := metrics.New("test") // as every daemon has them
	a.manager.Observe(counts)
	a.handler = rest.New(a.manager, rest.Limits{
		MaxCode: cfg.Execution.MaxCode, MaxContext: cfg.Execution.MaxContext, MaxTimeout: cfg.Execution.MaxTimeout,
		Session: cfg.Ceilings(), MaxTTL: cfg.MaxTTL, MaxIdleTTL: cfg.MaxIdleTTL,
	})
	a.server = daemon.New(daemon.Config{
		MaxBody: 500 << 20, MaxInflightBody: 1 << 30, MaxHeader: 8 << 10, MaxJSONDepth: 64, MaxJSONKeys: 10_000,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}, daemon.Deps{Log: log, Routes: a.handler.Routes(), Metrics: counts})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(ln) }()
	t.Cleanup(func() {
		if err := a.manager.Close(context.Background()); err != nil {
			t.Errorf("close the manager: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
		if err := a.server.Shutdown(context.Background()); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return a
}

// post sends a body and returns status, body and headers.
func (a *api) post(t testing.TB, path, body string) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Post(a.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// execute sends a body that must be answered with 200.
func (a *api) execute(t testing.TB, body string) rest.ExecuteResponse {
	t.Helper()
	status, text, _ := a.post(t, "/execute", body)
	if status != 200 {
		t.Fatalf("%.200s: %d %s", body, status, text)
	}
	var r rest.ExecuteResponse
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func (a *api) containers(t testing.TB) int {
	t.Helper()
	all, err := a.runtime.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestHealth(t *testing.T) {
	a := start(t, nil)
	resp, err := http.Get(a.url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if want := `{"status":"PYTHON REPL ACTIVE"}`; resp.StatusCode != 200 || string(body) != want {
		t.Errorf("got %d %s, want 200 %s", resp.StatusCode, body, want)
	}
}
