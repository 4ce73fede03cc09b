package faults_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// What the matrix does not ask of a daemon that ends.

// must runs code in a session, which has to end well, and returns what it printed.
func (d *daemon) must(t *testing.T, session, code string) string {
	t.Helper()
	a := d.execute(t.Context(), request{Session: session, Code: code, Timeout: 20})
	if ending, cause := a.ending(); ending != "ok" {
		t.Fatalf("%s in %s: %s: %s", code, session, ending, cause)
	}
	return a.Stdout
}

// detach begins an execution and returns its id.
func (d *daemon) detach(t *testing.T, r request) string {
	t.Helper()
	r.Detach = true
	a := d.execute(t.Context(), r)
	if a.Status != http.StatusAccepted {
		t.Fatalf("detach: %+v", a)
	}
	return a.ExecutionID
}

// result waits for how an execution ended.
func (d *daemon) result(t *testing.T, id string) *answer {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) { // nothing tells of it without being a stream
		a := d.call(t.Context(), http.MethodGet, "/v1/executions/"+id, nil)
		if a.Status != http.StatusAccepted || time.Now().After(deadline) {
			return a
		}
	}
}

// containerOf is the id of a session's container.
func (d *daemon) containerOf(t *testing.T, session string) string {
	t.Helper()
	uid := strings.TrimSpace(d.must(t, session, "import os; print(os.getuid())"))
	found, err := rig.engine.containers(t.Context(), "org.fastpyrepl.uid="+uid)
	if err != nil || len(found) != 1 {
		t.Fatalf("containers of %s: %v, %v", session, found, err)
	}
	return found[0]
}

// awaitFile waits until a file is there in a session's working directory, as seen from outside.
func awaitFile(t *testing.T, container, name string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		for _, pid := range pids([]string{container}) {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/home/user/%s", pid, name)); err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come to be", name)
		}
	}
}

// Code that does all it can to notice nothing, and to be noticed by nobody.
const (
	closesFiles = "import os\nos.closerange(0, 3)"
	ignoresAll  = "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass"
	detachesOut = "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        while True:\n            try: time.sleep(60)\n            except BaseException: pass"
	neverEnds   = "import time\nopen('began', 'w')\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass"
)
