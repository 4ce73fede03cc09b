package sandbox_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// What becomes of sessions while the engine fails.

func TestFailing_StraysAreRemovedSoonAfterAStartFailed(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	restore(t, m)
	run(t, m, "a", "x")
	// An engine that does not answer a creation, and makes the container all the same.
	rt.OnStart = func(ctx context.Context, spec sandbox.Spec) error {
		rt.OnStart = nil
		if _, err := rt.Start(ctx, spec); err != nil {
			t.Error(err)
		}
		return &sandbox.Error{Code: sandbox.CodeEngine, Message: "the engine did not answer in time"}
	}
	if _, err := m.Execute(t.Context(), key("b"), sandbox.Request{Code: "x"}); sandbox.ErrorCode(err) != sandbox.CodeEngine {
		t.Errorf("got %v", err)
	}
	if n := len(instances(rt)); n != 2 {
		t.Fatalf("%d containers, want a's and the stray", n)
	}
	eventually(t, "the stray is gone", func() bool { return len(instances(rt)) == 1 })
	if r := run(t, m, "a", "x"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestFailing_ARemovalIsTriedAgainSoon(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	run(t, m, "a", "x")
	var tries atomic.Int32
	rt.OnDestroy = func(context.Context) error {
		if tries.Add(1) < 3 {
			return errors.New("device or resource busy")
		}
		return nil
	}
	if err := m.Reset(t.Context(), key("a")); sandbox.ErrorCode(err) != sandbox.CodeEngine || !strings.Contains(err.Error(), "it will be tried again") {
		t.Errorf("got %v", err)
	}
	if r := run(t, m, "a", "x"); r.ExecutionCount != 1 { // the id is free meanwhile
		t.Errorf("got %+v", r)
	}
	eventually(t, "one container is left", func() bool { return len(instances(rt)) == 1 && m.Stats().Ending == 0 })
}

func TestFailing_AFrozenContainerCostsNoOtherItsLease(t *testing.T) {
	cfg := testConfig()
	cfg.Lease = 300 * time.Millisecond
	m, rt := newManager(t, cfg, nil)
	run(t, m, "frozen", "x")
	rt.Freeze(instances(rt)[0])
	run(t, m, "a", "x")
	for _, in := range instances(rt) {
		before := rt.Pings(in)
		if in.ID() == "fake-2" {
			eventually(t, "it was renewed again and again", func() bool { return rt.Pings(in) > before+5 })
		}
	}
	if err := m.Reset(t.Context(), key("frozen")); err != nil {
		t.Error(err)
	}
}

func TestFailing_AWarmContainerWhoseConnectionBreaksIsReplaced(t *testing.T) {
	m, rt := newManager(t, poolConfig(1, 1), nil)
	restore(t, m)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
	rt.Break()
	eventually(t, "another one was started", func() bool { return rt.Started() == 2 && m.Stats().Warm == 1 })
	eventually(t, "the first one is gone", func() bool { return len(instances(rt)) == 1 })
	if r := run(t, m, "a", "x"); r.Stdout != "x" {
		t.Errorf("got %+v", r)
	}
}

func TestFailing_AContainerOutOfReachIsLostInTime(t *testing.T) {
	cfg := testConfig()
	cfg.ReconnectTimeout = 300 * time.Millisecond
	m, rt := newManager(t, cfg, nil)
	run(t, m, "a", "x")
	rt.OnAttach = func(context.Context) error {
		return &sandbox.Error{Code: sandbox.CodeEngine, Message: "the session's container is paused"}
	}
	rt.Break()
	r := run(t, m, "a", "y") // crashed, or cancelled where the break was noticed before it was written
	if r.Outcome != sandbox.OutcomeCrashed && r.Outcome != sandbox.OutcomeCancelled || !strings.Contains(r.Error, "its container could not be reached: the session's container is paused") {
		t.Errorf("got %+v", r)
	}
	_, err := m.Session(key("a"))
	if sandbox.ErrorCode(err) != sandbox.CodeLost || !strings.Contains(err.Error(), "its container could not be reached") {
		t.Errorf("got %v", err)
	}
}

func TestRestore_DoesNotWaitForASessionThatIsOutOfReach(t *testing.T) {
	release := make(chan struct{})
	g := newGenerations(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"long": func(c *sandboxtest.Call) {
			<-release
			c.Send(wire.Stdout, []byte("said"))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
	}))
	e, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "long"})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	var paused atomic.Bool
	paused.Store(true)
	g.rt.OnAttach = func(context.Context) error {
		if paused.Load() {
			return errors.New("the container is paused")
		}
		return nil
	}
	g.renew()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := g.m.Restore(ctx); err != nil {
		t.Fatal(err)
	}
	if info, err := g.m.Session(key("a")); err != nil || info.Running != "" { // which is not known yet
		t.Errorf("got %+v, %v", info, err)
	}
	paused.Store(false)
	close(release)
	var found *sandbox.Execution
	eventually(t, "the execution is there", func() bool { found, err = g.m.Execution("", e.ID()); return err == nil })
	if r := wait(t, found); r.Stdout != "said" {
		t.Errorf("got %+v", r)
	}
	if r := run(t, g.m, "a", "x"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestRestore_OutlastsLeftoversThatCannotBeRemoved(t *testing.T) {
	g := newGenerations(t, nil)
	run(t, g.m, "a", "x")
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.rt.Start(t.Context(), sandbox.Spec{Session: "leftover"}); err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int32
	g.rt.OnDestroy = func(context.Context) error {
		if tries.Add(1) < 3 {
			return errors.New("device or resource busy")
		}
		return nil
	}
	g.next()
	if r := run(t, g.m, "a", "x"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
	eventually(t, "the leftover is gone", func() bool { return len(instances(g.rt)) == 1 })
}

// A clock that was moved between two daemons makes no session last longer than its ttl, and no tombstone stay for ever.
func TestRestore_OutlastsAClockThatWasMoved(t *testing.T) {
	g := newGenerations(t, nil)
	g.cfg.LostKept = time.Minute
	for _, id := range []string{"ahead", "behind"} {
		if _, err := g.m.Create(t.Context(), key(id), lasting(time.Hour, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for container, r := range g.store.sessions {
		if r.Key == key("ahead") { // when it was saved, or else the clock is behind now
			r.Ends = r.Ends.AddDate(1, 0, 0)
		} else {
			r.Ends = r.Ends.AddDate(-1, 0, 0)
		}
		g.store.sessions[container] = r
	}
	for id, at := range map[string]time.Time{"future": time.Now().AddDate(1, 0, 0), "recent": time.Now(), "old": time.Now().AddDate(-1, 0, 0)} {
		if err := g.store.SaveTombstone(sandbox.Tombstone{Key: key(id), Cause: "its container ended", At: at}); err != nil {
			t.Fatal(err)
		}
	}
	g.next()
	if info, err := g.m.Session(key("ahead")); err != nil || time.Until(info.Expires) > time.Hour || time.Until(info.Expires) < 59*time.Minute {
		t.Errorf("ahead: got %+v, %v", info, err)
	}
	eventually(t, "behind has expired", func() bool {
		_, err := g.m.Session(key("behind"))
		return sandbox.ErrorCode(err) == sandbox.CodeExpired
	})
	for id, want := range map[string]sandbox.Code{"future": sandbox.CodeLost, "recent": sandbox.CodeLost, "old": sandbox.CodeNotFound} {
		if _, err := g.m.Session(key(id)); sandbox.ErrorCode(err) != want {
			t.Errorf("%s: got %v, want %s", id, err, want)
		}
	}
	if stats := g.m.Stats(); stats.Gone != 3 { // future, recent, and behind
		t.Errorf("%d are remembered", stats.Gone)
	}
}
