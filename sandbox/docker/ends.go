package docker

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

const (
	endsRetry = 200 * time.Millisecond // how long a broken subscription rests
	askAfter  = time.Second            // how often those that wait ask for themselves: seldom enough for an event to come first
)

// exitGone is the end of a container that was gone before it could be asked.
var exitGone = sandbox.ExitStatus{Code: -1, Message: "the container is gone"}

// exit is the end of a container, once it is known.
type exit struct {
	once   sync.Once
	done   chan struct{} // closed when status is set
	status sandbox.ExitStatus
}

func newExit() *exit { return &exit{done: make(chan struct{})} }

func (e *exit) set(status sandbox.ExitStatus) {
	e.once.Do(func() {
		e.status = status
		close(e.done)
	})
}

func (e *exit) seen() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// ends is the subscription to the ends of all containers of this owner. To wait for each by a request of its own would cost
// a connection and four goroutines a container.
type ends struct {
	since string // by the engine's clock; those before it are not wanted
	live  atomic.Bool
}

// follow subscribes, and again when that breaks, until the runtime is closed. The engine keeps the last events, so that none is
// missed between two subscriptions but in a flood; and those that wait for longer than askAfter ask for themselves, too.
func (r *Runtime) follow() {
	options := events.ListOptions{Since: r.ends.since, Filters: filters.NewArgs(
		filters.Arg("type", string(events.ContainerEventType)),
		filters.Arg("event", string(events.ActionDie)),
		filters.Arg("label", LabelOwner+"="+r.config.Owner),
	)}
	for {
		err := r.subscribe(&options)
		if r.ctx.Err() != nil {
			return
		}
		r.config.Log.Debug("the engine's events broke off", "err", err)
		select {
		case <-time.After(endsRetry):
		case <-r.ctx.Done():
			return
		}
	}
}

// subscribe is one subscription. It moves options to where the next must begin.
func (r *Runtime) subscribe(options *events.ListOptions) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	messages, errs := r.client.Events(ctx, *options) // returns when the engine has answered
	select {
	case err := <-errs:
		return err
	default:
	}
	r.ends.live.Store(true)
	defer r.ends.live.Store(false)
	for {
		select {
		case e := <-messages:
			options.Since = strconv.FormatInt(e.TimeNano/1e9, 10) + "." + pad(e.TimeNano%1e9)
			r.died(e)
		case err := <-errs:
			return err
		}
	}
}

// pad is nanoseconds as the engine wants them behind a point: with all of their digits.
func pad(nanoseconds int64) string { return strconv.FormatInt(1e9+nanoseconds, 10)[1:] }

// died notes the end of a container.
func (r *Runtime) died(e events.Message) {
	r.mu.Lock()
	i := r.instances[e.Actor.ID]
	r.mu.Unlock()
	if i == nil || i.exit.seen() {
		return
	}
	code, err := strconv.Atoi(e.Actor.Attributes["exitCode"])
	if err != nil {
		r.config.Log.Warn("the engine does not say how a container ended", "instance", i.ID(), "err", err)
		code = exitGone.Code
	}
	status := sandbox.ExitStatus{Code: code}
	if i.removing.Load() { // nobody asks what else there is to say, nor is it there to be asked
		i.exit.set(status)
		return
	}
	r.wg.Go(func() { // the next event is not to wait for the engine's answer
		if state, err := i.inspect(r.ctx); err == nil { // if it is there still: it is removed by itself
			status.OOMKilled, status.Message = state.OOMKilled, state.Error
		}
		i.exit.set(status)
	})
}

// Wait blocks until the container has ended.
func (i *Instance) Wait(ctx context.Context) (sandbox.ExitStatus, error) {
	var gone bool
	for {
		select {
		case <-i.exit.done:
			return i.exit.status, nil
		case <-ctx.Done():
			return sandbox.ExitStatus{}, ctx.Err()
		case <-i.runtime.ctx.Done():
			return sandbox.ExitStatus{}, &sandbox.Error{Code: sandbox.CodeClosed, Message: "the wait for the container was given up", Err: i.runtime.ctx.Err()}
		case <-time.After(askAfter):
			gone = i.look(ctx, gone)
		}
	}
}

// look asks the engine itself whether the container has ended. It tells whether the container is gone, and believes so the
// second time, before: an event that says how it ended may be on its way.
func (i *Instance) look(ctx context.Context, before bool) (gone bool) {
	switch state, err := i.inspect(ctx); {
	case err != nil:
		i.runtime.config.Log.Debug("look at a container", "instance", i.ID(), "err", err)
	case state.Status == "":
		if before {
			i.exit.set(exitGone)
		}
		return true
	case state.Status == container.StateExited, state.Status == container.StateDead:
		i.exit.set(sandbox.ExitStatus{Code: state.ExitCode, OOMKilled: state.OOMKilled, Message: state.Error})
	}
	return false
}

func notFound(err error) bool { return err != nil && errdefs.IsNotFound(err) }
