package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the table does not ask of a daemon that ends.

func TestRestart_KeepsSessionsThatResist(t *testing.T) {
	d := newDaemon(t, rig.proxy.path)
	for session, code := range map[string]string{"closes": closesFiles, "ignores": ignoresAll, "detaches": detachesOut} {
		d.must(t, session, "kept = 41\n"+code)
	}
	container := d.containerOf(t, "busy")
	id := d.detach(t, request{Session: "busy", Code: neverEnds, Timeout: 60})
	awaitFile(t, container, "began")
	d.kill()
	d.start()
	for _, session := range []string{"closes", "ignores", "detaches"} {
		a := d.execute(t.Context(), request{Session: session, Code: "kept", Timeout: 10, Create: new(false)})
		if ending, cause := a.ending(); ending != "ok" || a.Result["text/plain"] != "41" {
			t.Errorf("%s: %s: %s, %v", session, ending, cause, a.Result)
		}
	}
	if a := d.call(t.Context(), http.MethodGet, "/v1/executions/"+id, nil); a.Status != http.StatusAccepted {
		t.Errorf("what never ends: %+v", a)
	}
	if a := d.call(t.Context(), http.MethodPost, "/v1/sessions/busy/interrupt", nil); a.Status != http.StatusNoContent {
		t.Errorf("interrupt: %+v", a)
	}
	if a := d.result(t, id); a.Outcome != "interrupted" || a.StateKept {
		t.Errorf("interrupted: %+v", a)
	}
	d.must(t, "busy", "1")
}

func TestRestart_NothingThatWasSaidIsLostOrSaidTwice(t *testing.T) {
	d := newDaemon(t, rig.proxy.path)
	const lines = 3000
	code := fmt.Sprintf("import time\nopen('runs', 'a').write('x')\nfor i in range(%d):\n    print(i, 'x' * 60)\n    if i %% 100 == 0: time.sleep(0.05)\nopen('ended', 'w')", lines)
	var want strings.Builder
	for i := range lines {
		fmt.Fprintln(&want, i, strings.Repeat("x", 60))
	}
	container := d.containerOf(t, "a")
	req := request{Session: "a", Code: code, Timeout: 20, Leave: "continue", key: "once"}
	begun := make(chan struct{})
	f := &follower{begun: begun}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	followed := make(chan error, 1)
	go func() {
		_, err := f.follow(ctx, d, req)
		followed <- err
	}()
	<-begun
	d.kill()
	awaitFile(t, container, "ended") // while there is no daemon
	d.start()
	if err := <-followed; err != nil || f.broke == 0 || f.outcome != "ok" || f.stdout.String() != want.String() {
		t.Errorf("the stream: %v, came back %d times, ended as %q with %d bytes, want %d", err, f.broke, f.outcome, f.stdout.Len(), want.Len())
	}
	if a := d.result(t, f.execution); a.Stdout != want.String() || len(a.Truncated) > 0 {
		t.Errorf("by its id: %d bytes, want %d; %v left out", len(a.Stdout), want.Len(), a.Truncated)
	}
	req.Leave = ""
	if a := d.execute(t.Context(), req); a.ExecutionID != f.execution || a.Stdout != want.String() {
		t.Errorf("asked again: execution %s, want %s; %d bytes", a.ExecutionID, f.execution, len(a.Stdout))
	}
	if got := d.must(t, "a", "print(open('runs').read())"); got != "x\n" {
		t.Errorf("it ran %d times", len(got)-1)
	}
}

func TestRestart_ThatTheVariablesWereLostIsStillTold(t *testing.T) {
	const dies = "import os, threading, time\nz = 5\nthreading.Thread(target=lambda: (time.sleep(0.2), os._exit(0))).start()"
	d := newDaemon(t, rig.proxy.path)
	for session, meanwhile := range map[string]bool{"goes": false, "ends": true} {
		container := d.containerOf(t, session)
		first := d.execute(t.Context(), request{Session: session, Code: dies, Timeout: 10}).ExecutionCount
		for deadline := time.Now().Add(works); d.call(t.Context(), http.MethodGet, "/v1/sessions/"+session, nil).StateLostAt != first; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the session does not say that its variables are lost")
			}
		}
		id := d.detach(t, request{Session: session, Code: "open('began', 'w')\nimport time; time.sleep(2)\nopen('ended', 'w')\n'z' in globals()", Timeout: 20})
		awaitFile(t, container, "began")
		d.kill()
		if meanwhile {
			awaitFile(t, container, "ended")
		}
		d.start()
		if a := d.result(t, id); a.Outcome != "ok" || a.Result["text/plain"] != "False" || a.StateLostAt != first {
			t.Errorf("%s: got %s, %v, state lost at %d, want %d", session, a.Outcome, a.Result, a.StateLostAt, first)
		}
		if a := d.execute(t.Context(), request{Session: session, Code: "1", Timeout: 10}); a.StateLostAt != 0 {
			t.Errorf("%s: said again: state lost at %d", session, a.StateLostAt)
		}
	}
}

