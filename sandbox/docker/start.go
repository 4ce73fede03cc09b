package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

var attachOptions = container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true}

// namePrefix begins the names of our containers.
const namePrefix = "fastpyrepl-"

// maxUIDConflicts bounds how often another daemon on the same engine may take the uid that we wanted.
const maxUIDConflicts = 8

var (
	errUIDConflict = errors.New("uid is in use")
	errNoImage     = errors.New("the engine does not have the image any more")
)

// undoTime is how long an engine that has just failed may take to remove what it made. Whoever waits for the start should
// not wait for that.
const undoTime = 2 * time.Second

// Start creates and starts a container whose supervisor waits for HELLO. On error nothing is left behind, but what an engine
// that does not answer may still have or make: List finds that. An image that the engine has lost is made ready again.
func (r *Runtime) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Instance, error) {
	img, err := r.image(ctx, spec.Image)
	if err != nil {
		return nil, err
	}
	i, err := r.start(ctx, spec, img)
	if errors.Is(err, errNoImage) {
		r.missing(spec.Image, img, err)
		if img, err = r.image(ctx, spec.Image); err != nil {
			return nil, err
		}
		i, err = r.start(ctx, spec, img)
	}
	if err != nil {
		return nil, err
	}
	return i, nil
}

// start is Start for any image, and with other arguments for Python than the driver where args are given.
func (r *Runtime) start(ctx context.Context, spec sandbox.Spec, img preparedImage, args ...string) (*Instance, error) {
	if err := checkSpec(spec, r.host.sentry()); err != nil {
		return nil, err
	}
	for range maxUIDConflicts {
		i, err := r.create(ctx, spec, img, args)
		if errors.Is(err, errUIDConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := i.start(ctx); err != nil {
			return nil, i.undo(ctx, err)
		}
		return i, nil
	}
	return nil, engineError("find a uid", errUIDConflict)
}

// create makes a container with a uid that no other container of this product has.
func (r *Runtime) create(ctx context.Context, spec sandbox.Spec, img preparedImage, args []string) (*Instance, error) {
	used, err := r.usedUIDs(ctx)
	if err != nil {
		return nil, err
	}
	uid, err := r.uids.take(used)
	if err != nil {
		return nil, err
	}
	tags, err := labels(spec, r.config.Owner, uid, time.Now())
	if err != nil {
		r.uids.release(uid)
		return nil, err
	}
	config, hostConfig := options(spec, img, uid, tags, r.host)
	if args != nil {
		config.Cmd = args
	}
	id, warnings, err := r.createContainer(ctx, config, hostConfig)
	if err != nil {
		r.uids.release(uid)
		return nil, err
	}
	i := r.instance(id, spec, uid)
	if err := r.checkCreated(ctx, uid, warnings); err != nil {
		return nil, i.undo(ctx, err)
	}
	return i, nil
}

// undo removes a container whose start failed with cause.
func (i *Instance) undo(ctx context.Context, cause error) error {
	i.exit.set(exitGone) // whether it ran or not
	ctx, cancel := detached(ctx, undoTime)
	defer cancel()
	return errors.Join(cause, i.Destroy(ctx))
}

// createContainer does not stop half-way when ctx is cancelled: whether the engine made the container would be unknown.
func (r *Runtime) createContainer(ctx context.Context, config *container.Config, hostConfig *container.HostConfig) (id string, warnings []string, err error) {
	if err := ctx.Err(); err != nil {
		return "", nil, engineError("create a container", err)
	}
	name := namePrefix + uuid.NewString()
	create, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.RequestTimeout)
	defer cancel()
	resp, err := r.client.ContainerCreate(create, config, hostConfig, nil, nil, name)
	if err == nil {
		return resp.ID, resp.Warnings, nil
	}
	if notFound(err) {
		return "", nil, &sandbox.Error{Code: sandbox.CodeImage, Message: "the image is gone", Err: errors.Join(errNoImage, err)}
	}
	err = engineError("create a container", err)
	if !answered(err) {
		// It may be there all the same. If the engine makes it later still, List will find it by its labels.
		undo, cancel := detached(ctx, undoTime)
		defer cancel()
		err = errors.Join(err, r.remove(undo, name))
	}
	return "", nil, err
}

// checkCreated refuses a container that the engine made otherwise than it was asked to.
func (r *Runtime) checkCreated(ctx context.Context, uid int, warnings []string) error {
	if len(warnings) > 0 {
		return &sandbox.Error{
			Code:    sandbox.CodeEngine,
			Message: "the container engine would not confine the code as it was told to",
			Err:     fmt.Errorf("create: %s", strings.Join(warnings, "; ")),
		}
	}
	// Another daemon may have looked for a free uid at the same moment. Both are here now, and both give way.
	same, err := r.find(ctx, LabelUID+"="+strconv.Itoa(uid))
	if err != nil {
		return err
	}
	if len(same) > 1 {
		return errUIDConflict
	}
	return nil
}

// usedUIDs are those of all containers of this product, whatever daemon made them.
func (r *Runtime) usedUIDs(ctx context.Context) (map[int]bool, error) {
	found, err := r.find(ctx, LabelUID)
	if err != nil {
		return nil, err
	}
	used := make(map[int]bool, len(found))
	for _, c := range found {
		if uid, err := strconv.Atoi(c.Labels[LabelUID]); err == nil {
			used[uid] = true
		}
	}
	return used, nil
}
