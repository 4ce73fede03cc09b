package docker

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// updateMargin is how far above what a container uses now its new memory limit must be: the kernel would reclaim, or
// kill, at once.
const updateMargin = 16 << 20 // bytes

// Updates tells whether Update may turn the limits from into the limits to.
func (r *Runtime) Updates(from, to sandbox.Limits) bool {
	if r.host.sentry() {
		return from == to
	}
	return sameFixed(from, to)
}

// sameFixed tells whether limits differ in nothing that a running container keeps.
func sameFixed(a, b sandbox.Limits) bool {
	a.Memory, a.CPUs, a.Pids = b.Memory, b.CPUs, b.Pids
	return a == b
}

// Update changes limits of the running container: memory, CPUs and processes. It verifies what the engine made of them.
func (i *Instance) Update(ctx context.Context, l sandbox.Limits) error {
	i.updating.Lock()
	defer i.updating.Unlock()
	r := i.runtime
	if err := checkLimits(l, r.host.sentry()); err != nil {
		return err
	}
	old := i.Spec().Limits
	if l == old {
		return nil
	}
	if r.host.sentry() {
		return sandbox.Errorf(sandbox.CodeUnsupported, "limits of a running container cannot change under runtime %s", r.host.runtime)
	}
	if !sameFixed(old, l) {
		return sandbox.Errorf(sandbox.CodeUnsupported, "limits workdir, tmp, shm, inodes and nofile of a running container cannot change")
	}
	if l.Memory < old.Memory {
		usage, err := i.Usage(ctx)
		if err != nil {
			return err
		}
		if l.Memory < usage.Memory+updateMargin {
			return sandbox.Errorf(sandbox.CodeUnsupported, "memory limit %d is too low for a container that uses %d", l.Memory, usage.Memory)
		}
	}
	if err := i.apply(ctx, l); err != nil {
		// The engine may have done a part of it.
		undo, cancel := detached(ctx, r.config.RequestTimeout)
		defer cancel()
		if undoErr := i.apply(undo, old); undoErr != nil {
			r.config.Log.Warn("limits are not what they were", "instance", i.ID(), "err", undoErr)
		}
		return err
	}
	i.mu.Lock()
	i.spec.Limits = l
	i.mu.Unlock()
	return nil
}

// apply sets the limits that can change, and reads them back.
func (i *Instance) apply(ctx context.Context, l sandbox.Limits) error {
	r := i.runtime
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	want := resources(l, r.host.cpus)
	resp, err := r.client.ContainerUpdate(ctx, i.id, container.UpdateConfig{Resources: want})
	if err != nil {
		if i.gone(ctx, err) {
			return ended("update limits")
		}
		return &sandbox.Error{Code: sandbox.CodeUnsupported, Message: "the container engine refused to change the limits", Err: err}
	}
	if len(resp.Warnings) > 0 {
		return &sandbox.Error{Code: sandbox.CodeUnsupported, Message: "the container engine would not enforce the limits", Err: fmt.Errorf("update: %q", resp.Warnings)}
	}
	c, err := r.client.ContainerInspect(ctx, i.id)
	if err != nil {
		return engineError("inspect a container", err)
	}
	if c.ContainerJSONBase == nil || c.HostConfig == nil || c.State == nil || !c.State.Running {
		return ended("update limits")
	}
	got := c.HostConfig.Resources
	if got.Memory != want.Memory || got.MemorySwap != want.MemorySwap || got.NanoCPUs != want.NanoCPUs ||
		got.PidsLimit == nil || *got.PidsLimit != *want.PidsLimit {
		return sandbox.Errorf(sandbox.CodeUnsupported, "the container engine did not change the limits as it was told to")
	}
	return nil
}
