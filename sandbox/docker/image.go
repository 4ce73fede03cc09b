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

// preparedImage is an image that has been found able to serve, or err, which says why it cannot.
type preparedImage struct {
	id     string // of the image with the driver in it
	python string // absolute path in it
	driver string // absolute path in it
	path   string // its PATH
	err    error
}

// Prepare makes every configured image ready: it is there, or pulled, or built; Python in it is found, by running it in
// a container that is confined like any other; the driver is put into it where it is missing. Each step is told to
// progress. Only the default image's failure is returned; with another the daemon can serve, and a session that asks for
// it gets that error.
//
// The container also tells what the engine made of its options. An engine that does not confine as asked is refused.
func (r *Runtime) Prepare(ctx context.Context, progress io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(r.config.Images)) {
		img, err := r.prepare(ctx, name, progress)
		if err != nil {
			img = preparedImage{err: fmt.Errorf("image %q: %w", name, err)}
			r.config.Log.Error("image cannot serve", "image", name, "err", img.err)
		}
		r.images[name] = img
	}
	return r.images[r.config.DefaultImage].err
}

// image finds what a Spec asks for.
func (r *Runtime) image(name string) (preparedImage, error) {
	if name == "" {
		name = r.config.DefaultImage
	}
	if _, ok := r.config.Images[name]; !ok {
		known := strings.Join(slices.Sorted(maps.Keys(r.config.Images)), ", ")
		return preparedImage{}, sandbox.Errorf(sandbox.CodeImage, "image %.128q is not configured: there are %s", name, known)
	}
	img, ok := r.images[name]
	if !ok {
		return preparedImage{}, sandbox.Errorf(sandbox.CodeImage, "image %q is not ready yet", name)
	}
	return img, img.err
}

// CheckImage tells whether the default image is still as Prepare made it ready.
func (r *Runtime) CheckImage(ctx context.Context) error {
	img, err := r.image(r.config.DefaultImage)
	if err == nil {
		_, err = r.inspectImage(ctx, img.id)
	}
	return err
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
	config, hostConfig := options(probeSpec(), preparedImage{id: imageID}, r.config.UIDFirst, nil, r.host)
	config.Labels = map[string]string{LabelOwner: r.config.Owner} // so that List finds it if it stays behind
	hostConfig.MaskedPaths = nil
	id, _, err := r.createContainer(ctx, config, hostConfig)
	if err != nil {
		return nil, err
	}
	i := r.instance(id, sandbox.Spec{}, 0)
	c, err := r.client.ContainerInspect(ctx, id)
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
