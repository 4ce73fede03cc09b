package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"go.uber.org/goleak"
)

func testConfig() sandbox.Config {
	return sandbox.Config{
		MaxSessions:      4,
		MaxStarting:      2,
		StartTimeout:     10 * time.Second,
		StopTimeout:      10 * time.Second,
		Lease:            time.Hour,
		ReconnectTimeout: 10 * time.Second,
		LostKept:         time.Hour,
		StartQueue:       8,
		Pool:             sandbox.PoolConfig{ShrinkAfter: time.Hour},
		ResultsKept:      time.Hour,
		MaxResults:       64 << 10,
		Execution: sandbox.ExecutionConfig{
			Timeout: 10 * time.Second, MaxTimeout: time.Minute, Grace: time.Second, Queue: 2,
			MaxContext: 8 << 20, MaxCode: 1 << 10, MaxStdout: 64 << 10, MaxStderr: 64 << 10, MaxDisplay: 1 << 20,
			MaxLocals: 1 << 20, MaxLocalsValue: 1 << 16, MaxEvents: 16384,
		},
	}
}

// newManager makes a Manager over a fake and checks at the end that neither a goroutine nor a container is left.
func newManager(t *testing.T, cfg sandbox.Config, play func(*sandboxtest.Call)) (*sandbox.Manager, *sandboxtest.Runtime) {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	rt := &sandboxtest.Runtime{Play: play}
	m := sandbox.NewManager(rt, nil, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if left, _ := rt.List(context.Background()); len(left) != 0 {
			t.Errorf("%d containers left", len(left))
		}
		goleak.VerifyNone(t, leaks)
	})
	return m, rt
}

func key(id string) sandbox.Key { return sandbox.Key{ID: id} }

func run(t *testing.T, m *sandbox.Manager, id, code string) *sandbox.Result {
	t.Helper()
	e, err := m.Execute(t.Context(), key(id), sandbox.Request{Code: code})
	if err != nil {
		t.Fatalf("Execute(%q): %v", code, err)
	}
	return wait(t, e)
}

func wait(t *testing.T, e *sandbox.Execution) *sandbox.Result {
	t.Helper()
	r, err := e.Wait(t.Context())
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return r
}

// hang runs until it is interrupted or killed.
func hang(c *sandboxtest.Call) {
	select {
	case <-c.Interrupted:
		c.Done(wire.DoneMessage{Outcome: "interrupted", StateKept: true})
	case <-c.Killed:
	}
}

func TestManager_SessionIsCreatedOnceAndKept(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	created := 0
	for range 3 {
		wg.Go(func() {
			e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
			if err != nil {
				t.Errorf("Execute: %v", err)
				return
			}
			wait(t, e)
			mu.Lock()
			defer mu.Unlock()
			if e.Created() {
				created++
			}
		})
	}
	wg.Wait()
	if created != 1 || rt.Started() != 1 {
		t.Errorf("%d requests created the session, %d containers were started; want 1 and 1", created, rt.Started())
	}
	if r := run(t, m, "a", "y"); r.ExecutionCount != 4 || r.Stdout != "y" || r.Outcome != sandbox.OutcomeOK {
		t.Errorf("got count %d, stdout %q, outcome %q; want 4, y, ok", r.ExecutionCount, r.Stdout, r.Outcome)
	}
}

