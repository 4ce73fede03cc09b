package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/client"
)

// runFlags are those of run and exec.
type runFlags struct {
	session, image, stdin, figures string
	env                            []string
	timeout                        time.Duration
	keep, json, events, locals     bool
}

func (f *runFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.session, "session", "", "run in the session with this `id`, which is made if it is not there, and stays (default: one of its own)")
	flags.BoolVar(&f.keep, "keep", false, "keep the session that was made for this run, and print its id")
	flags.StringVar(&f.image, "image", "", "`image` of a new session, one of docker.images")
	flags.StringArrayVar(&f.env, "env", nil, "set a variable of a new session's environment, as `NAME=VALUE`, or NAME as it is here; may be repeated")
	flags.DurationVar(&f.timeout, "timeout", 0, "interrupt the code after this `time`, such as 90s (default: the daemon's)")
	flags.StringVar(&f.stdin, "stdin", "", "`file` that the code reads as its stdin (default: this command's stdin)")
	flags.StringVar(&f.figures, "figures-dir", "", "`directory` for figures and other pictures (default: a temporary one); their paths go to stderr")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object, and nothing else on stdout")
	flags.BoolVar(&f.events, "events", false, "print what happens as JSON, an object on each line as it comes, and nothing else on stdout")
	flags.BoolVar(&f.locals, "locals", false, "have all variables in the result; with --json or --events")
}

func (f *runFlags) check() error {
	switch {
	case f.json && f.events:
		return errors.New("--json and --events are two forms of one output: choose one")
	case f.locals && !f.json && !f.events:
		return errors.New("--locals shows in --json and --events alone")
	case f.keep && f.session != "":
		return errors.New("--keep: the session of --session stays anyway")
	case f.timeout < 0:
		return errors.New("--timeout: want more than 0")
	}
	return nil
}

func (p *process) runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run FILE|-",
		Short: "Run a Python file, or what comes on stdin, in a session",
		Long: `Run a Python file, or what comes on stdin ("-"), in a session of its own, which is removed at the end.

What it prints comes as it prints it, and it reads this command's stdin. Ctrl-C interrupts it, a second Ctrl-C leaves.

` + exitCodesHelp,
		Args: exactly("FILE or -"),
	}
	p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		code, err := p.readText(args[0])
		if err != nil {
			return usageError{err}
		}
		return p.runCode(ctx, c, code, args[0] == "-", &flags, false)
	})
	flags.add(cmd)
	return cmd
}

func (p *process) execCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "exec CODE",
		Short: "Run Python code in a session, and print the value of its last expression",
		Long: `Run Python code in a session of its own, which is removed at the end, and print the value of its last expression.

What it prints comes as it prints it, and it reads this command's stdin. Ctrl-C interrupts it, a second Ctrl-C leaves.

` + exitCodesHelp,
		Args: exactly("CODE"),
	}
	p.clientCommand(cmd, func(ctx context.Context, c *client.Client, args []string) error {
		return p.runCode(ctx, c, args[0], false, &flags, true)
	})
	flags.add(cmd)
	return cmd
}

// runCode runs code as the flags say, and ends the program as the code ended. stdinUsed says that the code came from
// standard input, values that the last expression's is shown.
func (p *process) runCode(ctx context.Context, c *client.Client, code string, stdinUsed bool, flags *runFlags, values bool) (err error) {
	if err := flags.check(); err != nil {
		return usageError{err}
	}
	j := &job{process: p, client: c, flags: flags, code: code}
	j.output = output{stdout: p.stdout, stderr: p.stderr, values: values, figures: flags.figures}
	if flags.figures != "" {
		if err := os.MkdirAll(flags.figures, 0o777); err != nil {
			return usageError{err}
		}
	}
	if !stdinUsed || flags.stdin != "" && flags.stdin != "-" {
		if j.stdin, j.feed, err = p.programInput(flags.stdin); err != nil {
			return usageError{err}
		}
	}
	if j.env, err = p.environment(flags.env); err != nil {
		return usageError{err}
	}
	ctx, stop := j.untilLeft(ctx)
	defer stop()
	err = j.run(ctx)
	if left := (leftBy{}); errors.As(err, &left) {
		return exitStatus(128 + int(left.signal))
	}
	return err
}

// environment reads NAME=VALUE, or NAME of a variable that is set here.
func (p *process) environment(pairs []string) (map[string]string, error) {
	env := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if name == "" {
			return nil, fmt.Errorf("--env: %q is not NAME=VALUE", pair)
		}
		if !ok {
			if value, ok = p.lookupEnv(name); !ok {
				return nil, fmt.Errorf("--env: %s is not set here: want NAME=VALUE", name)
			}
		}
		env[name] = value
	}
	return env, nil
}
