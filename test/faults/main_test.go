package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/test/process"
)

// What the daemons of these tests are told; see configs/fastpyrepl.yaml.
const (
	requestTimeout   = 4 * time.Second  // docker.request_timeout
	startTimeout     = 10 * time.Second // sessions.start_timeout
	stopTimeout      = 6 * time.Second  // sessions.stop_timeout
	reconnectTimeout = 6 * time.Second  // sessions.reconnect_timeout
)

// rig is what all tests share.
var rig *workshop

// workshop is an engine, a proxy before it, and the daemon's binary.
type workshop struct {
	dir    string
	binary string
	engine *engine
	proxy  *proxy
	states int
}

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) (code int) {
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests start an engine of their own, for which they need root")
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var err error
	defer func() {
		if err := rig.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	if rig, err = newWorkshop(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "these tests need Docker, the image %s (make image), and a loop device: %v\n", process.Image(), err)
		return 1
	}
	return m.Run()
}

func newWorkshop(ctx context.Context) (w *workshop, err error) {
	w = &workshop{}
	// Beside the machine's other big things, and not in memory.
	if w.dir, err = os.MkdirTemp("/var/tmp", "fastpyrepl-faults-"); err != nil {
		return w, err
	}
	if err := os.Chmod(w.dir, 0o755); err != nil { // nobody must get through
		return w, err
	}
	built := make(chan error, 1)
	w.binary = filepath.Join(w.dir, "fastpyrepl")
	go func() {
		_, err := run(ctx, nil, "go", "build", "-race", "-o", w.binary, "../../cmd/fastpyrepl")
		built <- err
	}()
	w.engine, err = newEngine(ctx, w.dir)
	if err == nil {
		err = w.engine.copyImages(ctx)
	}
	if err == nil {
		w.proxy, err = newProxy(filepath.Join(w.dir, "engine.sock"), w.engine.socket())
	}
	return w, errors.Join(err, <-built)
}

func (w *workshop) close() error {
	if w == nil || w.dir == "" {
		return nil
	}
	var errs []error
	if w.proxy != nil {
		errs = append(errs, w.proxy.close())
	}
	if w.engine != nil {
		errs = append(errs, w.engine.close())
	}
	return errors.Join(append(errs, unmountBelow(w.dir), os.RemoveAll(w.dir))...)
}

// stateDir makes a directory that is nobody's, on the engine's disk.
func (w *workshop) stateDir(t *testing.T) string {
	t.Helper()
	w.states++
	dir := filepath.Join(w.engine.disk, fmt.Sprintf("state-%d", w.states))
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}
