package sandbox_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// answers gives one payload to every question.
func answers(t wire.Type, payload string) func(wire.Type, wire.QuestionMessage) (wire.Type, []byte) {
	return func(wire.Type, wire.QuestionMessage) (wire.Type, []byte) { return t, []byte(payload) }
}

func TestQuestion_IsAnswered(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	rt.Answer = func(kind wire.Type, q wire.QuestionMessage) (wire.Type, []byte) {
		switch {
		case kind == wire.Complete && q.Code == "a.b" && q.Cursor == 3:
			return wire.Answer, []byte(`{"matches":["b","bc"],"start":2,"end":3,"omitted":4,"more":1}`)
		case kind == wire.IsComplete && q.Code == "if x:":
			return wire.Answer, []byte(`{"status":"incomplete","indent":4}`)
		case kind == wire.Inspect && q.Code == "f" && q.Cursor == 1:
			return wire.Answer, []byte(`{"found":true,"name":"f","type":"function","signature":"(a)","doc":"d","repr":"r"}`)
		case kind == wire.Variables:
			return wire.Answer, []byte(`{"variables":[{"name":"x","type":"int","size":null,"shape":null,"repr":"1"},{"name":"y","type":"T","size":2,"shape":[2,3],"repr":""}],"omitted":1}`)
		}
		return wire.Reject, []byte(`{"code":"failed","message":"wrong"}`)
	}
	run(t, m, "a", "x")
	completion, err := m.Complete(t.Context(), key("a"), "a.b", 3)
	if want := (sandbox.Completion{Matches: []string{"b", "bc"}, Start: 2, End: 3, Omitted: 4}); err != nil || !reflect.DeepEqual(completion, want) {
		t.Errorf("got %+v, %v", completion, err)
	}
	whole, err := m.IsComplete(t.Context(), key("a"), "if x:")
	if want := (sandbox.Completeness{Status: "incomplete", Indent: 4}); err != nil || whole != want {
		t.Errorf("got %+v, %v", whole, err)
	}
	known, err := m.Inspect(t.Context(), key("a"), "f", 1)
	if want := (sandbox.Inspection{Found: true, Name: "f", Type: "function", Signature: "(a)", Doc: "d", Repr: "r"}); err != nil || known != want {
		t.Errorf("got %+v, %v", known, err)
	}
	variables, err := m.Variables(t.Context(), key("a"))
	two := int64(2)
	want := sandbox.Variables{Omitted: 1, Variables: []sandbox.Variable{{Name: "x", Type: "int", Repr: "1"}, {Name: "y", Type: "T", Size: &two, Shape: []int64{2, 3}}}}
	if err != nil || !reflect.DeepEqual(variables, want) {
		t.Errorf("got %+v, %v", variables, err)
	}
}

func TestQuestion_WhatIsNoAnswerIsAConflict(t *testing.T) {
	for name, answer := range map[string]struct {
		t       wire.Type
		payload string
		want    string
	}{
		"no JSON":             {wire.Answer, "{", "makes no sense"},
		"another shape":       {wire.Answer, `{"matches":"x"}`, "makes no sense"},
		"a place that is not": {wire.Answer, `{"matches":[],"start":2,"end":1,"omitted":0}`, "makes no sense"},
		"one beyond the end":  {wire.Answer, `{"matches":[],"start":0,"end":9,"omitted":0}`, "makes no sense"},
		"before the start":    {wire.Answer, `{"matches":[],"start":-1,"end":1,"omitted":0}`, "makes no sense"},
		"nothing":             {wire.Answer, ``, "makes no sense"},
		"a refusal":           {wire.Reject, `{"code":"late","message":"it did not answer"}`, "it did not answer"},
		"a refusal in pieces": {wire.Reject, `{`, "makes no sense"},
	} {
		t.Run(name, func(t *testing.T) {
			m, rt := newManager(t, testConfig(), nil)
			rt.Answer = answers(answer.t, answer.payload)
			run(t, m, "a", "x")
			_, err := m.Complete(t.Context(), key("a"), "x", 1)
			if sandbox.ErrorCode(err) != sandbox.CodeConflict || !strings.Contains(err.Error(), answer.want) {
				t.Errorf("got %v", err)
			}
			run(t, m, "a", "x") // the session has lost nothing
		})
	}
	m, rt := newManager(t, testConfig(), nil)
	rt.Answer = answers(wire.Answer, `{"status":"maybe","indent":0,"variables":[],"omitted":-1}`)
	run(t, m, "a", "x")
	if _, err := m.IsComplete(t.Context(), key("a"), "x"); sandbox.ErrorCode(err) != sandbox.CodeConflict {
		t.Errorf("got %v", err)
	}
	if _, err := m.Variables(t.Context(), key("a")); sandbox.ErrorCode(err) != sandbox.CodeConflict {
		t.Errorf("got %v", err)
	}
}

