package sandbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

func TestBackstop_AnAnswerThatIsStuckIsFetchedOverAnotherConnection(t *testing.T) {
	cfg := testConfig()
	cfg.Execution.Timeout, cfg.Execution.Grace = 100*time.Millisecond, 0
	m, rt := newManager(t, cfg, nil)
	run(t, m, "a", "x")
	rt.Mute()
	if r := run(t, m, "a", "y"); r.Outcome != sandbox.OutcomeOK || r.Stdout != "y" || !r.StateKept {
		t.Errorf("got %+v", r)
	}
}

func TestBackstop_ADriverThatDoesNotAnswerIsGivenUp(t *testing.T) {
	cfg := testConfig()
	cfg.Execution.Timeout, cfg.Execution.Grace = 100*time.Millisecond, 0
	m, _ := newManager(t, cfg, func(c *sandboxtest.Call) { <-c.Killed })
	began := time.Now()
	r := run(t, m, "a", "x")
	if r.Outcome != sandbox.OutcomeCrashed || r.StateKept || !strings.Contains(r.Error, "its driver did not answer in time") {
		t.Errorf("got %+v", r)
	}
	if took := time.Since(began); took > 10*time.Second { // deadline, 2 s, and 5 s for another connection
		t.Errorf("it took %s", took)
	}
	if _, err := m.Session(key("a")); sandbox.ErrorCode(err) != sandbox.CodeLost {
		t.Errorf("got %v", err)
	}
}

func TestBackstop_WhatWaitsForAConnectionDoesNotPayForIt(t *testing.T) {
	cfg := testConfig()
	cfg.Execution.Timeout, cfg.Execution.Grace = 100*time.Millisecond, 0
	m, rt := newManager(t, cfg, nil)
	run(t, m, "a", "x")
	down := time.Now().Add(3 * time.Second) // longer than deadline and patience
	rt.OnAttach = func(context.Context) error {
		if time.Now().Before(down) {
			return errors.New("connection refused")
		}
		return nil
	}
	rt.Break()
	if r := run(t, m, "a", "y"); r.Outcome != sandbox.OutcomeOK || r.Stdout != "y" || r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}
