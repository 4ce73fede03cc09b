package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

func of(owner string) func(string) bool { return func(o string) bool { return o == owner } }

// Twenty first requests at once must not create more sessions than the owner may have, and nobody else's count.
func TestManager_MaxSessionsBoundsAnOwner(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSessions = 30
	m, rt := newManager(t, cfg, nil)
	var wg sync.WaitGroup
	var created, refused atomic.Int64
	for i := range 20 {
		wg.Go(func() {
			_, err := m.Execute(t.Context(), sandbox.Key{Owner: "ann", ID: fmt.Sprint(i)}, sandbox.Request{Code: "x", MaxSessions: 3})
			var e *sandbox.Error
			switch {
			case err == nil:
				created.Add(1)
			case errors.As(err, &e) && e.Code == sandbox.CodeSessions && e.RetryAfter > 0 &&
				e.Message == "key ann has 3 sessions open, which is the most that it may":
				refused.Add(1)
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if created.Load() != 3 || refused.Load() != 17 || rt.Started() != 3 {
		t.Errorf("%d created, %d refused, %d containers; want 3, 17, 3", created.Load(), refused.Load(), rt.Started())
	}
	mine := m.Sessions(of("ann"))
	again, err := m.Execute(t.Context(), sandbox.Key{Owner: "ann", ID: mine[0].Key.ID}, sandbox.Request{Code: "x", MaxSessions: 3})
	if err != nil {
		t.Fatalf("in a session that is there: %v", err)
	}
	wait(t, again)
	if _, err := m.Execute(t.Context(), sandbox.Key{Owner: "bob", ID: "0"}, sandbox.Request{Code: "x", MaxSessions: 1}); err != nil {
		t.Errorf("another owner: %v", err)
	}
	if err := m.Reset(t.Context(), sandbox.Key{Owner: "ann", ID: mine[0].Key.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Execute(t.Context(), sandbox.Key{Owner: "ann", ID: "new"}, sandbox.Request{Code: "x", MaxSessions: 3}); err != nil {
		t.Errorf("after a reset: %v", err)
	}
}

func TestManager_SessionsAreThoseOfWhoAsks(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	for _, key := range []sandbox.Key{{Owner: "bob", ID: "b"}, {Owner: "ann", ID: "z"}, {Owner: "bob", ID: "a"}} {
		e, err := m.Execute(t.Context(), key, sandbox.Request{Code: "x"})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, e)
	}
	for _, tt := range []struct {
		mine func(string) bool
		want string
	}{
		{of("bob"), "bob/b bob/a"},
		{of("ann"), "ann/z"},
		{of("carl"), ""},
		{func(string) bool { return true }, "bob/b ann/z bob/a"},
	} {
		var got []string
		for _, s := range m.Sessions(tt.mine) {
			if s.State != sandbox.StateIdle || s.ExecutionCount != 1 {
				t.Errorf("got %+v", s)
			}
			got = append(got, s.Key.Owner+"/"+s.Key.ID)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// Who waits for an execution must find its place free: the next request of a client that sends one after the other is
// never refused for the one before.
func TestManager_AdmitIsLeftBeforeAnybodyHearsOfTheEnd(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	var inside atomic.Int64
	admit := func() (func(), error) {
		if inside.Add(1) > 1 {
			return nil, errors.New("full")
		}
		return func() { inside.Add(-1) }, nil
	}
	for i := range 500 {
		e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", Admit: admit})
		if err != nil {
			t.Fatalf("execution %d: %v", i, err)
		}
		if i%2 == 0 {
			wait(t, e)
			continue
		}
		for _, err := range e.Events(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestManager_AdmitIsAskedOnceForEveryNewExecution(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"hang": hang,
		"fail": func(c *sandboxtest.Call) { c.Done(wire.DoneMessage{Outcome: "error", StateKept: true}) },
	}))
	var asked, inside int
	admit := func() (func(), error) {
		asked++
		inside++
		return func() { inside-- }, nil
	}
	full := errors.New("full")
	for _, tt := range []struct {
		name    string
		id      string
		req     sandbox.Request
		asked   int
		refused bool
	}{
		{"a new one", "a", sandbox.Request{Code: "x", IdempotencyKey: "k", Admit: admit}, 1, false},
		{"the same again", "a", sandbox.Request{Code: "x", IdempotencyKey: "k", Admit: admit}, 0, false},
		{"one whose set-up fails", "b", sandbox.Request{Code: "x", SetupCode: "fail", Admit: admit}, 1, false},
		{"one for an unknown session", "c", sandbox.Request{Code: "x", NoCreate: true, Admit: admit}, 1, true},
		{"one that is too long", "a", sandbox.Request{Code: strings.Repeat("x", 2<<10), Admit: admit}, 1, true},
		{"one that is not admitted", "a", sandbox.Request{Code: "x", Admit: func() (func(), error) { return nil, full }}, 0, true},
	} {
		before := asked
		e, err := m.Execute(t.Context(), key(tt.id), tt.req)
		if refused := err != nil; refused != tt.refused {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if err == nil {
			wait(t, e)
		}
		if asked-before != tt.asked || inside != 0 {
			t.Errorf("%s: asked %d times, %d did not leave; want %d, 0", tt.name, asked-before, inside, tt.asked)
		}
	}
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang", Admit: admit})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, e); r.Outcome != sandbox.OutcomeCancelled || inside != 0 {
		t.Errorf("after a reset: %s, %d did not leave", r.Outcome, inside)
	}
}

// A place that Admit gave is taken until nothing of the request runs any more, setup code included that goes on without it.
func TestAdmit_SetupCodeHoldsItsPlaceWithoutItsRequest(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"setup": func(c *sandboxtest.Call) {
			close(begun)
			<-release
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
	}))
	left := make(chan struct{})
	req := sandbox.Request{Code: "x", SetupCode: "setup", Admit: func() (func(), error) { return func() { close(left) }, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if _, err := m.Execute(ctx, key("a"), req); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	select {
	case <-left:
		t.Error("the place is free, and the setup code runs")
	default:
	}
	close(release)
	<-left
}
