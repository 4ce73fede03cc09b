package sandbox_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"go.uber.org/goleak"
)

// generations are daemons that follow one another over one engine and one state directory.
type generations struct {
	*testing.T
	rt    *sandboxtest.Runtime
	store *memory
	cfg   sandbox.Config
	m     *sandbox.Manager
}

func newGenerations(t *testing.T, play func(*sandboxtest.Call)) *generations {
	leaks := goleak.IgnoreCurrent()
	g := &generations{T: t, rt: &sandboxtest.Runtime{Play: play}, store: newMemory(), cfg: testConfig()}
	g.next()
	t.Cleanup(func() {
		if err := g.m.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := len(instances(g.rt)); n != 0 {
			t.Errorf("%d containers left", n)
		}
		goleak.VerifyNone(t, leaks)
	})
	return g
}

func (g *generations) next() {
	g.Helper()
	g.renew()
	restore(g.T, g.m)
}

// renew makes a Manager that has not restored anything yet.
func (g *generations) renew() {
	g.m = sandbox.NewManager(g.rt, g.store, g.cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// restart ends the daemon and starts the next. Nothing of the first is left: the tests check that no goroutine is.
func (g *generations) restart() {
	g.Helper()
	if err := g.m.Leave(context.Background()); err != nil {
		g.Fatalf("Leave: %v", err)
	}
	g.next()
}

func TestRestore_SessionsGoOnWithTheirCounts(t *testing.T) {
	g := newGenerations(t, nil)
	g.cfg.TTL = time.Hour
	run(t, g.m, "a", "x")
	run(t, g.m, "b", "x")
	if err := g.m.Reset(t.Context(), key("b")); err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 4; n++ {
		g.restart()
		if infos := g.m.Sessions(everybody); len(infos) != 1 || infos[0].Key != key("a") {
			t.Fatalf("got %+v", infos)
		}
		if r := run(t, g.m, "a", "y"); r.ExecutionCount != n || r.Stdout != "y" {
			t.Errorf("got %+v, want count %d", r, n)
		}
	}
	if g.rt.Started() != 2 {
		t.Errorf("%d containers were started", g.rt.Started())
	}
}

func TestRestore_WhatWaitsForInputCanBeAnsweredByTheNextDaemon(t *testing.T) {
	g := newGenerations(t, func(c *sandboxtest.Call) {
		c.Send(wire.InputRequest, []byte(`{"prompt":"? ","password":false}`))
		c.Send(wire.Stdout, []byte(*<-c.Input))
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
	})
	e, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", Interactive: true})
	if err != nil {
		t.Fatal(err)
	}
	asked := func(e *sandbox.Execution) {
		t.Helper()
		for ev, err := range e.Events(t.Context(), 0) {
			if err != nil || ev.Type == sandbox.EventDone {
				t.Fatalf("it was not asked: %+v, %v", ev, err)
			}
			if ev.Type == sandbox.EventInputRequest {
				return
			}
		}
	}
	asked(e)
	g.restart()
	if e, err = g.m.Execution("", e.ID()); err != nil {
		t.Fatal(err)
	}
	asked(e)
	text := "answer"
	if err := e.Input(&text); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, e); r.Outcome != sandbox.OutcomeOK || r.Stdout != text {
		t.Errorf("got %+v", r)
	}
}

func TestRestore_WhatRanGoesOnAndIsFoundByItsIdAndItsIdempotencyKey(t *testing.T) {
	release := make(chan struct{})
	g := newGenerations(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"long": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte("before "))
			<-release
			c.Send(wire.Stdout, []byte("after"))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
	}))
	req := sandbox.Request{Code: "long", IdempotencyKey: "once"}
	e, err := g.m.Execute(t.Context(), key("a"), req)
	if err != nil {
		t.Fatal(err)
	}
	queued, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var seen uint64
	for ev := range e.Events(t.Context(), 0) {
		if seen = ev.Seq; ev.Text == "before " {
			break
		}
	}
	g.restart()
	if _, err := e.Wait(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeClosed || !strings.Contains(err.Error(), e.ID()) {
		t.Errorf("who waited: got %v", err)
	}
	if r := wait(t, queued); r.Outcome != sandbox.OutcomeCancelled || !r.StateKept || !strings.Contains(r.Error, "before the execution had begun") {
		t.Errorf("who was queued: got %q, %q", r.Outcome, r.Error)
	}
	found, err := g.m.Execution("", e.ID())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := g.m.Session(key("a")); err != nil || info.Running != e.ID() {
		t.Errorf("got %+v, %v", info, err)
	}
	if again, err := g.m.Execute(t.Context(), key("a"), req); err != nil || again != found {
		t.Errorf("the repeated request: got %v, %v", again, err)
	}
	close(release)
	r := wait(t, found)
	if r.Outcome != sandbox.OutcomeOK || r.Stdout != "before after" || !found.Created() || r.ExecutionCount != 1 {
		t.Errorf("got %+v", r)
	}
	var rest []string // a client that comes back hears what it has not heard
	for ev := range found.Events(t.Context(), seen) {
		rest = append(rest, string(ev.Type)+ev.Text)
	}
	if want := []string{"stdoutafter", "done"}; !slices.Equal(rest, want) {
		t.Errorf("after %d: got %q, want %q", seen, rest, want)
	}
	if r := run(t, g.m, "a", "y"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestRestore_WhatRanStillSaysThatTheVariablesWereLost(t *testing.T) {
	for name, meanwhile := range map[string]bool{"it ends while there is no daemon": true, "it goes on": false} {
		t.Run(name, func(t *testing.T) {
			begun, release := make(chan struct{}), make(chan struct{})
			g := newGenerations(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
				"die": func(c *sandboxtest.Call) {
					c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
					c.Send(wire.State, []byte(`{"cause":{"kind":"exit"}}`))
				},
				"long": func(c *sandboxtest.Call) { close(begun); <-release; sandboxtest.Echo(c) },
			}))
			run(t, g.m, "a", "die")
			eventually(t, "the variables are lost", func() bool { info, err := g.m.Session(key("a")); return err == nil && info.StateLostAt == 1 })
			e, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "long"})
			if err != nil {
				t.Fatal(err)
			}
			<-begun
			if err := g.m.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			if meanwhile {
				close(release)
			}
			g.next()
			if e, err = g.m.Execution("", e.ID()); err != nil {
				t.Fatal(err)
			}
			if !meanwhile {
				close(release)
			}
			if r := wait(t, e); r.StateLostAt != 1 || r.Outcome != sandbox.OutcomeOK {
				t.Errorf("got %+v", r)
			}
			if r := run(t, g.m, "a", "x"); r.StateLostAt != 0 {
				t.Errorf("said again, as %d", r.StateLostAt)
			}
		})
	}
}

