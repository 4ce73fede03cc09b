package ops_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/ops"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

func logger(to *said) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

func TestHealth_SaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var startup ops.Startup
		var engine error
		log := &said{}
		stats := sandbox.Stats{Warm: 1, WarmTarget: 2}
		h := ops.NewHealth(&startup, []ops.Check{
			ops.EngineCheck(func(context.Context) error { return engine }),
			ops.ImageCheck(func(context.Context) error { return nil }),
			ops.PoolCheck(func() sandbox.Stats { return stats }),
			ops.StateCheck(func() error { return nil }),
		}, logger(log))
		report := func(status ops.Status, checks map[string]string) {
			t.Helper()
			if got := h.Report(); got.Status != status || !maps.Equal(got.Checks, checks) {
				t.Errorf("got %+v, want %s %v", got, status, checks)
			}
		}
		startup.Step("building image default")
		report(ops.Starting, map[string]string{"start": "building image default"})
		if got := h.Well(); len(got) != 4 || got["engine"] {
			t.Errorf("while it starts, well are %v", got)
		}

		startup.Step("")
		well := map[string]string{"engine": "answers", "image": "is there", "pool": "1 of 2 containers are ready", "state": "can be written"}
		report(ops.Ready, well)
		engine = errors.New("dial unix /secret/docker.sock: refused")
		report(ops.Ready, well) // it was looked at a moment ago
		time.Sleep(time.Second)
		well["engine"] = "the container engine does not answer"
		report(ops.NotReady, well)
		time.Sleep(time.Second)
		if got := h.Well(); got["engine"] || !got["pool"] {
			t.Errorf("well are %v", got)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `msg="not ready" check=engine`) || !strings.Contains(log.String(), "/secret/docker.sock") {
			t.Errorf("the log has %s", log.String())
		}
		engine = nil
		time.Sleep(time.Second)
		well["engine"] = "answers"
		report(ops.Ready, well)
		if !strings.Contains(log.String(), `msg="ready again" check=engine`) {
			t.Errorf("the log has %s", log.String())
		}
	})
}

// However many ask, the engine is asked once a second.
func TestHealth_LooksOnceForAllWhoAsk(t *testing.T) {
	var asked atomic.Int64
	entered, release := make(chan struct{}), make(chan struct{})
	h := ops.NewHealth(new(ops.Startup), []ops.Check{ops.EngineCheck(func(context.Context) error {
		if asked.Add(1) == 1 {
			close(entered)
		}
		<-release
		return nil
	})}, logger(&said{}))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if r := h.Report(); r.Status != ops.Ready {
				t.Errorf("got %+v", r)
			}
		})
	}
	<-entered
	close(release)
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// An engine that hangs is one that does not answer.
func TestHealth_AnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		h := ops.NewHealth(new(ops.Startup), []ops.Check{ops.EngineCheck(hangs), ops.ImageCheck(hangs)}, logger(&said{}))
		begun := time.Now()
		if r := h.Report(); r.Status != ops.NotReady {
			t.Errorf("got %+v", r)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestPoolCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		stats sandbox.Stats
		words string
		well  bool
	}{
		"off":               {sandbox.Stats{}, "is off", true},
		"full":              {sandbox.Stats{Warm: 2, WarmTarget: 2}, "2 of 2 containers are ready", true},
		"in demand":         {sandbox.Stats{WarmTarget: 2, WarmStarting: 1}, "0 of 2 containers are ready", true},
		"starts fail":       {sandbox.Stats{WarmTarget: 2, WarmFailures: 3}, "no container waits, and none can be started", false},
		"is tried again":    {sandbox.Stats{WarmTarget: 2, WarmStarting: 1, WarmFailures: 3}, "no container waits, and none can be started", false},
		"fails, not empty":  {sandbox.Stats{Warm: 1, WarmTarget: 2, WarmFailures: 3}, "1 of 2 containers are ready", true},
		"nobody could wait": {sandbox.Stats{WarmFailures: 3}, "is off", true},
	} {
		if words, err := ops.PoolCheck(func() sandbox.Stats { return tc.stats }).Look(t.Context()); words != tc.words || (err == nil) != tc.well {
			t.Errorf("%s: got %q, %v, want %q, well %t", name, words, err, tc.words, tc.well)
		}
	}
}
