package client_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/client"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

func TestExecute(t *testing.T) {
	c := start(t, func(c *sandboxtest.Call) {
		c.Send(wire.Stdout, []byte(c.Message.Code+string(c.Context)+string(c.Stdin)))
		c.Send(wire.ErrorMessage, []byte(`{"type":"ValueError","message":"no","traceback":["a","b"]}`))
		c.Send(wire.Result, []byte(`{"data":{"text/plain":"'x'","image/png":"AQI="}}`))
		c.Send(wire.Locals, []byte(`{"values":{"n":1},"inexact":["n"],"omitted":2}`))
		done(c, "error")
	})
	context := " context"
	r, err := c.Execute(t.Context(), client.ExecuteRequest{
		Code: "code", SessionID: "s", Context: &context, Stdin: " stdin", Timeout: time.Second / 2, Locals: true, LocalsKeys: []string{"n"},
		Figures: []string{"svg"}, MaxStdout: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stdout != "code context stdin" || r.SessionID != "s" || !r.SessionCreated || r.Outcome != client.OutcomeError || !r.StateKept ||
		r.Error != "ValueError: no" || r.Exception.Traceback[1] != "b" || r.Value.Plain() != "'x'" || string(r.Value.Binary("image/png")) != "\x01\x02" ||
		string(r.Locals["n"]) != "1" || r.LocalsInexact[0] != "n" || r.LocalsOmitted != 2 || !strings.HasPrefix(string(r.Raw), `{"stdout":`) {
		t.Errorf("got %+v", r)
	}
	if again, err := c.Result(t.Context(), r.ExecutionID); err != nil || again.Stdout != r.Stdout {
		t.Errorf("its result: %+v, %v", again, err)
	}
	if _, err := c.Execute(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "none", NoCreate: true}); client.Status(err) != 404 {
		t.Errorf("an unknown session: %v", err)
	}
	if _, err := c.Result(t.Context(), "none"); client.Status(err) != 404 {
		t.Errorf("an unknown execution: %v", err)
	}
}

// play is a script whose executions say "one", and "two" when they are let go on.
func play(goOn <-chan struct{}) func(*sandboxtest.Call) {
	return func(c *sandboxtest.Call) {
		stdout(c, "one\n")
		select {
		case <-goOn:
			stdout(c, "two\n")
			done(c, "ok")
		case <-c.Interrupted:
			done(c, "interrupted")
		case <-c.Killed:
		}
	}
}

// follow reads a stream to its end, and calls at with each event.
func follow(t *testing.T, events iter.Seq2[client.Event, error], at func(client.Event)) (text, outcome string) {
	t.Helper()
	for ev, err := range events {
		if err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		if ev.Type == client.EventStdout {
			text += ev.Text
		}
		outcome = ev.Outcome
		at(ev)
	}
	return text, outcome
}

func TestStream_YieldsEventsWhileTheCodeRuns(t *testing.T) {
	goOn := make(chan struct{})
	c := start(t, play(goOn))
	var types []string
	text, outcome := follow(t, c.Stream(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "s"}), func(ev client.Event) {
		types = append(types, ev.Type)
		if ev.Type == client.EventStarted && (ev.SessionID != "s" || !ev.SessionCreated || ev.ExecutionCount != 1) {
			t.Errorf("got %+v", ev)
		}
		if ev.Text == "one\n" {
			close(goOn) // so that it would not have come to an end before
		}
	})
	if text != "one\ntwo\n" || outcome != "ok" || strings.Join(types, " ") != "started stdout stdout done" {
		t.Errorf("got %q, %s, %v", text, outcome, types)
	}
}

func TestStream_GoesOnOverAnotherConnection(t *testing.T) {
	goOn := make(chan struct{})
	p := newProxy(t, serve(t, play(goOn)))
	c := connect(t, p.url)
	text, outcome := follow(t, c.Stream(t.Context(), client.ExecuteRequest{Code: "x", OnDisconnect: client.Continue}), func(ev client.Event) {
		if ev.Text == "one\n" {
			p.cut(3)
			close(goOn)
		}
	})
	if text != "one\ntwo\n" || outcome != "ok" {
		t.Errorf("got %q, %s", text, outcome)
	}
}

func TestStream_TellsThatTheCutInterruptedTheCode(t *testing.T) {
	p := newProxy(t, serve(t, play(nil)))
	text, outcome := follow(t, connect(t, p.url).Stream(t.Context(), client.ExecuteRequest{Code: "x"}), func(ev client.Event) {
		if ev.Text == "one\n" {
			p.cut(0)
		}
	})
	if text != "one\n" || outcome != "interrupted" {
		t.Errorf("got %q, %s", text, outcome)
	}
}

