package docker

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/api/types/container"
)

const (
	// removeRetry is how long to rest when the engine could not remove a container, as when a mount is still busy.
	removeRetry = 200 * time.Millisecond
	// exitGrace is how long the end of a removed container may take to be told to those that wait for it.
	exitGrace = time.Second
)

// Destroy ends and removes the container, and gives up its uid once it is gone. It is idempotent; not found is success.
// It heeds the deadline of ctx, but not its cancellation. On error the container may be there still: try again.
func (i *Instance) Destroy(ctx context.Context) error {
	r := i.runtime
	ctx, cancel := detached(ctx, r.config.RequestTimeout)
	defer cancel()
	i.removing.Store(true)
	// First of all: an engine blocks on a container whose attach stream is full and not read.
	i.closeStreams()
	if err := r.remove(ctx, i.id); err != nil {
		return err
	}
	i.settle()
	r.forget(i)
	return nil
}

// remove kills and removes a container, and returns when it is gone.
func (r *Runtime) remove(ctx context.Context, id string) error {
	for {
		err := r.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || notFound(err) {
			return nil
		}
		// Often the engine is removing it already, because it ended.
		if gone := r.awaitRemoval(ctx, id); gone {
			return nil
		}
		select {
		case <-ctx.Done():
			return engineError("remove a container", errors.Join(ctx.Err(), err))
		case <-time.After(removeRetry):
		}
	}
}

// awaitRemoval waits until a container that is being removed is gone, and tells whether it is. One that is not being
// removed is not waited for.
func (r *Runtime) awaitRemoval(ctx context.Context, id string) bool {
	c, err := r.client.ContainerInspect(ctx, id)
	if notFound(err) {
		return true
	}
	if err != nil || c.ContainerJSONBase == nil || c.State == nil || c.State.Status != container.StateRemoving {
		return false
	}
	results, errs := r.client.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case result := <-results:
		return result.Error == nil
	case err := <-errs:
		return notFound(err)
	}
}

// settle lets those that wait for the container's end have it.
func (i *Instance) settle() {
	if i.runtime.ends.live.Load() {
		select {
		case <-i.exit.done:
		case <-time.After(exitGrace): // it never ran, or the event was lost
		}
	}
	i.exit.set(exitGone)
}
