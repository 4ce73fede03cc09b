package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestClaimOwner_KeepsTheIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	first, err := claimOwner(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := uuid.Parse(first.id); err != nil {
		t.Error(err)
	}
	first.release()
	second, err := claimOwner(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.release()
	if second.id != first.id {
		t.Errorf("got %s, want %s", second.id, first.id)
	}
}

func TestClaimOwner_RefusesASecondDaemon(t *testing.T) {
	dir := t.TempDir()
	first, err := claimOwner(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.release()
	_, err = claimOwner(dir)
	want := "state_dir: another fastpyrepl runs with " + dir + ": stop it, or give this one a directory of its own with --state-dir"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A new identity in place of a broken one would leave the old one's containers to nobody.
func TestClaimOwner_RefusesABrokenIdentity(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"5cc0f5", strings.Repeat("a", 1000)} {
		writeFile(t, filepath.Join(dir, "owner"), text)
		if o, err := claimOwner(dir); err == nil {
			o.release()
			t.Errorf("%.10q was taken for %s", text, o.id)
		}
	}
}
