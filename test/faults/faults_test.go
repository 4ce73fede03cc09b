package faults_test

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// fault is something that breaks, and how it ends for a session in each state.
type fault struct {
	name    string
	what    string // in words
	begin   func(s *scene) error
	lasts   time.Duration
	end     func(s *scene) error // nil where it is over at once
	started bool                 // the container of the session that is created has started when it comes
	create  bool                 // that container has yet to be made
	away    bool                 // the daemon itself does not answer everybody for a while
	refuses bool                 // though it does so at once
	image   string               // of the session that is created
	long    bool                 // it takes too long to be asked every time
	endsAll bool                 // no container outlives it
	cells   [states]cell
}

// cell is how it ends for one session: what its client is told, how long after the fault's beginning, and in what words.
type cell struct {
	ends   string // any of these, see answer.ending
	within time.Duration
	says   string // part of the cause, where it does not end well
}

func TestFaults(t *testing.T) {
	daemons := map[string]*daemon{}
	for _, f := range faults {
		if f.long && !long {
			continue
		}
		name := f.daemon()
		if daemons[name] == nil {
			daemons[name] = f.newDaemon(t)
		}
		d := daemons[name]
		t.Run(f.name, func(t *testing.T) {
			awaitContainers(t, t.Context(), d, 0, time.Now().Add(works))
			files := d.files()
			newScene(t, d, f).play()
			d.settles(t, files)
		})
		if !d.alive() {
			t.Fatal("the daemon ended")
		}
	}
}

// daemon names the one that a fault needs: they are shared where they can be, so that what one fault leaves is seen.
func (f fault) daemon() string {
	switch {
	case f.refuses:
		return "few files"
	case f.image != "":
		return "two images"
	}
	return ""
}

func (f fault) newDaemon(t *testing.T) *daemon {
	t.Helper()
	d := describe(t, rig.proxy.path)
	switch f.daemon() {
	case "few files":
		d.args = append(d.args, "--set", "sessions.max=6")
		d.wrap = []string{"prlimit", fmt.Sprintf("--nofile=%d:%d", fewFiles, fewFiles)}
	case "two images":
		d.env = append(d.env, "FASTPYREPL_DOCKER_IMAGES_OTHER_REF="+otherImage)
	}
	d.start()
	t.Cleanup(d.stop)
	return d
}

// engineIdle are connections that the daemon keeps for the next call to the engine, at most.
const engineIdle = 6

// settles waits until the daemon has no more files open than it had.
func (d *daemon) settles(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); d.files() > before+engineIdle; {
		if time.Now().After(deadline) {
			t.Errorf("%d files stay open, there were %d", d.files(), before)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// limitFiles bounds how many files the running daemon may have open.
func (d *daemon) limitFiles(n int) error {
	cmd := exec.Command("prlimit", fmt.Sprintf("--pid=%d", d.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:", n)) // the soft limit
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("prlimit: %w: %s", err, out)
	}
	return nil
}
