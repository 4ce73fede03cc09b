package sandbox

import (
	"fmt"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// finish ends e with the driver's word.
func (e *Execution) finish(m wire.DoneMessage) error {
	defer e.ended()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.at(e.seq)
	r := &Result{
		StateLostAt:    max(0, m.StateLostAt),
		ExecutionCount: m.ExecutionCount,
		Outcome:        Outcome(m.Outcome),
		StateKept:      m.StateKept,
		Duration:       time.Duration(m.Duration * float64(time.Second)),
		Usage:          ExecutionUsage(m.Usage),
		Truncated:      m.Truncated,
		Files:          e.changes(m),
	}
	switch r.Outcome {
	case OutcomeOK:
	case OutcomeError:
		r.Error = e.exceptionLine()
	case OutcomeTimeout:
		r.Error = fmt.Sprintf("timeout: the execution was interrupted after %s%s", e.timeout, endSuffix(m))
	case OutcomeInterrupted, OutcomeCancelled:
		r.Error = fmt.Sprintf("%s: the execution was asked to end%s", r.Outcome, endSuffix(m))
	case OutcomeOOM, OutcomeCrashed:
		r.Error = fmt.Sprintf("%s: %s%s", r.Outcome, causeLine(m.Cause), stateSuffix(m))
	default:
		e.complete(&Result{Outcome: OutcomeCrashed, Error: "crashed: its container broke the protocol"})
		return fmt.Errorf("outcome %q: %w", m.Outcome, wire.BadMessage)
	}
	e.complete(r)
	return nil
}

// abandon ends e without the driver, whose session is gone. What e used, only the driver knew, but for the time. One of which
// the driver was never told ends as cancelled, whatever the outcome of others.
func (e *Execution) abandon(outcome Outcome, cause string) {
	if !e.tried.Load() {
		e.end(&Result{
			Outcome: OutcomeCancelled,
			Error:   fmt.Sprintf("%s: %s; the execution had not begun", OutcomeCancelled, cause),
		})
		return
	}
	r := &Result{Outcome: outcome, Error: fmt.Sprintf("%s: %s", outcome, cause)}
	e.mu.Lock()
	if !e.began.IsZero() {
		r.ExecutionCount, r.Duration = e.count, time.Since(e.began)
		r.Usage.WallTime = r.Duration.Seconds()
	}
	e.mu.Unlock()
	e.end(r)
}

// end ends e with r, unless it has ended already.
func (e *Execution) end(r *Result) {
	e.mu.Lock()
	e.complete(r)
	e.mu.Unlock()
	e.ended()
}

// complete needs mu. It adds to r what e has gathered, and tells everybody. Only the first one counts.
func (e *Execution) complete(r *Result) {
	if e.result != nil {
		return
	}
	e.log.appendText(EventStdout, 0, e.stdout.finish)
	e.log.appendText(EventStderr, 0, e.stderr.finish)
	r.ExecutionID = e.log.execution
	r.SessionID = e.session.key.ID
	r.Stdout, r.Stderr = e.log.text(EventStdout), e.log.text(EventStderr)
	r.InvalidUTF8 = e.invalidUTF8()
	r.Truncated = e.leftOut(r.Truncated)
	r.Exception, r.Result, r.Displays, r.Locals = e.exception, e.value, e.displays, e.locals
	if e.setup && r.Outcome != OutcomeOK {
		r.StateKept = false // nobody is to build on half a set-up
		r.Error = "setup_code: " + r.Error
	}
	e.result = r
	if !e.seen {
		e.session.observer.ExecutionEnded(e.account(r))
	}
	e.leave()
	e.log.end(Event{Type: EventDone, Result: r})
	close(e.done)
}

// ended calls what OnEnd was given.
func (e *Execution) ended() {
	e.endMu.Lock()
	defer e.endMu.Unlock()
	e.told = true
	for _, f := range e.onEnd {
		f()
	}
	e.onEnd = nil
}

func (e *Execution) invalidUTF8() map[string]int64 {
	if e.stdout.invalid == 0 && e.stderr.invalid == 0 {
		return nil
	}
	counts := map[string]int64{}
	for t, n := range map[EventType]int64{EventStdout: e.stdout.invalid, EventStderr: e.stderr.invalid} {
		if n > 0 {
			counts[string(t)] = n
		}
	}
	return counts
}

// maxParts bounds the parts of an answer that a driver may name.
const maxParts = 9

// leftOut adds what the driver left out to what was left out here; nil for nothing.
func (e *Execution) leftOut(byDriver map[string]int64) map[string]int64 {
	for part, n := range byDriver {
		if n > 0 && len(e.truncated) < maxParts {
			e.leaveOut(part, n)
		}
	}
	return e.truncated
}

func (e *Execution) exceptionLine() string {
	switch x := e.exception; {
	case x == nil:
		return "error: the driver did not say which"
	case x.Message == "":
		return x.Type
	default:
		return x.Type + ": " + x.Message
	}
}

func causeLine(c *wire.Cause) string {
	if c == nil || c.Message == "" {
		return "the Python process ended, cause unknown"
	}
	return c.Message
}

// endSuffix says how an execution ended that did not heed its interrupt.
func endSuffix(m wire.DoneMessage) string {
	if m.Cause == nil {
		return stateSuffix(m)
	}
	return "; " + causeLine(m.Cause) + stateSuffix(m)
}

func stateSuffix(m wire.DoneMessage) string {
	if m.StateKept {
		return ""
	}
	return "; the session's variables are lost"
}
