package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/ops"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
	"github.com/gjyotin305/fastpyrepl/sandbox/state"
)

func (p *process) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve; this is also what happens without a command",
		Args:  noArgs,
	}
	addSettings(cmd.Flags())
	watch := cmd.Flags().Bool("reload", false, "watch the YAML file and apply it without dropping sessions; SIGHUP does so once")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		src, err := p.source(cmd.Flags())
		if err != nil {
			return usageError{err}
		}
		return p.serve(cmd.Context(), src, *watch)
	}
	return cmd
}

// serve runs the daemon until ctx ends or a signal says so. A second signal ends the process at once.
func (p *process) serve(ctx context.Context, src configs.Source, watch bool) error {
	cfg, err := configs.Load(src)
	if err != nil {
		return usageError{err}
	}
	hangup := make(chan os.Signal, 1)
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if src.Path != "" || cfg.Auth.KeysFile != "" {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	} else { // nothing to reload: the terminal went away
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := untilSignal(ctx, signals...)
	defer stop()

	log, level, progress := newLog(p.stderr, cfg.Log)
	if watch && src.Path == "" {
		log.Warn("--reload: there is no configuration file to watch")
	}
	d := &running{cfg: cfg, source: src, log: log, level: level, hangup: hangup, metrics: metrics.New(daemonVersion())}
	if watch && src.Path != "" {
		if d.watcher, err = newWatcher(src.Path, log); err != nil {
			return err
		}
		defer d.watcher.close()
	}
	if cfg.Auth.KeysFile != "" {
		if d.keysWatcher, err = newWatcher(cfg.Auth.KeysFile, log); err != nil {
			return usageError{fmt.Errorf("auth.keys_file: %w", err)}
		}
		defer d.keysWatcher.close()
	}
	keys, err := readAuth(cfg) // after the watcher began: no change is missed
	if err != nil {
		return usageError{err}
	}
	id, err := p.claim(cfg)
	if err != nil {
		return err
	}
	defer id.release()
	if d.ln, err = listen(ctx, "server.port", serverAddress(cfg), "--port"); err != nil { // early: a taken port should not be news after an image was built
		return err
	}
	defer d.ln.Close()
	if cfg.Admin.Listen != "" {
		if d.adminLn, err = listen(ctx, "admin.listen", cfg.Admin.Listen, "--set admin.listen=..."); err != nil {
			return err
		}
		defer d.adminLn.Close()
	}
	if cfg.Tracing.Endpoint != "" {
		if d.tracer, err = tracing.Open(ctx, tracingConfig(cfg), log); err != nil {
			return usageError{fmt.Errorf("tracing.endpoint: %w", err)}
		}
		defer d.closeTracer()
	}
	store, err := p.store(id, log)
	if err != nil {
		return err
	}
	defer store.Close()
	if cfg.Audit.File != "" {
		if d.audit, err = audit.Open(auditConfig(cfg), store, log); err != nil {
			return usageError{fmt.Errorf("audit.file: %w", err)}
		}
		defer d.closeAudit()
	}
	rt, err := p.runtime(ctx, d, id)
	if err != nil {
		if ctx.Err() != nil {
			return stopped(ctx)
		}
		return err
	}
	defer rt.Close()
	d.checks = []ops.Check{ops.EngineCheck(rt.Ping), ops.ImageCheck(rt.CheckImage)}
	d.prepare = func(ctx context.Context) error { return prepare(ctx, rt, store, log, progress) }
	d.startup.Step("looking for the images")
	d.byHand = func() bool { return errors.Is(context.Cause(ctx), signalled{syscall.SIGINT}) }
	if err := d.assemble(rt, store, keys); err != nil {
		return err
	}
	return d.run(ctx)
}

// signalled is why the daemon stops: a signal asked for it.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return s.String() }

// untilSignal returns a context that ends with the first of the signals, with signalled as its cause. The second one ends
// the process.
func untilSignal(ctx context.Context, signals ...os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	came := make(chan os.Signal, 1)
	signal.Notify(came, signals...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer signal.Stop(came)
		select {
		case s := <-came:
			cancel(signalled{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

func (p *process) claim(cfg *configs.Config) (*owner, error) {
	dir, err := p.stateDir(cfg.StateDir)
	if err != nil {
		return nil, usageError{err}
	}
	return claimOwner(dir)
}

// store opens what the daemon keeps of its sessions.
func (p *process) store(id *owner, log *slog.Logger) (*state.Store, error) {
	store, aside, err := state.Open(id.dir)
	if aside != "" {
		log.Error("the state was broken, and is begun anew: sessions of an earlier daemon end", "aside", aside)
	}
	return store, err
}

// stopped is why a daemon ends that was told to while it started.
func stopped(ctx context.Context) error {
	return fmt.Errorf("stopped before it served: %w", context.Cause(ctx))
}

// serverAddress is where the server listens.
func serverAddress(cfg *configs.Config) string {
	return net.JoinHostPort(cfg.Server.Host, strconv.Itoa(cfg.Server.Port))
}

// listen listens on an address, which key sets, and flag too.
func listen(ctx context.Context, key, address, flag string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, usageError{fmt.Errorf("%s: %s is in use: stop what listens there, or choose another with %s", key, address, flag)}
	case err != nil:
		return nil, fmt.Errorf("listen: %w", err)
	}
	return ln, nil
}

// runtime connects to the engine. The images are yet to be made ready.
func (p *process) runtime(ctx context.Context, d *running, id *owner) (*docker.Runtime, error) {
	config, err := dockerConfig(d.cfg)
	if err != nil {
		return nil, usageError{err}
	}
	if config.Host == "" {
		config.Host = p.getenv("DOCKER_HOST")
	}
	config.Owner, config.Log = id.id, d.log
	config.Observe, config.Step = d.observeEngine, d.startup.Step
	config.Driver, config.DriverHash = runnerimage.DriverFiles(), runnerimage.DriverHash()
	config.Build = p.buildImage(config.Host)
	return docker.New(ctx, config)
}

// prepare makes the images ready. Where that fails, sessions of an earlier daemon can be served all the same: then new ones
// are refused until it has succeeded. Without such there is nothing to serve.
func prepare(ctx context.Context, rt *docker.Runtime, store *state.Store, log *slog.Logger, progress io.Writer) error {
	err := rt.Prepare(ctx, progress)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if sessions, _, loadErr := store.Load(); loadErr != nil || len(sessions) == 0 {
		return err
	}
	log.Error("no session can be started until this is mended; those of the daemon before go on", "err", err)
	return nil
}
