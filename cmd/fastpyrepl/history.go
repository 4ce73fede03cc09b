package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxHistory     = 1000    // entries
	maxHistoryLine = 1 << 16 // bytes of an entry; longer ones are not kept
)

// history is what was typed, the oldest first, in a file that nobody else can read. Other programs may append to it, too.
type history struct {
	path    string // "" for none
	entries []string
}

// openHistory reads the file at path, as far as it makes sense, and shortens it when it has become long.
func openHistory(path string) (*history, error) {
	h := &history{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		lines++
		var entry string
		if json.Unmarshal([]byte(line), &entry) == nil {
			h.add(entry)
		}
	}
	if lines > 2*maxHistory {
		return h, h.rewrite()
	}
	return h, nil
}

func (h *history) add(entry string) {
	if n := len(h.entries); n > 0 && h.entries[n-1] == entry {
		return
	}
	h.entries = append(h.entries, entry)
	h.entries = h.entries[max(0, len(h.entries)-maxHistory):]
}

// rewrite replaces the file by what is kept.
func (h *history) rewrite() error {
	f, err := os.CreateTemp(filepath.Dir(h.path), "history-") // 0600
	if err != nil {
		return fmt.Errorf("shorten the history: %w", err)
	}
	w := bufio.NewWriter(f)
	for _, entry := range h.entries {
		line, _ := json.Marshal(entry) // of a string
		_, _ = w.Write(append(line, '\n'))
	}
	if err = errors.Join(w.Flush(), f.Close()); err == nil {
		err = os.Rename(f.Name(), h.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("shorten the history: %w", err)
	}
	return nil
}

// Write adds an entry.
func (h *history) Write(text string) (int, error) {
	entry := strings.TrimSpace(text)
	if entry == "" || len(entry) > maxHistoryLine || len(h.entries) > 0 && h.entries[len(h.entries)-1] == entry {
		return len(h.entries), nil
	}
	h.add(entry)
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return len(h.entries), err
	}
	line, _ := json.Marshal(entry)
	_, err = f.Write(append(line, '\n')) // at once, so that two programs do not mix theirs
	return len(h.entries), errors.Join(err, f.Close())
}

// GetLine is the entry at a place, from 0 for the oldest.
func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", fmt.Errorf("the history has no entry %d", i)
	}
	return h.entries[i], nil
}

// Len is how many entries there are.
func (h *history) Len() int { return len(h.entries) }

// Dump is all of them.
func (h *history) Dump() any { return h.entries }
