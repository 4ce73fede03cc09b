package contract_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
	"github.com/gjyotin305/fastpyrepl/test/process"
)

// patience is how long anything here may take.
const patience = time.Minute

// What the daemon is told. The smaller the limits, the less it takes to reach them.
var settings = []string{
	"FASTPYREPL_SERVER_PORT=0", "FASTPYREPL_SERVER_READ_TIMEOUT=2s",
	"FASTPYREPL_EXECUTION_MAX_CODE=16KiB", "FASTPYREPL_EXECUTION_MAX_CONTEXT=16KiB",
	"FASTPYREPL_SESSIONS_MAX=4", "FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove",
}

// instance is the daemon that all tests share, and locked one that asks for keys.
var instance, locked *running

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "fastpyrepl-contract-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, err := process.Build(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for d, more := range map[**running][]string{&instance: nil, &locked: keySettings()} {
		if *d, err = start(ctx, binary, more...); err != nil {
			fmt.Fprintf(os.Stderr, "these tests need a Docker Engine and the image %s (make image): %v\n", process.Image(), err)
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

// running is a daemon with a directory and a client of its own.
type running struct {
	*process.Daemon
	dir  string
	http *http.Client
}

func start(ctx context.Context, binary string, more ...string) (*running, error) {
	dir, err := os.MkdirTemp("", "fastpyrepl-contract-")
	if err != nil {
		return nil, err
	}
	env := slices.Concat(settings, more, []string{"FASTPYREPL_STATE_DIR=" + filepath.Join(dir, "state"), "FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF=" + process.Image()})
	d, err := process.Start(ctx, binary, env...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &running{Daemon: d, dir: dir, http: &http.Client{Timeout: patience}}, nil
}

// stop ends the daemon, and its sessions with it.
func (d *running) stop() error { return errors.Join(d.Stop(syscall.SIGTERM), os.RemoveAll(d.dir)) }

// endContainers ends all containers of the daemon behind its back.
func (d *running) endContainers(ctx context.Context) error {
	owner, err := os.ReadFile(filepath.Join(d.dir, "state", "owner"))
	if err != nil {
		return err
	}
	rt, err := docker.New(ctx, docker.Config{
		Owner: strings.TrimSpace(string(owner)), UIDFirst: 40_000, UIDCount: 20_000,
		Images: map[string]docker.Image{"default": {Ref: process.Image()}}, DefaultImage: "default",
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
