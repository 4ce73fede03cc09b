package rest_test

import (
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

func TestReset(t *testing.T) {
	a := start(t, nil)
	open := func(ids ...string) {
		for _, id := range ids {
			a.execute(t, `{"code":"x","session_id":"`+id+`"}`)
		}
	}
	open("a", "b")
	for _, tc := range []struct {
		body, want string
		left       int
	}{
		{`{"session_id":"a"}`, `{"status":"ok","message":"reset session a"}`, 1},
		{`{"session_id":"a"}`, `{"status":"ok","message":"reset session a"}`, 1},
		{`{"session_id":"unknown","more":1}`, `{"status":"ok","message":"reset session unknown"}`, 1},
		{`{}`, `{"status":"ok","message":"reset all sessions"}`, 0},
		{`{"session_id":null}`, `{"status":"ok","message":"reset all sessions"}`, 0},
		{`{"session_id":""}`, `{"status":"ok","message":"reset all sessions"}`, 0},
	} {
		status, text, _ := a.post(t, "/reset", tc.body)
		if status != 200 || text != tc.want {
			t.Errorf("%s: %d %s, want 200 %s", tc.body, status, text, tc.want)
		}
		if n := a.containers(t); n != tc.left {
			t.Errorf("%s: %d containers are left when it answers, want %d", tc.body, n, tc.left)
		}
	}
	if r := a.execute(t, `{"code":"x","session_id":"a"}`); !r.SessionCreated || r.ExecutionCount != 1 {
		t.Errorf("after its reset the session is the old one: %+v", r)
	}
}

func TestReset_LeavesTheSessionsOfOthers(t *testing.T) {
	a := start(t, nil)
	x, err := a.manager.Execute(t.Context(), sandbox.Key{Owner: "somebody", ID: "a"}, sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.post(t, "/reset", `{}`)
	a.post(t, "/reset", `{"session_id":"a"}`)
	if n := a.containers(t); n != 1 {
		t.Errorf("%d containers, want the one of somebody else", n)
	}
}

func TestReset_EndsWhatRuns(t *testing.T) {
	running := make(chan struct{})
	a := start(t, func(c *sandboxtest.Call) {
		close(running)
		<-c.Killed
	})
	answer := make(chan string, 1)
	go func() {
		_, text, _ := a.post(t, "/execute", `{"code":"x","session_id":"a"}`)
		answer <- text
	}()
	<-running
	a.post(t, "/reset", `{"session_id":"a"}`)
	if got := <-answer; !strings.Contains(got, `"outcome":"cancelled","state_kept":false`) {
		t.Errorf("the execution's answer: %s", got)
	}
}
