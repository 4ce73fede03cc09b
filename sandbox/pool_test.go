package sandbox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

func poolConfig(min, max int) sandbox.Config {
	cfg := testConfig()
	cfg.Pool = sandbox.PoolConfig{Min: min, Max: max, MaxStarting: 1, ShrinkAfter: time.Hour}
	cfg.Limits = sandbox.Limits{Memory: 1 << 30, CPUs: 1, Pids: 64, WorkDir: 1 << 20, Tmp: 1 << 20, Shm: 1 << 20, Inodes: 64, NoFile: 64}
	cfg.MaxLimits = sandbox.Ceilings{Memory: 2 << 30, CPUs: 2, Pids: 128, WorkDir: 2 << 20}
	return cfg
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

func restore(t *testing.T, m *sandbox.Manager) {
	t.Helper()
	if err := m.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPool_ASessionClaimsAWarmContainerAndAnotherTakesItsPlace(t *testing.T) {
	m, rt := newManager(t, poolConfig(2, 2), nil)
	restore(t, m)
	eventually(t, "two containers wait", func() bool { return rt.Started() == 2 })
	eventually(t, "both are ready", func() bool { return m.Stats().Warm == 2 })
	warm := map[string]bool{}
	for _, in := range instances(rt) {
		warm[in.ID()] = true
	}
	if r := run(t, m, "a", "x"); r.Stdout != "x" || r.ExecutionCount != 1 {
		t.Errorf("got %+v", r)
	}
	eventually(t, "a third was started", func() bool { return rt.Started() == 3 })
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, in := range instances(rt) {
		delete(warm, in.ID())
		used++
	}
	if len(warm) != 1 || used != 2 { // one of the first two was the session's, and is gone
		t.Errorf("%d of the first containers are gone, %d are there", len(warm), used)
	}
}

func everybody(string) bool { return true }

func instances(rt *sandboxtest.Runtime) []sandbox.Instance {
	all, _ := rt.List(context.Background())
	return all
}

func TestPool_LimitsThatCanChangeAreChangedAtTheClaim(t *testing.T) {
	for name, live := range map[string]bool{"live": true, "not live": false} {
		t.Run(name, func(t *testing.T) {
			m, rt := newManager(t, poolConfig(1, 1), nil)
			rt.Live = live
			restore(t, m)
			eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
			info, err := m.Create(t.Context(), key("a"), sandbox.Request{Session: sandbox.SessionOptions{Memory: 2 << 30, CPUs: 2}})
			if err != nil || info.Limits.Memory != 2<<30 || info.Limits.CPUs != 2 || info.Limits.Pids != 64 {
				t.Fatalf("got %+v, %v", info, err)
			}
			var claimed bool
			for _, in := range instances(rt) {
				claimed = claimed || in.ID() == "fake-1" && in.Spec().Limits.Memory == 2<<30
			}
			if claimed != live {
				t.Errorf("the warm container was claimed: %t", claimed)
			}
			if r := run(t, m, "a", "x"); r.Stdout != "x" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestPool_ARequestThatIsRefusedCostsNoWarmContainer(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 3), nil)
	rt.Live, rt.MinPids = true, 8
	restore(t, m)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
	for range 3 {
		_, err := m.Create(t.Context(), key("a"), sandbox.Request{Session: sandbox.SessionOptions{Pids: 7}})
		if sandbox.ErrorCode(err) != sandbox.CodeInvalid || !strings.Contains(err.Error(), "pids is 7") {
			t.Errorf("got %v", err)
		}
	}
	if stats := m.Stats(); rt.Started() != 1 || stats.Warm != 1 || stats.WarmTarget != 1 {
		t.Errorf("%d containers were started, %d of %d wait", rt.Started(), stats.Warm, stats.WarmTarget)
	}
}

func TestPool_GrowsForNobodyWhomItCouldNotServe(t *testing.T) {
	cfg := poolConfig(1, 3)
	cfg.MaxSessions = 8
	m, _ := newManager(t, cfg, nil)
	restore(t, m)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
	for _, o := range []sandbox.SessionOptions{{WorkDir: 2 << 20}, {Image: "other"}, {Env: map[string]string{"A": "b"}}, {WorkDir: 3 << 19}} {
		if _, err := m.Create(t.Context(), sandbox.Key{}, sandbox.Request{Session: o}); err != nil {
			t.Fatal(err)
		}
	}
	if stats := m.Stats(); stats.Warm != 1 || stats.WarmTarget != 1 {
		t.Errorf("%d of %d wait, want 1 of 1", stats.Warm, stats.WarmTarget)
	}
}

func TestPool_GrowsWithDemandAndShrinksWhenNobodyComes(t *testing.T) {
	cfg := poolConfig(0, 3)
	cfg.Pool.ShrinkAfter = 50 * time.Millisecond
	cfg.MaxSessions = 8
	m, _ := newManager(t, cfg, nil)
	restore(t, m)
	for _, id := range []string{"a", "b", "c"} { // each finds none
		run(t, m, id, "x")
	}
	eventually(t, "some wait", func() bool { return m.Stats().Warm > 0 })
	eventually(t, "none waits any more", func() bool { return m.Stats().Warm == 0 })
}

func TestPool_AWarmContainerThatEndsIsReplaced(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 1), nil)
	restore(t, m)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
	if err := instances(rt)[0].Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another waits", func() bool { return rt.Started() == 2 && m.Stats().Warm == 1 })
	if r := run(t, m, "a", "x"); r.Stdout != "x" {
		t.Errorf("got %+v", r)
	}
}

func TestPool_NewLimitsReplaceWhatWaits(t *testing.T) {
	cfg := poolConfig(2, 2)
	m, rt := newManager(t, cfg, nil)
	restore(t, m)
	eventually(t, "two wait", func() bool { return m.Stats().Warm == 2 })
	cfg.Limits.Pids = 32
	m.SetConfig(cfg)
	eventually(t, "two others wait", func() bool {
		all := instances(rt)
		for _, in := range all {
			if in.Spec().Limits.Pids != 32 {
				return false
			}
		}
		return len(all) == 2 && m.Stats().Warm == 2
	})
}

func TestPool_AFailingRuntimeIsTriedAgainAndClientsAreToldMeanwhile(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 1), nil)
	var failing atomic.Bool
	failing.Store(true)
	rt.OnStart = func(context.Context, sandbox.Spec) error {
		if failing.Load() {
			return errors.New("out of order")
		}
		return nil
	}
	restore(t, m)
	if _, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"}); sandbox.ErrorCode(err) != sandbox.CodeEngine {
		t.Errorf("got %v, want an error of the engine's", err)
	}
	failing.Store(false)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
}

