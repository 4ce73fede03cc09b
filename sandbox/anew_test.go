package sandbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// A creation that was asked for in so many words and fails, however far it comes, leaves a lost session lost.
func TestAnew_ALostSessionIsOneUntilAnotherIsThere(t *testing.T) {
	cfg := poolConfig(0, 0)
	cfg.MaxSessions = 2
	m, rt := newManager(t, cfg, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"die": func(c *sandboxtest.Call) { c.Exit(137) },
		"raise": func(c *sandboxtest.Call) {
			c.Done(wire.DoneMessage{Outcome: "error", StateKept: true})
		},
	}))
	restore(t, m)
	run(t, m, "a", "die")
	lost := func(after string) {
		t.Helper()
		if _, err := m.Session(key("a")); sandbox.ErrorCode(err) != sandbox.CodeLost {
			t.Errorf("after %s, it is: %v", after, err)
		}
		if _, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"}); sandbox.ErrorCode(err) != sandbox.CodeLost {
			t.Errorf("after %s, a plain execution: %v", after, err)
		}
	}
	refused := func(why string, req sandbox.Request, want sandbox.Code) {
		t.Helper()
		req.Code, req.Anew = "x", true
		if _, err := m.Execute(t.Context(), key("a"), req); sandbox.ErrorCode(err) != want {
			t.Errorf("%s: execute: %v, want %s", why, err, want)
		}
		lost(why)
		if _, err := m.Create(t.Context(), key("a"), req); sandbox.ErrorCode(err) != want {
			t.Errorf("%s: create: %v, want %s", why, err, want)
		}
		lost(why)
	}
	eventually(t, "its container is gone", func() bool { return m.Stats().Ending == 0 })
	run(t, m, "b", "x")
	refused("the owner's bound", sandbox.Request{MaxSessions: 1}, sandbox.CodeSessions)
	run(t, m, "c", "x")
	refused("everybody's bound", sandbox.Request{}, sandbox.CodeCapacity)
	if err := m.Reset(t.Context(), key("c")); err != nil {
		t.Fatal(err)
	}
	refused("an option that is refused", sandbox.Request{Session: sandbox.SessionOptions{Pids: 1 << 20}}, sandbox.CodeInvalid)
	rt.OnStart = func(context.Context, sandbox.Spec) error { return errors.New("out of order") }
	refused("an engine that fails", sandbox.Request{}, sandbox.CodeEngine)
	rt.OnStart = nil
	if _, err := m.Create(t.Context(), key("a"), sandbox.Request{SetupCode: "raise"}); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("setup code that fails: %v", err)
	}
	lost("setup code that fails")
	eventually(t, "its container is gone", func() bool { return m.Stats().Ending == 0 })
	if _, err := m.Create(t.Context(), key("a"), sandbox.Request{SetupCode: "x"}); err != nil {
		t.Fatal(err)
	}
	if n := m.Stats().Gone; n != 0 {
		t.Errorf("%d sessions are remembered as gone", n)
	}
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	if r := run(t, m, "a", "x"); r.ExecutionCount != 1 {
		t.Errorf("got %+v", r)
	}
}

// On the short way, too: a warm container becomes the session before its creation is answered.
func TestAnew_AWarmContainerTakesThePlaceOfALostSession(t *testing.T) {
	m, _ := newManager(t, poolConfig(1, 1), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"die": func(c *sandboxtest.Call) { c.Exit(137) },
	}))
	restore(t, m)
	eventually(t, "one waits", func() bool { return m.Stats().Warm == 1 })
	run(t, m, "a", "die")
	eventually(t, "another waits", func() bool { return m.Stats().Warm == 1 })
	if _, err := m.Create(t.Context(), key("a"), sandbox.Request{}); err != nil {
		t.Fatal(err)
	}
	if n := m.Stats().Gone; n != 0 {
		t.Errorf("%d sessions are remembered as gone", n)
	}
}
