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
	exitUsage   = 2   // the command line or the configuration is wrong
	exitTrouble = 125 // the daemon was not reached, or refused
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
	if status := exitStatus(0); errors.As(err, &status) {
		return int(status)
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(p.stderr, "fastpyrepl: %s\n", strings.TrimRight(line, "\n"))
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	if t := (trouble{}); errors.As(err, &t) {
		return exitTrouble
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
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(p.serveCommand(), p.replCommand(), p.runCommand(), p.execCommand(), p.sessionsCommand(), p.filesCommand(), p.resetCommand(),
		p.configCommand(), p.doctorCommand(), p.healthCommand(), p.keysCommand(), p.versionCommand())
	p.completionCommands(root)
	return root
}
