package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/test/process"
)

const (
	nobody   = 65534            // who the daemon runs as: it needs nothing but the socket
	daemonUp = 30 * time.Second // for a daemon to be ready, its canary on the engine included
)

// daemon is one process of the daemon's own binary after the other, with one state directory and one address.
type daemon struct {
	t     *testing.T
	state string
	port  int
	url   string
	args  []string
	env   []string
	wrap  []string // what the binary is started by

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
	log    *logTail
}

// newDaemon starts a daemon over an engine's socket. When the test ends it must have lived, and it is stopped.
func newDaemon(t *testing.T, socket string, settings ...string) *daemon {
	t.Helper()
	d := describe(t, socket, settings...)
	d.start()
	t.Cleanup(d.stop)
	return d
}

// describe says how a daemon is to be started.
func describe(t *testing.T, socket string, settings ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, state: rig.stateDir(t), port: freePort(t)}
	d.url = fmt.Sprintf("http://127.0.0.1:%d", d.port)
	d.args = []string{"--port", fmt.Sprint(d.port), "--state-dir", d.state, "--log-level", "debug", "--log-format", "json"}
	for _, s := range append([]string{
		"docker.host=unix://" + socket, "docker.request_timeout=" + requestTimeout.String(),
		"sessions.start_timeout=" + startTimeout.String(), "sessions.stop_timeout=" + stopTimeout.String(), "sessions.orphan_grace=1m", "server.write_timeout=2s", "execution.max_stdout=16MiB",
		"sessions.reconnect_timeout=" + reconnectTimeout.String(), "pool.size.min=1", "pool.size.max=1", "limits.memory=128MiB", "limits.workdir=16MiB", "limits.tmp=16MiB", "limits.shm=16MiB",
	}, settings...) {
		d.args = append(d.args, "--set", s)
	}
	d.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF=" + process.Image(), "GORACE=halt_on_error=1"}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon's log ends with\n%s", d.log)
		}
	})
	return d
}

// start starts the daemon and waits until it is ready.
func (d *daemon) start() {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), daemonUp)
	defer cancel()
	if err := d.tryStart(ctx); err != nil {
		d.t.Fatal(err)
	}
}

// tryStart starts the daemon, and returns when it is ready, or has ended.
func (d *daemon) tryStart(ctx context.Context) error {
	line := append(append(append([]string{}, d.wrap...), rig.binary), d.args...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env, cmd.Dir = d.env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	log, exited := newLogTail(), make(chan struct{})
	d.cmd, d.log, d.exited = cmd, log, exited
	go func() {
		defer close(exited)
		log.read(stderr)
		_ = cmd.Wait()
	}()
	select {
	case <-log.ready:
		return nil
	case <-exited:
		return fmt.Errorf("the daemon did not come up: %s\n%s", cmd.ProcessState, log)
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("the daemon is not ready in time:\n%s", log), cmd.Process.Kill())
	}
}

// kill ends the daemon as nothing can prevent.
func (d *daemon) kill() {
	d.t.Helper()
	d.signal(syscall.SIGKILL)
	<-d.exited
}

func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatalf("signal the daemon: %v", err)
	}
}

// stop ends the daemon and its sessions.
func (d *daemon) stop() {
	if !d.alive() {
		d.t.Error("the daemon had ended by itself")
		return
	}
	d.signal(syscall.SIGINT)
	select {
	case <-d.exited:
	case <-time.After(20 * time.Second):
		d.t.Error("the daemon did not stop")
		d.kill()
	}
}

func (d *daemon) alive() bool {
	select {
	case <-d.exited:
		return false
	default:
		return true
	}
}

// files counts the open files of the daemon's process.
func (d *daemon) files() int {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		return -1
	}
	return len(files)
}

// owner is the label of the daemon's containers.
func (d *daemon) owner() string {
	text, err := os.ReadFile(filepath.Join(d.state, "owner"))
	if err != nil {
		d.t.Fatal(err)
	}
	return "org.fastpyrepl.owner=" + strings.TrimSpace(string(text))
}

// logTail keeps the end of a log, and notes when the daemon says that it is ready.
type logTail struct {
	ready chan struct{}

	mu    sync.Mutex
	lines []string // guarded by mu
}

const maxLines = 400

func newLogTail() *logTail { return &logTail{ready: make(chan struct{})} }

func (l *logTail) read(r io.Reader) {
	ready := false
	for scan := bufio.NewScanner(r); scan.Scan(); {
		var line struct{ Msg string }
		if json.Unmarshal(scan.Bytes(), &line) == nil && line.Msg == "ready" && !ready {
			ready = true
			close(l.ready)
		}
		if line.Msg == "request" && bytes.Contains(scan.Bytes(), []byte(`"/health"`)) {
			continue
		}
		l.mu.Lock()
		l.lines = append(l.lines[max(0, len(l.lines)-maxLines+1):], scan.Text())
		l.mu.Unlock()
	}
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