// The daemon is killed at every call that a creation and a reset make of the engine, before it and after it.
func TestRestart_InTheMiddle(t *testing.T) {
	d := newDaemon(t, rig.proxy.path)
	d.must(t, "bystander", "kept = 41")
	for _, at := range []struct {
		method, suffix string
		answer         bool
	}{
		{http.MethodPost, "/create", false}, {http.MethodPost, "/create", true}, {http.MethodPost, "/attach", false},
		{http.MethodPost, "/start", false}, {http.MethodPost, "/start", true},
		{http.MethodDelete, "", false}, {http.MethodDelete, "", true},
	} {
		t.Run(fmt.Sprint(at.method, at.suffix, map[bool]string{true: "-answer"}[at.answer]), func(t *testing.T) {
			awaitContainers(t, t.Context(), d, 1, time.Now().Add(works), "--filter", "status=running")
			if at.method == http.MethodDelete {
				d.must(t, "a", "1")
				awaitContainers(t, t.Context(), d, 2, time.Now().Add(works), "--filter", "status=running")
			}
			h := rig.proxy.hold(at.method, at.suffix, at.answer)
			answered := make(chan *answer, 1)
			go func() {
				if at.method == http.MethodDelete {
					answered <- d.call(t.Context(), http.MethodDelete, "/v1/sessions/a", nil)
				} else {
					answered <- d.call(t.Context(), http.MethodPost, "/v1/sessions", request{Session: "a", Env: map[string]string{"A": "b"}})
				}
			}()
			select {
			case <-h.arrived:
			case a := <-answered:
				t.Fatalf("it was not held: %+v", a)
			}
			d.kill()
			h.release()
			if a := <-answered; a.Status != 0 {
				t.Errorf("the client: %+v", a)
			}
			d.start()
			awaitContainers(t, t.Context(), d, 1, time.Now().Add(works)) // the bystander's
			if a := d.execute(t.Context(), request{Session: "a", Code: "1", Create: new(false)}); a.Status != http.StatusNotFound {
				t.Errorf("a is there: %+v", a)
			}
		})
	}
	if got := d.must(t, "bystander", "print(kept)"); got != "41\n" {
		t.Errorf("the bystander has %q", got)
	}
}

func TestRestart_OwnersDoNotTouchEachOthersContainers(t *testing.T) {
	a, b := newDaemon(t, rig.proxy.path), newDaemon(t, rig.proxy.path)
	a.must(t, "x", "kept = 'a'")
	b.must(t, "x", "kept = 'b'")
	whole := func(d *daemon, want string) {
		t.Helper()
		if got := d.must(t, "x", "print(kept)"); got != want+"\n" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, d := range []*daemon{a, b} {
		d.kill()
		d.start()
		whole(a, "a")
		whole(b, "b")
	}
	if a := a.call(t.Context(), http.MethodPost, "/reset", struct{}{}); a.Status != http.StatusOK {
		t.Errorf("reset all: %+v", a)
	}
	awaitContainers(t, t.Context(), a, 0, time.Now().Add(works))
	whole(b, "b")
	a.signal(syscall.SIGINT) // which ends all that is its own
	<-a.exited
	if left, err := rig.engine.containers(t.Context(), a.owner()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	whole(b, "b")
	a.start()
}

func TestRestart_OrphansEndByThemselves(t *testing.T) {
	const grace = 10 * time.Second // the least that may be set
	d := newDaemon(t, rig.proxy.path, "sessions.orphan_grace="+grace.String(), "pool.size.min=0", "pool.size.max=0")
	d.must(t, "idle", "kept = 41")
	container := d.containerOf(t, "busy")
	d.detach(t, request{Session: "busy", Code: neverEnds, Timeout: 60})
	awaitFile(t, container, "began")
	d.kill()
	began := time.Now()
	for {
		left, err := rig.engine.containers(t.Context(), d.owner())
		if err == nil && len(left) == 0 {
			break
		}
		if time.Since(began) > grace+10*time.Second {
			t.Fatalf("left %s after the daemon was killed: %v, %v", time.Since(began), left, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	t.Logf("all containers had ended %s after the daemon was killed", took.Round(100*time.Millisecond))
	if took < grace-5*time.Second {
		t.Errorf("they ended too early") // the last PING may have been a third of the lease before
	}
	d.start()
	for _, session := range []string{"idle", "busy"} {
		ending, cause := d.execute(t.Context(), request{Session: session, Code: "1"}).ending()
		if ending != "lost" || !strings.Contains(cause, "its container was gone when the daemon started again") {
			t.Errorf("%s: %s: %s", session, ending, cause)
		}
	}
}

// The audit log has one line for every execution, whichever daemon saw its end.
func TestRestart_EveryExecutionHasOneLineInTheAuditLog(t *testing.T) {
	d := describe(t, rig.proxy.path)
	file := filepath.Join(d.state, "audit.jsonl")
	d.args = append(d.args, "--set", "audit.file="+file)
	d.start()
	t.Cleanup(d.stop)
	var all []string
	for round, end := range []func(){d.kill, func() { d.signal(syscall.SIGTERM); <-d.exited }} {
		containers, goOn := map[string]string{}, map[string]string{}
		for session, seconds := range map[string]int{"before": 0, "meanwhile": 1, "after": 4} {
			container := d.containerOf(t, session)
			began, ended := fmt.Sprint("began", round), fmt.Sprint("ended", round)
			id := d.detach(t, request{Session: session, Timeout: 20,
				Code: fmt.Sprintf("open(%q, 'w')\nimport time; time.sleep(%d)\nopen(%q, 'w')", began, seconds, ended)})
			awaitFile(t, container, began)
			containers[session], all = container, append(all, id)
			if session == "before" {
				d.result(t, id)
			} else {
				goOn[session] = id
			}
		}
		end()
		awaitFile(t, containers["meanwhile"], fmt.Sprint("ended", round))
		d.start()
		for session, id := range goOn {
			if a := d.result(t, id); a.Outcome != "ok" {
				t.Errorf("%s: %+v", session, a)
			}
		}
	}
	d.signal(syscall.SIGTERM)
	<-d.exited
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range all {
		if n := strings.Count(string(text), `"execution":"`+id+`"`); n != 1 {
			t.Errorf("execution %s has %d lines", id, n)
		}
	}
	if strings.Contains(string(text), `"outcome":"unknown"`) {
		t.Errorf("the audit log has\n%s", text)
	}
	d.start()
}