func TestManager_AnIdLivesInItsOwnersNamespace(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	for _, owner := range []string{"", "ann", "bob"} {
		e, err := m.Execute(t.Context(), sandbox.Key{Owner: owner, ID: "a"}, sandbox.Request{Code: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if r := wait(t, e); r.ExecutionCount != 1 {
			t.Errorf("owner %q got somebody else's session", owner)
		}
	}
	if err := m.ResetAll(t.Context(), of("ann")); err != nil {
		t.Fatal(err)
	}
	if left, _ := rt.List(t.Context()); len(left) != 2 {
		t.Errorf("%d containers after ann's reset, want 2", len(left))
	}
}

func TestManager_EmptyIdGetsAUUID(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	e, err := m.Execute(t.Context(), sandbox.Key{}, sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Session()) != 36 || !e.Created() {
		t.Errorf("session %q, created %t", e.Session(), e.Created())
	}
}

func TestManager_RefusesBadRequests(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	long := strings.Repeat("x", 2<<10)
	for _, tt := range []struct {
		name string
		id   string
		req  sandbox.Request
		want sandbox.Code
	}{
		{"id with a slash", "a/b", sandbox.Request{}, sandbox.CodeInvalid},
		{"id too long", strings.Repeat("a", 129), sandbox.Request{}, sandbox.CodeInvalid},
		{"code too long", "a", sandbox.Request{Code: long}, sandbox.CodeInvalid},
		{"setup code too long", "a", sandbox.Request{SetupCode: long}, sandbox.CodeInvalid},
		{"context too long", "a", sandbox.Request{Context: &sandbox.Blob{Data: make([]byte, 9<<20)}}, sandbox.CodeInvalid},
		{"stdin too long", "a", sandbox.Request{Stdin: strings.Repeat("x", 9<<20)}, sandbox.CodeInvalid},
		{"timeout above the ceiling", "a", sandbox.Request{Timeout: time.Hour}, sandbox.CodeInvalid},
		{"timeout below zero", "a", sandbox.Request{Timeout: -1}, sandbox.CodeInvalid},
		{"unknown and not to be created", "a", sandbox.Request{NoCreate: true}, sandbox.CodeNotFound},
		{"none and not to be created", "", sandbox.Request{NoCreate: true}, sandbox.CodeNotFound},
		{"figures in an unknown form", "a", sandbox.Request{Figures: []string{"gif"}}, sandbox.CodeInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := m.Execute(t.Context(), key(tt.id), tt.req)
			if got := sandbox.ErrorCode(err); got != tt.want {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

func TestManager_ExecutionsOfASessionQueueInOrderAndBounded(t *testing.T) {
	release := make(chan struct{})
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"wait": func(c *sandboxtest.Call) { <-release; sandboxtest.Echo(c) },
	}))
	var queued []*sandbox.Execution
	for i := range 3 { // one runs, two wait
		e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: fmt.Sprintf("wait %d", i)})
		if err != nil {
			t.Fatal(err)
		}
		queued = append(queued, e)
	}
	_, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "one too many"})
	var refused *sandbox.Error
	if !errors.As(err, &refused) || refused.Code != sandbox.CodeBusy || refused.RetryAfter <= 0 {
		t.Errorf("got %v, want busy with a time to come back", err)
	}
	close(release)
	for i, e := range queued {
		if r := wait(t, e); r.ExecutionCount != i+1 || r.Stdout != fmt.Sprintf("wait %d", i) {
			t.Errorf("execution %d: count %d, stdout %q", i, r.ExecutionCount, r.Stdout)
		}
	}
}

func TestManager_CapacityIsBounded(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	for i := range 4 {
		run(t, m, fmt.Sprint("s", i), "x")
	}
	_, err := m.Execute(t.Context(), key("s5"), sandbox.Request{Code: "x"})
	if sandbox.ErrorCode(err) != sandbox.CodeCapacity {
		t.Errorf("got %v, want capacity", err)
	}
	if err := m.Reset(t.Context(), key("s0")); err != nil {
		t.Fatal(err)
	}
	run(t, m, "s5", "x")
}

func TestManager_StartsAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.StartTimeout = 50 * time.Millisecond
	m, rt := newManager(t, cfg, nil)
	rt.OnStart = func(ctx context.Context, _ sandbox.Spec) error { <-ctx.Done(); return ctx.Err() }
	var wg sync.WaitGroup
	codes := make(chan sandbox.Code, 4)
	for i := range 4 {
		wg.Go(func() {
			_, err := m.Execute(t.Context(), key(fmt.Sprint(i)), sandbox.Request{Code: "x"})
			codes <- sandbox.ErrorCode(err)
		})
	}
	wg.Wait()
	close(codes)
	count := map[sandbox.Code]int{}
	for c := range codes {
		count[c]++
	}
	if count[sandbox.CodeCapacity]+count[sandbox.CodeEngine] != 4 || count[sandbox.CodeEngine] < 2 {
		t.Errorf("got %v, want engine errors for the two that started and capacity or engine for the others", count)
	}
}

func TestManager_StartFailureIsToldAndLeavesTheIdFree(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	rt.OnStart = func(context.Context, sandbox.Spec) error { return errors.New("no space on /var/secret") }
	_, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	var refused *sandbox.Error
	if !errors.As(err, &refused) || refused.Code != sandbox.CodeEngine || strings.Contains(refused.Message, "secret") {
		t.Errorf("got %v, want an engine error whose message tells no path", err)
	}
	rt.OnStart = nil
	run(t, m, "a", "x")
}

func TestManager_SetupCodeRunsOnceBeforeTheCode(t *testing.T) {
	var mu sync.Mutex
	var ran []string
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
		mu.Lock()
		ran = append(ran, fmt.Sprintf("%s:%s:%s", c.Message.Name, c.Message.Code, c.Context))
		mu.Unlock()
		sandboxtest.Echo(c)
	})
	req := sandbox.Request{Code: "code", SetupCode: "setup", Context: &sandbox.Blob{Data: []byte("book")}}
	for range 2 {
		e, err := m.Execute(t.Context(), key("a"), req)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, e)
	}
	want := []string{"Setup:setup:book", ":code:", ":code:book"}
	if fmt.Sprint(ran) != fmt.Sprint(want) {
		t.Errorf("ran %q, want %q", ran, want)
	}
}

