package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const soon = 10 * time.Second

// watching starts a watcher and returns what tells of changes.
func watching(t *testing.T, path string) <-chan struct{} {
	t.Helper()
	w, err := newWatcher(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	start(t, func(ctx context.Context) {
		if err := w.run(ctx); err != nil {
			t.Error(err)
		}
	})
	return w.changed
}

func expect(t *testing.T, changed <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(soon):
		t.Fatalf("no word of a change by %s", what)
	}
}

func TestWatcher_SeesHoweverTheFileIsWritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.yaml")
	writeFile(t, path, "1")
	changed := watching(t, path)

	writeFile(t, path, "2")
	expect(t, changed, "writing in place")
	for _, text := range []string{"3", "4"} { // the second proves that the first did not lose it
		writeFile(t, path+"~", text)
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
		expect(t, changed, "renaming over it")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, "5")
	expect(t, changed, "removing and making it")
	writeFile(t, path, "6")
	expect(t, changed, "writing in place again")
}

// Kubernetes mounts f.yaml -> ..data/f.yaml, ..data -> ..1, and moves ..data.
func TestWatcher_SeesAMovedLink(t *testing.T) {
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "..1", "f.yaml"), "1")
	link("..1", "..data")
	link("..data/f.yaml", "f.yaml")
	changed := watching(t, filepath.Join(dir, "f.yaml"))

	for _, version := range []string{"..2", "..3"} {
		writeFile(t, filepath.Join(dir, version, "f.yaml"), version)
		link(version, "..data_tmp")
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		expect(t, changed, "moving the link to "+version)
	}
}

func TestWatcher_SeesTheFileBehindALinkElsewhere(t *testing.T) {
	real, path := filepath.Join(t.TempDir(), "real.yaml"), filepath.Join(t.TempDir(), "f.yaml")
	writeFile(t, real, "1")
	if err := os.Symlink(real, path); err != nil {
		t.Fatal(err)
	}
	changed := watching(t, path)
	writeFile(t, real+"~", "2")
	if err := os.Rename(real+"~", real); err != nil {
		t.Fatal(err)
	}
	expect(t, changed, "renaming over the file that the link names")
}

func TestWatcher_IgnoresWhatLeavesTheContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.yaml")
	writeFile(t, path, "1")
	changed := watching(t, path)
	writeFile(t, filepath.Join(dir, "other"), "x")
	writeFile(t, path, "1")
	writeFile(t, path, "2")
	expect(t, changed, "writing")
	writeFile(t, path, "3")
	expect(t, changed, "writing")
	select {
	case <-changed:
		t.Error("one change too many")
	default:
	}
}

func TestNewWatcher_NeedsAFile(t *testing.T) {
	if _, err := newWatcher(filepath.Join(t.TempDir(), "none"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error for a file that is not there")
	}
}
