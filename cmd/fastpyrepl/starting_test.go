package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

// starting is a daemon that makes its images ready until it is told that they are.
type starting struct {
	*running
	url   string
	ready chan error // what making them ready ends with
	ended chan error
	stop  context.CancelCauseFunc
}

func newStarting(t *testing.T) *starting {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &starting{url: "http://" + ln.Addr().String(), ready: make(chan error, 1), ended: make(chan error, 1)}
	s.running = &running{
		cfg: configs.Default(), log: slog.New(slog.DiscardHandler), level: new(slog.LevelVar), metrics: metrics.New("test"), ln: ln,
		byHand: func() bool { return true },
	}
	s.startup.Step("looking at the engine")
	s.prepare = func(ctx context.Context) error {
		s.startup.Step("building image default")
		select {
		case err := <-s.ready:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := s.assemble(&sandboxtest.Runtime{}, nil, auth.Config{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	s.stop = stop
	go func() { s.ended <- s.run(ctx) }()
	return s
}

// ask sends a request and returns status, body and Retry-After.
func (s *starting) ask(t *testing.T, method, path string) (int, string, string) {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = `{"code":"x"}`
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header.Get("Retry-After")
}

func (s *starting) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		return nil
	}
}

// An image may take minutes: who asks meanwhile hears of it.
func TestStart_TheServerAnswersWhileImagesAreMade(t *testing.T) {
	s := newStarting(t)
	eventually(t, "it says what it does", func() bool {
		status, body, _ := s.ask(t, "GET", "/readyz")
		return status == 503 && body == `{"status":"starting","checks":{"start":"building image default"}}`
	})
	if status, body, _ := s.ask(t, "GET", "/livez"); status != 200 {
		t.Errorf("/livez: %d %s", status, body)
	}
	for _, r := range []struct{ method, path string }{{"POST", "/execute"}, {"GET", "/health"}, {"GET", "/v1/sessions"}} {
		if status, body, retry := s.ask(t, r.method, r.path); status != 503 || !strings.Contains(body, "the daemon is starting: building image default") || retry == "" {
			t.Errorf("%s: %d %s, Retry-After %q", r.path, status, body, retry)
		}
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 503, "/health": 503} { // as load balancers ask
		if status, body, _ := s.ask(t, "HEAD", path); status != want || body != "" {
			t.Errorf("HEAD %s: %d %s, want %d", path, status, body, want)
		}
	}
	if status, body, _ := s.ask(t, "GET", "/metrics"); status != 200 || !strings.Contains(body, `fastpyrepl_ready{check="pool"} 0`) {
		t.Errorf("/metrics: %d %.300s", status, body)
	}
	s.ready <- nil
	eventually(t, "it serves", func() bool {
		status, _, _ := s.ask(t, "GET", "/health")
		return status == 200
	})
	if status, body, _ := s.ask(t, "POST", "/execute"); status != 200 {
		t.Errorf("/execute: %d %s", status, body)
	}
	if status, body, _ := s.ask(t, "GET", "/readyz"); status != 200 {
		t.Errorf("/readyz: %d %s", status, body)
	}
	s.stop(nil)
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

func TestStart_EndsWithWhatWentWrong(t *testing.T) {
	broken := errors.New("no space left")
	s := newStarting(t)
	s.ready <- broken
	if err := s.end(t); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestStart_CanBeStopped(t *testing.T) {
	s := newStarting(t)
	s.stop(errors.New("terminated"))
	if err := s.end(t); err == nil || err.Error() != "stopped before it served: terminated" {
		t.Errorf("got %v", err)
	}
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to be that %s", what)
		}
	}
}
