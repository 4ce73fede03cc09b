package process

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Image is the image that sessions run in, where a test needs no library: FASTPYREPL_TEST_IMAGE names another one.
func Image() string { return cmp.Or(os.Getenv("FASTPYREPL_TEST_IMAGE"), "fastpyrepl/runner:slim") }

// Build makes the command in dir, for a test in a directory beside this one.
func Build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "fastpyrepl")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../../cmd/fastpyrepl").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
}

// Daemon is one that serves.
type Daemon struct {
	URL string
	Cmd *exec.Cmd
	log chan string // what it said last, once it has ended
}

// Start runs the command with the variables in env besides this process's, and waits until it serves. With the end of ctx the daemon
// and its sessions end.
func Start(ctx context.Context, binary string, env ...string) (*Daemon, error) {
	d := &Daemon{log: make(chan string, 1), Cmd: exec.CommandContext(ctx, binary, "serve")}
	d.Cmd.Env = slices.Concat(os.Environ(), env, []string{"FASTPYREPL_LOG_FORMAT=json"})
	d.Cmd.Cancel = func() error { return d.Cmd.Process.Signal(syscall.SIGINT) }
	stderr, err := d.Cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.Cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go d.read(stderr, ready)
	select {
	case d.URL = <-ready:
		return d, nil
	case log := <-d.log:
		return nil, errors.Join(fmt.Errorf("the daemon did not come up: %s", log), d.Cmd.Wait())
	}
}

// read tells where the daemon listens, and keeps the end of its log.
func (d *Daemon) read(log io.Reader, ready chan<- string) {
	var tail []string
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if tail = append(tail, lines.Text()); len(tail) > 20 {
			tail = tail[1:]
		}
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ready <- line.URL
		}
	}
	d.log <- strings.Join(tail, "\n")
}

// Stop ends the daemon: with SIGINT its sessions, too. An end that is not the daemon's own, such as by SIGKILL, is an error.
func (d *Daemon) Stop(how syscall.Signal) error {
	err := d.Cmd.Process.Signal(how)
	log := <-d.log
	if waitErr := d.Cmd.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("the daemon ended with %w: %s", waitErr, log))
	}
	return err
}
