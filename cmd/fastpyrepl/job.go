package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gjyotin305/fastpyrepl/client"
)

// removeTime is how long the removal of a session may take that nobody needs any more.
const removeTime = 15 * time.Second

// job is one run of code, from its session's start to its end.
type job struct {
	process *process
	client  *client.Client
	flags   *runFlags
	output  output
	code    string
	stdin   string
	feed    *feed // of live input, nil for none
	env     map[string]string

	running atomic.Pointer[string] // id of the session in which the code runs
}

// leftBy is the signal with which somebody left.
type leftBy struct{ signal syscall.Signal }

func (l leftBy) Error() string { return "left by a signal: " + l.signal.String() }

// untilLeft returns a context that ends when somebody leaves: with SIGTERM or SIGHUP, or with the second SIGINT, of
// which the first interrupts the code. The one after that ends the process, unless it is a SIGHUP: when a terminal closes, its
// shell and the kernel send one each.
func (j *job) untilLeft(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	came, hangups := make(chan os.Signal, 4), make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	signal.Notify(came, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer signal.Stop(came)
		for interrupted := false; ; interrupted = true {
			select {
			case s := <-came:
				session := j.running.Load()
				if s != syscall.SIGINT || interrupted || session == nil {
					cancel(leftBy{s.(syscall.Signal)})
					return
				}
				wg.Go(func() { _ = j.client.InterruptSession(ctx, *session) }) // the next signal need not wait for it
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		wg.Wait()
		signal.Stop(hangups)
	}
}

// run makes the session, runs the code in it, and removes it. The code's end is an exitStatus.
func (j *job) run(ctx context.Context) error {
	session, remove, err := j.openSession(ctx)
	if err != nil {
		return err
	}
	defer remove()
	req := client.ExecuteRequest{
		Code: j.code, SessionID: session, Timeout: j.flags.timeout, Stdin: j.stdin, Locals: j.flags.locals, Figures: []string{"png"},
	}
	j.running.Store(&session)
	if j.feed == nil {
		return j.follow(ctx, j.client.Stream(ctx, req), nil)
	}
	x, err := j.client.Interact(ctx, req)
	if err != nil {
		return err
	}
	defer x.Close()
	return j.follow(ctx, x.Events(ctx), x)
}

// openSession makes the session that the flags ask for, unless it is one that the code's request will make or find. The
// function it returns removes one that is nobody else's.
func (j *job) openSession(ctx context.Context) (id string, remove func(), err error) {
	keep := func() {}
	if j.flags.session != "" && j.flags.image == "" && len(j.env) == 0 {
		return j.flags.session, keep, nil
	}
	s, err := j.client.CreateSession(ctx, client.SessionRequest{ID: j.flags.session, Image: j.flags.image, Env: j.env})
	if client.Status(err) == http.StatusConflict && j.flags.session != "" {
		return "", nil, usageError{fmt.Errorf("session %s is there already: --image and --env are for new ones", j.flags.session)}
	}
	if err != nil {
		return "", nil, err
	}
	switch {
	case j.flags.session != "":
		return s.ID, keep, nil
	case j.flags.keep:
		fmt.Fprintf(j.process.stderr, "session %s\n", s.ID)
		return s.ID, keep, nil
	}
	return s.ID, func() { j.process.removeSession(ctx, j.client, s.ID) }, nil
}

// removeSession removes a session that was made for this process alone, whatever has become of ctx.
func (p *process) removeSession(ctx context.Context, c *client.Client, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	if err := c.DeleteSession(ctx, id); err != nil {
		fmt.Fprintf(p.stderr, "fastpyrepl: session %s was not removed: %v\n", id, err)
	}
}

// follow shows what happens, to the end. x answers input(), where it can be answered.
func (j *job) follow(ctx context.Context, events iter.Seq2[client.Event, error], x *client.Interactive) error {
	failed := make(chan error, 1) // of answering
	var raised *client.Exception
	for ev, err := range events {
		select {
		case answering := <-failed:
			return answering
		default:
		}
		if err != nil {
			return err
		}
		if ev.Background { // of others
			continue
		}
		if ev.Type == client.EventError {
			raised = ev.Exception
		}
		if err := j.show(ev); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		switch {
		case ev.Type == client.EventInputRequest && x != nil:
			go j.answer(ctx, x, *ev.Input, failed) // it may wait for a person when the code has long ended; so will this program not
		case ev.Type == client.EventDone:
			return j.end(ctx, ev, raised)
		}
	}
	return errors.New("the daemon did not say how the code ended")
}

// show shows an event in the form that was asked for.
func (j *job) show(ev client.Event) error {
	switch {
	case j.flags.events:
		_, err := fmt.Fprintf(j.process.stdout, "%s\n", ev.Raw)
		return err
	case j.flags.json:
		return nil
	}
	if ev.Type == client.EventInputRequest {
		fmt.Fprint(j.output.stdout, ev.Input.Prompt)
	}
	return j.output.show(ev)
}

// answer answers an input() of the code's. When that fails the code is interrupted, and failed has why.
func (j *job) answer(ctx context.Context, x *client.Interactive, asked client.InputRequest, failed chan<- error) {
	text, err := j.feed.next(asked.Password)
	if err == nil {
		err = x.Input(ctx, text)
	}
	if err != nil && ctx.Err() == nil {
		failed <- err
		_ = x.Interrupt(ctx)
	}
}

// tellLeftOut says that output is not whole, which may be in a file by now where nobody sees the mark in it.
func (j *job) tellLeftOut(truncated map[string]int64) {
	for _, stream := range []string{"stdout", "stderr"} {
		if n := truncated[stream]; n > 0 {
			fmt.Fprintf(j.process.stderr, "fastpyrepl: %d bytes of %s were left out, which the daemon's execution.max_%s bounds\n", n, stream, stream)
		}
	}
}

// end tells how the code ended.
func (j *job) end(ctx context.Context, done client.Event, raised *client.Exception) error {
	switch {
	case j.flags.json:
		r, err := j.client.Result(ctx, done.ExecutionID)
		if err != nil {
			return err
		}
		fmt.Fprintf(j.process.stdout, "%s\n", r.Raw)
	case !j.flags.events:
		j.tellLeftOut(done.Truncated)
		if done.Outcome != client.OutcomeOK && done.Outcome != client.OutcomeError { // what it raised has said itself
			fmt.Fprintf(j.process.stderr, "fastpyrepl: %s\n", done.Error)
		}
	}
	if code := exitCode(done.Ending, raised); code != 0 {
		return exitStatus(code)
	}
	return nil
}