func TestManager_FailedSetupIsToldAndTheSessionNotKept(t *testing.T) {
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"fail": func(c *sandboxtest.Call) {
			c.Send(wire.ErrorMessage, wire.Marshal(wire.ExceptionMessage{Type: "NameError", Message: "nope"}))
			c.Done(wire.DoneMessage{Outcome: "error", StateKept: true})
		},
	}))
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "code", SetupCode: "fail"})
	if err != nil {
		t.Fatal(err)
	}
	r := wait(t, e)
	if r.Error != "setup_code: NameError: nope" || r.StateKept || r.Stdout != "" || e.Created() {
		t.Errorf("got error %q, state_kept %t, stdout %q, created %t", r.Error, r.StateKept, r.Stdout, e.Created())
	}
	if left, _ := rt.List(t.Context()); len(left) != 0 {
		t.Errorf("%d containers left", len(left))
	}
	if e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", SetupCode: "fine"}); err != nil || !e.Created() {
		t.Errorf("the id is not free again: %v", err)
	}
}

func TestManager_ResetDuringAnExecutionCancelsIt(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"hang": func(c *sandboxtest.Call) { <-c.Killed },
	}))
	var all []*sandbox.Execution
	for range 2 {
		e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	for ev := range all[0].Events(t.Context(), 0) {
		if ev.Type == sandbox.EventStarted {
			break
		}
	}
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if r := wait(t, e); r.Outcome != sandbox.OutcomeCancelled || r.StateKept || !strings.Contains(r.Error, "reset") {
			t.Errorf("got %q, %q", r.Outcome, r.Error)
		}
	}
	if r := wait(t, all[0]); r.ExecutionCount != 1 || r.Duration <= 0 || r.Usage.WallTime <= 0 {
		t.Errorf("the one that ran: count %d, %s, %+v", r.ExecutionCount, r.Duration, r.Usage)
	}
	if r := wait(t, all[1]); r.ExecutionCount != 0 || r.Duration != 0 {
		t.Errorf("the one that waited: count %d, %s", r.ExecutionCount, r.Duration)
	}
	if e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"}); err != nil || !e.Created() {
		t.Errorf("after the reset: %v", err)
	}
}

func TestManager_ResetDuringSetupEndsIt(t *testing.T) {
	running := make(chan struct{})
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) { close(running); <-c.Killed })
	failed := make(chan error, 1)
	go func() {
		_, err := m.Execute(context.Background(), key("a"), sandbox.Request{Code: "x", SetupCode: "hang"})
		failed <- err
	}()
	<-running
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; sandbox.ErrorCode(err) != sandbox.CodeConflict {
		t.Errorf("got %v, want conflict", err)
	}
}

func TestManager_ResetOfAnUnknownSessionIsNoError(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	if err := m.Reset(t.Context(), key("nobody")); err != nil {
		t.Error(err)
	}
}

func TestManager_ALostSessionSaysSoUntilItIsReset(t *testing.T) {
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"die": func(c *sandboxtest.Call) { c.Send(wire.Stdout, []byte("last words")); c.Exit(137) },
	}))
	r := run(t, m, "a", "die")
	if r.Outcome != sandbox.OutcomeCrashed || r.StateKept || r.Stdout != "last words" || !strings.Contains(r.Error, "137") {
		t.Errorf("got %q, kept %t, stdout %q, error %q", r.Outcome, r.StateKept, r.Stdout, r.Error)
	}
	_, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	if sandbox.ErrorCode(err) != sandbox.CodeLost || !strings.Contains(err.Error(), "137") {
		t.Errorf("got %v, want lost with the cause", err)
	}
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	if left, _ := rt.List(t.Context()); len(left) != 0 {
		t.Errorf("%d containers after the reset", len(left))
	}
	run(t, m, "a", "x")
}

