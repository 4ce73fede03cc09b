package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

// reloader keeps a running daemon's configuration, and its keys, up to date with where they come from.
type reloader struct {
	source    configs.Source
	apply     func(*configs.Config)
	applyAuth func(auth.Config)
	log       *slog.Logger

	mu      sync.Mutex
	current *configs.Config // guarded by mu
}

// config is the configuration as it is now.
func (r *reloader) config() *configs.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// run reloads whenever a file changed or the process was told to, until ctx ends.
func (r *reloader) run(ctx context.Context, changed, keysChanged <-chan struct{}, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			r.reload()
		case <-hangup:
			r.reload()
		case <-keysChanged:
			r.applyKeys(r.config())
		}
	}
}

// applyKeys applies the keys of c, those of its file as it is now included. What is wrong leaves the keys as they were.
func (r *reloader) applyKeys(c *configs.Config) bool {
	keys, err := readAuth(c)
	if err != nil {
		r.refuse(err)
		return false
	}
	r.applyAuth(keys)
	if keys.Required {
		r.log.Info("API keys: applied", "number", len(keys.Keys))
	}
	return true
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
	if !r.applyKeys(merged) {
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
