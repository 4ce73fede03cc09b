package docker

import (
	"context"
	"errors"
	"io"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// CallResult is how a call to the engine ended.
type CallResult string

const (
	CallOK       CallResult = "ok"
	CallRefused  CallResult = "refused"  // the engine answered that there is no such thing, or that it cannot be now
	CallTimeout  CallResult = "timeout"  // it did not answer in time
	CallCanceled CallResult = "canceled" // nobody waited for it any more
	CallError    CallResult = "error"
)

// CallResults are all there are.
var CallResults = []CallResult{CallOK, CallRefused, CallTimeout, CallCanceled, CallError}

// engine is every call to the engine that this package makes. Each is told to Config.Observe but Events and ContainerWait, which
// take as long as there is something to wait for. What a call's answer streams is not counted as its time.
type engine struct {
	client  *client.Client
	observe func(ctx context.Context, operation string) (ended func(CallResult)) // nil for nobody
}

// observed makes a call, and tells of it.
func observed[T any](ctx context.Context, e *engine, operation string, call func() (T, error)) (T, error) {
	if e.observe == nil {
		return call()
	}
	ended := e.observe(ctx, operation)
	v, err := call()
	ended(callResult(err))
	return v, err
}

func callResult(err error) CallResult {
	switch {
	case err == nil:
		return CallOK
	case errors.Is(err, context.DeadlineExceeded):
		return CallTimeout
	case errors.Is(err, context.Canceled):
		return CallCanceled
	case errdefs.IsNotFound(err), errdefs.IsConflict(err):
		return CallRefused
	}
	return CallError
}

func (e *engine) Close() error { return e.client.Close() }

func (e *engine) Ping(ctx context.Context) (types.Ping, error) {
	return observed(ctx, e, "ping", func() (types.Ping, error) { return e.client.Ping(ctx) })
}

func (e *engine) Info(ctx context.Context) (system.Info, error) {
	return observed(ctx, e, "info", func() (system.Info, error) { return e.client.Info(ctx) })
}

func (e *engine) ContainerList(ctx context.Context, options container.ListOptions) ([]container.Summary, error) {
	return observed(ctx, e, "container_list", func() ([]container.Summary, error) { return e.client.ContainerList(ctx, options) })
}

func (e *engine) ContainerCreate(
	ctx context.Context, config *container.Config, host *container.HostConfig, net *network.NetworkingConfig, platform *v1.Platform, name string,
) (container.CreateResponse, error) {
	return observed(ctx, e, "container_create", func() (container.CreateResponse, error) {
		return e.client.ContainerCreate(ctx, config, host, net, platform, name)
	})
}

func (e *engine) ContainerAttach(ctx context.Context, id string, options container.AttachOptions) (types.HijackedResponse, error) {
	return observed(ctx, e, "container_attach", func() (types.HijackedResponse, error) { return e.client.ContainerAttach(ctx, id, options) })
}

func (e *engine) ContainerStart(ctx context.Context, id string, options container.StartOptions) error {
	_, err := observed(ctx, e, "container_start", func() (none, error) { return none{}, e.client.ContainerStart(ctx, id, options) })
	return err
}

func (e *engine) ContainerInspect(ctx context.Context, id string) (container.InspectResponse, error) {
	return observed(ctx, e, "container_inspect", func() (container.InspectResponse, error) { return e.client.ContainerInspect(ctx, id) })
}

func (e *engine) ContainerUpdate(ctx context.Context, id string, config container.UpdateConfig) (container.UpdateResponse, error) {
	return observed(ctx, e, "container_update", func() (container.UpdateResponse, error) { return e.client.ContainerUpdate(ctx, id, config) })
}

func (e *engine) ContainerStatsOneShot(ctx context.Context, id string) (container.StatsResponseReader, error) {
	return observed(ctx, e, "container_stats", func() (container.StatsResponseReader, error) { return e.client.ContainerStatsOneShot(ctx, id) })
}

func (e *engine) Events(ctx context.Context, options events.ListOptions) (<-chan events.Message, <-chan error) {
	return e.client.Events(ctx, options)
}

func (e *engine) ContainerWait(ctx context.Context, id string, condition container.WaitCondition) (<-chan container.WaitResponse, <-chan error) {
	return e.client.ContainerWait(ctx, id, condition)
}

func (e *engine) ContainerRemove(ctx context.Context, id string, options container.RemoveOptions) error {
	_, err := observed(ctx, e, "container_remove", func() (none, error) { return none{}, e.client.ContainerRemove(ctx, id, options) })
	return err
}

func (e *engine) ImageInspect(ctx context.Context, ref string) (image.InspectResponse, error) {
	return observed(ctx, e, "image_inspect", func() (image.InspectResponse, error) { return e.client.ImageInspect(ctx, ref) })
}

func (e *engine) ImagePull(ctx context.Context, ref string, options image.PullOptions) (io.ReadCloser, error) {
	return observed(ctx, e, "image_pull", func() (io.ReadCloser, error) { return e.client.ImagePull(ctx, ref, options) })
}

func (e *engine) ImageBuild(ctx context.Context, files io.Reader, options build.ImageBuildOptions) (build.ImageBuildResponse, error) {
	return observed(ctx, e, "image_build", func() (build.ImageBuildResponse, error) { return e.client.ImageBuild(ctx, files, options) })
}

// none is the answer of a call that has none.
type none struct{}
