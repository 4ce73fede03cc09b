package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/openapi"
	"github.com/gjyotin305/fastpyrepl/daemon/ops"
	"github.com/gjyotin305/fastpyrepl/daemon/playground"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// running is a daemon that has all it needs.
type running struct {
	cfg         *configs.Config // as it was at the start
	source      configs.Source  // where it comes from
	log         *slog.Logger
	level       *slog.LevelVar
	audit       *audit.Log // nil for none
	metrics     *metrics.Metrics
	tracer      *tracing.Tracer // nil for none
	startup     ops.Startup
	checks      []ops.Check                     // of what is below the Manager
	prepare     func(ctx context.Context) error // makes the images ready; nil where they are
	manager     *sandbox.Manager
	server      *daemon.Server
	ln          net.Listener
	admin       *ops.Admin   // nil for none
	adminLn     net.Listener // nil for none
	reloader    *reloader
	watcher     *watcher // nil when nothing is watched
	keysWatcher *watcher // nil without a file of keys
	hangup      <-chan os.Signal
	byHand      func() bool // whether a person at a terminal stopped the daemon
}

// assemble makes what serves, over a runtime and what a daemon before this one left.
func (d *running) assemble(rt sandbox.Runtime, store sandbox.Store, keys auth.Config) error {
	d.manager = sandbox.NewManager(rt, store, sandboxConfig(d.cfg), d.log)
	d.manager.Observe(d.metrics)
	health := ops.NewHealth(&d.startup, append(d.checks, ops.StateCheck(d.manager.CheckStore), ops.PoolCheck(d.manager.Stats)), d.log)
	handler := rest.New(d.manager, restLimits(d.cfg))
	api, err := openapi.New(daemonVersion())
	if err != nil {
		return err
	}
	routes := slices.Concat(handler.Routes(), ops.Routes(health, d.metrics), api.Routes())
	if d.cfg.Server.Playground {
		page, err := playground.New()
		if err != nil {
			return err
		}
		routes = append(routes, page.Routes()...)
	}
	if err := api.Describe(routes, handler.Schemas()); err != nil {
		return err
	}
	config := serverConfig(d.cfg)
	config.Auth = keys
	config.MaxConnections = fitConnections(d.cfg, d.log)
	d.server = daemon.New(config, daemon.Deps{
		Log:      d.log,
		Routes:   routes,
		Audit:    d.audit,
		Metrics:  d.metrics,
		Tracer:   d.tracer,
		Starting: d.startup.Now,
	})
	d.manager.OnResume(d.server.Resumed)
	now := metrics.Now{Sandbox: d.manager.Stats, Server: d.server.Now, Ready: health.Well}
	if d.audit != nil {
		now.Audit = d.audit.Losses
	}
	d.metrics.Watch(now)
	if d.adminLn != nil {
		d.admin = ops.NewAdmin(health, d.metrics, d.log)
		d.configureAdmin(d.cfg)
	}
	d.reloader = &reloader{source: d.source, current: d.cfg, log: d.log, applyAuth: d.server.SetAuth, apply: func(c *configs.Config) {
		d.level.Set(logLevel(c.Log))
		d.manager.SetConfig(sandboxConfig(c))
		handler.SetLimits(restLimits(c))
		if err := api.Describe(routes, handler.Schemas()); err != nil {
			d.log.Error("describe the API", "err", err)
		}
		d.server.SetAllowedHosts(c.Server.AllowedHosts)
		d.server.SetCORSOrigins(c.Server.CORSOrigins)
		d.configureAdmin(c)
	}}
	return nil
}

// configureAdmin applies what may change of the admin listener.
func (d *running) configureAdmin(c *configs.Config) {
	if d.admin != nil {
		d.admin.SetAllowedHosts(c.Server.AllowedHosts)
		d.admin.SetPprof(c.Admin.Pprof)
	}
}

// observeEngine is told of calls to the container engine.
func (d *running) observeEngine(ctx context.Context, operation string) func(docker.CallResult) {
	begun, traced := time.Now(), tracing.Engine(ctx, operation)
	return func(r docker.CallResult) {
		d.metrics.EngineCall(operation, string(r), time.Since(begun))
		traced(string(r), r == docker.CallError || r == docker.CallTimeout)
	}
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
	g.Go(func() error { return d.server.Serve(d.ln) })
	if d.admin != nil {
		g.Go(func() error { return d.admin.Serve(d.adminLn) })
	}
	g.Go(func() error {
		err := d.start(ctx)
		if err != nil && ctx.Err() != nil {
			return stopped(ctx)
		}
		return err
	})
	return g.Wait()
}

// start makes all ready that the routes need. The server answers meanwhile, and says what is being done.
func (d *running) start(ctx context.Context) error {
	if d.admin != nil {
		d.log.Info("admin listener", "url", "http://"+d.adminLn.Addr().String())
	}
	if d.prepare != nil {
		if err := d.prepare(ctx); err != nil {
			return err
		}
	}
	d.startup.Step("taking over the sessions of an earlier daemon")
	if err := d.manager.Restore(ctx); err != nil {
		return fmt.Errorf("take over what an earlier daemon left: %w", err)
	}
	d.audit.Settle(d.manager.Awaits)
	d.startup.Step("")
	debug.FreeOSMemory() // a start leaves more behind than what runs needs: configuration, images, the description of the API
	if !d.cfg.Server.Loopback() && !d.cfg.Auth.Required() {
		d.log.Warn("insecure: other machines can reach this address, and whoever does can run code", "host", d.cfg.Server.Host)
	}
	d.log.Info("ready", "url", baseURL(d.cfg.Server.Host, d.ln.Addr().(*net.TCPAddr).Port))
	return nil
}

// reload keeps the configuration up to date until ctx ends.
func (d *running) reload(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	changes := func(w *watcher) <-chan struct{} {
		if w == nil {
			return nil
		}
		g.Go(func() error { return w.run(ctx) })
		return w.changed
	}
	changed, keysChanged := changes(d.watcher), changes(d.keysWatcher)
	g.Go(func() error { return d.reloader.run(ctx, changed, keysChanged, d.hangup) })
	return g.Wait()
}

// How long the rest of the audit log may take to be written, and the last spans to be delivered, when everything else has
// ended.
const (
	auditTime  = 2 * time.Second
	tracerTime = 2 * time.Second
)

// closeTracer delivers the last spans, if their collector takes them.
func (d *running) closeTracer() {
	ctx, cancel := context.WithTimeout(context.Background(), tracerTime)
	defer cancel()
	if err := d.tracer.Close(ctx); err != nil {
		d.log.Warn("shut down", "err", err)
	}
}

// closeAudit writes what waits. Nothing may run any more that could have lines.
func (d *running) closeAudit() {
	ctx, cancel := context.WithTimeout(context.Background(), auditTime)
	defer cancel()
	if err := d.audit.Close(ctx); err != nil {
		d.log.Error("shut down", "err", err)
	}
}

// shutdown ends or leaves the sessions and, as their requests are answered, the server.
func (d *running) shutdown(ctx context.Context) error {
	end, what := d.manager.Leave, "keep"
	if d.byHand() || d.reloader.config().Sessions.OnShutdown == "remove" {
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
	if d.admin != nil {
		g.Go(func() error {
			defer d.adminLn.Close()
			return d.admin.Shutdown(ctx)
		})
	}
	return g.Wait()
}
