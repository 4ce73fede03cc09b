package docker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// What the engine loses behind the daemon's back.

func TestRuntime_AnImageThatWasRemovedIsMadeReadyAgain(t *testing.T) {
	// No registry has it, and nobody builds it; its label makes it another one than any that a container uses.
	ref := "127.0.0.1:1/fastpyrepl/test:" + uuid.NewString()
	built := buildImage(t, "FROM "+testImage()+"\nLABEL test="+uuid.NewString())
	tag := func() {
		t.Helper()
		if err := engine(t).ImageTag(t.Context(), built, ref); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(id string) {
		t.Helper()
		if _, err := engine(t).ImageRemove(context.WithoutCancel(t.Context()), id, image.RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	tag()
	var steps atomic.Int32
	rt := newRuntime(t, func(c *docker.Config) {
		c.Step = func(string) { steps.Add(1) }
		c.Images["other"] = docker.Image{Ref: ref}
		c.DriverHash = strings.ReplaceAll(uuid.NewString(), "-", "") // so that it is put into an image of its own
	})
	spec := testSpec()
	spec.Image = "other"
	used := func() string { // the image of a container that starts
		t.Helper()
		i, err := rt.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		defer destroy(t, i)
		c, err := engine(t).ContainerInspect(t.Context(), i.ID())
		if err != nil {
			t.Fatal(err)
		}
		return c.Image
	}
	told := steps.Load()
	made := used()
	remove(made)
	if again := used(); again == made { // it was made anew while the session waited for it
		t.Errorf("image %s is there still", made)
	} else {
		made = again
	}
	remove(made)
	remove(ref)
	_, err := rt.Start(t.Context(), spec)
	if sandbox.ErrorCode(err) != sandbox.CodeImage || !strings.Contains(err.Error(), ref+" is not here and cannot be pulled") {
		t.Errorf("got %v, want code %s", err, sandbox.CodeImage)
	}
	start(t, rt, testSpec(), echo) // of another image
	tag()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		i, err := rt.Start(t.Context(), spec)
		if err == nil {
			made = used()
			destroy(t, i)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the image is there again, and cannot serve: %v", err)
		}
	}
	remove(made)
	remove(ref)
	if told == 0 || steps.Load() != told { // which is for who waits for the start
		t.Errorf("%d steps were told, %d of them by Prepare", steps.Load(), told)
	}
}

func TestRuntime_ListLeavesOutWhatLooksAtAnImage(t *testing.T) {
	ref := buildImage(t, "FROM "+testImage()+"\nCOPY program /old/python3\nENV PATH=/old",
		"#!/usr/bin/python3", "import time; time.sleep(60)")
	rt := withImage(t, docker.Image{Ref: ref}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	prepared := make(chan error, 1)
	go func() { prepared <- rt.Prepare(ctx, t.Output()) }()
	filter := filters.NewArgs(filters.Arg("ancestor", ref), filters.Arg("status", "running"))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found, err := engine(t).ContainerList(t.Context(), container.ListOptions{Filters: filter})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("no container looks at the image: %v", err)
		}
		if len(found) == 1 {
			break
		}
	}
	if found, err := rt.List(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("got %v, %v", found, err)
	}
	cancel()
	if err := <-prepared; err == nil {
		t.Error("prepared an image that never answered")
	}
}

func TestRuntime_ListGivesUpWhatIsGone(t *testing.T) {
	rt := newRuntime(t, func(c *docker.Config) { c.UIDFirst, c.UIDCount = 65_001, 1 })
	i, err := rt.Start(t.Context(), testSpec())
	if err != nil {
		t.Fatal(err)
	}
	if err := engine(t).ContainerRemove(t.Context(), i.ID(), container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := rt.List(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("got %v, %v", found, err)
	}
	start(t, rt, testSpec(), echo) // its uid is free again
}

func TestInstance_APausedContainerSaysSo(t *testing.T) {
	p := start(t, shared, testSpec(), echo)
	if err := engine(t).ContainerPause(t.Context(), p.ID()); err != nil {
		t.Fatal(err)
	}
	_, err := p.Attach(t.Context())
	if sandbox.ErrorCode(err) != sandbox.CodeEngine || !strings.Contains(err.Error(), "the session's container is paused") {
		t.Errorf("got %v", err)
	}
	if err := engine(t).ContainerUnpause(t.Context(), p.ID()); err != nil {
		t.Fatal(err)
	}
	s, err := p.Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
