package sandbox

import (
	"slices"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// executionMeta is what a daemon that starts while an execution runs has to know of it. It travels with EXECUTE, and comes
// back from the supervisor: hostile, like all that does.
type executionMeta struct {
	Created   bool    `json:"created,omitzero"`
	Setup     bool    `json:"setup,omitzero"`
	Locals    bool    `json:"locals,omitzero"`
	Asks      bool    `json:"asks,omitzero"`
	Timeout   float64 `json:"timeout"` // seconds
	Stdout    int64   `json:"stdout"`  // bytes, as the caps of its request were
	Stderr    int64   `json:"stderr"`
	Display   int64   `json:"display"`
	MaxLocals int64   `json:"max_locals"`
	Key       string  `json:"key,omitempty"`   // of idempotency
	Print     []byte  `json:"print,omitempty"` // of the request with that key
}

// meta is the executionMeta of e.
func (e *Execution) meta() string {
	return string(wire.Marshal(executionMeta{
		Created: e.created, Setup: e.setup, Locals: e.tells, Asks: e.asks, Timeout: e.timeout.Seconds(),
		Stdout: e.caps.MaxStdout, Stderr: e.caps.MaxStderr, Display: e.caps.MaxDisplay, MaxLocals: e.caps.MaxLocals,
		Key: e.repeatKey, Print: e.repeatPrint,
	}))
}

// resync takes what the supervisor says over a new connection. An execution that it does not know of never arrived: it ends
// here. What it does know of, it tells again from the start.
func (s *Session) resync(ready wire.ReadyMessage) {
	known := map[uuid.UUID]bool{}
	for _, k := range ready.Executions {
		if id, err := uuid.Parse(k.ID); err == nil {
			known[id] = true
		}
	}
	s.mu.Lock()
	s.unanswered()
	var missed, interrupted *Execution
	reason := OutcomeInterrupted
	if len(s.queue) > 0 && s.queue[0].sent {
		switch e := s.queue[0]; {
		case !known[e.id]:
			missed = e
			s.next()
		case e.interrupted:
			interrupted = e
		case !e.delivered: // what has arrived of its blobs, nobody knows
			interrupted, reason = e, OutcomeCancelled
		}
	}
	s.count = max(s.count, ready.ExecutionCount)
	if ready.StateLostAt > 0 {
		s.stateLostAt = ready.StateLostAt
	}
	if interrupted != nil {
		s.wg.Go(func() { _ = s.sendInterrupt(interrupted, string(reason)) })
	}
	s.mu.Unlock()
	if missed != nil {
		missed.end(&Result{
			Outcome: OutcomeCancelled, StateKept: true,
			Error: "cancelled: the connection to the session's container broke before the code had arrived; nothing was run",
		})
	}
	if s.readopt != nil {
		s.readopt(ready.Executions)
		s.readopt = nil
		s.mu.Lock()
		s.awaited = false
		s.mu.Unlock()
	}
}

// Resumed is an execution of an earlier daemon's.
type Resumed struct {
	Owner     string // of its session
	Execution *Execution
	Runs      bool // else it has ended, and its result is yet to be heard again
}

// OnResume has f hear of each execution of an earlier daemon's that this one takes over, before anything is heard of the
// execution itself. What it returns is called as what Request.Admit returns is. It must be called before Restore; f is
// called with locks held: it returns at once, and does not call the Manager.
func (m *Manager) OnResume(f func(Resumed) (leave func())) { m.resumed = f }

// readopt makes executions of an earlier daemon this one's: one that runs is the first in the queue, those that ended have
// their messages still to come.
//
// unseen are those that ended, if they did, while no daemon was there. Of others that have ended a daemon saw that, as far as
// is known: one that was killed could not say which it left.
func (m *Manager) readopt(s *Session, kept []wire.KeptExecution, unseen []string, cfg Config) {
	for _, k := range kept[:min(len(kept), maxKept)] {
		var meta executionMeta
		id, err := uuid.Parse(k.ID)
		if err != nil || json.Unmarshal([]byte(k.Meta), &meta) != nil {
			continue
		}
		e := newExecution(s, Request{}, cfg.Execution)
		e.resume(id, k, meta)
		e.seen = !k.Running && !slices.Contains(unseen, e.ID())
		forget := m.repeats.restore(s.key, meta, e)
		if !m.register(e, forget) { // another session's, by what that says
			if forget != nil {
				forget()
			}
			continue
		}
		s.keep(e, k, m.resumed)
	}
}

// maxKept is how many executions a supervisor may have kept.
const maxKept = 1024

// resume makes e the execution that the supervisor tells of.
func (e *Execution) resume(id uuid.UUID, k wire.KeptExecution, meta executionMeta) {
	most := func(cap *int64, was int64) { *cap = min(max(*cap, was), max(*cap, maxResumedCap)) }
	e.id = id
	e.log.execution, e.log.exact = id.String(), true
	e.created, e.setup, e.tells, e.asks = meta.Created, meta.Setup, meta.Locals, meta.Asks
	most(&e.caps.MaxStdout, meta.Stdout)
	most(&e.caps.MaxStderr, meta.Stderr)
	most(&e.caps.MaxDisplay, meta.Display)
	most(&e.caps.MaxLocals, meta.MaxLocals)
	e.boundLog()
	if meta.Timeout > 0 {
		e.timeout = duration(meta.Timeout)
	}
	if k.Missing > 0 {
		e.leaveOut("replay", k.Missing)
	}
	e.sent, e.delivered = true, true
	e.tried.Store(true)
	close(e.turn)
	e.begin(k.Count)
	e.began = e.began.Add(-duration(k.Age))
}

// duration converts seconds, of which more than a day is none.
func duration(seconds float64) time.Duration {
	return time.Duration(max(0, min(seconds, (24*time.Hour).Seconds())) * float64(time.Second))
}

// maxResumedCap bounds what a supervisor may say the caps of an execution were, in bytes, where the configuration does not
// allow more.
const maxResumedCap = 64 << 20

// keep has s wait for what the supervisor says of e, unless s has ended meanwhile, and tells resumed of it before.
func (s *Session) keep(e *Execution, k wire.KeptExecution, resumed func(Resumed) (leave func())) {
	s.mu.Lock()
	runs := k.Running && len(s.queue) == 0 && !s.over
	e.leave = resumed(Resumed{Owner: s.key.Owner, Execution: e, Runs: runs})
	if s.over {
		s.mu.Unlock()
		e.abandon(OutcomeCancelled, s.cause)
		return
	}
	switch {
	case runs:
		s.queue = append(s.queue, e)
		s.wg.Add(1)
	case s.kept == nil:
		s.kept = map[uuid.UUID]*Execution{e.id: e}
	default:
		s.kept[e.id] = e
	}
	s.mu.Unlock()
	if runs {
		s.backstop(e, max(0, e.timeout-time.Since(e.began)))
	}
}
