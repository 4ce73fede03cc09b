//go:build long

package faults_test

import (
	"fmt"
	"testing"
	"time"
)

// long has the faults played that take long; `make faults-long` does.
const long = true

// However many containers are paused, the daemon is there after 10 s, and serves the others.
func TestStart_DoesNotWaitForContainersThatArePaused(t *testing.T) {
	d := newDaemon(t, rig.proxy.path, "sessions.reconnect_timeout=30s")
	const paused = 20
	ids := make([]string, paused)
	for i := range ids {
		ids[i] = d.containerOf(t, fmt.Sprint("paused-", i))
		d.must(t, fmt.Sprint("paused-", i), "kept = 41")
	}
	d.must(t, "free", "kept = 41")
	all := func(command string) {
		t.Helper()
		if _, err := rig.engine.docker(t.Context(), append([]string{command}, ids...)...); err != nil {
			t.Fatal(err)
		}
	}
	all("pause")
	d.kill()
	began := time.Now()
	d.start()
	took := time.Since(began)
	if took > 15*time.Second {
		t.Errorf("it took %s to be ready", took)
	}
	t.Logf("ready after %s", took.Round(time.Millisecond))
	if got := d.must(t, "free", "print(kept)"); got != "41\n" {
		t.Errorf("got %q", got)
	}
	all("unpause")
	for i := range ids {
		if got := d.must(t, fmt.Sprint("paused-", i), "print(kept)"); got != "41\n" {
			t.Errorf("%d: got %q", i, got)
		}
	}
}

// A connection over which nothing comes any more, though it stands, costs an execution its deadline and not the session.
func TestStreams_ThatAreStuckAreGivenUp(t *testing.T) {
	d := newDaemon(t, rig.proxy.path)
	d.must(t, "a", "kept = 41")
	rig.proxy.stick()
	began := time.Now()
	a := d.execute(t.Context(), request{Session: "a", Code: "print(kept)", Timeout: 2, Create: new(false)})
	if ending, cause := a.ending(); ending != "ok" || a.Stdout != "41\n" {
		t.Errorf("%s: %s, %q", ending, cause, a.Stdout)
	}
	t.Logf("answered after %s", time.Since(began).Round(time.Millisecond)) // deadline, grace and answer time are 6 s
}

// stick stops what is said over the attachments that there are, until they are closed. Later ones go on.
func (p *proxy) stick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a := range p.attach {
		a.stuck = true
	}
}
