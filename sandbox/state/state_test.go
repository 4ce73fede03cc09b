package state_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/state"
)

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, aside, err := state.Open(dir)
	if err != nil || aside != "" {
		t.Fatalf("Open: %v, set aside %q", err, aside)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func record(container, id string) sandbox.SessionRecord {
	hour := time.Hour
	return sandbox.SessionRecord{
		Container: container,
		Key:       sandbox.Key{Owner: "ann", ID: id},
		Spec:      sandbox.Spec{Session: container, Limits: sandbox.Limits{Memory: 1 << 30, CPUs: 0.5}, Lease: time.Minute},
		Options:   sandbox.SessionOptions{Env: map[string]string{"A": "b"}, IdleTTL: &hour},
		Created:   time.Now().UTC().Truncate(time.Microsecond),
		TTL:       hour,
		Ends:      time.Now().Add(hour).UTC().Truncate(time.Microsecond),
	}
}

func TestStore_KeepsWhatWasSavedAcrossOpens(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	stone := sandbox.Tombstone{Key: sandbox.Key{ID: "gone"}, Expired: true, Cause: "idle", At: time.Now().UTC().Truncate(time.Microsecond)}
	kept := record("c1", "a")
	for _, err := range []error{
		s.SaveSession(kept), s.SaveSession(record("c2", "b")), s.RemoveSession("c2"), s.RemoveSession("never saved"),
		s.SaveTombstone(stone), s.SaveTombstone(sandbox.Tombstone{Key: sandbox.Key{Owner: "gone"}}), s.RemoveTombstone(sandbox.Key{Owner: "gone"}),
		s.SaveExecution("x", []byte("\xff1")), s.SaveExecution("y", []byte("2")), s.RemoveExecution("y"), s.RemoveExecution("never saved"),
		s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	records, stones, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	executions, err := s.Executions()
	if want := map[string][]byte{"x": []byte("\xff1")}; err != nil || !reflect.DeepEqual(executions, want) {
		t.Errorf("executions: got %q, %v, want %q", executions, err, want)
	}
	if want := []sandbox.SessionRecord{kept}; !reflect.DeepEqual(records, want) {
		t.Errorf("sessions: got %+v, want %+v", records, want)
	}
	if want := []sandbox.Tombstone{stone}; !reflect.DeepEqual(stones, want) {
		t.Errorf("tombstones: got %+v, want %+v", stones, want)
	}
}

func TestStore_ABrokenFileIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"garbage": func(path string) error { return os.WriteFile(path, []byte("this is no database"), 0o600) },
		"torn": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i := range b {
				if i > 100 {
					b[i] ^= 0x5a
				}
			}
			return os.WriteFile(path, b, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			if err := s.SaveSession(record("c1", "a")); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, state.FileName)); err != nil {
				t.Fatal(err)
			}
			s, aside, err := state.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := os.Stat(aside); err != nil {
				t.Errorf("the broken file is not there: %v", err)
			}
			if records, _, err := s.Load(); err != nil || len(records) != 0 {
				t.Errorf("got %d records, %v", len(records), err)
			}
		})
	}
}

func TestStore_CheckTellsWhetherItCanBeWritten(t *testing.T) {
	dir := t.TempDir()
	store, _, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Check(); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Check(); err == nil {
		t.Error("a file that is closed can be written")
	}
}
