package contract_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// patience is how long anything here may take.
const patience = time.Minute

// What the daemon is told. The smaller the limits, the less it takes to reach them.
var settings = []string{
	"FASTPYREPL_SERVER_PORT=0", "FASTPYREPL_SERVER_READ_TIMEOUT=2s", "FASTPYREPL_LOG_FORMAT=json",
	"FASTPYREPL_EXECUTION_MAX_CODE=16KiB", "FASTPYREPL_EXECUTION_MAX_CONTEXT=16KiB",
	"FASTPYREPL_SESSIONS_MAX=4", "FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove",
}

// instance is the daemon that all tests share, and locked one that asks for keys.
var instance, locked *process

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary, err := build(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(filepath.Dir(binary))
	for d, more := range map[**process][]string{&instance: nil, &locked: keySettings()} {
		if *d, err = start(ctx, binary, more...); err != nil {
			fmt.Fprintf(os.Stderr, "these tests need a Docker Engine and the image %s (make image): %v\n", image(), err)
			return 1
		}
		defer func() {
			if err := (*d).stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}()
	}
	return m.Run()
}

// build makes the command, in a directory of its own.
func build(ctx context.Context) (binary string, err error) {
	dir, err := os.MkdirTemp("", "fastpyrepl-contract-")
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "fastpyrepl")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../../cmd/fastpyrepl").CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("%w: %s", err, out), os.RemoveAll(dir))
	}
	return binary, nil
}

// process is a fastpyrepl in a process of its own.
type process struct {
	dir  string
	url  string
	cmd  *exec.Cmd
	log  chan string // what it said last, once it has ended
	http *http.Client
}

func image() string {
	if ref := os.Getenv("FASTPYREPL_TEST_IMAGE"); ref != "" {
		return ref
	}
	return "fastpyrepl/runner:slim"
}

func start(ctx context.Context, binary string, more ...string) (*process, error) {
	dir, err := os.MkdirTemp("", "fastpyrepl-contract-")
	if err != nil {
		return nil, err
	}
	d := &process{dir: dir, log: make(chan string, 1), http: &http.Client{Timeout: patience}, cmd: exec.CommandContext(ctx, binary, "serve")}
	d.cmd.Env = slices.Concat(os.Environ(), settings, more)
	d.cmd.Env = append(d.cmd.Env, "FASTPYREPL_STATE_DIR="+filepath.Join(dir, "state"), "FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF="+image())
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go d.read(stderr, ready)
	select {
	case d.url = <-ready:
		return d, nil
	case log := <-d.log:
		return nil, errors.Join(fmt.Errorf("the daemon did not come up: %s", log), os.RemoveAll(dir))
	}
}

// read tells where the daemon listens, and keeps the end of its log.
func (d *process) read(log io.Reader, ready chan<- string) {
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

// stop ends the daemon, and its sessions with it.
func (d *process) stop() error {
	err := d.cmd.Process.Signal(syscall.SIGTERM)
	log := <-d.log
	if waitErr := d.cmd.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("the daemon ended with %w: %s", waitErr, log))
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// endContainers ends all containers of the daemon behind its back.
func (d *process) endContainers(ctx context.Context) error {
	owner, err := os.ReadFile(filepath.Join(d.dir, "state", "owner"))
	if err != nil {
		return err
	}
	rt, err := docker.New(ctx, docker.Config{
		Owner: strings.TrimSpace(string(owner)), UIDFirst: 40_000, UIDCount: 20_000,
		Images: map[string]docker.Image{"default": {Ref: image()}}, DefaultImage: "default",
		SeccompProfile: configs.Seccomp(), Driver: runnerimage.DriverFiles(), DriverHash: runnerimage.DriverHash(),
		RequestTimeout: patience, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer rt.Close()
	all, err := rt.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := i.Destroy(ctx); err != nil {
			return err
		}
	}
	return nil
}
