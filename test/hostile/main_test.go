package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
	"github.com/gjyotin305/fastpyrepl/sandbox/state"
	"github.com/gjyotin305/fastpyrepl/test/process"
)

const (
	grace        = 300 * time.Millisecond // between interrupt and kill
	maxOutput    = 64 << 10               // bytes of stdout, and of stderr
	maxQueue     = 4                      // executions waiting in one session
	maxSessions  = 8                      // at once
	writeTimeout = 2 * time.Second        // of a client that does not read
)

// shared is the daemon that all attacks share.
var shared *world

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // what Go itself opens for its first socket stays
		ln.Close()
	}
	before := openFiles()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var err error
	if shared, err = newWorld(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "these tests need a Docker Engine and the image %s (make image): %v\n", process.Image(), err)
		return 1
	}
	code = m.Run()
	if err := shared.judgeResets(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := shared.close(context.WithoutCancel(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // of the process, for good
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"), // sleeps up to 10 s before it sees that it is to end
	); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if after := openFiles(); after > before {
		fmt.Fprintf(os.Stderr, "%d open files, %d before the daemon came up\n", after, before)
		code = 1
	}
	return code
}

// world is a whole daemon in this process, so that what it holds can be counted, and the session of a bystander. It is restarted half-way
// through the attacks.
type world struct {
	log   *slog.Logger
	owner string
	dir   string // of the daemon's state
	store *state.Store

	rt      *docker.Runtime
	manager *sandbox.Manager
	server  *daemon.Server
	served  chan error
	address string
	client  *http.Client

	prepared chan preparation // the session of the next attack

	launched   int             // attacks so far
	resets     []time.Duration // how long it took to end the sessions of attacks
	answered   int             // executions of the bystander
	goroutines int             // with nothing but the bystander there
	files      int
}

func sentry() bool { return os.Getenv("FASTPYREPL_TEST_RUNTIME") == "runsc" }

func newWorld(ctx context.Context) (*world, error) {
	w := &world{
		log:    slog.New(slog.DiscardHandler),
		owner:  uuid.NewString(),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute},
	}
	if os.Getenv("FASTPYREPL_TEST_LOG") != "" {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	var err error
	if w.dir, err = os.MkdirTemp("", "fastpyrepl-hostile-"); err != nil {
		return nil, err
	}
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.dir))
	}
	if err := w.settleIn(ctx); err != nil {
		return nil, errors.Join(err, w.close(ctx))
	}
	return w, nil
}

// start brings a daemon up, and with it the sessions of one before it.
func (w *world) start(ctx context.Context) (err error) {
	config := docker.Config{
		Runtime:        os.Getenv("FASTPYREPL_TEST_RUNTIME"),
		Owner:          w.owner,
		UIDFirst:       40_000,
		UIDCount:       20_000,
		Images:         map[string]docker.Image{"default": {Ref: process.Image()}},
		DefaultImage:   "default",
		SeccompProfile: configs.Seccomp(),
		Driver:         runnerimage.DriverFiles(),
		DriverHash:     runnerimage.DriverHash(),
		RequestTimeout: 30 * time.Second,
		Log:            w.log,
	}
	if w.rt, err = docker.New(ctx, config); err != nil {
		return err
	}
	if err := w.rt.Prepare(ctx, io.Discard); err != nil {
		return errors.Join(err, w.rt.Close())
	}
	if w.store, _, err = state.Open(w.dir); err != nil {
		return errors.Join(err, w.rt.Close())
	}
	pids := int64(64)
	if sentry() {
		pids = 128
	}
	w.manager = sandbox.NewManager(w.rt, w.store, sandbox.Config{
		Limits: sandbox.Limits{
			Memory: 256 << 20, CPUs: 1, Pids: pids, WorkDir: 32 << 20, Tmp: 16 << 20, Shm: 16 << 20, Inodes: 1024, NoFile: 256,
		},
		MaxSessions: maxSessions, MaxStarting: 2, StartQueue: 8, StartTimeout: 30 * time.Second, StopTimeout: 20 * time.Second,
		Pool:  sandbox.PoolConfig{Min: 1, Max: 2, MaxStarting: 1, ShrinkAfter: time.Second},
		Lease: time.Minute, ReconnectTimeout: 10 * time.Second, LostKept: time.Hour, ResultsKept: time.Minute, MaxResults: 4 << 20,
		Execution: sandbox.ExecutionConfig{
			Timeout: 5 * time.Second, MaxTimeout: 30 * time.Second, Grace: grace, Queue: maxQueue,
			MaxContext: 32 << 20, MaxCode: 1 << 20, MaxStdout: maxOutput, MaxStderr: maxOutput,
			MaxDisplay: 1 << 20, MaxLocals: 256 << 10, MaxLocalsValue: 64 << 10, MaxEvents: 16384,
		},
		Files: sandbox.FilesConfig{MaxUpload: 64 << 20, Transfers: 4},
	}, w.log)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = w.manager.Restore(ctx)
	}
	if err != nil {
		return errors.Join(err, w.manager.Close(ctx), w.store.Close(), w.rt.Close())
	}
	handler := rest.New(w.manager, rest.Limits{
		MaxCode: 1 << 20, MaxContext: 32 << 20, MaxTimeout: 30 * time.Second,
		MaxStdout: maxOutput, MaxStderr: maxOutput, MaxDisplay: 1 << 20, MaxLocals: 256 << 10, MaxList: 1000,
	})
	w.server = daemon.New(daemon.Config{
		MaxBody: 64 << 20, MaxInflightBody: 128 << 20, MaxUpload: 64 << 20, MaxHeader: 16 << 10, MaxJSONDepth: 64, MaxJSONKeys: 1000, MaxConnections: 2048,
		ReadTimeout: 10 * time.Second, WriteTimeout: writeTimeout, IdleTimeout: 10 * time.Second,
	}, daemon.Deps{Log: w.log, Routes: handler.Routes()})
	w.address, w.served = ln.Addr().String(), make(chan error, 1)
	go func() { w.served <- w.server.Serve(ln) }()
	return nil
}

