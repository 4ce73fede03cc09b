package audit_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/state"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// daemons are one after the other, over one engine, one state and one audit log.
type daemons struct {
	*testing.T
	rt      *sandboxtest.Runtime
	store   *state.Store
	cfg     audit.Config
	release chan struct{} // lets a "wait" end
	log     *audit.Log
	m       *sandbox.Manager
}

func newDaemons(t *testing.T) *daemons {
	t.Helper()
	store, _, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &daemons{T: t, store: store, release: make(chan struct{}), cfg: audit.Config{File: filepath.Join(t.TempDir(), "audit.jsonl"), MaxSize: 2 << 20, Keep: 1}}
	d.rt = &sandboxtest.Runtime{Play: sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"wait": func(c *sandboxtest.Call) {
			select {
			case <-d.release:
				c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
			case <-c.Killed:
			}
		},
	})}
	d.begin()
	t.Cleanup(func() {
		if err := d.m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		d.closeLog()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// begin starts a daemon.
func (d *daemons) begin() {
	d.Helper()
	var err error
	if d.log, err = audit.Open(d.cfg, d.store, slog.New(slog.DiscardHandler)); err != nil {
		d.Fatal(err)
	}
	d.m = sandbox.NewManager(d.rt, d.store, sandbox.Config{
		MaxSessions: 8, MaxStarting: 2, StartQueue: 8, StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second,
		LostKept: time.Hour, ReconnectTimeout: 10 * time.Second, MaxResults: 1 << 20, ResultsKept: time.Hour,
		Execution: sandbox.ExecutionConfig{Timeout: time.Minute, MaxTimeout: time.Minute, Queue: 4, MaxCode: 1 << 10, MaxStdout: 1 << 10},
	}, slog.New(slog.DiscardHandler))
	d.m.OnResume(func(r sandbox.Resumed) func() {
		d.log.Resumed(r.Execution)
		return func() {}
	})
	if err := d.m.Restore(d.Context()); err != nil {
		d.Fatal(err)
	}
	d.log.Settle(d.m.Awaits)
}

func (d *daemons) leave() {
	d.Helper()
	if err := d.m.Leave(d.Context()); err != nil {
		d.Fatal(err)
	}
	d.closeLog()
}

func (d *daemons) closeLog() {
	d.Helper()
	if err := d.log.Close(context.WithoutCancel(d.Context())); err != nil {
		d.Error(err)
	}
}

// run begins an execution of ann's, and waits until it has been sent.
func (d *daemons) run(session, code string) *sandbox.Execution {
	d.Helper()
	l := &logged{Log: d.log}
	x := l.begin(d.T, d.m, audit.Who{Key: "ann"}, session, sandbox.Request{Code: code})
	if _, _, err := x.Next(d.Context(), 0); err != nil {
		d.Fatal(err)
	}
	return x
}

// ends waits for the end of an execution under the daemon that is there.
func (d *daemons) ends(id string) {
	d.Helper()
	x, err := d.m.Execution("ann", id)
	if err != nil {
		d.Fatal(err)
	}
	if _, err := x.Wait(d.Context()); err != nil {
		d.Fatal(err)
	}
}

// executions are the lines of executions, in the order of session and outcome.
func (d *daemons) executions() []string {
	d.Helper()
	var all []string
	for _, one := range read(d.T, d.cfg.File) {
		if one["event"] != "execution" {
			continue
		}
		if hash, _ := one["code_sha256"].(string); one["key"] != "ann" || len(hash) != 64 || one["code_size"] == nil || one["accepted"] == nil {
			d.Errorf("it lacks something: %v", one)
		}
		all = append(all, one["session"].(string)+" "+one["outcome"].(string))
	}
	slices.Sort(all)
	if n := d.noted(); n != 0 {
		d.Errorf("%d executions are still noted", n)
	}
	return all
}

func (d *daemons) noted() int {
	d.Helper()
	all, err := d.store.Executions()
	if err != nil {
		d.Fatal(err)
	}
	return len(all)
}

// Every execution has one line, whichever daemon saw it end: before the restart, while none was there, or after it.
func TestJournal_ALineOutlivesTheDaemon(t *testing.T) {
	d := newDaemons(t)
	d.ends(d.run("before", "x").ID()) // and its result is kept, for nobody has fetched it
	meanwhile, after := d.run("meanwhile", "wait"), d.run("after", "wait")
	queued := (&logged{Log: d.log}).begin(t, d.m, audit.Who{Key: "ann"}, "queued", sandbox.Request{Code: "wait"})
	behind := (&logged{Log: d.log}).begin(t, d.m, audit.Who{Key: "ann"}, "queued", sandbox.Request{Code: "x"})
	d.leave()
	if r, err := behind.Wait(t.Context()); err != nil || r.Outcome != sandbox.OutcomeCancelled {
		t.Errorf("what waited: %+v, %v", r, err)
	}
	if n := d.noted(); n != 3 {
		t.Errorf("%d executions are noted, want 3", n)
	}
	d.release <- struct{}{}
	d.begin()
	d.release <- struct{}{}
	d.release <- struct{}{}
	for _, x := range []*sandbox.Execution{meanwhile, after, queued} {
		d.ends(x.ID())
	}
	d.leave()
	d.begin() // hears of all of them once more
	d.leave()
	want := []string{"after ok", "before ok", "meanwhile ok", "queued cancelled", "queued ok"}
	if got := d.executions(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := d.log.Losses(); n != 0 {
		t.Errorf("%d lines were lost", n)
	}
	d.begin()
}

// An execution whose session was gone when the next daemon came has a line, too, which does not claim to know its end.
func TestJournal_WhatNobodyHeardOfAgainIsUnknown(t *testing.T) {
	d := newDaemons(t)
	d.run("gone", "wait")
	d.run("stays", "wait")
	d.leave()
	instances, err := d.rt.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	records, _, err := d.store.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		for _, inst := range instances {
			if r.Key.ID == "gone" && inst.Spec().Session == r.Container {
				if err := inst.Destroy(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	d.begin()
	d.release <- struct{}{}
	if info, err := d.m.Session(sandbox.Key{Owner: "ann", ID: "stays"}); err == nil && info.Running != "" {
		d.ends(info.Running)
	}
	d.leave()
	if got, want := d.executions(), []string{"gone unknown", "stays ok"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	d.begin()
}

// A daemon that is killed may have written the last line without a note of that, or a part of it.
func TestJournal_TheLastLineOfADaemonThatWasKilled(t *testing.T) {
	for name, tt := range map[string]struct {
		cut  int // bytes that were not written
		want []string
	}{"whole": {0, []string{"a ok", "a ok"}}, "torn": {20, []string{"a ok", "a unknown"}}} {
		t.Run(name, func(t *testing.T) {
			d := newDaemons(t)
			d.ends(d.run("a", "x").ID())
			last := d.run("a", "wait")
			noted, err := d.store.Executions()
			if err != nil {
				t.Fatal(err)
			}
			d.release <- struct{}{}
			d.ends(last.ID())
			if err := d.m.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.closeLog()
			if err := d.store.SaveExecution(last.ID(), noted[last.ID()]); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(d.cfg.File)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(d.cfg.File, int64(len(text)-tt.cut)); err != nil {
				t.Fatal(err)
			}
			d.begin()
			d.leave()
			text, err = os.ReadFile(d.cfg.File)
			if err != nil {
				t.Fatal(err)
			}
			var whole []string
			for one := range strings.Lines(string(text)) {
				if strings.HasSuffix(one, "}\n") {
					whole = append(whole, one)
				}
			}
			if err := os.WriteFile(d.cfg.File, []byte(strings.Join(whole, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := d.executions(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			d.begin()
		})
	}
}

// A line that is lost is counted by the daemon that lost it, and not written by the next.
func TestJournal_WhatIsLostIsNotNoted(t *testing.T) {
	d := newDaemons(t)
	d.closeLog()
	file := &slow{taken: make(chan struct{}), fail: 1000}
	close(file.taken)
	d.log = audit.NewLogWith(d.cfg, file, d.store, slog.New(slog.DiscardHandler))
	d.ends(d.run("a", "x").ID())
	d.leave()
	if lost, noted := d.log.Losses(), d.noted(); lost != 2 || noted != 0 { // that of the session is one
		t.Errorf("%d lines are lost, and %d executions noted, want 2 and 0", lost, noted)
	}
	d.begin()
}
