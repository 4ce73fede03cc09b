package docker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// calls is what was told of calls to the engine.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) observe(_ context.Context, operation string) func(docker.CallResult) {
	return func(r docker.CallResult) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, operation+" "+string(r))
	}
}

// take returns what was told since it was called last.
func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

func TestObserve_IsToldOfEveryCall(t *testing.T) {
	var c calls
	engine := newFlakyEngine(t)
	rt := newRuntime(t, func(config *docker.Config) {
		config.Host, config.Observe, config.RequestTimeout = engine.host, c.observe, 5*time.Second
	})
	prepared := c.take()
	for _, want := range []string{"ping ok", "info ok", "image_inspect ok", "container_create ok", "container_start ok"} {
		if !slices.Contains(prepared, want) {
			t.Errorf("New and Prepare: got %q, want %s among them", prepared, want)
		}
	}
	i, err := rt.Start(t.Context(), testSpec())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"container_list ok", "container_create ok", "container_list ok", "container_attach ok", "container_start ok"}
	if got := c.take(); !slices.Equal(got, want) {
		t.Errorf("Start: got %q, want %q", got, want)
	}
	if _, err := i.Usage(t.Context()); err != nil {
		t.Fatal(err)
	}
	limits := i.Spec().Limits
	limits.Pids++
	if err := i.Update(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	if got, want := c.take(), []string{"container_stats ok", "container_update ok", "container_inspect ok"}; !slices.Equal(got, want) {
		t.Errorf("Usage and Update: got %q, want %q", got, want)
	}
	destroy(t, i)
	if got := c.take(); !slices.Contains(got, "container_remove ok") {
		t.Errorf("Destroy: got %q", got)
	}
	if _, err := i.Usage(t.Context()); err == nil {
		t.Error("a container that is gone uses something")
	}
	if got := c.take(); got[0] != "container_stats refused" {
		t.Errorf("Usage of what is gone: got %q", got)
	}

	engine.fail(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	_ = rt.CheckImage(t.Context())
	stuck := make(chan struct{})
	engine.fail(t, func(w http.ResponseWriter, r *http.Request) { close(stuck); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-stuck; cancel() }()
	_ = rt.CheckImage(ctx)
	stuck = make(chan struct{})
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = rt.CheckImage(ctx)
	engine.before.Store(nil)
	if got, want := c.take(), []string{"image_inspect error", "image_inspect canceled", "image_inspect timeout"}; !slices.Equal(got, want) {
		t.Errorf("calls that fail: got %q, want %q", got, want)
	}
}

// fail answers every request instead of the engine.
func (e *flakyEngine) fail(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) {
	t.Helper()
	f := func(w http.ResponseWriter, r *http.Request) bool {
		answer(w, r)
		return true
	}
	e.before.Store(&f)
}

func TestCheckImage_NoticesThatItIsGone(t *testing.T) {
	ref := buildImage(t, "FROM "+testImage()+"\nLABEL test="+uuid.NewString())
	rt := newRuntime(t, func(c *docker.Config) { c.Images["default"] = docker.Image{Ref: ref} })
	if err := rt.CheckImage(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := newFlakyEngine(t)
	rt = newRuntime(t, func(c *docker.Config) { c.Host = gone.host })
	gone.fail(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"message":"no such image"}`, http.StatusNotFound)
	})
	defer gone.before.Store(nil)
	if err := rt.CheckImage(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeEngine || !strings.Contains(err.Error(), "look for image") {
		t.Errorf("got %v", err)
	}
}

// layers is what an engine says while it pulls.
const layers = `{"status":"Pulling from library/python","id":"3.13"}
{"status":"Pulling fs layer","progressDetail":{},"id":"aaa"}
{"status":"Downloading","progressDetail":{"current":12000000,"total":30000000},"progress":"[=>  ]","id":"aaa"}
{"status":"Downloading","progressDetail":{"current":1000000,"total":20000000},"progress":"[=>  ]","id":"bbb"}
{"status":"Download complete","progressDetail":{},"id":"aaa"}
{"status":"Pull complete","progressDetail":{},"id":"aaa"}
{"status":"Status: Downloaded newer image for python:3.13"}
`

func TestPull_SaysHowFarItIs(t *testing.T) {
	var steps []string
	rt := withImage(t, docker.Image{Ref: "python:3.13"}, func(c *docker.Config) {
		c.Step = func(what string) { steps = append(steps, what) }
	})
	var out bytes.Buffer
	if err := rt.ShowPull(strings.NewReader(layers), &out, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"image python:3.13: pulling, 12 of 30 MB\n", "image python:3.13: pulling, 13 of 50 MB\n", "image python:3.13: pulling, 31 of 50 MB\n",
		"image python:3.13: Status: Downloaded newer image for python:3.13\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	if want := "pulling image default: 31 of 50 MB"; !slices.Contains(steps, want) {
		t.Errorf("steps are %q, want %q among them", steps, want)
	}
	out.Reset()
	if err := rt.ShowPull(strings.NewReader(layers), &out, time.Hour); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("where there is nothing to say yet: %v\n%s", err, out.String())
	}
	for text, want := range map[string]string{`{"errorDetail":{"message":"no space left"}}`: "no space left", `{"status"`: "unexpected EOF"} {
		if err := rt.ShowPull(strings.NewReader(text), &out, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// A person sees bars.
func TestPull_DrawsBarsOnATerminal(t *testing.T) {
	rt := withImage(t, docker.Image{Ref: "python:3.13"}, nil)
	screen, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	if err := rt.ShowPull(strings.NewReader(layers), terminal, 0); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	drawn, err := io.ReadAll(screen) // which ends with an error: there is no terminal any more
	if !errors.Is(err, syscall.EIO) || !strings.Contains(string(drawn), "aaa: Downloading [====") {
		t.Errorf("%v: the screen has %q", err, drawn)
	}
}

func TestPrepare_TellsItsSteps(t *testing.T) {
	var steps []string
	ref := "127.0.0.1:1/fastpyrepl/test:" + uuid.NewString() // no registry listens there
	rt := withImage(t, docker.Image{Ref: ref, Variant: "slim"}, func(c *docker.Config) {
		c.Step = func(what string) { steps = append(steps, what) }
		c.Build = func(ctx context.Context, _ string, _ io.Writer) error {
			return engine(t).ImageTag(ctx, testImage(), ref)
		}
	})
	if err := rt.Prepare(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	defer removeImage(t, ref)
	want := []string{"looking for image default", "pulling image default", "building image default", "trying image default"}
	if len(steps) < len(want) || !slices.Equal(steps[:len(want)], want) { // the driver may have to be put in after that
		t.Errorf("got %q, want %q", steps, want)
	}
}