func TestStarts_ClientsComeBeforeThePool(t *testing.T) {
	cfg := poolConfig(2, 2)
	cfg.MaxStarting = 1
	m, rt := newManager(t, cfg, nil)
	held := make(chan struct{})
	var once sync.Once
	var order []string
	var mu sync.Mutex
	rt.OnStart = func(_ context.Context, spec sandbox.Spec) error {
		mu.Lock()
		kind := "pool"
		if len(spec.Env) > 0 {
			kind = "client"
		}
		order = append(order, kind)
		mu.Unlock()
		once.Do(func() { <-held })
		return nil
	}
	restore(t, m) // begins one start, which is held
	eventually(t, "a start is under way", func() bool { mu.Lock(); defer mu.Unlock(); return len(order) == 1 })
	var wg sync.WaitGroup
	wg.Go(func() { // no warm container will do for it
		if _, err := m.Create(t.Context(), key("a"), sandbox.Request{Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}}); err != nil {
			t.Errorf("Create: %v", err)
		}
	})
	eventually(t, "the client waits", func() bool { return m.Stats().WaitingStarts == 1 })
	close(held)
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if order[1] != "client" {
		t.Errorf("starts were for %v", order)
	}
}

func TestStarts_AClientThatWaitsGetsWhatThePoolStarted(t *testing.T) {
	cfg := poolConfig(1, 1)
	cfg.MaxStarting = 1
	m, rt := newManager(t, cfg, nil)
	held := make(chan struct{})
	rt.OnStart = func(context.Context, sandbox.Spec) error { <-held; return nil }
	restore(t, m)
	done := make(chan error, 1)
	go func() {
		_, err := m.Create(t.Context(), key("a"), sandbox.Request{})
		done <- err
	}()
	eventually(t, "the client waits", func() bool { return m.Stats().WaitingStarts == 1 })
	close(held)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	info, err := m.Session(key("a"))
	if err != nil || info.State != sandbox.StateIdle {
		t.Errorf("got %+v, %v", info, err)
	}
}

func TestStarts_TheQueueIsBoundedAndRefusesAtOnce(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSessions, cfg.MaxStarting, cfg.StartQueue = 100, 1, 2
	m, rt := newManager(t, cfg, nil)
	held := make(chan struct{})
	rt.OnStart = func(context.Context, sandbox.Spec) error { <-held; return nil }
	var wg sync.WaitGroup
	var refused, made atomic.Int32
	ids := []string{"a", "b", "c", "d", "e", "f"}
	for _, id := range ids {
		wg.Go(func() {
			_, err := m.Create(t.Context(), key(id), sandbox.Request{})
			var e *sandbox.Error
			switch {
			case err == nil:
				made.Add(1)
			case errors.As(err, &e) && e.Code == sandbox.CodeCapacity && e.RetryAfter > 0:
				refused.Add(1)
			default:
				t.Errorf("Create: %v", err)
			}
		})
	}
	eventually(t, "three are refused", func() bool { return refused.Load() == 3 })
	close(held)
	wg.Wait()
	if made.Load() != 3 || len(m.Sessions(everybody)) != 3 {
		t.Errorf("%d were made, %d are there; want 3", made.Load(), len(m.Sessions(everybody)))
	}
}
