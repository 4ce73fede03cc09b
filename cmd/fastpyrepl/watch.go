package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file may be written to before it is read: one save is several events.
const settle = 100 * time.Millisecond

// watcher tells when the content of a file has changed, however its editor writes it: in place, by renaming another over
// it, or, as Kubernetes does, by moving a symbolic link on the way to it.
type watcher struct {
	path    string
	changed chan struct{}
	notify  *fsnotify.Watcher
	content []byte
	log     *slog.Logger
}

func newWatcher(path string, log *slog.Logger) (*watcher, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	w := &watcher{path: path, changed: make(chan struct{}, 1), notify: notify, content: content, log: log}
	if err := notify.Add(filepath.Dir(path)); err != nil {
		notify.Close()
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	w.follow()
	return w, nil
}

// follow watches the file itself, which a container may have mounted without its directory, and where it really is. Both
// change when it is replaced, and may be missing for a moment: the next event follows again.
func (w *watcher) follow() {
	_ = w.notify.Add(w.path)
	if target, err := filepath.EvalSymlinks(w.path); err == nil {
		_ = w.notify.Add(filepath.Dir(target))
	}
}

func (w *watcher) close() { w.notify.Close() }

// run signals changes on w.changed until ctx ends.
func (w *watcher) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	timer.Stop()
	armed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.notify.Errors:
			w.log.Warn("watch the configuration", "err", err)
		case <-w.notify.Events:
			if !armed { // once: a busy directory must not put it off for ever
				timer.Reset(settle)
				armed = true
			}
		case <-timer.C:
			armed = false
			w.follow()
			w.compare()
		}
	}
}

func (w *watcher) compare() {
	content, err := os.ReadFile(w.path)
	if err != nil || bytes.Equal(content, w.content) { // being replaced, or something else in its directory
		return
	}
	w.content = content
	select {
	case w.changed <- struct{}{}:
	default: // one is waiting already, and will read what is there now
	}
}
