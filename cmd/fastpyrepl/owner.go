package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/uuid"
)

// owner is a daemon's identity, which marks its containers. It is kept in the state directory, so that a daemon finds
// what the one before it left, and locked, so that no second one takes these for leftovers and removes them.
type owner struct {
	id   string
	dir  string
	file *os.File // holds the lock
}

// claimOwner locks the identity kept in dir, and makes one where there is none.
func claimOwner(dir string) (_ *owner, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	path := filepath.Join(dir, "owner")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, fmt.Errorf("state_dir: another fastpyrepl runs with %s: stop it, or give this one a directory of its own with --state-dir", dir)
	case err != nil:
		return nil, fmt.Errorf("state_dir: lock %s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(file, 64))
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	if len(text) == 0 {
		text = []byte(uuid.NewString() + "\n")
		if _, err := file.WriteAt(text, 0); err != nil {
			return nil, fmt.Errorf("state_dir: %w", err)
		}
		if err := file.Sync(); err != nil {
			return nil, fmt.Errorf("state_dir: %w", err)
		}
	}
	id, err := uuid.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("state_dir: %s does not hold a UUID: remove it once no container of this daemon is left", path)
	}
	return &owner{id: id.String(), dir: dir, file: file}, nil
}

// release lets another daemon claim the identity.
func (o *owner) release() { o.file.Close() }
