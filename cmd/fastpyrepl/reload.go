package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// reloader keeps a running daemon's configuration up to date with its source.
type reloader struct {
	source configs.Source
	apply  func(*configs.Config)
	log    *slog.Logger

	mu      sync.Mutex
	current *configs.Config // guarded by mu
}

// config is the configuration as it is now.
func (r *reloader) config() *configs.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// run reloads whenever the file changed or the process was told to, until ctx ends.
func (r *reloader) run(ctx context.Context, changed <-chan struct{}, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-hangup:
		}
		r.reload()
	}
}

// reload applies what can be applied to a running daemon, and tells what cannot. What is wrong leaves everything as it was.
func (r *reloader) reload() {
	next, err := configs.Load(r.source)
	if err != nil {
		r.refuse(err)
		return
	}
	merged, live, restart, err := configs.Reload(r.config(), next)
	for _, key := range restart {
		r.log.Warn("configuration: this key needs a restart", "key", key)
	}
	if err != nil {
		r.refuse(err)
		return
	}
	if len(live) == 0 {
		r.log.Info("configuration: nothing to apply", "file", r.source.Path)
		return
	}
	r.mu.Lock()
	r.current = merged
	r.mu.Unlock()
	r.apply(merged)
	r.log.Info("configuration: applied", "file", r.source.Path, "keys", strings.Join(live, " "))
}

func (r *reloader) refuse(err error) {
	for line := range strings.Lines(err.Error()) {
		r.log.Error("configuration: not applied, the old one stays", "err", strings.TrimSpace(line))
	}
}