func TestStream_ToLeaveTheLoopInterrupts(t *testing.T) {
	c := start(t, play(nil))
	var id string
	for ev, err := range c.Stream(t.Context(), client.ExecuteRequest{Code: "x"}) {
		if err != nil {
			t.Fatal(err)
		}
		if id = ev.ExecutionID; ev.Type == client.EventStdout {
			break
		}
	}
	r, err := c.Wait(t.Context(), id)
	if err != nil || r.Outcome != "interrupted" || r.Stdout != "one\n" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestStream_TheEndOfTheContextEndsIt(t *testing.T) {
	c := start(t, play(nil))
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	for ev, err := range c.Stream(ctx, client.ExecuteRequest{Code: "x"}) {
		if last = err; ev.Type == client.EventStdout {
			cancel(cause)
		}
	}
	if !errors.Is(last, cause) {
		t.Errorf("got %v", last)
	}
}

func TestStream_BeforeTheFirstEventItNeedsAKey(t *testing.T) {
	// A stream that breaks before it has said anything.
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	whole := says(200, `{"seq":1,"type":"stdout","execution_id":"e","text":"x"}`+"\n"+`{"seq":2,"type":"done","execution_id":"e","outcome":"ok"}`+"\n")
	c, asked := answering(t, cut, whole)
	var last error
	for _, err := range c.Stream(t.Context(), client.ExecuteRequest{Code: "x"}) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "whether the code runs is not known") || asked.Load() != 1 {
		t.Errorf("got %v after %d requests", last, asked.Load())
	}
	c, asked = answering(t, cut, whole)
	text, outcome := follow(t, c.Stream(t.Context(), client.ExecuteRequest{Code: "x", IdempotencyKey: "k"}), func(client.Event) {})
	if text != "x" || outcome != "ok" || asked.Load() != 2 {
		t.Errorf("got %q, %s after %d requests", text, outcome, asked.Load())
	}
}

// A daemon that gives an execution up may number its end lower than what a client has seen of the last daemon's.
func TestEvents_AnEndThatNoEventTells(t *testing.T) {
	c, _ := answering(t, says(200, ""), says(200, `{"outcome":"crashed","error":"crashed: x","execution_id":"e","stdout":"1"}`), says(200, ""))
	n := 0
	for ev, err := range c.Events(t.Context(), "e", 7) {
		if n++; err != nil || ev.Type != client.EventDone || ev.Outcome != "crashed" || ev.Seq != 8 || !strings.Contains(string(ev.Raw), `"outcome":"crashed"`) {
			t.Errorf("got %+v, %v", ev, err)
		}
	}
	if n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestStream_ARefusalIsItsOnlyWord(t *testing.T) {
	c := start(t, nil)
	n := 0
	for _, err := range c.Stream(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "a/b"}) {
		if n++; client.Status(err) != 422 {
			t.Errorf("got %v", err)
		}
	}
	for _, err := range c.Events(t.Context(), "none", 0) {
		if n++; client.Status(err) != 404 {
			t.Errorf("got %v", err)
		}
	}
	if n != 2 {
		t.Errorf("%d words", n)
	}
}

