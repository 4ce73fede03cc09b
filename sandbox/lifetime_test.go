package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

func lasting(ttl, idle time.Duration) sandbox.Request {
	return sandbox.Request{Session: sandbox.SessionOptions{TTL: &ttl, IdleTTL: &idle}}
}

func TestLifetime_WhatHasExpiredSaysSoUntilItIsReset(t *testing.T) {
	for name, req := range map[string]sandbox.Request{
		"its ttl of 50ms has passed":      lasting(50*time.Millisecond, 0),
		"nothing was done in it for 50ms": lasting(0, 50*time.Millisecond),
		"nothing was done in it for 51ms": lasting(time.Hour, 51*time.Millisecond),
		"its ttl of 51ms has passed":      lasting(51*time.Millisecond, time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			m, rt := newManager(t, testConfig(), nil)
			if _, err := m.Create(t.Context(), key("a"), req); err != nil {
				t.Fatal(err)
			}
			eventually(t, "its container is gone", func() bool { return len(instances(rt)) == 0 })
			_, err := m.Session(key("a"))
			if sandbox.ErrorCode(err) != sandbox.CodeExpired || !strings.Contains(err.Error(), name) {
				t.Errorf("session: got %v", err)
			}
			if _, err := m.Execute(t.Context(), key("a"), sandbox.Request{Code: "x"}); sandbox.ErrorCode(err) != sandbox.CodeExpired {
				t.Errorf("execute: got %v", err)
			}
			if err := m.Reset(t.Context(), key("a")); err != nil {
				t.Fatal(err)
			}
			if r := run(t, m, "a", "x"); r.ExecutionCount != 1 {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestLifetime_TheTTLEndsWhatRunsAndIdleTimeDoesNot(t *testing.T) {
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){"hang": hang}))
	if _, err := m.Create(t.Context(), key("busy"), lasting(0, 20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	busy, err := m.Execute(t.Context(), key("busy"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Create(t.Context(), key("old"), lasting(100*time.Millisecond, 0)); err != nil {
		t.Fatal(err)
	}
	old, err := m.Execute(t.Context(), key("old"), sandbox.Request{Code: "hang"})
	if err != nil {
		t.Fatal(err)
	}
	if r := wait(t, old); r.Outcome != sandbox.OutcomeCancelled || r.StateKept || !strings.Contains(r.Error, "its ttl of 100ms has passed") {
		t.Errorf("got %q, %q", r.Outcome, r.Error)
	}
	if busy.Result() != nil { // five times as long as it may be idle
		t.Errorf("got %+v", busy.Result())
	}
	if err := busy.Interrupt(); err != nil {
		t.Fatal(err)
	}
	wait(t, busy)
	eventually(t, "it is idle for too long", func() bool { _, err := m.Session(key("busy")); return sandbox.ErrorCode(err) == sandbox.CodeExpired })
}

func TestLifetime_CanBeExtendedWithinTheCeiling(t *testing.T) {
	cfg := testConfig()
	cfg.TTL, cfg.MaxTTL = time.Hour, 2*time.Hour
	m, _ := newManager(t, cfg, nil)
	run(t, m, "a", "x")
	before, err := m.Session(key("a"))
	if err != nil || before.TTL != time.Hour {
		t.Fatalf("got %+v, %v", before, err)
	}
	long := 2 * time.Hour
	after, err := m.Extend(key("a"), &long, nil)
	if err != nil || after.Expires.Sub(before.Expires) < 50*time.Minute || after.TTL != long {
		t.Errorf("got %+v, %v", after, err)
	}
	again, err := m.Extend(key("a"), &long, nil) // the ceiling is that of one extension
	if err != nil || again.Expires.Before(after.Expires) || again.Expires.Sub(again.Created) <= long {
		t.Errorf("again: got %+v, %v", again, err)
	}
	for _, ttl := range []time.Duration{0, long + 1, -1} {
		if _, err := m.Extend(key("a"), &ttl, nil); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
			t.Errorf("ttl %s: got %v", ttl, err)
		}
	}
	short := time.Millisecond
	if _, err := m.Extend(key("a"), nil, &short); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has expired", func() bool { _, err := m.Session(key("a")); return sandbox.ErrorCode(err) == sandbox.CodeExpired })
	if _, err := m.Extend(key("none"), nil, &short); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestSessions_OptionsAreBoundedByTheCeilings(t *testing.T) {
	cfg := poolConfig(0, 0)
	cfg.MaxTTL = time.Hour
	m, rt := newManager(t, cfg, nil)
	day, zero := 24*time.Hour, time.Duration(0)
	for name, o := range map[string]sandbox.SessionOptions{
		"memory is 2147483649 bytes, it must be above 0 and at most 2147483648":              {Memory: 2<<30 + 1},
		"cpus is 2.5 cores, it must be above 0 and at most 2":                                {CPUs: 2.5},
		"pids is 129 processes, it must be above 0 and at most 128":                          {Pids: 129},
		"disk is -1 bytes, it must be above 0 and at most 2097152":                           {WorkDir: -1},
		"memory of 4194304 bytes is too little for disk, /tmp and /dev/shm of 3145728 bytes": {Memory: 4 << 20},
		"ttl is 24h0m0s, it must be at most 1h0m0s":                                          {TTL: &day},
		"ttl is 0, which is for ever: it must be at most 1h0m0s":                             {TTL: &zero},
		"timeout is 2m0s, it must be above 0 and at most 1m0s":                               {TTL: &cfg.MaxTTL, Timeout: 2 * time.Minute},
	} {
		if o.TTL == nil {
			o.TTL = &cfg.MaxTTL
		}
		_, err := m.Create(t.Context(), key("a"), sandbox.Request{Session: o})
		if sandbox.ErrorCode(err) != sandbox.CodeInvalid || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if rt.Started() != 0 {
		t.Errorf("%d containers were started", rt.Started())
	}
	o := sandbox.SessionOptions{TTL: &cfg.MaxTTL, Memory: 512 << 20, Timeout: time.Second, Image: "other", Env: map[string]string{"A": "b"}}
	info, err := m.Create(t.Context(), key("a"), sandbox.Request{Session: o})
	if err != nil || info.Limits.Memory != 512<<20 || info.Timeout != time.Second || info.Image != "other" {
		t.Errorf("got %+v, %v", info, err)
	}
	if _, err := m.Create(t.Context(), key("a"), sandbox.Request{Session: o}); sandbox.ErrorCode(err) != sandbox.CodeConflict {
		t.Errorf("a second one: %v", err)
	}
}
