package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gjyotin305/fastpyrepl/test/process"
)

const (
	engineUp   = 60 * time.Second // for an engine to answer
	engineDown = 30 * time.Second // for it to end its containers and itself
	diskSize   = "1500M"
)

// engine is a dockerd of the tests' own. Its network is one of its own too: what it does there, the machine does not see.
type engine struct {
	dir    string // of all but the data
	disk   string // where the file system for the data is mounted
	log    *os.File
	cmd    *exec.Cmd
	exited chan struct{}
}

// newEngine makes a disk below dir, and starts an engine on it.
func newEngine(ctx context.Context, dir string) (*engine, error) {
	e := &engine{dir: dir, disk: filepath.Join(dir, "disk")}
	if err := os.Mkdir(e.disk, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "disk.img")
	for _, command := range [][]string{
		{"truncate", "--size", diskSize, file},
		{"mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", file},
		{"mount", "-o", "loop", file, e.disk},
	} {
		if _, err := run(ctx, nil, command...); err != nil {
			return nil, fmt.Errorf("make a disk for the engine: %w", err)
		}
	}
	// The engine's runtime is this, so that it can break without a change to the machine's.
	script := fmt.Sprintf("#!/bin/sh\nif [ -e %s ]; then echo broken >&2; exit 1; fi\nexec runc \"$@\"\n", e.brokenRuntime())
	if err := os.WriteFile(filepath.Join(dir, "runtime"), []byte(script), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}"), 0o644); err != nil { // not the machine's own
		return nil, err
	}
	var err error
	if e.log, err = os.Create(filepath.Join(dir, "dockerd.log")); err != nil {
		return nil, err
	}
	return e, e.start(ctx)
}

func (e *engine) socket() string        { return filepath.Join(e.dir, "dockerd.sock") }
func (e *engine) brokenRuntime() string { return filepath.Join(e.dir, "runtime-is-broken") }

// start starts dockerd, and returns when it answers.
func (e *engine) start(ctx context.Context) error {
	e.cmd = exec.Command("dockerd", "--config-file", filepath.Join(e.dir, "daemon.json"), "--data-root", filepath.Join(e.disk, "data"),
		"--exec-root", filepath.Join(e.dir, "exec"), "--pidfile", filepath.Join(e.dir, "dockerd.pid"), "--host", "unix://"+e.socket(),
		"--add-runtime", "breakable="+filepath.Join(e.dir, "runtime"), "--default-runtime", "breakable",
		"--iptables=false", "--ip-masq=false", "--ip-forward=false", "--log-level", "warn")
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true}
	if err := e.cmd.Start(); err != nil {
		return fmt.Errorf("start dockerd: %w", err)
	}
	e.exited = make(chan struct{})
	go func() {
		_ = e.cmd.Wait()
		close(e.exited)
	}()
	ctx, cancel := context.WithTimeout(ctx, engineUp)
	defer cancel()
	for {
		_, err := e.docker(ctx, "version")
		if err == nil {
			return nil
		}
		select {
		case <-e.exited:
			return errors.Join(fmt.Errorf("dockerd does not come up:\n%s", tail(e.log.Name())), err)
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w:\n%s", err, tail(e.log.Name()))
		case <-time.After(50 * time.Millisecond): // nothing tells when it does
		}
	}
}

// kill ends dockerd and its containerd as a crash of the machine's memory would: containers are left.
func (e *engine) kill() error {
	containerd := filepath.Join(e.dir, "exec/containerd/containerd.pid")
	pids := []int{e.cmd.Process.Pid}
	if text, err := os.ReadFile(containerd); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && command(pid) == "containerd" {
			pids = append(pids, pid)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	<-e.exited
	// Left behind, they would be taken for those of a living process as soon as another has its number.
	return errors.Join(os.RemoveAll(containerd), os.RemoveAll(filepath.Join(e.dir, "dockerd.pid")))
}

// signal sends dockerd a signal.
func (e *engine) signal(s syscall.Signal) error { return e.cmd.Process.Signal(s) }

// close ends the engine, its containers and its disk.
func (e *engine) close() error {
	var errs []error
	if e.cmd != nil && e.cmd.Process != nil {
		errs = append(errs, e.signal(syscall.SIGCONT), e.signal(syscall.SIGTERM))
		select {
		case <-e.exited:
		case <-time.After(engineDown):
			errs = append(errs, errors.New("dockerd did not end"), e.kill())
		}
	}
	return errors.Join(append(errs, unmountBelow(e.dir), e.log.Close())...)
}

// docker runs the client on this engine.
func (e *engine) docker(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, append([]string{"docker", "--host", "unix://" + e.socket()}, args...)...)
}

// copyImages brings the image from the machine's own engine, and makes another one from it.
func (e *engine) copyImages(ctx context.Context) error {
	if _, err := run(ctx, nil, "docker", "save", "--output", e.images(), process.Image()); err != nil {
		return err
	}
	if _, err := e.docker(ctx, "load", "--quiet", "--input", e.images()); err != nil {
		return err
	}
	id, err := e.docker(ctx, "create", "--network", "none", process.Image())
	if err != nil {
		return err
	}
	id = strings.TrimSpace(id)
	_, err = e.docker(ctx, "commit", "--change", "LABEL other=yes", id, otherImage)
	if err == nil {
		_, err = e.docker(ctx, "rm", id)
	}
	if err == nil {
		_, err = e.docker(ctx, "save", "--output", e.images(), process.Image(), otherImage)
	}
	return err
}

// images is the file that has them.
func (e *engine) images() string { return filepath.Join(e.dir, "images.tar") }

// containers are the ids of those with a label, in whatever state. Engine 20.10, after it was killed, lists as dead what it does not know
// any more; that does not count.
func (e *engine) containers(ctx context.Context, label string, filter ...string) ([]string, error) {
	out, err := e.docker(ctx, append([]string{"ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Status}}", "--filter", "label=" + label}, filter...)...)
	var found []string
	for line := range strings.Lines(out) {
		id, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		if status == "Dead" {
			if _, err := e.docker(ctx, "inspect", id); err != nil && strings.Contains(err.Error(), "No such object") {
				continue
			}
		}
		found = append(found, id)
	}
	return found, err
}

// pids are the processes of this machine in the cgroup of any of these containers.
func pids(containers []string) []int {
	var found []int
	all, _ := filepath.Glob("/proc/[0-9]*/cgroup")
	for _, path := range all {
		groups, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		if slices.ContainsFunc(containers, func(id string) bool { return bytes.Contains(groups, []byte(id)) }) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, pid)
		}
	}
	return found
}

// run runs a command and returns what it printed; an error has what it complained of.
func run(ctx context.Context, env []string, command ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// unmountBelow unmounts all that is mounted below dir, the innermost first.
func unmountBelow(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var errs []error
	lines := strings.Split(string(mounts), "\n")
	for _, line := range slices.Backward(lines) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			errs = append(errs, syscall.Unmount(fields[1], syscall.MNT_DETACH))
		}
	}
	return errors.Join(errs...)
}

// command is the name of a process's program, "" where there is none.
func command(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(text))
}

// tail is the end of a file.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-1000):])
}
