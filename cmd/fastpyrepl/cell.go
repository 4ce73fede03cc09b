package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gjyotin305/fastpyrepl/client"
)

// givesUp is how many times Ctrl-C has to be pressed for the terminal to come back before the code has ended.
const givesUp = 3

var errAbandoned = errors.New("given up waiting: the code is interrupted, or is killed in a moment")

// cell runs code, shows what it says, and answers its input(). Ctrl-C interrupts it.
func (r *repl) cell(ctx context.Context, code string) error {
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	for len(r.signals) > 0 { // pressed before there was anything to interrupt
		<-r.signals
	}
	x, err := r.client.Interact(ctx, client.ExecuteRequest{Code: code, SessionID: r.session, Timeout: r.timeout})
	if err != nil {
		return err
	}
	defer x.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer abandon(nil)
	wg.Go(func() { r.interrupts(ctx, x, abandon) })

	out := &cellOutput{output: &r.output, color: r.color}
	defer out.end()
	for ev, err := range x.Events(ctx) {
		if err != nil {
			return err
		}
		if ev.Background { // which the repl follows itself
			continue
		}
		out.show(ev)
		switch ev.Type {
		case client.EventInputRequest:
			wg.Go(func() { r.answer(ctx, x, *ev.Input, &out.asking) })
		case client.EventDone:
			out.end()
			r.took = ev.ExecutionTime
			r.ended(ev)
			return nil
		}
	}
	return errors.New("the daemon did not say how the code ended")
}

// interrupts passes Ctrl-C on, until ctx ends.
func (r *repl) interrupts(ctx context.Context, x *client.Interactive, abandon context.CancelCauseFunc) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for pressed := 1; ; pressed++ {
		select {
		case <-r.signals:
		case <-ctx.Done():
			return
		}
		if pressed >= givesUp {
			abandon(errAbandoned)
			return
		}
		wg.Go(func() { _ = x.Interrupt(ctx) })
	}
}

// answer reads a line for input(). When the code ends first, nobody waits for it any more.
func (r *repl) answer(ctx context.Context, x *client.Interactive, asked client.InputRequest, asking *atomic.Bool) {
	text, err := r.console.ask(ctx, asked.Prompt, asked.Password)
	asking.Store(err != nil || text == nil) // else whoever typed has ended the line
	if err == nil {
		err = x.Input(ctx, text)
	}
	if err != nil && ctx.Err() == nil {
		r.say("%v", err)
		_ = x.Interrupt(ctx)
	}
}

// ended tells how code ended that did not say so itself.
func (r *repl) ended(done client.Event) {
	if done.StateLostAt > 0 && !r.toldLost {
		r.say("the variables were lost at cell %d", done.StateLostAt)
	}
	r.toldLost = !done.StateKept
	switch done.Outcome {
	case client.OutcomeOK, client.OutcomeError:
		return
	case client.OutcomeInterrupted:
		if done.StateKept { // it said KeyboardInterrupt, or chose not to
			return
		}
	}
	r.say("%s", done.Error)
}

// cellOutput shows what one piece of code says, and leaves the terminal at the beginning of a line.
type cellOutput struct {
	output *output
	color  bool
	inLine bool        // the last text did not end its line
	asking atomic.Bool // a prompt is shown, and not answered
	styler tracebackStyler
}

func (o *cellOutput) show(ev client.Event) {
	text := ev.Text
	if o.asking.Swap(false) && text != "" {
		fmt.Fprintln(o.output.stdout)
	}
	switch ev.Type {
	case client.EventStdout:
	case client.EventStderr:
		if o.color {
			text = o.styler.style(text)
		}
	case client.EventDisplay, client.EventResult:
		o.end()
		if err := o.output.show(ev); err != nil {
			fmt.Fprintln(o.output.stdout, err)
		}
		return
	case client.EventInputRequest:
		o.asking.Store(true)
		o.inLine = false
		return
	default:
		return
	}
	if text != "" {
		_, _ = io.WriteString(o.output.stdout, text)
		o.inLine = !strings.HasSuffix(ev.Text, "\n")
	}
}

// end ends a line that was begun.
func (o *cellOutput) end() {
	if o.asking.Swap(false) || o.inLine {
		fmt.Fprintln(o.output.stdout)
		o.inLine = false
	}
}
