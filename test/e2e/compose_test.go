//go:build e2e

package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const ownerLabel = "org.fastpyrepl.owner"

func TestUpExecuteDown(t *testing.T) {
	d := newDeployment(t)
	out, err := d.script(t.Context(), "up.sh")
	if err != nil {
		t.Fatalf("up.sh: %v\n%s", err, out)
	}
	t.Logf("up.sh:\n%s", out)

	t.Run("up shows a real answer and what to try", func(t *testing.T) {
		for _, want := range []string{`"stdout":"Python 3.13`, d.url, "curl " + d.url + "/execute"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	})
	t.Run("up again takes seconds and restarts nothing", func(t *testing.T) {
		before, began := d.daemon(t).ID, time.Now()
		if out, err := d.script(t.Context(), "up.sh"); err != nil {
			t.Fatalf("up.sh: %v\n%s", err, out)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("took %v", took)
		}
		if after := d.daemon(t).ID; after != before {
			t.Errorf("the daemon's container was %s, is %s", before, after)
		}
	})
	t.Run("a session keeps its variables until it is reset", d.testSession)
	t.Run("the daemon's container is confined", d.testDaemonPosture)
	t.Run("a session's container is confined", d.testSessionPosture)
	t.Run("the engine finds the daemon healthy", d.testHealthcheck)
	t.Run("a session outlives its daemon, however that ends", d.testRestart)
	t.Run("down leaves no session", d.testDown)
}

func (d *deployment) testSession(t *testing.T) {
	if a := d.execute(t, map[string]any{"code": "x = 20", "session_id": "e2e"}); !a.SessionCreated || a.SessionID != "e2e" {
		t.Errorf("first execute: %+v", a)
	}
	a := d.execute(t, map[string]any{"code": "def f(): return x + 1\nprint(f())", "session_id": "e2e", "return_locals": true, "locals_keys": []string{"x"}})
	if a.SessionCreated || a.Stdout != "21\n" || a.Locals["x"] != 20.0 {
		t.Errorf("second execute: %+v", a)
	}
	var reset struct{ Status, Message string }
	d.post(t, "/reset", map[string]any{"session_id": "e2e"}, http.StatusOK, &reset)
	if reset.Status != "ok" || reset.Message != "reset session e2e" {
		t.Errorf("reset: %+v", reset)
	}
	if a := d.execute(t, map[string]any{"code": "print('x' in globals())", "session_id": "e2e"}); !a.SessionCreated || a.Stdout != "False\n" {
		t.Errorf("execute after reset: %+v", a)
	}
}

func (d *deployment) testDaemonPosture(t *testing.T) {
	c := d.daemon(t)
	h := c.HostConfig
	if !h.ReadonlyRootfs || h.Privileged || len(h.CapAdd) > 0 || !slices.Equal(h.CapDrop, []string{"ALL"}) || !slices.Contains(h.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("host config %+v", h)
	}
	mounts := map[string]string{}
	for _, m := range c.Mounts {
		mounts[m.Destination] = m.Type
	}
	want := map[string]string{"/var/run/docker.sock": "bind", "/etc/fastpyrepl/fastpyrepl.yaml": "bind", "/var/lib/fastpyrepl": "volume"}
	if !maps.Equal(mounts, want) {
		t.Errorf("mounts %v, want %v", mounts, want)
	}
	for port, bindings := range h.PortBindings {
		for _, b := range bindings {
			if b.HostIP != "127.0.0.1" {
				t.Errorf("port %s is published on %q", port, b.HostIP)
			}
		}
	}
	if len(h.PortBindings) != 1 {
		t.Errorf("ports %v, want one", h.PortBindings)
	}
}

func (d *deployment) testSessionPosture(t *testing.T) {
	d.execute(t, map[string]any{"code": "1", "session_id": "e2e"})
	found := containers(t, ownerLabel+"="+d.owner(t))
	if len(found) == 0 {
		t.Error("no container for a session")
	}
	for _, c := range found {
		h := c.HostConfig
		if h.NetworkMode != "none" || !h.ReadonlyRootfs || h.Privileged || len(h.CapAdd) > 0 || !slices.Equal(h.CapDrop, []string{"ALL"}) {
			t.Errorf("session %s: host config %+v", c.ID, h)
		}
		if h.Memory <= 0 || h.MemorySwap != h.Memory || h.PidsLimit <= 0 {
			t.Errorf("session %s: memory %d, with swap %d, pids %d", c.ID, h.Memory, h.MemorySwap, h.PidsLimit)
		}
		if c.Config.User == "" || strings.HasPrefix(c.Config.User, "0") || strings.HasPrefix(c.Config.User, "root") {
			t.Errorf("session %s runs as %q", c.ID, c.Config.User)
		}
		for _, m := range c.Mounts {
			t.Errorf("session %s mounts %+v", c.ID, m)
		}
	}
}

func (d *deployment) testRestart(t *testing.T) {
	for i, signal := range []string{"TERM", "KILL"} {
		d.execute(t, map[string]any{"code": "n = " + strconv.Itoa(i), "session_id": "stays"})
		id := d.daemon(t).ID
		docker(t, "kill", "--signal", signal, id)
		docker(t, "wait", id)
		docker(t, "start", id)
		d.await(t)
		a := d.execute(t, map[string]any{"code": "print(n)", "session_id": "stays", "create": false})
		if want := strconv.Itoa(i) + "\n"; a.Stdout != want {
			t.Errorf("after SIG%s: stdout %q, want %q", signal, a.Stdout, want)
		}
	}
}

// The check runs in an image that holds nothing but the binary.
func (d *deployment) testHealthcheck(t *testing.T) {
	docker(t, "exec", d.daemon(t).ID, "/fastpyrepl", "health", "--url", "http://127.0.0.1:8000")
	deadline := time.After(time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		status := d.daemon(t).State.Health.Status
		if status == "healthy" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("health is %q after a minute", status)
		}
	}
}

func (d *deployment) testDown(t *testing.T) {
	d.post(t, "/reset", map[string]any{}, http.StatusOK, new(any))
	owner := d.owner(t)
	if left := d.sessions(t); len(left) > 0 {
		t.Errorf("%v after the reset of all", left)
	}
	d.execute(t, map[string]any{"code": "1", "session_id": "e2e"})
	if found := d.sessions(t); !slices.Equal(found, []string{"e2e"}) {
		t.Errorf("sessions %v, want e2e", found)
	}
	out, err := d.script(t.Context(), "down.sh")
	if err != nil {
		t.Fatalf("down.sh: %v\n%s", err, out)
	}
	if strings.Contains(out, "that the daemon left") {
		t.Errorf("the daemon did not end its sessions itself:\n%s", out)
	}
	if left := containers(t, ownerLabel+"="+owner); len(left) > 0 {
		t.Errorf("%d sessions are left", len(left))
	}
	if left := containers(t, "com.docker.compose.project="+d.project); len(left) > 0 {
		t.Errorf("%d containers of the deployment are left", len(left))
	}
}