func TestManager_WhatWasNeverSentToALostSessionIsCancelled(t *testing.T) {
	begun := make(chan struct{})
	m, rt := newManager(t, testConfig(), func(c *sandboxtest.Call) { close(begun); <-c.Killed })
	all := make([]*sandbox.Execution, 2)
	for i := range all {
		e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = e
	}
	<-begun
	rt.Kill(instances(rt)[0], 137)
	const cause = "its container ended with status 137"
	if r := wait(t, all[0]); r.Outcome != sandbox.OutcomeCrashed || r.Error != "crashed: "+cause || r.Duration <= 0 {
		t.Errorf("the one that ran: got %q, %q, %s", r.Outcome, r.Error, r.Duration)
	}
	want := "cancelled: " + cause + "; the execution had not begun"
	if r := wait(t, all[1]); r.Outcome != sandbox.OutcomeCancelled || r.StateKept || r.Error != want || r.Duration != 0 {
		t.Errorf("the one that waited: got %q, %q, %s", r.Outcome, r.Error, r.Duration)
	}
}

// What waits for a connection while its session is lost has never left.
func TestManager_WhatWaitedForAConnectionOfALostSessionIsCancelled(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	run(t, m, "a", "x")
	broken, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	rt.OnAttach = func(context.Context) error {
		once.Do(func() { close(broken) })
		<-release
		return errors.New("no such engine")
	}
	rt.Break()
	<-broken
	ended := make(chan *sandbox.Result)
	go func() {
		e, err := m.Execute(context.Background(), key("a"), sandbox.Request{Code: "y"})
		if err != nil {
			t.Error(err)
			close(ended)
			return
		}
		r, _ := e.Wait(context.Background())
		ended <- r
	}()
	eventually(t, "it waits", func() bool { info, err := m.Session(key("a")); return err == nil && info.Running != "" })
	rt.Kill(instances(rt)[0], 137)
	close(release)
	const want = "cancelled: its container ended with status 137; the execution had not begun"
	if r := <-ended; r != nil && (r.Outcome != sandbox.OutcomeCancelled || r.StateKept || r.Error != want) {
		t.Errorf("got %q, %q", r.Outcome, r.Error)
	}
}