func TestQuestion_OnlyOfASessionThatIsThereAndIdle(t *testing.T) {
	begun := make(chan struct{})
	m, rt := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"hang": func(c *sandboxtest.Call) { close(begun); hang(c) },
		"exit": func(c *sandboxtest.Call) { c.Exit(1) },
	}))
	rt.Answer = answers(wire.Answer, `{}`)
	ask := func(id string) error {
		_, err := m.Variables(t.Context(), key(id))
		return err
	}
	if err := ask("none"); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("an unknown one: %v", err)
	}
	e, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := ask("a"); sandbox.ErrorCode(err) != sandbox.CodeConflict || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a busy one: %v", err)
	}
	if err := e.Interrupt(); err != nil {
		t.Fatal(err)
	}
	wait(t, e)
	if err := ask("a"); err != nil {
		t.Errorf("an idle one: %v", err)
	}
	run(t, m, "b", "exit")
	if err := ask("b"); sandbox.ErrorCode(err) != sandbox.CodeLost {
		t.Errorf("a lost one: %v", err)
	}
	if _, err := m.IsComplete(t.Context(), key("a"), strings.Repeat("x", sandbox.MaxQuestion+1)); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("too much code: %v", err)
	}
	release := make(chan struct{})
	rt.OnStart = func(context.Context, sandbox.Spec) error { <-release; return nil }
	var starting sync.WaitGroup
	starting.Go(func() { _, _ = m.Create(t.Context(), key("c"), sandbox.Request{}) })
	for err = ask("c"); sandbox.ErrorCode(err) == sandbox.CodeNotFound; err = ask("c") { // until it is starting
	}
	if sandbox.ErrorCode(err) != sandbox.CodeConflict || !strings.Contains(err.Error(), "starting") {
		t.Errorf("one that starts: %v", err)
	}
	close(release)
	starting.Wait()
}

func TestQuestion_OneAtATimeAndUntilTheSessionEnds(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	asked, goOn := make(chan struct{}, 2), make(chan struct{})
	rt.Answer = func(wire.Type, wire.QuestionMessage) (wire.Type, []byte) {
		asked <- struct{}{}
		<-goOn
		return wire.Answer, []byte(`{}`)
	}
	run(t, m, "a", "x")
	failed := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := m.Variables(t.Context(), key("a"))
			failed <- err
		}()
	}
	<-asked
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := m.Variables(ctx, key("a")); !errors.Is(err, cause) {
		t.Errorf("one that nobody waits for: %v", err)
	}
	if len(asked) != 0 {
		t.Error("two are asked at once")
	}
	close(goOn)
	for range 2 {
		if err := <-failed; err != nil {
			t.Errorf("in turn: %v", err)
		}
	}
	<-asked

	goOn = make(chan struct{})
	go func() {
		_, err := m.Variables(t.Context(), key("a"))
		failed <- err
	}()
	<-asked
	reset := make(chan error, 1)
	go func() { reset <- m.Reset(t.Context(), key("a")) }()
	select {
	case err := <-failed:
		if sandbox.ErrorCode(err) != sandbox.CodeConflict || !strings.Contains(err.Error(), "was ended") {
			t.Errorf("of a session that was ended: %v", err)
		}
	case <-time.After(questionPatience):
		t.Error("nobody tells that the session was ended")
	}
	close(goOn)
	if err := <-reset; err != nil {
		t.Error(err)
	}
}

// questionPatience is less than a question may take.
const questionPatience = 5 * time.Second

func TestQuestion_AConnectionThatBreaksEndsTheWait(t *testing.T) {
	m, rt := newManager(t, testConfig(), nil)
	asked := make(chan struct{}, 1)
	goOn := make(chan struct{})
	rt.Answer = func(wire.Type, wire.QuestionMessage) (wire.Type, []byte) {
		asked <- struct{}{}
		<-goOn
		return wire.Answer, []byte(`{}`)
	}
	run(t, m, "a", "x")
	failed := make(chan error, 1)
	go func() {
		_, err := m.Variables(t.Context(), key("a"))
		failed <- err
	}()
	<-asked
	rt.Break()
	select {
	case err := <-failed:
		if sandbox.ErrorCode(err) != sandbox.CodeEngine {
			t.Errorf("got %v", err)
		}
	case <-time.After(questionPatience):
		t.Error("nobody tells that the connection broke")
	}
	close(goOn)
	run(t, m, "a", "x")
}
