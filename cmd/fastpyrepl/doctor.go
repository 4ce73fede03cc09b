package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/configs"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// errUnwell is the exit of a doctor who found something.
var errUnwell = errors.New("something is not as it should be: see above")

// doctorCommand looks at all that the daemon needs to serve, and says what to do where it is not there.
func (p *process) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the configuration, the engine, the images and how sessions are confined, and say what to do",
		Long: `doctor looks at everything that the daemon needs and checks at its start, whether it runs or not: the configuration, the state
directory, the port, the container engine, every image, and a container of each from inside. It pulls and builds nothing.

The exit code is 1 when something is not as it should be.`,
		Args: noArgs,
	}
	addSettings(cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print the findings as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		src, err := p.source(cmd.Flags())
		if err != nil {
			return usageError{err}
		}
		found := p.diagnose(cmd.Context(), src)
		if err := printFindings(p.stdout, found, *asJSON); err != nil {
			return err
		}
		for _, f := range found {
			if !f.OK {
				return errUnwell
			}
		}
		return nil
	}
	return cmd
}

// diagnose looks at what the command itself needs, then at the engine.
func (p *process) diagnose(ctx context.Context, src configs.Source) []docker.Finding {
	cfg, err := configs.Load(src)
	if err != nil {
		return []docker.Finding{{Name: "configuration", Detail: err.Error(), Remedy: "mend " + sourceName(src)}}
	}
	found := []docker.Finding{{Name: "configuration", OK: true, Detail: sourceName(src)}}
	found = append(found, p.diagnoseState(cfg), diagnosePort(ctx, cfg))
	config, err := dockerConfig(cfg)
	if err != nil {
		return append(found, docker.Finding{Name: "seccomp profile", Detail: err.Error(), Remedy: "mend docker.seccomp, or leave it out for the built-in one"})
	}
	log, _, _ := newLog(p.stderr, configs.Log{Level: "error", Format: "text"})
	config.Owner, config.Log = uuid.NewString(), log // nobody's: a daemon that runs is not disturbed
	config.Driver, config.DriverHash = runnerimage.DriverFiles(), runnerimage.DriverHash()
	if config.Host == "" {
		config.Host = p.getenv("DOCKER_HOST")
	}
	found = append(found, docker.Diagnose(ctx, config, func(what string) { fmt.Fprintf(p.stderr, "looking at %s\n", what) })...)
	return append(found, diagnoseMemory(cfg))
}

func sourceName(src configs.Source) string {
	if src.Path == "" {
		return "the defaults, and the environment"
	}
	return src.Path + ", and the environment"
}

// diagnoseState looks at the state directory. One that is in use has a daemon.
func (p *process) diagnoseState(cfg *configs.Config) docker.Finding {
	f := docker.Finding{Name: "state directory"}
	dir, err := p.stateDir(cfg.StateDir)
	if err != nil {
		f.Detail, f.Remedy = err.Error(), "set state_dir"
		return f
	}
	file, err := os.OpenFile(filepath.Join(dir, "owner"), os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := writableParent(dir); err != nil {
			f.Detail, f.Remedy = err.Error(), "let the daemon's user write there, or set state_dir"
			return f
		}
		f.OK, f.Detail = true, dir+" will be made"
		return f
	case err != nil:
		f.Detail, f.Remedy = err.Error(), "let the daemon's user read and write it"
		return f
	}
	defer file.Close()
	f.OK, f.Detail = true, dir
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		f.Detail += ", in use by a daemon that runs"
	}
	return f
}

// writableParent tells whether dir could be made.
func writableParent(dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
			continue
		}
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no directory", dir)
		}
		if err == nil {
			err = syscall.Access(dir, 2) // to write
		}
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		return nil
	}
}

// diagnosePort looks at whether the daemon listens, or could.
func diagnosePort(ctx context.Context, cfg *configs.Config) docker.Finding {
	f := docker.Finding{Name: "port"}
	address := serverAddress(cfg)
	if cfg.Server.Port != 0 {
		if _, err := askHealth(ctx, baseURL(cfg.Server.Host, cfg.Server.Port)); err == nil {
			f.OK, f.Detail = true, address+" is served by fastpyrepl"
			return f
		}
	}
	ln, err := listen(ctx, "server.port", address, "--port")
	if err != nil {
		f.Detail, f.Remedy = err.Error(), "stop what listens there, or choose another with server.port"
		return f
	}
	f.OK, f.Detail = true, address+" is free"
	_ = ln.Close()
	return f
}

// diagnoseMemory compares what all sessions may use with what there is. More is no fault: few use all that they may.
func diagnoseMemory(cfg *configs.Config) docker.Finding {
	f := docker.Finding{Name: "memory", OK: true}
	most := int64(cfg.Limits.Memory) * int64(cfg.Sessions.Max+cfg.Pool.Size.Max)
	f.Detail = fmt.Sprintf("%d sessions and %d that wait may use %s together", cfg.Sessions.Max, cfg.Pool.Size.Max, configs.Size(most))
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		total := configs.Size(int64(info.Totalram) * int64(info.Unit))
		f.Detail += fmt.Sprintf("; this machine has %d MiB", int64(total)>>20)
	}
	return f
}

// printFindings prints them in columns, and below those that are not OK what to do.
func printFindings(w io.Writer, found []docker.Finding, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(found)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range found {
		mark := "ok"
		if !f.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", mark, f.Name, strings.ReplaceAll(strings.TrimSpace(f.Detail), "\n", "; "))
		if f.Remedy != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Remedy)
		}
	}
	return table.Flush()
}
