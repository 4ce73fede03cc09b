package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
)

// buildGrace is how long a build that is stopped may take to clean up.
const buildGrace = 10 * time.Second

// buildImage returns what builds a variant of the runner image from its sources, which the daemon carries.
func (p *process) buildImage(engine string) func(ctx context.Context, variant string, progress io.Writer) error {
	return func(ctx context.Context, variant string, progress io.Writer) (err error) {
		shell, err := exec.LookPath("bash")
		if err != nil {
			return errors.New("there is no shell here to build it with: run `make image` on the host")
		}
		dir, err := os.MkdirTemp("", "fastpyrepl-image-")
		if err != nil {
			return fmt.Errorf("build image: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if err := runnerimage.Extract(dir); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, shell, filepath.Join(dir, "build.sh"), variant)
		cmd.Env = p.env
		if engine != "" {
			cmd.Env = append(cmd.Env, "DOCKER_HOST="+engine)
		}
		cmd.Stdout, cmd.Stderr = progress, progress
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it started is stopped with it
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
		cmd.WaitDelay = buildGrace
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build.sh %s: %w", variant, err)
		}
		return nil
	}
}
