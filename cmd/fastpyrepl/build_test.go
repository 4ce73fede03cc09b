package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestBuildImage_TellsWhatTheBuildSays(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := &process{env: os.Environ()}
	var progress bytes.Buffer
	err := p.buildImage("")(t.Context(), "nosuch", &progress)
	if err == nil || !strings.Contains(err.Error(), "build.sh nosuch: exit status 2") {
		t.Errorf("got %v", err)
	}
	if got := progress.String(); !strings.Contains(got, "nosuch") {
		t.Errorf("progress says %q", got)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBuildImage_StopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&process{env: os.Environ()}).buildImage("")(ctx, "slim", new(bytes.Buffer))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestBuildImage_NeedsAShell(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := new(process).buildImage("")(t.Context(), "slim", new(bytes.Buffer))
	if want := "there is no shell here to build it with: run `make image` on the host"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestVariant_OnlyOfOurImages(t *testing.T) {
	for ref, want := range map[string]string{"fastpyrepl/runner:default": "default", "fastpyrepl/runner:slim": "slim",
		"fastpyrepl/runner:other": "", "python:3.12": "", "x/fastpyrepl/runner:slim": ""} {
		if got := variant(ref); got != want {
			t.Errorf("%s: got %q, want %q", ref, got, want)
		}
	}
}
