package docker

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

const (
	// prepareRest is how long an image that cannot serve is left alone before it is tried again; doubled with every further
	// failure up to prepareRestMost.
	prepareRest     = 5 * time.Second
	prepareRestMost = time.Minute
	// prepareWait is how long a start waits for an image that is being made ready.
	prepareWait = 10 * time.Second
)

// preparation is what is known of one configured image. The Runtime's lock guards it.
type preparation struct {
	name     string
	img      preparedImage
	err      error         // why it cannot serve; nil where img can
	failures int           // in a row
	retryAt  time.Time     // when it may be tried again
	running  chan struct{} // closed when the attempt that is under way has ended; nil where none is
}

// Prepare makes every configured image ready: it is there, or pulled, or built; Python in it is found, by running it in
// a container that is confined like any other; the driver is put into it where it is missing. Each step is told to
// progress. Only the default image's failure is returned; with another the daemon can serve, and a session that asks for
// it gets that error.
//
// The container also tells what the engine made of its options. An engine that does not confine as asked is refused.
//
// An image that cannot serve, now or because it was removed later, is tried again when a session asks for it, now and then.
func (r *Runtime) Prepare(ctx context.Context, progress io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(r.config.Images)) {
		r.mu.Lock()
		p := &preparation{name: name, err: notReady(name), running: make(chan struct{})}
		r.images[name] = p
		r.mu.Unlock()
		r.attempt(ctx, p, progress, false)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.images[r.config.DefaultImage].err
}

// attempt tries to make an image ready, and notes how that went. Quiet is one that is not told to Config.Step.
func (r *Runtime) attempt(ctx context.Context, p *preparation, progress io.Writer, quiet bool) {
	r.preparing.Lock() // one after the other: it is much work for the engine, and the first one learns what it masks
	r.quiet = quiet
	img, err := r.prepare(ctx, p.name, progress)
	r.preparing.Unlock()
	if err != nil {
		err = fmt.Errorf("image %q: %w", p.name, err)
		r.config.Log.Error("image cannot serve", "image", p.name, "err", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && p.failures > 0 {
		r.config.Log.Info("image can serve again", "image", p.name)
	}
	p.img, p.err = img, err
	if p.failures++; err == nil {
		p.failures = 0
	}
	p.retryAt = time.Now().Add(min(prepareRest<<min(max(p.failures-1, 0), 10), prepareRestMost))
	close(p.running)
	p.running = nil
}

// image finds what a Spec asks for; a name that is not configured is CodeInvalid. It waits a while for one that is being made ready.
func (r *Runtime) image(ctx context.Context, name string) (preparedImage, error) {
	if name == "" {
		name = r.config.DefaultImage
	}
	if _, ok := r.config.Images[name]; !ok {
		known := strings.Join(slices.Sorted(maps.Keys(r.config.Images)), ", ")
		return preparedImage{}, sandbox.Errorf(sandbox.CodeInvalid, "image %.128q is not configured: it must be one of %s", name, known)
	}
	r.mu.Lock()
	p := r.images[name]
	if p == nil {
		r.mu.Unlock()
		return preparedImage{}, notReady(name)
	}
	img, err, running := p.img, p.err, p.running
	if err != nil && running == nil && time.Now().After(p.retryAt) {
		running = make(chan struct{})
		p.running = running
		r.wg.Go(func() { r.attempt(r.ctx, p, io.Discard, true) })
	}
	r.mu.Unlock()
	if running == nil {
		return img, err
	}
	select {
	case <-running:
		r.mu.Lock()
		defer r.mu.Unlock()
		return p.img, p.err
	case <-ctx.Done():
	case <-time.After(prepareWait):
	}
	return preparedImage{}, &sandbox.Error{
		Code: sandbox.CodeImage, Message: fmt.Sprintf("image %q is being made ready", name), RetryAfter: prepareRest, Err: err,
	}
}

func notReady(name string) error {
	return sandbox.Errorf(sandbox.CodeImage, "image %q is not ready yet", name)
}

// CheckImage tells whether the default image is still as Prepare made it ready.
func (r *Runtime) CheckImage(ctx context.Context) error {
	var img preparedImage
	err := notReady(r.config.DefaultImage)
	r.mu.Lock()
	if p := r.images[r.config.DefaultImage]; p != nil {
		img, err = p.img, p.err
	}
	r.mu.Unlock()
	if err == nil {
		_, err = r.inspectImage(ctx, img.id)
	}
	return err
}

// missing notes that the engine does not have an image any more, unless something else is known of it by now.
func (r *Runtime) missing(name string, img preparedImage, err error) {
	if name == "" {
		name = r.config.DefaultImage
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.images[name]; p.err == nil && p.img == img {
		r.config.Log.Warn("image is gone", "image", name)
		p.err, p.retryAt = err, time.Time{}
	}
}

// probing keeps a container that looks at an image out of List, until the function that it returns is called.
func (r *Runtime) probing(session string) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probes[session] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.probes, session)
	}
}
