package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// Runtime is an in-memory sandbox.Runtime whose drivers play a script. It starts no process.
type Runtime struct {
	// Play is called, on a goroutine of the instance's, for every EXECUTE; nil plays Echo.
	Play func(*Call)
	// PlayFile is called likewise for every transfer of files; nil gives every instance a Disk.
	PlayFile func(*FileCall)
	// Answer answers questions; nil refuses them all as busy. It is called while nothing runs.
	Answer func(wire.Type, wire.QuestionMessage) (wire.Type, []byte)
	// OnStart, when not nil, runs before a start; its error is Start's.
	OnStart func(context.Context, sandbox.Spec) error
	// OnAttach, when not nil, runs before an attach; its error is Attach's.
	OnAttach func(context.Context) error
	// OnDestroy, when not nil, runs before a destroy; its error is Destroy's.
	OnDestroy func(context.Context) error
	// OnUsage, when not nil, runs before usage is read; its error is Usage's.
	OnUsage func(context.Context, sandbox.Instance) error
	// Live lets limits of running instances change.
	Live bool
	// MinPids is how many processes instances need at the least.
	MinPids int64

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
	if err := errors.Join(ctx.Err(), r.Check(spec)); err != nil {
		return nil, err
	}
	play := r.Play
	if play == nil {
		play = Echo
	}
	playFile := r.PlayFile
	if playFile == nil {
		playFile = new(Disk).Play
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started++
	in := &instance{
		id:      fmt.Sprintf("fake-%d", r.started),
		spec:    spec,
		runtime: r,
		driver:  newDriver(play, playFile, r.Answer),
	}
	if r.instances == nil {
		r.instances = map[string]*instance{}
	}
	r.instances[in.id] = in
	return in, nil
}

// Check refuses a spec of too few processes.
func (r *Runtime) Check(spec sandbox.Spec) error {
	if spec.Limits.Pids < r.MinPids {
		return sandbox.Errorf(sandbox.CodeInvalid, "limit pids is %d: allowed are %d and more", spec.Limits.Pids, r.MinPids)
	}
	return nil
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

// Updates tells that nothing can be changed, unless Live says otherwise.
func (r *Runtime) Updates(from, to sandbox.Limits) bool { return r.Live }

// Ping always succeeds.
func (r *Runtime) Ping(context.Context) error { return nil }

// Close does nothing.
func (r *Runtime) Close() error { return nil }

// Kill ends an instance with a status, from outside.
func (r *Runtime) Kill(i sandbox.Instance, status int) {
	d := i.(*instance).driver
	d.mu.Lock()
	d.code = status
	d.mu.Unlock()
	d.kill()
	<-d.ended
}

// Claim has an instance say of itself, to the next that attaches, that it keeps these executions.
func (r *Runtime) Claim(i sandbox.Instance, executions ...wire.KeptExecution) {
	d := i.(*instance).driver
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range executions {
		d.kept = append(d.kept, &kept{KeptExecution: e})
	}
}

type instance struct {
	id      string
	runtime *Runtime
	driver  *driver

	mu   sync.Mutex
	spec sandbox.Spec // guarded by mu
}

func (in *instance) ID() string { return in.id }
func (in *instance) Spec() sandbox.Spec {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.spec
}

func (in *instance) Attach(ctx context.Context) (sandbox.Stream, error) {
	if in.runtime.OnAttach != nil {
		if err := in.runtime.OnAttach(ctx); err != nil {
			return nil, err
		}
	}
	return in.driver.attach()
}

// Break closes the stream of every instance, as an engine does that restarts.
func (r *Runtime) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.instances {
		if conn := in.driver.current(); conn != nil {
			conn.Close()
		}
	}
}

// Mute has what instances say get lost on its way, until they are attached to anew.
func (r *Runtime) Mute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.instances {
		in.driver.mu.Lock()
		in.driver.muted = true
		in.driver.mu.Unlock()
	}
}

// Freeze has an instance read nothing any more, as one does that is paused.
func (r *Runtime) Freeze(i sandbox.Instance) {
	d := i.(*instance).driver
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frozen = true
}

// Pings counts the PINGs that came to an instance.
func (r *Runtime) Pings(i sandbox.Instance) int {
	d := i.(*instance).driver
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pings
}

func (in *instance) Update(_ context.Context, l sandbox.Limits) error {
	if !in.runtime.Live {
		return sandbox.Errorf(sandbox.CodeUnsupported, "the fake runtime has no limits")
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.spec.Limits = l
	return nil
}

func (in *instance) Usage(ctx context.Context) (sandbox.Usage, error) {
	if in.runtime.OnUsage != nil {
		if err := in.runtime.OnUsage(ctx, in); err != nil {
			return sandbox.Usage{}, err
		}
	}
	return sandbox.Usage{Memory: 1 << 20, CPUTime: time.Millisecond, Pids: 2}, nil
}

func (in *instance) Wait(ctx context.Context) (sandbox.ExitStatus, error) {
	select {
	case <-in.driver.ended:
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
	<-in.driver.ended
	in.runtime.mu.Lock()
	defer in.runtime.mu.Unlock()
	delete(in.runtime.instances, in.id)
	return nil
}
