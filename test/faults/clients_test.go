package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The clients of a scene, one for each session.

// What executions say that run while the fault comes.
const (
	slow       = "import time\nprint('begin', flush=True)\ntime.sleep(2)\nprint('end')\nkept"
	ticks      = 20
	slowStream = "import time\nfor i in range(20):\n    print(i, flush=True)\n    time.sleep(0.1)"
)

// told is what a client was told in the end.
type told struct {
	ending, cause string
	after         time.Duration // since the fault began
	retried       bool          // its connection broke, and it came again
	detail        string        // what is wrong with what it was told
}

func (s *scene) tell(of state, t *told) {
	<-s.struck
	t.after = time.Since(s.began)
	s.answers[of] <- t
}

// persist calls until there is an answer: a daemon that is not there is asked again, and so is one that says that it goes.
func (s *scene) persist(call func() *answer) (a *answer, retried bool) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	for {
		a = call()
		if again := a.Status == 0 || s.fault.away && a.Status == http.StatusServiceUnavailable; !again || ctx.Err() != nil {
			return a, retried
		}
		retried = true
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask is the client of the session in which nothing ran.
func (s *scene) ask() {
	a, retried := s.persist(func() *answer {
		return s.d.execute(s.ctx, request{Session: s.prefix + "idle", Code: "kept", Timeout: 20, Create: new(false), key: s.prefix + "idle"})
	})
	t := &told{retried: retried}
	t.ending, t.cause = a.ending()
	if t.ending == "ok" && a.Result["text/plain"] != "41" {
		t.detail = fmt.Sprintf("the variable is %v", a.Result)
	}
	s.tell(idle, t)
}

func (s *scene) execute() {
	a, retried := s.persist(func() *answer {
		return s.d.execute(s.ctx, request{Session: s.prefix + "executing", Code: slow, Timeout: 20, Create: new(false), key: s.prefix + "executing"})
	})
	t := &told{retried: retried}
	t.ending, t.cause = a.ending()
	if t.ending == "ok" && (a.Stdout != "begin\nend\n" || a.Result["text/plain"] != "41" || a.ExecutionCount != 2) {
		t.detail = fmt.Sprintf("it said %q, %v, as number %d", a.Stdout, a.Result, a.ExecutionCount)
	}
	s.tell(executing, t)
}

func (s *scene) stream(begun chan struct{}) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	f := &follower{begun: begun}
	refused, err := f.follow(ctx, s.d, request{Session: s.prefix + "streaming", Code: slowStream, Timeout: 20, Create: new(false), Leave: "continue"})
	t := &told{ending: f.outcome, cause: f.cause, retried: f.broke > 0}
	var want strings.Builder
	for i := range ticks {
		fmt.Fprintln(&want, i)
	}
	switch {
	case refused != nil:
		t.ending, t.cause = refused.ending()
	case err != nil:
		t.ending, t.cause = "cut", err.Error()
	case t.ending == "crashed":
		t.ending = "lost"
	case t.ending == "ok" && f.stdout.String() != want.String():
		t.detail = fmt.Sprintf("it said %q", f.stdout.String())
	}
	s.tell(streaming, t)
}

// create makes a session that the pool has no container for.
func (s *scene) create() {
	a, retried := s.persist(func() *answer {
		return s.d.call(s.ctx, http.MethodPost, "/v1/sessions", request{Session: s.prefix + "creating", Image: s.fault.image, Env: map[string]string{"A": "b"}})
	})
	t := &told{retried: retried}
	t.ending, t.cause = a.ending()
	s.tell(creating, t)
}

func (s *scene) reset() {
	a, retried := s.persist(func() *answer {
		return s.d.call(s.ctx, http.MethodDelete, "/v1/sessions/"+s.prefix+"resetting", nil)
	})
	t := &told{retried: retried}
	t.ending, t.cause = a.ending()
	s.tell(resetting, t)
}
