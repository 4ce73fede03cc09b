package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/client"
)

func (p *process) replCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repl",
		Short: "Type Python into a session, with history, completion and input()",
		Long: `Type Python into a session: one of its own, which is removed at the end, or the one that --session names, which stays.

Enter runs what is whole and begins another line of what is not; an empty line ends a block. Tab completes from the session.
Ctrl-C clears the line, or interrupts what runs; Ctrl-D leaves. :help says what else there is. What was typed is kept in
$XDG_STATE_HOME/fastpyrepl/repl_history, else below ~/.local/state.`,
		Args: noArgs,
	}
	r := &repl{process: p}
	var env []string
	p.clientCommand(cmd, func(ctx context.Context, c *client.Client, _ []string) error {
		if r.session != "" && r.keep {
			return usageError{errors.New("--keep: the session of --session stays anyway")}
		}
		if !isTerminal(p.stdin) || !isTerminal(p.stdout) {
			return usageError{errors.New("repl: this is no terminal; `fastpyrepl run -` runs what comes on stdin")}
		}
		var err error
		if r.env, err = p.environment(env); err != nil {
			return usageError{err}
		}
		r.client = c
		return r.run(ctx)
	})
	flags := cmd.Flags()
	flags.StringVar(&r.session, "session", "", "use the session with this `id`, which is made if it is not there, and stays (default: one of its own)")
	flags.BoolVar(&r.keep, "keep", false, "keep the session that was made for this, and print its id")
	flags.StringVar(&r.image, "image", "", "`image` of a new session, one of docker.images")
	flags.StringArrayVar(&env, "env", nil, "set a variable of a new session's environment, as `NAME=VALUE`, or NAME as it is here; may be repeated")
	flags.DurationVar(&r.timeout, "timeout", 0, "interrupt code after this `time`, such as 90s (default: the session's)")
	flags.StringVar(&r.output.figures, "figures-dir", "", "`directory` for figures and other pictures (default: a temporary one); their paths are printed")
	return cmd
}

// repl is a person at a terminal, and a session.
type repl struct {
	process *process
	client  *client.Client
	session string // "" until it is made
	image   string
	env     map[string]string
	timeout time.Duration
	keep    bool

	output  output
	color   bool
	editor  *editor
	console *console
	behind  background
	signals chan os.Signal
	took    float64 // seconds that the last code ran

	toldLost bool // the last code lost the variables, and it was said
}

// run reads and runs code until somebody leaves.
func (r *repl) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.output = output{stdout: r.process.stdout, stderr: r.process.stdout, values: true, figures: r.output.figures}
	r.color = r.process.getenv("NO_COLOR") == "" && r.process.getenv("TERM") != "dumb"
	if r.output.figures != "" {
		if err := os.MkdirAll(r.output.figures, 0o777); err != nil {
			return usageError{err}
		}
	}
	if r.console, err = openConsole(); err != nil {
		return err
	}
	defer r.console.close()
	state, err := r.process.stateDir("")
	if err != nil {
		return usageError{fmt.Errorf("the history: %w", err)}
	}
	past, err := openHistory(filepath.Join(state, "repl_history"))
	if err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1) // nobody reads them: the first is untilTold's, and none ends the program before its session
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	close, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer close()
	defer r.behind.close()
	r.behind.follow(ctx, r.client, r.session)
	r.signals = make(chan os.Signal, 4)
	signal.Notify(r.signals, syscall.SIGINT)
	defer signal.Stop(r.signals)
	r.editor = newEditor(ctx, r, past)
	defer r.untilTold(cancel)()
	fmt.Fprintf(r.process.stdout, "fastpyrepl %s, session %s at %s. :help for help, Ctrl-D to leave.\n", daemonVersion(), r.session, r.client.URL())
	return r.loop(ctx)
}