func TestDetach_EventsAndResult(t *testing.T) {
	goOn := make(chan struct{})
	c := start(t, play(goOn))
	p, err := c.Detach(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "s"})
	if err != nil || p.SessionID != "s" || !p.SessionCreated {
		t.Fatalf("got %+v, %v", p, err)
	}
	if r, err := c.Result(t.Context(), p.ExecutionID); r != nil || err != nil {
		t.Errorf("while it runs: %+v, %v", r, err)
	}
	var first uint64
	for ev, err := range c.Events(t.Context(), p.ExecutionID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Text == "one\n" {
			first = ev.Seq
			break
		}
	}
	close(goOn)
	if text, outcome := follow(t, c.Events(t.Context(), p.ExecutionID, first), func(client.Event) {}); text != "two\n" || outcome != "ok" {
		t.Errorf("got %q, %s", text, outcome)
	}
	if r, err := c.Wait(t.Context(), p.ExecutionID); err != nil || r.Stdout != "one\ntwo\n" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSessions(t *testing.T) {
	c := start(t, play(nil))
	hour, zero := time.Hour, time.Duration(0)
	s, err := c.CreateSession(t.Context(), client.SessionRequest{ID: "a", Env: map[string]string{"A": "b"}, TTL: &zero, IdleTTL: &zero, Timeout: 5 * time.Second})
	if err != nil || s.ID != "a" || s.State != "idle" || s.Timeout != 5 || s.ExpiresAt != nil {
		t.Fatalf("got %+v, %v", s, err)
	}
	if _, err := c.CreateSession(t.Context(), client.SessionRequest{ID: "a"}); client.Status(err) != 409 {
		t.Errorf("a second one: %v", err)
	}
	if s, err = c.ExtendSession(t.Context(), "a", &zero, &zero); err != nil || s.TTL != 0 {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, err = c.ExtendSession(t.Context(), "a", &hour, nil); err != nil && client.Status(err) != 422 {
		t.Errorf("got %v", err)
	}
	p, err := c.Detach(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := c.Sessions(t.Context(), true); err != nil || len(l.Sessions) != 1 || l.Sessions[0].ExecutionID != p.ExecutionID || l.Sessions[0].Usage == nil {
		t.Errorf("got %+v, %v", l, err)
	}
	if err := c.InterruptSession(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if r, err := c.Wait(t.Context(), p.ExecutionID); err != nil || r.Outcome != "interrupted" {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := c.DeleteSession(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := c.Session(t.Context(), "a"); client.Status(err) != 404 {
		t.Errorf("got %v", err)
	}
	if _, err := c.CreateSession(t.Context(), client.SessionRequest{}); err != nil {
		t.Error(err)
	}
	if err := c.ResetAll(t.Context()); err != nil {
		t.Error(err)
	}
	if l, err := c.Sessions(t.Context(), false); err != nil || len(l.Sessions) != 0 {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestSessionEvents_EndWithTheSession(t *testing.T) {
	c := start(t, func(c *sandboxtest.Call) {
		done(c, "ok")
		c.Send(wire.BackgroundStdout, []byte("behind"))
	})
	if _, err := c.CreateSession(t.Context(), client.SessionRequest{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Execute(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "a"}); err != nil {
		t.Fatal(err)
	}
	text := ""
	for ev, err := range c.SessionEvents(t.Context(), "a", 0) {
		if err != nil || !ev.Background {
			t.Fatalf("got %+v, %v", ev, err)
		}
		if text += ev.Text; text == "behind" {
			if err := c.DeleteSession(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if text != "behind" {
		t.Errorf("got %q", text)
	}
}

func TestSessionEvents_GoOnOverAnotherConnection(t *testing.T) {
	url := serve(t, func(c *sandboxtest.Call) {
		done(c, "ok")
		c.Send(wire.BackgroundStdout, []byte(c.Message.Code))
	})
	p, direct := newProxy(t, url), connect(t, url)
	say := func(code string) {
		if _, err := direct.Execute(t.Context(), client.ExecuteRequest{Code: code, SessionID: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	say("one ")
	text := ""
	for ev, err := range connect(t, p.url).SessionEvents(t.Context(), "a", 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch text += ev.Text; text {
		case "one ":
			p.cut(1)
			say("two")
		case "one two":
			if err := direct.DeleteSession(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if text != "one two" {
		t.Errorf("got %q", text)
	}
}

func TestQuestions(t *testing.T) {
	url := serveOn(t, &sandboxtest.Runtime{Answer: func(kind wire.Type, q wire.QuestionMessage) (wire.Type, []byte) {
		switch {
		case kind == wire.Variables:
			return wire.Answer, []byte(`{"variables":[{"name":"x","type":"T","size":2,"shape":[2],"repr":"1"}],"omitted":3}`)
		case kind == wire.IsComplete && q.Code == "if x:":
			return wire.Answer, []byte(`{"status":"incomplete","indent":4}`)
		case kind == wire.Inspect && q.Cursor == 1:
			return wire.Answer, []byte(`{"found":true,"name":"f","type":"function","signature":"()","doc":"d","repr":"r"}`)
		case kind == wire.Complete && q.Cursor == 3:
			return wire.Answer, []byte(`{"matches":["print"],"start":0,"end":3,"omitted":1}`)
		}
		return wire.Reject, nil
	}})
	c := connect(t, url)
	if _, err := c.CreateSession(t.Context(), client.SessionRequest{ID: "s"}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Complete(t.Context(), "s", "pri", 3); err != nil || got.Matches[0] != "print" || got.End != 3 || got.Omitted != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := c.IsComplete(t.Context(), "s", "if x:"); err != nil || *got != (client.Completeness{Status: client.Incomplete, Indent: 4}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := c.Inspect(t.Context(), "s", "f", 1); err != nil || !got.Found || got.Signature != "()" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := c.Variables(t.Context(), "s"); err != nil || got.Variables[0].Name != "x" || *got.Variables[0].Size != 2 || got.Omitted != 3 || len(got.Raw) == 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.Complete(t.Context(), "s", "x", 0); client.Status(err) != 409 {
		t.Errorf("got %v", err)
	}
}
