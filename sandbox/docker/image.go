package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// registryTimeout is how long a registry may take to begin its answer to a pull. What follows may take its time.
const registryTimeout = 30 * time.Second

// defaultPath is PATH where an image sets none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// preparedImage is an image that has been found able to serve.
type preparedImage struct {
	id     string // of the image with the driver in it
	python string // absolute path in it
	driver string // absolute path in it
	path   string // its PATH
}

func (r *Runtime) prepare(ctx context.Context, name string, progress io.Writer) (preparedImage, error) {
	config := r.config.Images[name]
	r.step("looking for image %s", name)
	found, err := r.obtain(ctx, name, progress)
	if err != nil {
		return preparedImage{}, err
	}
	if err := checkImage(config.Ref, found); err != nil {
		return preparedImage{}, err
	}
	if r.host.masked == nil {
		if r.host.masked, err = r.engineMasks(ctx, found.ID); err != nil {
			return preparedImage{}, err
		}
	}
	img := preparedImage{id: found.ID, driver: driverPath, path: imagePath(found)}
	r.step("trying image %s", name)
	if img.python, err = r.probe(ctx, config.Ref, img); err != nil {
		return preparedImage{}, err
	}
	if found.Config.Labels[LabelDriver] == r.config.DriverHash {
		return img, nil
	}
	fmt.Fprintf(progress, "image %s: putting the driver into it\n", config.Ref)
	r.step("putting the driver into image %s", name)
	img.id, img.driver, err = r.inject(ctx, img.id)
	return img, err
}

// obtain finds the image, or pulls it, or builds it.
func (r *Runtime) obtain(ctx context.Context, name string, progress io.Writer) (image.InspectResponse, error) {
	config := r.config.Images[name]
	found, err := r.inspectImage(ctx, config.Ref)
	if !notFound(err) {
		return found, err
	}
	fmt.Fprintf(progress, "image %s: not here, pulling it\n", config.Ref)
	r.step("pulling image %s", name)
	pullErr := r.pull(ctx, name, progress)
	if pullErr == nil {
		return r.inspectImage(ctx, config.Ref)
	}
	if r.config.Build == nil || config.Variant == "" || ctx.Err() != nil {
		return found, &sandbox.Error{
			Code:    sandbox.CodeImage,
			Message: fmt.Sprintf("%s is not here and cannot be pulled: pull or build it first", config.Ref),
			Err:     pullErr,
		}
	}
	fmt.Fprintf(progress, "image %s: cannot be pulled (%v), building it\n", config.Ref, pullErr)
	r.step("building image %s", name)
	if err := r.config.Build(ctx, config.Variant, progress); err != nil {
		return found, &sandbox.Error{
			Code:    sandbox.CodeImage,
			Message: fmt.Sprintf("%s is not here, cannot be pulled, and could not be built", config.Ref),
			Err:     errors.Join(pullErr, err),
		}
	}
	found, err = r.inspectImage(ctx, config.Ref)
	if notFound(err) {
		err = &sandbox.Error{Code: sandbox.CodeImage, Message: fmt.Sprintf("%s is not what the build of %q made", config.Ref, config.Variant), Err: err}
	}
	return found, err
}

func (r *Runtime) inspectImage(ctx context.Context, ref string) (image.InspectResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	found, err := r.client.ImageInspect(ctx, ref)
	if err != nil {
		return found, engineError("look for image "+ref, err)
	}
	return found, nil
}

func (r *Runtime) pull(ctx context.Context, name string, progress io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(registryTimeout, func() { cancel(fmt.Errorf("the registry did not answer in %s", registryTimeout)) })
	defer patience.Stop()
	stream, err := r.client.ImagePull(ctx, r.config.Images[name].Ref, image.PullOptions{})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	defer stream.Close()
	patience.Stop()
	return r.showPull(name, stream, progress, tellEvery)
}

// checkImage refuses images that would escape the options.
func checkImage(ref string, img image.InspectResponse) error {
	switch {
	case img.Os != "linux":
		return sandbox.Errorf(sandbox.CodeImage, "%s is for %s, not linux", ref, img.Os)
	case img.Config == nil:
		return sandbox.Errorf(sandbox.CodeImage, "%s has no configuration", ref)
	case len(img.Config.Volumes) > 0:
		// Such a path is writable in spite of the read-only root, on the host's disk, and without a bound.
		volumes := strings.Join(slices.Sorted(maps.Keys(img.Config.Volumes)), ", ")
		return sandbox.Errorf(sandbox.CodeImage, "%s has a VOLUME (%s): allowed are images without", ref, volumes)
	case len(img.Config.OnBuild) > 0:
		// They would run when the driver is put into the image, and not confined.
		return sandbox.Errorf(sandbox.CodeImage, "%s has ONBUILD triggers: allowed are images without", ref)
	}
	return nil
}

func imagePath(img image.InspectResponse) string {
	for _, env := range img.Config.Env {
		if path, ok := strings.CutPrefix(env, "PATH="); ok {
			return path
		}
	}
	return defaultPath
}

// engineMasks are the paths that the engine masks when it is not told which. Newer engines know of more than we do.
func (r *Runtime) engineMasks(ctx context.Context, imageID string) ([]string, error) {
	spec := probeSpec()
	defer r.probing(spec.Session)()
	config, hostConfig := options(spec, preparedImage{id: imageID}, r.config.UIDFirst, nil, r.host)
	config.Labels = map[string]string{LabelOwner: r.config.Owner, LabelSession: spec.Session} // so that List finds it if it stays behind
	hostConfig.MaskedPaths = nil
	id, _, err := r.createContainer(ctx, config, hostConfig)
	if err != nil {
		return nil, err
	}
	i := r.instance(id, spec, 0)
	i.exit.set(exitGone) // it never runs
	inspect, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	c, err := r.client.ContainerInspect(inspect, id)
	if err != nil {
		err = engineError("inspect a container", err)
	} else if c.ContainerJSONBase == nil || c.HostConfig == nil || len(c.HostConfig.MaskedPaths) == 0 {
		err = sandbox.Errorf(sandbox.CodeEngine, "the container engine masks no paths by default")
	}
	if err := errors.Join(err, i.Destroy(ctx)); err != nil {
		return nil, err
	}
	return c.HostConfig.MaskedPaths, nil
}