// The worker may die while the next EXECUTE is on its way: that one says so, and nobody else.
func TestManager_VariablesLostWhileTheNextExecutionWasOnItsWay(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"late": func(c *sandboxtest.Call) {
			c.Send(wire.State, []byte(`{"cause":{"kind":"exit"}}`)) // as the daemon hears it: after it has sent this
			c.Send(wire.Done, []byte(`{"outcome":"ok","state_kept":true,"execution_count":1,"state_lost_at":1}`))
		},
	}))
	if r := run(t, m, "a", "late"); r.StateLostAt != 1 {
		t.Errorf("state lost at %d, want 1", r.StateLostAt)
	}
	if info, err := m.Session(key("a")); err != nil || info.StateLostAt != 0 {
		t.Errorf("the session still says so: %+v, %v", info, err)
	}
}

func TestRestore_WhatEndedMeanwhileIsFoundUntilItWasDelivered(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	g := newGenerations(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"slow": func(c *sandboxtest.Call) { close(begun); <-release; sandboxtest.Echo(c) },
	}))
	e, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "slow"})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(release) // it ends while there is no daemon
	g.next()
	found, err := g.m.Execution("", e.ID())
	if err != nil {
		t.Fatal(err)
	}
	if r := wait(t, found); r.Stdout != "slow" || r.Outcome != sandbox.OutcomeOK {
		t.Errorf("got %+v", r)
	}
	g.restart()
	if found, err = g.m.Execution("", e.ID()); err != nil {
		t.Fatalf("it was not delivered: %v", err)
	}
	wait(t, found)
	found.Delivered()
	run(t, g.m, "a", "x") // with which the word goes
	run(t, g.m, "a", "x") // before which it has arrived
	g.restart()
	if _, err := g.m.Execution("", e.ID()); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("it was delivered: %v", err)
	}
}

