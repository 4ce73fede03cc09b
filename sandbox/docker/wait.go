package docker

import (
	"context"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// waitRetry is how long a wait rests after the engine dropped it, before it asks again.
const waitRetry = time.Second

// exitGone is the end of a container that was gone before it could be asked.
var exitGone = sandbox.ExitStatus{Code: -1, Message: "the container is gone"}

// exit is the end of a container, once it is known.
type exit struct {
	watching sync.Once
	done     chan struct{} // closed when status or err is set
	status   sandbox.ExitStatus
	err      error // where the runtime was closed first
}

func newExit() *exit { return &exit{done: make(chan struct{})} }

func (e *exit) seen() bool {
	select {
	case <-e.done:
		return e.err == nil
	default:
		return false
	}
}

// Wait blocks until the container has ended.
func (i *Instance) Wait(ctx context.Context) (sandbox.ExitStatus, error) {
	i.watch(container.WaitConditionNotRunning)
	select {
	case <-i.exit.done:
		return i.exit.status, i.exit.err
	case <-ctx.Done():
		return sandbox.ExitStatus{}, ctx.Err()
	}
}

// watch begins the wait for the container's end, unless it has begun already. The channel, nil if so, gets nil when the
// engine has noted it, or else how the first attempt failed.
func (i *Instance) watch(condition container.WaitCondition) <-chan error {
	var noted chan error
	i.exit.watching.Do(func() {
		noted = make(chan error, 1)
		i.runtime.wg.Go(func() { i.await(condition, noted) })
	})
	return noted
}

// await is the one wait for the container's end; it runs until then, or until the instance's context ends.
func (i *Instance) await(condition container.WaitCondition, noted chan<- error) {
	defer close(i.exit.done)
	for {
		// Returns when the engine has answered the request's head, which it does at once.
		results, errs := i.runtime.client.ContainerWait(i.ctx, i.id, condition)
		select {
		case err := <-errs:
			noted <- err
			if i.failed(err) {
				return
			}
		default:
			noted <- nil
			select {
			case result := <-results:
				i.exit.status = i.describe(result)
				return
			case err := <-errs:
				if i.failed(err) {
					return
				}
			}
		}
		noted = make(chan error, 1) // nobody cares for later attempts
		// It has been started by now, or never will be: then it is removed.
		condition = container.WaitConditionNotRunning
	}
}

// failed handles an engine that gave up an attempt to wait. It tells whether there is to be no other, after a rest.
func (i *Instance) failed(err error) bool {
	if notFound(err) {
		i.exit.status = exitGone
		return true
	}
	i.runtime.config.Log.Debug("wait for container", "instance", i.ID(), "err", err)
	select {
	case <-time.After(waitRetry):
		return false
	case <-i.ctx.Done():
		i.exit.err = &sandbox.Error{Code: sandbox.CodeClosed, Message: "the wait for the container was given up", Err: i.ctx.Err()}
		return true
	}
}

// describe adds what the engine still knows of a container that has just ended; it removes it by itself.
func (i *Instance) describe(result container.WaitResponse) sandbox.ExitStatus {
	status := sandbox.ExitStatus{Code: int(result.StatusCode)}
	if result.Error != nil {
		status.Message = result.Error.Message
	}
	if state, err := i.inspect(i.ctx); err == nil {
		status.OOMKilled = state.OOMKilled
		if status.Message == "" {
			status.Message = state.Error
		}
	}
	return status
}

func notFound(err error) bool { return err != nil && errdefs.IsNotFound(err) }
