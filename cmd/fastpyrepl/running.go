package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// running is a daemon that has all it needs.
type running struct {
	cfg      *configs.Config // as it was at the start
	log      *slog.Logger
	manager  *sandbox.Manager
	server   *daemon.Server
	ln       net.Listener
	reloader *reloader
	watcher  *watcher // nil when nothing is watched
	hangup   <-chan os.Signal
	remove   func() bool // whether the sessions end with the daemon that shuts down
}

// run serves until ctx ends, and then ends every session, or leaves them to the next daemon. It returns nil when nothing of
// its own is left.
func (d *running) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		return d.shutdown(context.WithoutCancel(ctx))
	})
	g.Go(func() error { return d.reload(ctx) })
	g.Go(func() error { return d.serve(ctx) })
	return g.Wait()
}

func (d *running) serve(ctx context.Context) error {
	if err := d.manager.Restore(ctx); err != nil {
		return fmt.Errorf("take over what an earlier daemon left: %w", err)
	}
	if !d.cfg.Server.Loopback() {
		d.log.Warn("insecure: other machines can reach this address, and whoever does can run code", "host", d.cfg.Server.Host)
	}
	d.log.Info("ready", "url", baseURL(d.cfg.Server.Host, d.ln.Addr().(*net.TCPAddr).Port))
	return d.server.Serve(d.ln)
}

// reload keeps the configuration up to date until ctx ends.
func (d *running) reload(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var changed chan struct{}
	if d.watcher != nil {
		changed = d.watcher.changed
		g.Go(func() error { return d.watcher.run(ctx) })
	}
	g.Go(func() error { return d.reloader.run(ctx, changed, d.hangup) })
	return g.Wait()
}

// shutdown ends or leaves the sessions and, as their requests are answered, the server.
func (d *running) shutdown(ctx context.Context) error {
	end, what := d.manager.Leave, "keep"
	if d.remove() {
		end, what = d.manager.Close, "remove"
	}
	d.log.Info("shutting down", "sessions", what)
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Server.ShutdownTimeout)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error { return end(ctx) })
	g.Go(func() error {
		defer d.ln.Close() // also when Serve has yet to begin
		return d.server.Shutdown(ctx)
	})
	return g.Wait()
}