func TestRestore_AContainerThatIsGoneIsALostSession(t *testing.T) {
	g := newGenerations(t, nil)
	run(t, g.m, "gone", "x")
	run(t, g.m, "dead", "x")
	run(t, g.m, "there", "x")
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for container, r := range g.store.sessions {
		for _, in := range instances(g.rt) {
			if in.Spec().Session == container && r.Key == key("gone") {
				in.Destroy(t.Context())
			}
			if in.Spec().Session == container && r.Key == key("dead") {
				g.rt.Kill(in, 137)
			}
		}
	}
	g.next()
	for id, cause := range map[string]string{
		"gone": "its container was gone when the daemon started again",
		"dead": "its container ended with status 137",
	} {
		if _, err := g.m.Session(key(id)); sandbox.ErrorCode(err) != sandbox.CodeLost || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: got %v", id, err)
		}
	}
	if r := run(t, g.m, "there", "x"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
	g.restart() // and remembered
	if _, err := g.m.Session(key("gone")); sandbox.ErrorCode(err) != sandbox.CodeLost {
		t.Errorf("got %v", err)
	}
}

func TestRestore_LifetimesGoOn(t *testing.T) {
	g := newGenerations(t, nil)
	if _, err := g.m.Create(t.Context(), key("a"), lasting(300*time.Millisecond, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.m.Create(t.Context(), key("b"), lasting(time.Hour, time.Minute)); err != nil {
		t.Fatal(err)
	}
	g.restart()
	if info, err := g.m.Session(key("b")); err != nil || info.TTL != time.Hour || info.IdleTTL != time.Minute || time.Until(info.Expires) > time.Minute {
		t.Errorf("got %+v, %v", info, err)
	}
	eventually(t, "a has expired", func() bool { _, err := g.m.Session(key("a")); return sandbox.ErrorCode(err) == sandbox.CodeExpired })
	g.restart()
	if _, err := g.m.Session(key("a")); sandbox.ErrorCode(err) != sandbox.CodeExpired {
		t.Errorf("got %v", err)
	}
}

func TestRestore_AStoreThatFailsLosesNothing(t *testing.T) {
	g := newGenerations(t, nil)
	run(t, g.m, "before", "x")
	run(t, g.m, "dead", "x")
	run(t, g.m, "a", "x")
	full := errors.New("no space left on device")
	g.store.fail(full)
	hour := time.Hour
	if info, err := g.m.Extend(key("a"), &hour, nil); err != nil || info.TTL != hour { // it serves on
		t.Errorf("got %+v, %v", info, err)
	}
	if err := g.m.Reset(t.Context(), key("before")); err != nil {
		t.Fatal(err)
	}
	for _, in := range instances(g.rt) {
		if in.ID() == "fake-2" {
			g.rt.Kill(in, 137)
		}
	}
	eventually(t, "dead is lost", func() bool { _, err := g.m.Session(key("dead")); return sandbox.ErrorCode(err) == sandbox.CodeLost })
	if err := g.m.CheckStore(); !errors.Is(err, full) {
		t.Errorf("the store: got %v", err)
	}
	g.store.fail(nil) // from here on it is made up for
	eventually(t, "everything was saved", func() bool {
		records, stones, _ := g.store.Load()
		return len(records) == 1 && records[0].Key == key("a") && records[0].TTL == hour && len(stones) == 1
	})
	g.restart()
	if r := run(t, g.m, "a", "x"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
	for id, want := range map[string]sandbox.Code{"before": sandbox.CodeNotFound, "dead": sandbox.CodeLost} {
		if _, err := g.m.Session(key(id)); sandbox.ErrorCode(err) != want {
			t.Errorf("%s: got %v, want %s", id, err, want)
		}
	}
}

// A session of which the next daemon would not know is none: it would be empty, and nobody would be told.
func TestRestore_ASessionThatCannotBeSavedIsRefused(t *testing.T) {
	for name, req := range map[string]sandbox.Request{
		"from the pool":                    {},
		"from the pool, set up":            {SetupCode: "x"},
		"in a container of its own":        {Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}},
		"in one of its own, and is set up": {SetupCode: "x", Session: sandbox.SessionOptions{Env: map[string]string{"A": "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGenerations(t, nil)
			g.cfg = poolConfig(1, 1)
			g.restart()
			eventually(t, "one waits", func() bool { return g.m.Stats().Warm == 1 })
			full := errors.New("no space left on device")
			g.store.fail(full)
			refuse := func() {
				t.Helper()
				_, err := g.m.Create(t.Context(), key("a"), req)
				if sandbox.ErrorCode(err) != sandbox.CodeState || !errors.Is(err, full) {
					t.Errorf("got %v", err)
				}
				if _, err := g.m.Session(key("a")); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
					t.Errorf("the session: %v", err)
				}
			}
			refuse()
			eventually(t, "its container is gone, and one waits", func() bool {
				return len(instances(g.rt)) == 1 && g.m.Stats().Warm == 1 && g.m.Stats().Ending == 0
			})
			started := g.rt.Started()
			refuse() // it is known by now, and costs nothing
			if n := g.rt.Started() - started; n != 0 || g.m.Stats().Warm != 1 {
				t.Errorf("%d containers were started, %d wait", n, g.m.Stats().Warm)
			}
			if err := g.m.CheckStore(); !errors.Is(err, full) {
				t.Errorf("the store: got %v", err)
			}
			g.store.fail(nil)
			if err := g.m.CheckStore(); err != nil { // at once, whenever it would have been tried again
				t.Errorf("the store: got %v", err)
			}
			if _, err := g.m.Create(t.Context(), key("a"), req); err != nil {
				t.Fatal(err)
			}
			g.restart()
			if _, err := g.m.Session(key("a")); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

// Who asks after the daemon has left its sessions must not make the store forget them.
func TestRestore_NothingIsSavedAfterTheSessionsWereLeft(t *testing.T) {
	g := newGenerations(t, nil)
	run(t, g.m, "a", "x")
	g.store.fail(errors.New("no space left on device"))
	hour := time.Hour
	if _, err := g.m.Extend(key("a"), &hour, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.store.fail(nil)
	if err := g.m.CheckStore(); err != nil {
		t.Error(err)
	}
	g.next()
	if r := run(t, g.m, "a", "x"); r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestRestore_WhatTheSupervisorSaysOfExecutionsIsBounded(t *testing.T) {
	g := newGenerations(t, nil)
	run(t, g.m, "a", "x")
	mine := run(t, g.m, "b", "x")
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, in := range instances(g.rt) { // every container says that it has b's execution, and rubbish
		g.rt.Claim(in,
			wire.KeptExecution{ID: mine.ExecutionID, Meta: `{"timeout":1}`},
			wire.KeptExecution{ID: "no uuid", Meta: `{"timeout":1}`},
			wire.KeptExecution{ID: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", Meta: `[`},
			wire.KeptExecution{ID: "6ba7b810-9dad-11d1-80b4-00c04fd430c9", Meta: `{"timeout":1e300,"stdout":9000000000000000000}`, Age: -5, Missing: -1},
		)
	}
	g.next()
	e, err := g.m.Execution("", mine.ExecutionID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.m.Execution("", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("got %v", err)
	}
	for _, id := range []string{"a", "b"} {
		if r := run(t, g.m, id, "y"); r.Stdout != "y" {
			t.Errorf("got %+v", r)
		}
	}
	if err := g.m.ResetAll(t.Context(), everybody); err != nil {
		t.Fatal(err)
	}
	wait(t, e) // whoever it was taken for, it ends with that session
}

func TestReconnect_ABrokenStreamLosesNothing(t *testing.T) {
	said, release := make(chan struct{}), make(chan struct{})
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"long": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte("before "))
			close(said)
			<-release
			c.Send(wire.Stdout, []byte("after"))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
	}))
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "long"})
	if err != nil {
		t.Fatal(err)
	}
	<-said
	rt.Break()
	next, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	rt.Break()
	close(release)
	if r := wait(t, e); r.Stdout != "before after" || r.Outcome != sandbox.OutcomeOK {
		t.Errorf("got %+v", r)
	}
	if r := wait(t, next); r.Stdout != "x" || r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
	rt.Break() // while nothing runs
	if r := run(t, m, "a", "y"); r.Stdout != "y" || r.ExecutionCount != 3 {
		t.Errorf("got %+v", r)
	}
}

// What was not acknowledged is told again, also of executions that have ended long ago, and in messages of many frames.
func TestReconnect_WhatIsToldAgainMayBeLarge(t *testing.T) {
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"show": func(c *sandboxtest.Call) {
			c.Send(wire.Display, []byte(`{"data":{"a":"`+strings.Repeat("x", 3*wire.MaxPayload)+`"}}`))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
	}))
	if r := run(t, m, "a", "show"); len(r.Displays) != 1 {
		t.Fatalf("got %+v", r)
	}
	rt.Break()
	if r := run(t, m, "a", "x"); r.Outcome != sandbox.OutcomeOK || r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestReconnect_AContainerThatIsGoneIsLostWithItsCause(t *testing.T) {
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){"hang": hang}))
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	rt.Kill(instances(rt)[0], 139)
	r := wait(t, e)
	if r.Outcome != sandbox.OutcomeCrashed || r.StateKept || !strings.Contains(r.Error, "its container ended with status 139") {
		t.Errorf("got %q, %q", r.Outcome, r.Error)
	}
}

