package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/docker/docker/api/types/container"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

var _ sandbox.Instance = (*Instance)(nil)

// shortID is how many characters of an id docker ps shows.
const shortID = 12

// Instance is one container.
type Instance struct {
	runtime *Runtime
	id      string // the engine's
	uid     int    // 0 where the labels were broken

	exit     *exit
	removing atomic.Bool // Destroy was asked for

	mu      sync.Mutex
	spec    sandbox.Spec // its limits follow Update
	first   *stream      // attached before the start; the first Attach gets it
	streams []*stream    // all that are open, first included

	updating sync.Mutex // one Update at a time
}

func newInstance(r *Runtime, id string, spec sandbox.Spec, uid int) *Instance {
	return &Instance{runtime: r, id: id, uid: uid, spec: spec, exit: newExit()}
}

// ID is the id as docker ps shows it.
func (i *Instance) ID() string { return i.id[:min(len(i.id), shortID)] }

// Spec is what the container was made from, with its limits as they are now.
func (i *Instance) Spec() sandbox.Spec {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.spec
}

// start attaches before it starts the container, so that its first bytes cannot be missed.
func (i *Instance) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, i.runtime.config.RequestTimeout)
	defer cancel()
	s, err := i.open(ctx)
	if err != nil {
		return err
	}
	i.mu.Lock()
	i.first = s
	i.mu.Unlock()
	if err := i.runtime.client.ContainerStart(ctx, i.id, container.StartOptions{}); err != nil {
		return engineError("start a container", err)
	}
	return nil
}

// Attach opens the container's stdin and stdout. The stream is open until it is closed, or the container destroyed.
func (i *Instance) Attach(ctx context.Context) (sandbox.Stream, error) {
	i.mu.Lock()
	s := i.first
	i.first = nil
	i.mu.Unlock()
	if s != nil {
		return s, nil
	}
	return i.open(ctx)
}

// open dials a stream of its own.
func (i *Instance) open(ctx context.Context) (*stream, error) {
	if i.exit.seen() {
		return nil, ended("attach")
	}
	conn, err := i.runtime.attach(ctx, i.id)
	if err != nil {
		return nil, i.unattached(ctx, err)
	}
	var s *stream
	s = newStream(conn, func() { i.closed(s) })
	i.mu.Lock()
	i.streams = append(i.streams, s)
	i.mu.Unlock()
	return s, nil
}

// unattached says why the engine did not attach. Its own answer does not tell: the client drops all of it but the status.
func (i *Instance) unattached(ctx context.Context, err error) error {
	switch state, unknown := i.inspect(ctx); {
	case unknown != nil, state.Status == container.StateCreated:
	case !state.Running:
		return ended("attach")
	case state.Paused:
		return &sandbox.Error{Code: sandbox.CodeEngine, Message: "the session's container is paused", Err: err}
	}
	return engineError("attach to a container", err)
}

func (i *Instance) closed(s *stream) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.streams = slices.DeleteFunc(i.streams, func(other *stream) bool { return other == s })
	if i.first == s {
		i.first = nil
	}
	if n := s.dropped.Load(); n > 0 {
		i.runtime.config.Log.Debug("driver wrote to stderr", "instance", i.ID(), "bytes", n)
	}
}

func (i *Instance) closeStreams() {
	i.mu.Lock()
	open := slices.Clone(i.streams)
	i.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
}

// ended is the error for what only a running container can do.
func ended(op string) error {
	return &sandbox.Error{Code: sandbox.CodeLost, Message: "the session's container has ended", Err: errors.New(op)}
}

// gone tells whether a call failed because the container does not run any more.
func (i *Instance) gone(ctx context.Context, err error) bool {
	if !answered(err) {
		return false
	}
	state, err := i.inspect(ctx)
	return err == nil && !state.Running
}

// inspect returns the container's state; of one that is not there any more, the zero one.
func (i *Instance) inspect(ctx context.Context) (container.State, error) {
	ctx, cancel := context.WithTimeout(ctx, i.runtime.config.RequestTimeout)
	defer cancel()
	c, err := i.runtime.client.ContainerInspect(ctx, i.id)
	if notFound(err) {
		return container.State{}, nil
	}
	if err != nil {
		return container.State{}, engineError("inspect a container", err)
	}
	if c.ContainerJSONBase == nil || c.State == nil {
		return container.State{}, engineError("inspect a container", fmt.Errorf("no state"))
	}
	return *c.State, nil
}
