package sandboxtest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Runtime is an in-memory sandbox.Runtime whose drivers play a script. It starts no process.
type Runtime struct {
	// Play is called, on a goroutine of the instance's, for every EXECUTE; nil plays Echo.
	Play func(*Call)
	// OnStart, when not nil, runs before a start; its error is Start's.
	OnStart func(context.Context, sandbox.Spec) error
	// OnDestroy, when not nil, runs before a destroy; its error is Destroy's.
	OnDestroy func(context.Context) error

	mu        sync.Mutex
	instances map[string]*instance // guarded by mu
	started   int                  // guarded by mu
}

var _ sandbox.Runtime = (*Runtime)(nil)

// Start makes an instance.
func (r *Runtime) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	if r.OnStart != nil {
		if err := r.OnStart(ctx, spec); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	play := r.Play
	if play == nil {
		play = Echo
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started++
	daemonSide, driverSide := net.Pipe()
	in := &instance{
		id:      fmt.Sprintf("fake-%d", r.started),
		spec:    spec,
		runtime: r,
		stream:  daemonSide,
		driver:  newDriver(driverSide, play),
		ended:   make(chan struct{}),
	}
	if r.instances == nil {
		r.instances = map[string]*instance{}
	}
	r.instances[in.id] = in
	go func() {
		in.driver.serve()
		close(in.ended)
	}()
	return in, nil
}

// List returns the instances that were not destroyed.
func (r *Runtime) List(context.Context) ([]sandbox.Instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []sandbox.Instance
	for _, in := range r.instances {
		all = append(all, in)
	}
	return all, nil
}

// Started counts the starts so far.
func (r *Runtime) Started() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started
}

// Ping always succeeds.
func (r *Runtime) Ping(context.Context) error { return nil }

// Close does nothing.
func (r *Runtime) Close() error { return nil }

type instance struct {
	id      string
	spec    sandbox.Spec
	runtime *Runtime
	stream  net.Conn
	driver  *driver
	ended   chan struct{}
}

func (in *instance) ID() string         { return in.id }
func (in *instance) Spec() sandbox.Spec { return in.spec }

func (in *instance) Attach(context.Context) (sandbox.Stream, error) { return in.stream, nil }

func (in *instance) Update(context.Context, sandbox.Limits) error {
	return sandbox.Errorf(sandbox.CodeUnsupported, "the fake runtime has no limits")
}

func (in *instance) Usage(context.Context) (sandbox.Usage, error) {
	return sandbox.Usage{Memory: 1 << 20, CPUTime: time.Millisecond, Pids: 2}, nil
}

func (in *instance) Wait(ctx context.Context) (sandbox.ExitStatus, error) {
	select {
	case <-in.ended:
		return sandbox.ExitStatus{Code: in.driver.exitCode()}, nil
	case <-ctx.Done():
		return sandbox.ExitStatus{}, context.Cause(ctx)
	}
}

func (in *instance) Destroy(ctx context.Context) error {
	if in.runtime.OnDestroy != nil {
		if err := in.runtime.OnDestroy(ctx); err != nil {
			return err
		}
	}
	in.driver.kill()
	<-in.ended
	in.runtime.mu.Lock()
	defer in.runtime.mu.Unlock()
	delete(in.runtime.instances, in.id)
	return nil
}