// open finds the session, or makes it. The function it returns removes one that was made for this.
func (r *repl) open(ctx context.Context) (func(), error) {
	named := r.session != ""
	s, err := (*client.Session)(nil), error(nil)
	if named {
		s, err = r.client.Session(ctx, r.session)
	}
	if gone := client.Status(err); !named || gone == http.StatusNotFound {
		s, err = r.client.CreateSession(ctx, client.SessionRequest{ID: r.session, Image: r.image, Env: r.env})
	} else if err == nil && (r.image != "" || len(r.env) > 0) {
		err = usageError{fmt.Errorf("session %s is there already: --image and --env are for new ones", r.session)}
	}
	if err != nil {
		return nil, err
	}
	r.session = s.ID
	if named || r.keep {
		return func() {}, nil
	}
	return func() { r.process.removeSession(ctx, r.client, r.session) }, nil
}

// untilTold has the program leave when a signal says so. The function it returns ends that.
func (r *repl) untilTold(leave context.CancelCauseFunc) func() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGHUP)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer signal.Stop(told)
		select {
		case s := <-told:
			leave(leftBy{s.(syscall.Signal)})
			r.editor.wake()
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-ended
	}
}

func (r *repl) loop(ctx context.Context) error {
	for {
		code, err := "", errLeft
		r.showBehind()
		if ctx.Err() == nil {
			code, err = r.editor.read()
		}
		if left := (leftBy{}); errors.As(context.Cause(ctx), &left) {
			return exitStatus(128 + int(left.signal))
		}
		switch {
		case errors.Is(err, errCleared):
			continue
		case errors.Is(err, errLeft):
			return nil
		case err != nil:
			return fmt.Errorf("read the terminal: %w", err)
		case strings.TrimSpace(code) == "":
			continue
		case strings.HasPrefix(code, commandMark):
			err = r.command(ctx, code)
		default:
			err = r.cell(ctx, code)
		}
		if client.Status(err) == http.StatusGone {
			err = r.renew(ctx, err)
		}
		if errors.Is(err, errLeft) {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			r.say("%v", explain(r.client, err))
		}
	}
}

// showBehind shows what was written behind the code.
func (r *repl) showBehind() {
	if text := r.behind.take(); text != "" {
		fmt.Fprint(r.process.stdout, text)
		if !strings.HasSuffix(text, "\n") {
			fmt.Fprintln(r.process.stdout)
		}
	}
}

// say tells what is not the code's word.
func (r *repl) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if r.color {
		text = styleNote + text + styleEnd
	}
	fmt.Fprintln(r.process.stdout, text)
}

// renew tells that the session is gone, and asks whether to go on with a new one.
func (r *repl) renew(ctx context.Context, gone error) error {
	r.say("%v", gone)
	answer, err := r.console.ask(ctx, "Go on with a new one, without its variables? [Y/n] ", false)
	if err != nil {
		return err
	}
	if answer == nil || strings.HasPrefix(strings.ToLower(strings.TrimSpace(*answer)), "n") {
		return errLeft
	}
	return r.reset(ctx)
}

// reset ends the session and begins it anew.
func (r *repl) reset(ctx context.Context) error {
	if err := r.client.DeleteSession(ctx, r.session); err != nil {
		return err
	}
	if _, err := r.client.CreateSession(ctx, client.SessionRequest{ID: r.session, Image: r.image, Env: r.env}); err != nil {
		return err
	}
	r.behind.follow(ctx, r.client, r.session)
	return nil
}

// Complete asks the session.
func (r *repl) Complete(ctx context.Context, code string, cursor int) (*client.Completion, error) {
	return r.client.With(client.WithRetries(0)).Complete(ctx, r.session, code, cursor) // whoever types does not wait for a daemon
}

// IsComplete asks the session.
func (r *repl) IsComplete(ctx context.Context, code string) (*client.Completeness, error) {
	return r.client.With(client.WithRetries(0)).IsComplete(ctx, r.session, code)
}
