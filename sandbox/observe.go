package sandbox

import "time"

// Observer is told of what happens, for whoever counts it. Its methods are called where that is, some with locks held: they
// return at once, and do not call the Manager.
type Observer interface {
	// SessionStarted is called when a session has its container, or err. warm is one that was waiting in the pool; took is
	// from when the session was asked for.
	SessionStarted(warm bool, took time.Duration, err error)
	// SessionEnded is called once for a session that was there, started or not.
	SessionEnded(why EndReason)
	// ExecutionEnded is called once for an execution, before anybody who waits for it hears of its end: by the daemon that
	// saw it end, or, where it ended while there was none, by the next one, if the one before left it running.
	ExecutionEnded(a Account)
	// FilesMoved is called when a transfer of a file has ended, well or not: so many bytes went into the session, or came out.
	FilesMoved(in, out int64)
}

// EndReason is why a session has ended.
type EndReason string

const (
	EndReset    EndReason = "reset"    // it was asked for
	EndExpired  EndReason = "expired"  // its time was over
	EndLost     EndReason = "lost"     // nobody asked for it
	EndSetup    EndReason = "setup"    // its setup code failed
	EndShutdown EndReason = "shutdown" // the daemon ended all of them
)

// EndReasons are all there are.
var EndReasons = []EndReason{EndReset, EndExpired, EndLost, EndSetup, EndShutdown}

// Account is how an execution went.
type Account struct {
	Outcome   Outcome
	StateKept bool
	Queued    time.Duration // until it was sent to its session
	Ran       time.Duration // that its code ran; 0 where nothing was run

	Stdout, Stderr, Display int64 // bytes that came; Display is the result's too
}

// Observe makes o hear of all that happens from now on. It must be called before Restore, and before anything is executed.
func (m *Manager) Observe(o Observer) { m.observer = o }

// unobserved is the Observer of a Manager that has none.
type unobserved struct{}

func (unobserved) SessionStarted(bool, time.Duration, error) {}
func (unobserved) SessionEnded(EndReason)                    {}
func (unobserved) ExecutionEnded(Account)                    {}
func (unobserved) FilesMoved(in, out int64)                  {}

// account needs mu. It is that of e, which ends with r.
func (e *Execution) account(r *Result) Account {
	a := Account{
		Outcome:   r.Outcome,
		StateKept: r.StateKept,
		Ran:       r.Duration,
		Stdout:    e.received[0],
		Stderr:    e.received[1],
		Display:   e.display,
	}
	if sent := e.began; !sent.IsZero() && sent.After(e.queued) { // one of an earlier daemon's was sent before it was queued here
		a.Queued = sent.Sub(e.queued)
	}
	return a
}

// Times says when the execution was accepted, and when it was sent to its session; zero while it was not.
func (e *Execution) Times() (queued, began time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queued, e.began
}

// Container names the container of the execution's session, as the log does.
func (e *Execution) Container() string { return e.session.container.name }
