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
	if err := i.watch(ctx, container.WaitConditionNotRunning); err != nil {
		return sandbox.ExitStatus{}, err
	}
	select {
	case <-i.exit.done:
		return i.exit.status, i.exit.err
	case <-ctx.Done():
		return sandbox.ExitStatus{}, ctx.Err()
	}
}

// watch begins the wait for the container's end, unless it has begun already, and returns when the engine has noted it.
func (i *Instance) watch(ctx context.Context, condition container.WaitCondition) error {
	var noted chan struct{}
	i.exit.watching.Do(func() {
		noted = make(chan struct{})
		i.runtime.wg.Go(func() { i.await(condition, noted) })
	})
	if noted == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, i.runtime.config.RequestTimeout)
	defer cancel()
	select {
	case <-noted:
		return nil
	case <-ctx.Done():
		return engineError("wait for a container", ctx.Err())
	}
}

// await is the one wait for the container's end; it runs until then, or until the instance's context ends.
func (i *Instance) await(condition container.WaitCondition, noted chan<- struct{}) {
	defer close(i.exit.done)
	for {
		// Blocks until the engine has answered the request's head, which it does at once.
		results, errs := i.runtime.client.ContainerWait(i.ctx, i.id, condition)
		if noted != nil {
			close(noted)
			noted = nil
		}
		select {
		case result := <-results:
			i.exit.status = i.describe(result)
			return
		case err := <-errs:
			if notFound(err) {
				i.exit.status = exitGone
				return
			}
			i.runtime.config.Log.Debug("wait for container", "instance", i.ID(), "err", err)
		}
		select {
		case <-time.After(waitRetry):
		case <-i.ctx.Done():
			i.exit.err = &sandbox.Error{Code: sandbox.CodeClosed, Message: "the wait for the container was given up", Err: i.ctx.Err()}
			return
		}
		// It has been started by now, or never will be: then it is removed.
		condition = container.WaitConditionNotRunning
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
