package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const (
	exitFailure = 1
	exitUsage   = 2 // the command line or the configuration is wrong
)

// usageError is an error that the user mends on the command line or in the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is the whole program: it returns the exit code.
func (p *process) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(p.stderr, "fastpyrepl: %s\n", strings.TrimRight(line, "\n"))
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

func (p *process) rootCommand() *cobra.Command {
	root := p.serveCommand()
	root.Use = "fastpyrepl"
	root.Short = "Run Python for programs, each session in its own container"
	root.Long = `fastpyrepl runs Python for programs over HTTP, each session in its own container without network.

Without a command it serves. Every setting is a key of the YAML file (configs/fastpyrepl.yaml documents them all), an
environment variable (server.port is FASTPYREPL_SERVER_PORT) and, with --set, a flag; flags win over variables, and
variables over the file.`
	root.Version = versionText()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.DisableSuggestions = true // errors have one line
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(p.serveCommand(), p.doctorCommand(), p.healthCommand(), p.keysCommand(), p.versionCommand())
	return root
}

// noArgs refuses what is neither a command nor a flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command %q; see %s --help", args[0], cmd.Root().Name())}
	}
	return nil
}