// What a daemon saw end is not counted again by the next, which hears of it again; what ended while there was none is, once.
func TestRestore_AnEndIsObservedOnce(t *testing.T) {
	release, ended := make(chan struct{}), make(chan struct{}, 2)
	g := newGenerations(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"long": func(c *sandboxtest.Call) {
			<-release
			c.Done(wire.DoneMessage{Outcome: "error", StateKept: true})
			ended <- struct{}{}
		},
	}))
	observed := func() *tally {
		o := &tally{}
		g.m.Observe(o)
		restore(t, g.m)
		return o
	}
	finds := func(id string) {
		t.Helper()
		e, err := g.m.Execution("", id)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, e)
	}
	before, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, before)
	meanwhile, err := g.m.Execute(t.Context(), key("a"), sandbox.Request{Code: "long"})
	if err != nil {
		t.Fatal(err)
	}
	after, err := g.m.Execute(t.Context(), key("b"), sandbox.Request{Code: "long"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*sandbox.Execution{meanwhile, after} { // both are under way
		if _, _, err := e.Next(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	release <- struct{}{} // one of them ends with nobody there
	<-ended
	g.renew()
	o := observed()
	release <- struct{}{}
	for _, e := range []*sandbox.Execution{before, meanwhile, after} {
		finds(e.ID())
	}
	o.saw(t, map[string]int{"execution error": 2})
	if err := g.m.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.renew()
	o = observed()
	for _, e := range []*sandbox.Execution{before, meanwhile, after} {
		finds(e.ID())
	}
	o.saw(t, nil)
}

// A daemon may be killed between any two writes: what then stands in the store must not make a session that was lost, or has
// expired, one that never was.
func TestRestore_WhyASessionIsGoneIsSavedFirst(t *testing.T) {
	g := newGenerations(t, nil)
	short := 10 * time.Millisecond
	if _, err := g.m.Create(t.Context(), key("expires"), sandbox.Request{Session: sandbox.SessionOptions{TTL: &short}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has expired", func() bool {
		_, err := g.m.Session(key("expires"))
		return sandbox.ErrorCode(err) == sandbox.CodeExpired
	})
	if _, err := g.m.Create(t.Context(), key("lost"), sandbox.Request{}); err != nil {
		t.Fatal(err)
	}
	for _, i := range instances(g.rt) {
		if err := i.Destroy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it is lost", func() bool { _, err := g.m.Session(key("lost")); return sandbox.ErrorCode(err) == sandbox.CodeLost })
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	if len(g.store.untold) != 0 || len(g.store.stones) != 2 {
		t.Errorf("records that went first: %v; stones: %v", g.store.untold, g.store.stones)
	}
}
