package docker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/gjyotin305/fastpyrepl/configs"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// shared is a prepared Runtime for tests that need not have one of their own.
var shared *docker.Runtime

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var err error
	if shared, err = prepared(ctx, testConfig()); err != nil {
		fmt.Fprintf(os.Stderr, "these tests need a Docker Engine and the image %s (make image): %v\n", testImage(), err)
		return 1
	}
	code = m.Run()
	left, err := shared.List(ctx)
	if err != nil || len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d containers are left behind, %v\n", len(left), err)
		code = 1
	}
	for _, i := range left {
		if err := i.Destroy(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func testImage() string {
	if ref := os.Getenv("FASTPYREPL_TEST_IMAGE"); ref != "" {
		return ref
	}
	return "fastpyrepl/runner:slim"
}

// dataImage is one with the data-science set.
func dataImage() string {
	if ref := os.Getenv("FASTPYREPL_TEST_DATA_IMAGE"); ref != "" {
		return ref
	}
	return "fastpyrepl/runner:default"
}

func testConfig() docker.Config {
	return docker.Config{
		Owner:          uuid.NewString(),
		UIDFirst:       40_000,
		UIDCount:       20_000,
		Images:         map[string]docker.Image{"default": {Ref: testImage()}},
		DefaultImage:   "default",
		SeccompProfile: configs.Seccomp(),
		Driver:         runnerimage.DriverFiles(),
		DriverHash:     runnerimage.DriverHash(),
		RequestTimeout: 30 * time.Second,
		Log:            slog.New(slog.DiscardHandler),
	}
}

func prepared(ctx context.Context, config docker.Config) (*docker.Runtime, error) {
	rt, err := docker.New(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := rt.Prepare(ctx, io.Discard); err != nil {
		rt.Close()
		return nil, err
	}
	return rt, nil
}

// newRuntime is a Runtime of the test's own.
func newRuntime(t *testing.T, change func(*docker.Config)) *docker.Runtime {
	t.Helper()
	config := testConfig()
	if change != nil {
		change(&config)
	}
	rt, err := prepared(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := rt.List(context.WithoutCancel(t.Context()))
		if err != nil || len(left) > 0 {
			t.Errorf("%d containers are left behind, %v", len(left), err)
		}
		for _, i := range left {
			destroy(t, i)
		}
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	return rt
}

func testSpec() sandbox.Spec {
	return sandbox.Spec{
		Session: uuid.NewString(),
		Limits: sandbox.Limits{
			Memory: 256 << 20, CPUs: 1, Pids: 64, WorkDir: 32 << 20, Tmp: 16 << 20, Shm: 16 << 20, Inodes: 1024, NoFile: 128,
		},
		Lease: time.Minute,
	}
}

func destroy(t *testing.T, i sandbox.Instance) {
	t.Helper()
	if err := i.Destroy(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("destroy %s: %v", i.ID(), err)
	}
}