func TestManager_HostileContainersLoseOnlyTheirSession(t *testing.T) {
	for name, play := range map[string]func(*sandboxtest.Call){
		"bytes that are no frame":    func(c *sandboxtest.Call) { c.Raw([]byte(strings.Repeat("garbage ", 100))) },
		"a frame of unknown type":    func(c *sandboxtest.Call) { c.Send(0x7f, nil) },
		"a frame of the daemon's":    func(c *sandboxtest.Call) { c.Send(wire.Hello, nil) },
		"more output than asked for": func(c *sandboxtest.Call) { c.Send(wire.Stdout, make([]byte, 65<<10)) },
		"an unknown outcome":         func(c *sandboxtest.Call) { c.Done(wire.DoneMessage{Outcome: "splendid"}) },
		"DONE that is not JSON":      func(c *sandboxtest.Call) { c.Send(wire.Done, []byte("{")) },
		"duplicate keys":             func(c *sandboxtest.Call) { c.Send(wire.Done, []byte(`{"outcome":"ok","outcome":"ok"}`)) },
		"two errors": func(c *sandboxtest.Call) {
			c.Send(wire.ErrorMessage, []byte(`{}`))
			c.Send(wire.ErrorMessage, []byte(`{}`))
		},
		"two results": func(c *sandboxtest.Call) {
			c.Send(wire.Result, []byte(`{"data":{}}`))
			c.Send(wire.Result, []byte(`{"data":{}}`))
		},
		"a flood of displays": func(c *sandboxtest.Call) {
			for range 200 {
				c.Send(wire.Display, []byte(`{"data":{"a":"`+strings.Repeat("x", 60<<10)+`"}}`))
			}
		},
		"an error too large": func(c *sandboxtest.Call) {
			c.Send(wire.ErrorMessage, []byte(`{"message":"`+strings.Repeat("x", 5<<20)+`"}`))
		},
		"variables that nobody asked for":   func(c *sandboxtest.Call) { c.Send(wire.Locals, []byte(`{"values":{}}`)) },
		"a question that nobody can answer": func(c *sandboxtest.Call) { c.Send(wire.InputRequest, []byte(`{"prompt":"?"}`)) },
		"two cuts": func(c *sandboxtest.Call) {
			c.Send(wire.Cut, []byte(`{"stream":"stdout","bytes":1}`))
			c.Send(wire.Cut, []byte(`{"stream":"stdout","bytes":1}`))
		},
		"a cut of nothing": func(c *sandboxtest.Call) { c.Send(wire.Cut, []byte(`{"stream":"stdout","bytes":0}`)) },
		"a flood of faults": func(c *sandboxtest.Call) {
			for range 17 {
				c.Send(wire.Fault, []byte(`{"message":"x"}`))
			}
		},
		"parts of many messages": func(c *sandboxtest.Call) {
			for t := wire.Ready; t <= wire.Cut; t++ {
				c.Raw(wire.AppendMessage(nil, wire.Frame{Type: wire.Locals, Payload: make([]byte, wire.MaxMessage)})[:9<<20])
			}
		},
		"a window never opened": func(c *sandboxtest.Call) { c.Send(wire.WindowGrant, []byte(`{"consumed":true}`)) },
		"a message without end": func(c *sandboxtest.Call) { c.Send(wire.Locals, make([]byte, wire.MaxMessage+1)) },
		"a refusal":             func(c *sandboxtest.Call) { c.Send(wire.Reject, []byte(`{"code":"busy"}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){"attack": play}))
			run(t, m, "peer", "x")
			if r := run(t, m, "a", "attack"); r.Outcome != sandbox.OutcomeCrashed || r.StateKept {
				t.Errorf("got %q, kept %t; want crashed", r.Outcome, r.StateKept)
			}
			if r := run(t, m, "peer", "y"); r.Stdout != "y" || r.ExecutionCount != 2 {
				t.Errorf("the other session was harmed: %+v", r)
			}
		})
	}
}

func TestExecution_WhatAWorkerSaysWronglyCostsNoMoreThanThat(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind wire.Type
		says string
		part string
	}{
		{"an error that is no JSON", wire.ErrorMessage, `no JSON`, "exception"},
		{"a traceback that is no list", wire.ErrorMessage, `{"traceback":[1]}`, "exception"},
		{"a message that is no string", wire.ErrorMessage, `{"message":7}`, "exception"},
		{"a display that is no object", wire.Display, `{"data":[]}`, "display"},
		{"a display without data", wire.Display, `{}`, "display"},
		{"metadata that is no object", wire.Display, `{"data":{},"metadata":"x"}`, "display"},
		{"duplicate keys", wire.Display, `{"data":{"a":1,"a":2}}`, "display"},
		{"a result that is no UTF-8", wire.Result, "{\"data\":{\"a\":\"\xff\"}}", "result"},
		{"a result that nests deeply", wire.Result, `{"data":{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}}`, "result"},
		{"variables that are no object", wire.Locals, `{"values":null}`, "locals"},
		{"names that are no strings", wire.Locals, `{"values":{},"inexact":[1]}`, "locals"},
		{"a lone surrogate in a variable", wire.Locals, `{"values":{"a":"\ud800"}}`, "locals"},
		{"a prompt that is no string", wire.InputRequest, `{"prompt":1}`, "input_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
				c.Send(tt.kind, []byte(tt.says))
				c.Send(wire.Stdout, []byte("said"))
				c.Done(wire.DoneMessage{Outcome: "error", StateKept: true, Truncated: map[string]int64{tt.part: 1, "stdout": 2}})
			})
			e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", Locals: &sandbox.LocalsRequest{}, Interactive: true})
			if err != nil {
				t.Fatal(err)
			}
			r := wait(t, e)
			if r.Outcome != sandbox.OutcomeError || !r.StateKept || r.Stdout != "said" || r.Error == "" {
				t.Errorf("got %q, kept %t, stdout %q, error %q", r.Outcome, r.StateKept, r.Stdout, r.Error)
			}
			if r.Exception != nil || r.Displays != nil || r.Result != nil || r.Locals != nil {
				t.Errorf("it was taken: %+v", r)
			}
			if got, want := fmt.Sprint(r.Truncated), fmt.Sprint(map[string]int64{tt.part: int64(len(tt.says)) + 1, "stdout": 2}); got != want {
				t.Errorf("left out %s, want %s", got, want)
			}
			for ev := range e.Events(t.Context(), 0) {
				if ev.Type != sandbox.EventStarted && ev.Type != sandbox.EventStdout && ev.Type != sandbox.EventDone {
					t.Errorf("an event %q", ev.Type)
				}
			}
		})
	}
}

func TestManager_FramesOfAnotherExecutionAreIgnored(t *testing.T) {
	var first *sandboxtest.Call
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
		if first == nil {
			first = c
		} else {
			first.Send(wire.Stdout, []byte("forged"))
			first.Done(wire.DoneMessage{Outcome: "error", StateKept: true})
		}
		sandboxtest.Echo(c)
	})
	run(t, m, "a", "x")
	if r := run(t, m, "a", "y"); r.Stdout != "y" || r.Outcome != sandbox.OutcomeOK {
		t.Errorf("got %q, %q", r.Stdout, r.Outcome)
	}
}

func TestManager_ADriverThatDoesNotAnswerIsGivenUp(t *testing.T) {
	cfg := testConfig()
	cfg.Execution.Timeout, cfg.Execution.Grace = 10*time.Millisecond, 10*time.Millisecond
	m, _ := newManager(t, cfg, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"hang": func(c *sandboxtest.Call) { <-c.Killed },
	}))
	r := run(t, m, "a", "hang")
	if r.Outcome != sandbox.OutcomeCrashed || !strings.Contains(r.Error, "did not answer") {
		t.Errorf("got %q, %q", r.Outcome, r.Error)
	}
}

func TestManager_LargeContextIsSentWithinTheWindow(t *testing.T) {
	sum := make(chan int, 1)
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) { sum <- len(c.Context); sandboxtest.Echo(c) })
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", Context: &sandbox.Blob{Data: make([]byte, 5<<20+7)}})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, e)
	if got := <-sum; got != 5<<20+7 {
		t.Errorf("%d bytes arrived", got)
	}
}

func TestManager_StateLostIsSaidOnceMore(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"oom": func(c *sandboxtest.Call) {
			c.Done(wire.DoneMessage{Outcome: "oom", Cause: &wire.Cause{Kind: "oom", Message: "killed at the memory limit"}})
		},
	}))
	run(t, m, "a", "x")
	if r := run(t, m, "a", "oom"); r.Error != "oom: killed at the memory limit; the session's variables are lost" {
		t.Errorf("error %q", r.Error)
	}
	if r := run(t, m, "a", "y"); r.StateLostAt != 2 {
		t.Errorf("state lost at %d, want 2", r.StateLostAt)
	}
	if r := run(t, m, "a", "z"); r.StateLostAt != 0 {
		t.Errorf("said again")
	}
}

func TestExecution_OneThatIsKilledSaysSo(t *testing.T) {
	killed := &wire.Cause{Kind: "killed", Message: "it did not end within 1 s more, and was killed"}
	done := func(m wire.DoneMessage) func(*sandboxtest.Call) { return func(c *sandboxtest.Call) { c.Done(m) } }
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"heeds":   done(wire.DoneMessage{Outcome: "timeout", StateKept: true}),
		"ignores": done(wire.DoneMessage{Outcome: "timeout", Cause: killed}),
		"exits":   done(wire.DoneMessage{Outcome: "timeout", Cause: &wire.Cause{Kind: "exit", Message: "the worker exited with status 3"}}),
		"asked":   done(wire.DoneMessage{Outcome: "interrupted", Cause: killed}),
	}))
	for code, want := range map[string]string{
		"heeds":   "timeout: the execution was interrupted after 10s",
		"ignores": "timeout: the execution was interrupted after 10s; it did not end within 1 s more, and was killed; the session's variables are lost",
		"exits":   "timeout: the execution was interrupted after 10s; the worker exited with status 3; the session's variables are lost",
		"asked":   "interrupted: the execution was asked to end; it did not end within 1 s more, and was killed; the session's variables are lost",
	} {
		if r := run(t, m, "a", code); r.Error != want {
			t.Errorf("%s: got %q", code, r.Error)
		}
	}
}

func TestManager_WhatSetupCodeMadeIsNotLostSilently(t *testing.T) {
	die := make(chan struct{})
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"setup": func(c *sandboxtest.Call) {
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
			<-die
			c.Send(wire.State, []byte(`{"cause":{"kind":"exit"}}`))
		},
	}))
	if _, err := m.Create(t.Context(), key("a"), sandbox.Request{SetupCode: "setup"}); err != nil {
		t.Fatal(err)
	}
	close(die)
	eventually(t, "the session says so", func() bool { info, err := m.Session(key("a")); return err == nil && info.StateLostAt == 1 })
	if r := run(t, m, "a", "x"); r.StateLostAt != 1 {
		t.Errorf("state lost at %d, want 1", r.StateLostAt)
	}
}

func TestManager_CloseEndsEverything(t *testing.T) {
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){"hang": hang}))
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, e); r.Outcome != sandbox.OutcomeCancelled {
		t.Errorf("got %q", r.Outcome)
	}
	if left, _ := rt.List(t.Context()); len(left) != 0 {
		t.Errorf("%d containers left", len(left))
	}
	if _, err := m.Execute(t.Context(), key("a"), sandbox.Request{}); sandbox.ErrorCode(err) != sandbox.CodeClosed {
		t.Errorf("after Close: %v", err)
	}
}

func TestManager_RestoreRemovesWhatIsNoSessions(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	if _, err := rt.Start(t.Context(), sandbox.Spec{Session: "left by somebody"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := rt.List(t.Context()); len(left) != 0 {
		t.Errorf("%d containers are left", len(left))
	}
}

func TestExecution_InterruptEndsItAndTakesAQueuedOneOut(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){"hang": hang}))
	running, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	queued, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := queued.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if r := wait(t, queued); r.Outcome != sandbox.OutcomeInterrupted || !r.StateKept {
		t.Errorf("queued: %q", r.Outcome)
	}
	for ev, err := range running.Events(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == sandbox.EventStarted {
			if err := running.Interrupt(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := wait(t, running); r.Outcome != sandbox.OutcomeInterrupted || !r.StateKept {
		t.Errorf("running: %q", r.Outcome)
	}
}

func TestExecution_EventsAreNumberedAndFollowed(t *testing.T) {
	next := make(chan struct{})
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
		c.Send(wire.Stdout, []byte("caf\xc3"))
		<-next
		c.Send(wire.Stdout, []byte("\xa9"))
		c.Send(wire.Stderr, []byte("\xff"))
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
	})
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	seq := uint64(0)
	for ev, err := range e.Events(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seq++; ev.Seq != seq {
			t.Errorf("event %d has number %d", seq, ev.Seq)
		}
		if ev.Type == sandbox.EventStdout && ev.Text == "caf" {
			close(next)
		}
		said = append(said, string(ev.Type)+":"+ev.Text)
	}
	if got, want := strings.Join(said, " "), "started: stdout:caf stdout:é stderr:\ufffd done:"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var replayed int
	for range e.Events(t.Context(), 3) {
		replayed++
	}
	if replayed != 2 {
		t.Errorf("replay after 3 gave %d events, want 2", replayed)
	}
	if r := wait(t, e); r.Stdout != "café" {
		t.Errorf("stdout %q", r.Stdout)
	}
}

func TestManager_ResultsAreKeptWithinBounds(t *testing.T) {
	m, _ := newManager(t, testConfig(), nil)
	var ids []string
	for range 20 { // of 4 KiB and more each
		e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, e)
		ids = append(ids, e.ID())
	}
	run(t, m, "a", "y") // the one before is surely counted now
	if _, err := m.Execution("", ids[0]); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("the oldest: %v, want not found", err)
	}
	if e, err := m.Execution("", ids[19]); err != nil || wait(t, e).Stdout != "x" {
		t.Errorf("the newest: %v", err)
	}
	if _, err := m.Execution("somebody else", ids[19]); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("another owner's: %v, want not found", err)
	}
}

func TestManager_AnIdempotencyKeyRunsOnce(t *testing.T) {
	release := make(chan struct{})
	m, rt := newManager(t, testConfig(), func(c *sandboxtest.Call) { <-release; sandboxtest.Echo(c) })
	req := sandbox.Request{Code: "x", IdempotencyKey: "k"}
	var wg sync.WaitGroup
	ids := make(chan string, 5)
	for range 5 {
		wg.Go(func() {
			e, err := m.Execute(t.Context(), sandbox.Key{}, req)
			if err != nil {
				t.Errorf("Execute: %v", err)
				return
			}
			ids <- e.ID()
		})
	}
	wg.Wait()
	close(release)
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("executions %s and %s", first, id)
		}
	}
	if rt.Started() != 1 {
		t.Errorf("%d sessions were started", rt.Started())
	}
	req.Code = "y"
	if _, err := m.Execute(t.Context(), sandbox.Key{}, req); sandbox.ErrorCode(err) != sandbox.CodeConflict {
		t.Errorf("another request under the same key: %v, want conflict", err)
	}
	if e, err := m.Execute(t.Context(), sandbox.Key{Owner: "ann"}, req); err != nil || e.ID() == first {
		t.Errorf("another owner's key: %v", err)
	}
}

func TestManager_AnIdempotencyKeyOfARefusedRequestMayBeUsedAgain(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	rt.OnStart = func(context.Context, sandbox.Spec) error { return errors.New("no") }
	req := sandbox.Request{Code: "x", IdempotencyKey: "k"}
	if _, err := m.Execute(t.Context(), key("a"), req); err == nil {
		t.Fatal("started")
	}
	rt.OnStart = nil
	e, err := m.Execute(t.Context(), key("a"), req)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, e)
}

func TestManager_InterruptReachesTheRunningExecution(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){"hang": hang}))
	if err := m.Interrupt(key("a")); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("unknown session: %v", err)
	}
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	for ev := range e.Events(t.Context(), 0) {
		if ev.Type == sandbox.EventStarted {
			if info, err := m.Session(key("a")); err != nil || info.State != sandbox.StateBusy || info.Running != e.ID() {
				t.Errorf("got %+v, %v", info, err)
			}
			if err := m.Interrupt(key("a")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := wait(t, e); r.Outcome != sandbox.OutcomeInterrupted {
		t.Errorf("got %q", r.Outcome)
	}
	if err := m.Interrupt(key("a")); err != nil {
		t.Errorf("an idle session: %v", err)
	}
}

func TestExecution_InputAnswersTheProgram(t *testing.T) {
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
		c.Send(wire.InputRequest, wire.Marshal(wire.InputRequestMessage{Prompt: "name? "}))
		if answer := <-c.Input; answer != nil {
			c.Send(wire.Stdout, []byte(*answer))
		}
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
	})
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", Interactive: true})
	if err != nil {
		t.Fatal(err)
	}
	for ev := range e.Events(t.Context(), 0) {
		if ev.Type == sandbox.EventInputRequest {
			if ev.Prompt.Prompt != "name? " {
				t.Errorf("prompt %q", ev.Prompt.Prompt)
			}
			ann := "ann"
			if err := e.Input(&ann); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := wait(t, e); r.Stdout != "ann" {
		t.Errorf("stdout %q", r.Stdout)
	}
	long := strings.Repeat("x", 1<<20+1)
	if err := e.Input(&long); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("too long an answer: %v", err)
	}
}

func TestManager_RequestsMayLowerTheCaps(t *testing.T) {
	asked := make(chan wire.ExecuteMessage, 1)
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) { asked <- c.Message; sandboxtest.Echo(c) })
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x", MaxStdout: 10, MaxStderr: 11, MaxDisplay: 12})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, e)
	if got := <-asked; got.MaxStdout != 10 || got.MaxStderr != 11 || got.MaxDisplay != 12 {
		t.Errorf("asked for %+v", got)
	}
	if _, err := m.Execute(t.Context(), key("a"), sandbox.Request{MaxStdout: 1 << 30}); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("above the cap: %v", err)
	}
}

func TestManager_BackgroundOutputIsMarkedAndBounded(t *testing.T) {
	var first *sandboxtest.Call
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
		if first == nil {
			first = c
		} else {
			for range 40 {
				first.Send(wire.BackgroundStdout, []byte(strings.Repeat("x", 16<<10)))
			}
			first.Send(wire.BackgroundStderr, []byte("caf\xc3"))
			first.Send(wire.BackgroundStderr, []byte("\xa9"))
		}
		sandboxtest.Echo(c)
	})
	one := run(t, m, "a", "x")
	if r := run(t, m, "a", "y"); r.Stdout != "y" || r.Stderr != "" {
		t.Errorf("another cell got the output: %q, %q", r.Stdout, r.Stderr)
	}
	feed, err := m.Background(key("a"))
	if err != nil {
		t.Fatal(err)
	}
	var bytes int
	var last uint64
	for whole := false; !whole; {
		events, _, err := feed.Next(t.Context(), last)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if !ev.Background || ev.Execution != one.ExecutionID || ev.Seq <= last {
				t.Errorf("event %d: background %t, execution %s", ev.Seq, ev.Background, ev.Execution)
			}
			last = ev.Seq
			bytes += len(ev.Text)
			whole = whole || ev.Type == sandbox.EventStderr && ev.Text == "é"
		}
	}
	if last != 42 || bytes > 256<<10 {
		t.Errorf("last event %d with %d bytes kept, want 42 and at most 256 KiB", last, bytes)
	}
}

func TestManager_AResetWhileOutputComesIsNoRace(t *testing.T) {
	m, _ := newManager(t, testConfig(), func(c *sandboxtest.Call) {
		for {
			select {
			case <-c.Killed:
				return
			default:
				c.Send(wire.Display, []byte(`{"data":{"text/plain":"x"}}`))
				c.Send(wire.Stdout, []byte("\xff"))
			}
		}
	})
	for range 20 {
		e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for ev := range e.Events(t.Context(), 0) {
			if ev.Type == sandbox.EventDisplay {
				break
			}
		}
		if err := m.Reset(t.Context(), key("a")); err != nil {
			t.Fatal(err)
		}
		wait(t, e)
	}
}

func TestManager_AContainerThatCannotBeRemovedIsNotForgotten(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSessions = 1
	m, rt := newManager(t, cfg, nil)
	run(t, m, "a", "x")
	rt.OnDestroy = func(context.Context) error { return errors.New("device busy") }
	for range 2 {
		if err := m.Reset(t.Context(), key("a")); sandbox.ErrorCode(err) != sandbox.CodeEngine {
			t.Errorf("reset: %v, want an engine error", err)
		}
	}
	if _, err := m.Execute(t.Context(), key("b"), sandbox.Request{Code: "x"}); sandbox.ErrorCode(err) != sandbox.CodeCapacity {
		t.Errorf("its place was given away: %v", err)
	}
	rt.OnDestroy = nil
	if err := m.Reset(t.Context(), key("a")); err != nil {
		t.Errorf("reset: %v", err)
	}
	run(t, m, "b", "x")
}