// restart puts another daemon in the place of this one, of which nothing but its state is left.
func (w *world) restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	next := <-w.prepared // nothing begins meanwhile
	defer func() { w.prepared <- next }()
	err := errors.Join(w.manager.Leave(ctx), w.server.Shutdown(ctx), <-w.served, w.store.Close(), w.rt.Close())
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	if err := w.start(ctx); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	return w.askBystander(ctx)
}

// pythonSentry tells the attacks which kernel they are up against.
func pythonSentry() string {
	if sentry() {
		return "\nsentry = True"
	}
	return "\nsentry = False"
}

// preparation is a session in which the prelude has run.
type preparation struct {
	session string
	err     error
}

// prepare starts the session of the next attack, which saves waiting for it.
func (w *world) prepare(ctx context.Context) {
	p := preparation{session: "attacked-" + uuid.NewString()}
	a, err := w.execute(ctx, request{Session: p.session, Code: prelude + pythonSentry()})
	if p.err = err; err == nil && a.ending() != "ok" {
		p.err = fmt.Errorf("a session did not begin: %+v", a)
	}
	w.prepared <- p
}

// belongings are what the bystander has, and others must neither find nor use up.
const belongings = `
import fcntl, os, socket
mine = "untouched"
door = socket.socket(socket.AF_UNIX)
door.bind("\0bystander")
door.listen()
for folder in ("/home/user", "/tmp", "/dev/shm"):
    open(folder + "/mine", "w").close()

def pipe():
    "Returns the bytes that a new pipe has room for."
    ends = os.pipe()
    try:
        return fcntl.fcntl(ends[1], fcntl.F_GETPIPE_SZ)
    finally:
        for end in ends:
            os.close(end)
`

// settleIn starts the bystander's session, and counts what the daemon holds.
func (w *world) settleIn(ctx context.Context) error {
	a, err := w.execute(ctx, request{Session: "bystander", Code: belongings})
	if err != nil || a.Outcome != "ok" {
		return fmt.Errorf("start the bystander's session: %+v, %w", a, err)
	}
	w.answered = 1
	w.prepared = make(chan preparation, 1)
	w.prepare(ctx)
	for w.holds(ctx) == poolNotFull { // which counts
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	w.goroutines, w.files = len(goroutines()), openFiles()
	return nil
}

func (w *world) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := errors.Join(w.manager.Close(ctx), w.server.Shutdown(ctx), <-w.served, w.store.Close())
	left, listErr := w.rt.List(ctx)
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("%d containers are left behind", len(left)))
	}
	for _, i := range left {
		err = errors.Join(err, i.Destroy(ctx))
	}
	return errors.Join(err, listErr, w.rt.Close(), os.RemoveAll(w.dir))
}
