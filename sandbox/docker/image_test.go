package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// buildImage builds an image for one test, with a program that the Dockerfile may copy, and returns its tag.
func buildImage(t *testing.T, dockerfile string, program ...string) string {
	t.Helper()
	tag := "fastpyrepl/test:" + uuid.NewString()
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for name, text := range map[string]string{"Dockerfile": dockerfile, "program": strings.Join(program, "\n")} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	cli := engine(t)
	resp, err := cli.ImageBuild(t.Context(), &files, build.ImageBuildOptions{Tags: []string{tag}, NetworkMode: "none", Remove: true, ForceRemove: true})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := jsonmessage.DisplayJSONMessagesStream(resp.Body, io.Discard, 0, false, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, tag) })
	return tag
}

func removeImage(t *testing.T, ref string) {
	ctx := context.WithoutCancel(t.Context())
	if _, err := engine(t).ImageRemove(ctx, ref, image.RemoveOptions{Force: true}); err != nil {
		t.Error(err)
	}
}

// withImage is a Runtime whose default image is ref; Prepare has not been called.
func withImage(t *testing.T, img docker.Image, change func(*docker.Config)) *docker.Runtime {
	t.Helper()
	config := testConfig()
	config.Images = map[string]docker.Image{"default": img}
	if change != nil {
		change(&config)
	}
	rt, err := docker.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := rt.List(context.WithoutCancel(t.Context()))
		if err != nil || len(left) > 0 {
			t.Errorf("%d containers are left behind, %v", len(left), err)
		}
		rt.Close()
	})
	return rt
}

func TestPrepare_RefusesAnImageThatCannotServe(t *testing.T) {
	other := "COPY program /old/python3\nENV PATH=/old"
	for want, tc := range map[string]struct{ dockerfile, prints string }{
		"has no python3 in its PATH":  {"ENV PATH=/nowhere", ""},
		"has a VOLUME (/data)":        {"VOLUME /data", ""},
		"has ONBUILD triggers":        {"ONBUILD RUN echo", ""},
		"python3 that does not work":  {other, "Segmentation fault"},
		"has Python 3.9: needed is 3": {other, `{"version": [3, 9], "executable": "/old/python3"}`},
		"does not know where it is":   {other, `{"version": [3, 13], "executable": ""}`},
	} {
		t.Run(want, func(t *testing.T) {
			ref := buildImage(t, "FROM "+testImage()+"\n"+tc.dockerfile, "#!/usr/bin/python3", "print('''"+tc.prints+"''')")
			rt := withImage(t, docker.Image{Ref: ref}, nil)
			err := rt.Prepare(t.Context(), t.Output())
			if got := sandbox.ErrorCode(err); got != sandbox.CodeImage || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ref) {
				t.Errorf("prepare: got %v, want code %s, %q and the image's name", err, sandbox.CodeImage, want)
			}
			if _, err := rt.Start(t.Context(), testSpec()); sandbox.ErrorCode(err) != sandbox.CodeImage {
				t.Errorf("start: got %v, want code %s", err, sandbox.CodeImage)
			}
		})
	}
}

func TestPrepare_OneImageThatCannotServeDoesNotStopTheOthers(t *testing.T) {
	volume := buildImage(t, "FROM "+testImage()+"\nVOLUME /data")
	rt := newRuntime(t, func(c *docker.Config) { c.Images["volume"] = docker.Image{Ref: volume} })
	spec := testSpec()
	start(t, rt, spec, "")
	spec.Image = "volume"
	_, err := rt.Start(t.Context(), spec)
	if sandbox.ErrorCode(err) != sandbox.CodeImage || !strings.Contains(err.Error(), "VOLUME") {
		t.Errorf("got %v, want code %s and the reason", err, sandbox.CodeImage)
	}
}

func TestPrepare_BuildsWhatCannotBePulled(t *testing.T) {
	ref := "127.0.0.1:1/fastpyrepl/test:" + uuid.NewString() // no registry listens there
	var asked []string
	progress := &bytes.Buffer{}
	rt := withImage(t, docker.Image{Ref: ref, Variant: "slim"}, func(c *docker.Config) {
		c.Build = func(ctx context.Context, variant string, progress io.Writer) error {
			asked = append(asked, variant)
			io.WriteString(progress, "building\n")
			return engine(t).ImageTag(ctx, testImage(), ref)
		}
	})
	if err := rt.Prepare(t.Context(), progress); err != nil {
		t.Fatal(err)
	}
	defer removeImage(t, ref)
	if !slices.Equal(asked, []string{"slim"}) {
		t.Errorf("build was asked for %q", asked)
	}
	for _, want := range []string{"pulling", "cannot be pulled", "building\n"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("progress %q does not tell %q", progress, want)
		}
	}
	if err := rt.Prepare(t.Context(), progress); err != nil || len(asked) != 1 {
		t.Errorf("prepared again: got %v, %d builds, want one", err, len(asked))
	}
}

