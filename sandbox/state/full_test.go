package state_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/state"
)

// disk mounts a file system of 1 MiB.
func disk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount a small file system, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all that is left of the file system.
func fill(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4<<10)
	for err == nil {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return filler
}

func TestStore_CheckTellsThatTheDiskIsFull(t *testing.T) {
	for name, before := range map[string]bool{"checked before": true, "never checked": false} {
		t.Run(name, func(t *testing.T) {
			dir := disk(t)
			s := open(t, dir)
			if before {
				if err := s.Check(); err != nil {
					t.Fatal(err)
				}
			}
			filler := fill(t, dir)
			r := record("c1", "a")
			r.Options.Env["A"] = strings.Repeat("x", 60<<10)
			r.Spec.Env = r.Options.Env
			for n := 0; ; n++ { // as long as it says so, a large record can be saved
				checked := s.Check()
				r.Container = fmt.Sprint("c", n)
				saved := s.SaveSession(r)
				if checked == nil && saved != nil {
					t.Fatalf("record %d was not saved, %v, though Check said that it could be", n, saved)
				}
				if checked != nil {
					if !errors.Is(checked, syscall.ENOSPC) {
						t.Errorf("got %v", checked)
					}
					break
				}
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(); err != nil {
				t.Errorf("with room again: %v", err)
			}
			if err := s.SaveSession(r); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
}

// Of eight sessions that are begun while the disk fills, a daemon that is killed and started again has all that it answered
// for, and no others.
func TestStore_OnAFullDiskNoSessionIsLostInSilence(t *testing.T) {
	dir := disk(t)
	rt, cfg := &sandboxtest.Runtime{}, sandbox.Config{
		MaxSessions: 8, MaxStarting: 2, StartQueue: 8, StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second,
		Lease: time.Hour, LostKept: time.Hour, ReconnectTimeout: 10 * time.Second, Pool: sandbox.PoolConfig{ShrinkAfter: time.Hour},
	}
	daemon := func(store *state.Store) *sandbox.Manager {
		m := sandbox.NewManager(rt, store, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err := m.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		return m
	}
	store := open(t, dir)
	m := daemon(store)
	if err := m.CheckStore(); err != nil {
		t.Error(err)
	}
	fill(t, dir)
	begun := map[string]bool{}
	for n := range 8 {
		id := fmt.Sprint("s", n)
		_, err := m.Create(t.Context(), sandbox.Key{ID: id}, sandbox.Request{
			Session: sandbox.SessionOptions{Env: map[string]string{"A": strings.Repeat("x", 30<<10)}},
		})
		if begun[id] = err == nil; err != nil && sandbox.ErrorCode(err) != sandbox.CodeState {
			t.Errorf("%s: %v", id, err)
		}
	}
	if begun["s7"] {
		t.Errorf("the disk was never full: %v", begun)
	}
	if err := m.CheckStore(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the store: got %v", err)
	}
	if err := m.Leave(t.Context()); err != nil { // which writes nothing, as if it had been killed
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	m = daemon(open(t, dir))
	defer func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for id, was := range begun {
		if _, err := m.Session(sandbox.Key{ID: id}); was != (err == nil) {
			t.Errorf("%s was begun: %t; after the restart: %v", id, was, err)
		}
	}
}
