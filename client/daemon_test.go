package client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/gjyotin305/fastpyrepl/client"
	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// patience is for what comes at once, on a machine that is busy.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run runs the tests beside a daemon on the real engine, for the examples.
func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	rt, err := docker.New(ctx, docker.Config{
		Owner: uuid.NewString(), UIDFirst: 40_000, UIDCount: 20_000,
		Images:       map[string]docker.Image{"default": {Ref: cmp.Or(os.Getenv("FASTPYREPL_TEST_IMAGE"), "fastpyrepl/runner:slim")}},
		DefaultImage: "default", SeccompProfile: configs.Seccomp(), Driver: runnerimage.DriverFiles(), DriverHash: runnerimage.DriverHash(),
		RequestTimeout: patience, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = rt.Prepare(ctx, io.Discard)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "these tests need a Docker Engine and the runner image (make image): %v\n", err)
		return 1
	}
	url, stop, err := listen(rt)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	daemonURL = url
	code := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for _, err := range []error{stop(), rt.Close(), goleak.Find( // fasthttp's clock and its sweeper of workers outlive a server
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// start serves a daemon whose containers are played, and returns a client of it.
func start(t *testing.T, play func(*sandboxtest.Call)) *client.Client {
	t.Helper()
	return connect(t, serve(t, play))
}

// connect makes a client whose connections end with the test.
func connect(t *testing.T, url string, opts ...client.Option) *client.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(url, append([]client.Option{client.WithHTTPClient(&http.Client{Transport: transport})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, play func(*sandboxtest.Call)) string {
	t.Helper()
	return serveOn(t, &sandboxtest.Runtime{Play: play})
}

func serveOn(t *testing.T, rt *sandboxtest.Runtime) string {
	t.Helper()
	url, stop, err := listen(rt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// listen serves a daemon over a runtime, until stop.
func listen(rt sandbox.Runtime) (url string, stop func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	manager := sandbox.NewManager(rt, nil, sandbox.Config{
		MaxSessions: 8, MaxStarting: 2, StartTimeout: patience, StopTimeout: patience, Lease: time.Hour, LostKept: time.Hour, StartQueue: 8,
		MaxResults: 64 << 20, ResultsKept: time.Hour, Files: sandbox.FilesConfig{MaxUpload: 64 << 20, Transfers: 4},
		Limits: sandbox.Limits{Memory: 256 << 20, CPUs: 1, Pids: 64, WorkDir: 32 << 20, Tmp: 16 << 20, Shm: 16 << 20, Inodes: 1024, NoFile: 128},
		Execution: sandbox.ExecutionConfig{
			Timeout: patience, MaxTimeout: time.Minute, Grace: time.Second, Queue: 4, MaxContext: 8 << 20, MaxCode: 1 << 20,
			MaxStdout: 1 << 20, MaxStderr: 1 << 20, MaxDisplay: 1 << 20, MaxLocals: 1 << 20, MaxLocalsValue: 1 << 16, MaxEvents: 16384,
		},
	}, log)
	handler := rest.New(manager, rest.Limits{
		MaxCode: 1 << 20, MaxContext: 8 << 20, MaxTimeout: time.Minute,
		MaxStdout: 1 << 20, MaxStderr: 1 << 20, MaxDisplay: 1 << 20, MaxLocals: 1 << 20, MaxList: 1000,
	})
	server := daemon.New(daemon.Config{
		MaxBody: 64 << 20, MaxInflightBody: 1 << 30, MaxHeader: 8 << 10, MaxJSONDepth: 64, MaxJSONKeys: 10_000,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxUpload: 64 << 20,
	}, daemon.Deps{Log: log, Routes: handler.Routes()})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	return "http://" + ln.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return errors.Join(manager.Close(ctx), server.Shutdown(ctx), <-served)
	}, nil
}

// proxy is a network between client and daemon that can break.
type proxy struct {
	url     string
	mu      sync.Mutex
	conns   []net.Conn // guarded by mu
	refuses int        // guarded by mu; connections to refuse
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "http://" + ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far := p.open(t, near, to)
			if far == nil {
				near.Close()
				continue
			}
			wg.Go(func() { _, _ = io.Copy(far, near); far.Close() })
			wg.Go(func() { _, _ = io.Copy(near, far); near.Close() })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.cut(0)
		wg.Wait()
	})
	return p
}

// open connects to the daemon, unless this connection is to be refused.
func (p *proxy) open(t *testing.T, near net.Conn, to string) net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses > 0 {
		p.refuses--
		return nil
	}
	far, err := net.Dial("tcp", to[len("http://"):])
	if err != nil {
		t.Error(err)
		return nil
	}
	p.conns = append(p.conns, near, far)
	return far
}

// cut breaks all connections, and refuses the next few.
func (p *proxy) cut(refuse int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = refuse
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func stdout(c *sandboxtest.Call, text string) { c.Send(wire.Stdout, []byte(text)) }

func done(c *sandboxtest.Call, outcome string) {
	c.Done(wire.DoneMessage{Outcome: outcome, StateKept: true})
}
