package docker

import (
	"context"
	"io"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// StartPython starts a container that is confined like a session's and runs code in place of the driver.
func (r *Runtime) StartPython(ctx context.Context, spec sandbox.Spec, code string) (*Instance, error) {
	img, err := r.image(ctx, spec.Image)
	if err != nil {
		return nil, err
	}
	return r.start(ctx, spec, img, "-c", code)
}

// UID is the container's.
func (i *Instance) UID() int { return i.uid }

// ShowPull shows what a registry sends of the default image.
func (r *Runtime) ShowPull(stream io.Reader, progress io.Writer, every time.Duration) error {
	return r.showPull(r.config.DefaultImage, stream, progress, every)
}
