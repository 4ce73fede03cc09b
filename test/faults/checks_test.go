package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What a scene has to be like, while the fault lasts and after it.

// watch asks for the daemon's health until over is closed, and returns the longest that an answer took. A daemon that may be away need not
// answer, and one may refuse whose clients are too many.
func (s *scene) watch(over <-chan struct{}) (longest time.Duration, failed string) {
	for {
		ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
		a := s.d.call(ctx, http.MethodGet, "/health", nil)
		cancel()
		switch {
		case s.fault.away && !s.fault.refuses:
		case a.Status == http.StatusOK, s.fault.refuses && (a.Status == http.StatusServiceUnavailable || a.Status == 0): // or the 503 came too early
			longest = max(longest, a.Took)
		default:
			failed = fmt.Sprintf("status %d, %s", a.Status, a.Error)
		}
		select {
		case <-over:
			return longest, failed
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// recovers demands that a new session works soon.
func (s *scene) recovers(ended time.Time) {
	s.t.Helper()
	ctx, cancel := context.WithDeadline(s.ctx, ended.Add(works))
	defer cancel()
	var a *answer
	for ctx.Err() == nil {
		a = s.d.execute(ctx, request{Session: s.prefix + "new", Code: "1+1", Timeout: 10})
		if ending, _ := a.ending(); ending == "ok" {
			s.t.Logf("a new session works %s after the fault's end", time.Since(ended).Round(time.Millisecond))
			s.d.call(s.ctx, http.MethodDelete, "/v1/sessions/"+s.prefix+"new", nil)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	s.t.Errorf("no new session works %s after the fault's end: %+v", works, a)
}

// check compares what a client was told with what it should be, and that with what is so.
func (s *scene) check(of state, c cell, got *told, ended time.Time) {
	t := s.t
	t.Helper()
	t.Logf("%s: %s after %s%s: %s", of, got.ending, got.after.Round(time.Millisecond), map[bool]string{true: ", asked again"}[got.retried], got.cause)
	if !strings.Contains(" "+c.ends+" ", " "+got.ending+" ") || got.detail != "" || !strings.Contains(got.cause, c.says) && got.ending != "ok" {
		t.Errorf("%s: got %s (%s) %s, want %s (%s)", of, got.ending, got.cause, got.detail, c.ends, c.says)
	}
	if got.after > c.within {
		t.Errorf("%s: it took %s, which may take %s", of, got.after, c.within)
	}
	a := s.d.execute(s.ctx, request{Session: s.prefix + of.String(), Code: "kept", Timeout: 20, Create: new(false)})
	now, cause := a.ending()
	switch {
	case of == resetting:
		if now != "404" {
			t.Errorf("resetting: the session is there still: %s, %s", now, cause)
		}
	case of == creating && got.ending == "ok":
		if now != "error" || !strings.HasPrefix(cause, "NameError") {
			t.Errorf("creating: the session does not work: %s, %s", now, cause)
		}
	case of == creating:
		if now != "404" {
			t.Errorf("creating: a session that was refused is there: %s, %s", now, cause)
		}
	case got.ending == "lost":
		if now != "lost" || !strings.Contains(cause, c.says) {
			t.Errorf("%s: afterwards: %s, %s", of, now, cause)
		}
	case now != "ok" || a.Result["text/plain"] != "41":
		t.Errorf("%s: the variable is gone: %s, %s, %v", of, now, cause, a.Result)
	}
}

// untouched demands that the bystander has what it had, where the fault left it its container.
func (s *scene) untouched() {
	s.t.Helper()
	a := s.d.execute(s.ctx, request{Session: s.prefix + "bystander", Code: "kept", Timeout: 20, Create: new(false)})
	ending, cause := a.ending()
	if s.fault.endsAll {
		if ending != "lost" {
			s.t.Errorf("the bystander: %s, %s", ending, cause)
		}
		return
	}
	if ending != "ok" || a.Result["text/plain"] != "41" || a.ExecutionCount != 2 {
		s.t.Errorf("the bystander: %s, %s, %v, as number %d", ending, cause, a.Result, a.ExecutionCount)
	}
}

// awaitContainers waits until there are as many containers as sessions, and the pool's one.
func (s *scene) awaitContainers(sessions int, deadline time.Time) {
	s.t.Helper()
	awaitContainers(s.t, s.ctx, s.d, sessions, deadline)
}

func awaitContainers(t *testing.T, ctx context.Context, d *daemon, sessions int, deadline time.Time, filter ...string) {
	t.Helper()
	for {
		found, err := rig.engine.containers(ctx, d.owner(), filter...)
		if err == nil && len(found) == sessions+1 {
			return
		}
		if time.Now().After(deadline) {
			out, _ := rig.engine.docker(ctx, "ps", "--all", "--filter", "label="+d.owner())
			t.Errorf("there are %d containers for %d sessions and one of the pool: %v\n%s\nthe engine's log ends with\n%s", len(found), sessions, err, out, tail(rig.engine.log.Name()))
			return
		}
		time.Sleep(50 * time.Millisecond) // the engine's events would tell, if it could be relied on here
	}
}
