package faults_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestShutdown_RemoveEndsEveryProcess(t *testing.T) {
	d := describe(t, rig.proxy.path, "sessions.on_shutdown=remove")
	d.start()
	var containers []string
	for session, code := range map[string]string{
		"busy":  "open('began', 'w')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass",
		"deaf":  ignoresAll + "\n" + neverEnds,
		"forks": detachesOut + "\n" + neverEnds,
		"flood": "open('began', 'w')\nwhile True:\n    try: print('x' * 10000)\n    except BaseException: pass",
		"stops": "import os, signal, time\nif os.fork() == 0:\n    os.kill(os.getpid(), signal.SIGSTOP)\n" + neverEnds,
	} {
		container := d.containerOf(t, session)
		containers = append(containers, container)
		d.detach(t, request{Session: session, Code: code, Timeout: 60})
		awaitFile(t, container, "began")
	}
	before := pids(containers)
	if len(before) < 3*len(containers) { // supervisor, template, worker
		t.Fatalf("%d processes in %d containers", len(before), len(containers))
	}
	began := time.Now()
	d.signal(syscall.SIGTERM)
	<-d.exited
	took := time.Since(began)
	if left := pids(containers); len(left) > 0 {
		t.Errorf("%d of %d processes are left", len(left), len(before))
	}
	if left, err := rig.engine.containers(t.Context(), d.owner()); err != nil || len(left) > 0 {
		t.Errorf("containers are left: %v, %v", left, err)
	}
	if took > 10*time.Second || d.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("it took %s, and ended with %s", took, d.cmd.ProcessState)
	}
	t.Logf("%d processes ended in %s", len(before), took.Round(time.Millisecond))
}

// Without an engine there is nothing to serve. Whoever starts the daemon starts it again, as compose does (restart: unless-stopped).
func TestStart_IsRefusedWithoutAnEngineAndWorksOnceItIsThere(t *testing.T) {
	d := newDaemon(t, rig.proxy.path)
	d.must(t, "a", "kept = 41")
	d.kill()
	for what, broken := range map[string]struct{ begin, end func() error }{
		"gone":    {rig.proxy.gone, rig.proxy.open},
		"stopped": {func() error { return rig.engine.signal(syscall.SIGSTOP) }, func() error { return rig.engine.signal(syscall.SIGCONT) }},
	} {
		if err := broken.begin(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), daemonUp)
		err := d.tryStart(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "no container engine answers at") {
			t.Errorf("%s: %v", what, err)
		}
		if took := time.Since(began); took > requestTimeout+5*time.Second {
			t.Errorf("%s: it took %s", what, took)
		}
		if err := broken.end(); err != nil {
			t.Fatal(err)
		}
	}
	d.start()
	if got := d.must(t, "a", "print(kept)"); got != "41\n" {
		t.Errorf("got %q", got)
	}
}

// An engine that cannot start containers does not keep a daemon from the sessions that are there.
func TestStart_GoesOnWithSessionsWhenNoneCanBeStarted(t *testing.T) {
	d := newDaemon(t, rig.proxy.path)
	d.must(t, "a", "kept = 41")
	d.kill()
	if err := os.WriteFile(rig.engine.brokenRuntime(), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.start()
	if got := d.must(t, "a", "print(kept)"); got != "41\n" {
		t.Errorf("got %q", got)
	}
	if a := d.execute(t.Context(), request{Session: "b", Code: "1"}); a.Status != http.StatusServiceUnavailable || a.RetryAfter == "" {
		t.Errorf("a new one: %+v", a)
	}
	if err := os.Remove(rig.engine.brokenRuntime()); err != nil {
		t.Fatal(err)
	}
	var err error
	for deadline := time.Now().Add(works); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		ending, cause := d.execute(t.Context(), request{Session: "b", Code: "1", Timeout: 10}).ending()
		if ending == "ok" {
			return
		}
		err = errors.New(cause)
	}
	t.Errorf("no session starts: %v", err)
}