func TestPrepare_WithoutAnyWayToGetTheImageSaysSo(t *testing.T) {
	ref := "127.0.0.1:1/fastpyrepl/nosuch:latest"
	failing := func(context.Context, string, io.Writer) error { return errors.New("no disk") }
	for want, change := range map[string]func(*docker.Config){
		"cannot be pulled: pull or build it first": nil,
		"could not be built":                       func(c *docker.Config) { c.Build = failing },
		`is not what the build of "default" made: `: func(c *docker.Config) {
			c.Build = func(context.Context, string, io.Writer) error { return nil }
		},
	} {
		rt := withImage(t, docker.Image{Ref: ref, Variant: "default"}, change)
		err := rt.Prepare(t.Context(), t.Output())
		if sandbox.ErrorCode(err) != sandbox.CodeImage || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ref) {
			t.Errorf("got %v, want code %s, %q and the image's name", err, sandbox.CodeImage, want)
		}
	}
}

func TestPrepare_PutsTheDriverIntoAnImageThatLacksIt(t *testing.T) {
	ref := buildImage(t, "FROM "+testImage()+"\nLABEL "+docker.LabelDriver+"=none\nENV PATH=/opt/python:/usr/bin\n"+
		`RUN ["/usr/bin/python3", "-c", "import os, sys; os.mkdir('/opt/python'); os.symlink(sys.executable, '/opt/python/python3')"]`)
	files := fstest.MapFS{
		"__main__.py":       {Data: []byte("from parts.of import it\nprint(it, flush=True)\n")},
		"parts/__init__.py": {},
		"parts/of.py":       {Data: []byte("it = 'the driver'\n")},
	}
	change := func(c *docker.Config) { c.Driver, c.DriverHash = files, strings.ReplaceAll(uuid.NewString(), "-", "") }
	rt := withImage(t, docker.Image{Ref: ref}, change)
	if err := rt.Prepare(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	i, err := rt.Start(t.Context(), testSpec())
	if err != nil {
		t.Fatal(err)
	}
	defer destroy(t, i)
	c, err := engine(t).ContainerInspect(t.Context(), i.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer removeImage(t, c.Image)
	if got, want := c.Path, "/opt/python/python3"; got != want {
		t.Errorf("python: got %s, want %s", got, want)
	}
	s, err := i.Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetReadDeadline(time.Now().Add(pythonTimeout)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(s); err != nil || string(got) != "the driver\n" {
		t.Errorf("got %q, %v", got, err)
	}
	destroy(t, i)

	// The image that was made is found again. (The image it was made from had a driver already, byte-compiled.)
	before := imageIDs(t)
	if err := rt.Prepare(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	if after := imageIDs(t); !slices.Contains(after, c.Image) || len(after) > len(before) {
		t.Errorf("prepared again: images went from %d to %d", len(before), len(after))
	}
}

func imageIDs(t *testing.T) []string {
	t.Helper()
	found, err := engine(t).ImageList(t.Context(), image.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, img := range found {
		if slices.ContainsFunc(img.RepoTags, func(tag string) bool { return strings.HasPrefix(tag, "fastpyrepl/injected:") }) {
			ids = append(ids, img.ID)
		}
	}
	return ids
}

func TestPrepare_RefusesADriverThatCannotBeRead(t *testing.T) {
	ref := buildImage(t, "FROM "+testImage()+"\nLABEL "+docker.LabelDriver+"=none")
	rt := withImage(t, docker.Image{Ref: ref}, func(c *docker.Config) { c.Driver = brokenFS{} })
	if err := rt.Prepare(t.Context(), t.Output()); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want %v", err, fs.ErrPermission)
	}
}

type brokenFS struct{}

func (brokenFS) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestHostile_SetuidProgramGainsNothing(t *testing.T) {
	ref := buildImage(t, "FROM "+testImage()+"\n"+
		`RUN ["python3", "-c", "import os, shutil, sys; shutil.copy(os.path.realpath(sys.executable), '/suid'); os.chmod('/suid', 0o6755)"]`)
	rt := newRuntime(t, func(c *docker.Config) { c.Images["default"] = docker.Image{Ref: ref} })
	p := start(t, rt, testSpec(), `
import stat, subprocess
print(bool(os.stat("/suid").st_mode & stat.S_ISUID), os.stat("/suid").st_uid, flush=True)
ids = subprocess.run(["/suid", "-I", "-c", "import os; print(*os.getresuid(), *os.getresgid())"], capture_output=True, text=True).stdout.split()
print(set(ids) == {str(os.getuid())}, flush=True)`)
	if got, want := p.line(t), "True 0"; got != want {
		t.Errorf("the program: got %q, want %q", got, want)
	}
	if got, want := p.line(t), "True"; got != want {
		t.Errorf("its ids are the session's own: got %q, want %q", got, want)
	}
}

func TestHostile_HealthcheckOfTheImageDoesNotRun(t *testing.T) {
	ref := buildImage(t, "FROM "+testImage()+"\n"+
		`HEALTHCHECK --interval=100ms CMD ["python3", "-c", "open('/tmp/checked', 'w')"]`)
	rt := newRuntime(t, func(c *docker.Config) { c.Images["default"] = docker.Image{Ref: ref} })
	p := start(t, rt, testSpec(), echo)
	c, err := engine(t).ContainerInspect(t.Context(), p.ID())
	if err != nil {
		t.Fatal(err)
	}
	if c.State.Health != nil || !slices.Equal(c.Config.Healthcheck.Test, []string{"NONE"}) {
		t.Errorf("health checks are on: %+v %+v", c.State.Health, c.Config.Healthcheck)
	}
}
