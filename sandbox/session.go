package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// largeBlob is when a blob is worth giving its memory back at once, in bytes.
const largeBlob = 16 << 20

// Session is the executions of one container, which run one after the other.
type Session struct {
	key      Key
	options  SessionOptions // as it was asked for
	created  time.Time
	log      *slog.Logger
	onLost   func(*Session) // called once, must not block
	observer Observer

	started     chan struct{} // closed when the start has ended, well or not
	startErr    error         // immutable once started is closed
	container   *container    // nil when none was made; immutable once started is closed
	setup       *Execution    // of the setup code, when it failed; immutable once started is closed
	cancelStart context.CancelFunc

	background backgroundLog
	gate       gate // of transfers of files

	wg sync.WaitGroup // what every execution has under way

	mu          sync.Mutex
	queue       []*Execution // guarded by mu; the first one is running
	over        bool         // guarded by mu
	cause       string       // guarded by mu; why it is over
	lost        bool         // guarded by mu; over without anybody asking for it
	count       int          // guarded by mu; executions so far
	stateLostAt int          // guarded by mu; 0 when the variables are there
	// kept are executions that ended before this daemon knew of them, and whose messages are to come. Guarded by mu.
	kept map[uuid.UUID]*Execution
	// readopt takes what the supervisor kept of an earlier daemon's executions, once; the reader's alone.
	readopt func([]wire.KeptExecution)
	awaited bool // guarded by mu; readopt is to come
	life    life // guarded by mu
	uses    int  // guarded by mu; transfers of files under way

	asking   chan struct{} // holds the one question that may be asked
	question *question     // guarded by mu; whose reply is waited for, nil for none
}

func (m *Manager) newSession(key Key, options SessionOptions) *Session {
	return &Session{
		key:        key,
		options:    options,
		created:    time.Now(),
		log:        m.log,
		started:    make(chan struct{}),
		onLost:     m.bury,
		observer:   m.observer,
		asking:     make(chan struct{}, 1),
		background: backgroundLog{log: eventLog{maxBytes: maxBackground, maxEvents: maxBackground / entryOverhead}},
	}
}

// submit queues e. Executions of a session run in the order of submit. One that can run at once is sent before submit
// returns: on the warm path every goroutine less is a good part of the daemon's time.
func (s *Session) submit(e *Execution, maxQueue int) error {
	atOnce, err := s.enqueue(e, maxQueue)
	if err != nil {
		return err
	}
	if atOnce {
		s.launch(e)
	}
	return nil
}

// enqueue tells whether e is to be launched by the caller; else a goroutine of the session's does it.
func (s *Session) enqueue(e *Execution, maxQueue int) (atOnce bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false, s.overError()
	}
	if len(s.queue) > maxQueue {
		return false, &Error{
			Code:       CodeBusy,
			Message:    fmt.Sprintf("the session has %d executions waiting, which is the most that may", maxQueue),
			RetryAfter: time.Second,
		}
	}
	if e.req.Began != nil {
		e.req.Began(e)
	}
	s.queue = append(s.queue, e)
	s.wg.Add(1) // launch's, or its timer's
	if len(s.queue) == 1 {
		close(e.turn)
		if len(e.blobs()) == 0 {
			return true, nil
		}
	}
	s.wg.Go(func() { s.run(e) })
	return false, nil
}

// overError needs mu.
func (s *Session) overError() error {
	if s.lost {
		return Errorf(CodeLost, "session %s is lost: %s", s.key.ID, s.cause)
	}
	return Errorf(CodeConflict, "session %s was ended: %s", s.key.ID, s.cause)
}

// run launches e when its turn has come.
func (s *Session) run(e *Execution) {
	select {
	case <-e.turn:
		large := e.req.Context != nil && len(e.req.Context.Data) > largeBlob
		s.launch(e)
		if large { // and gone now: it would weigh on the daemon until the next collections
			debug.FreeOSMemory()
		}
	case <-e.done:
		e.req = Request{} // it may hold a book
		s.wg.Done()
	}
}

// launch sends e, and holds the driver to its promise to answer.
func (s *Session) launch(e *Execution) {
	defer func() { e.req = Request{} }() // it may hold a book
	if !s.begin(e) {
		s.wg.Done()
		return
	}
	arrived, err := s.deliver(e)
	if !arrived { // it has ended, or never will otherwise
		defer s.wg.Done()
	}
	switch {
	case err == nil:
	case wire.IsBadFrame(err):
		s.lose("its container broke the protocol", err)
	case !arrived:
		s.lose(unreachable(err), err)
	default:
		s.log.Warn("execution not delivered", "execution", e.ID(), "err", err)
		// Of its blobs the driver may have a part; the next execution must not wait for the deadline of this one.
		_ = s.sendInterrupt(e, string(OutcomeCancelled))
	}
}

// maxDeliveries is how often EXECUTE is sent, each time over another connection.
const maxDeliveries = 3

// deliver sends e to the driver. When the connection breaks meanwhile it sends EXECUTE again over the next one: the
// supervisor runs an id once. arrived tells that the driver has it, as far as is known, and is held to its promise.
func (s *Session) deliver(e *Execution) (arrived bool, err error) {
	message := wire.MarshalExecute(e.message())
	for n := range maxDeliveries {
		if s.container.connected(context.Background()) == nil {
			e.tried.Store(true)
		}
		e.again.Store(n > 0)
		if err = s.container.send(wire.Execute, e.id, message); err == nil {
			break
		}
		if s.isOver() || e.Result() != nil {
			return false, nil
		}
	}
	if err != nil {
		return false, err
	}
	s.backstop(e, e.timeout)
	s.sent(e)
	if err := s.sendBlobs(e); err != nil {
		return true, err
	}
	s.mu.Lock()
	e.delivered = true
	s.mu.Unlock()
	return true, nil
}

// begin marks e as running, unless it has ended already.
func (s *Session) begin(e *Execution) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.stateLostAt = 0 // e says so
	count := 0
	if !e.setup {
		count = s.count + 1
	}
	e.begin(count)
	return true
}

// sent notes that the driver knows of e, and makes up for an interrupt that came before that.
func (s *Session) sent(e *Execution) {
	s.mu.Lock()
	e.sent = true
	interrupted := e.interrupted
	s.mu.Unlock()
	if interrupted {
		_ = s.sendInterrupt(e, string(OutcomeInterrupted)) // if the connection breaks, resync does
	}
}

// sendBlobs sends what EXECUTE announced, never more than the window ahead of what the driver has taken.
func (s *Session) sendBlobs(e *Execution) error {
	var sent, granted int64
	for _, blob := range e.blobs() {
		for len(blob) > 0 {
			room := granted + wire.Window - sent
			if room == 0 {
				select {
				case grant := <-e.window:
					if grant < granted || grant > sent {
						return fmt.Errorf("a window of %d after %d for %d bytes: %w", grant, granted, sent, wire.BadMessage)
					}
					granted = grant
				case <-e.done:
					return nil
				case <-e.left:
					return nil
				}
				continue
			}
			n := min(int64(len(blob)), room, wire.MaxPayload)
			if err := s.container.send(wire.Data, e.id, blob[:n]); err != nil {
				return err
			}
			blob, sent = blob[n:], sent+n
		}
	}
	return nil
}

// interrupt ends e if it is running, and takes it from the queue if it is not.
func (s *Session) interrupt(e *Execution) error {
	s.mu.Lock()
	i := slices.Index(s.queue, e)
	if i > 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	e.interrupted = e.interrupted || i == 0
	sent := e.sent
	s.mu.Unlock()
	switch {
	case i > 0:
		e.end(&Result{Outcome: OutcomeInterrupted, StateKept: true, Error: "interrupted: the execution had not begun"})
		return nil
	case i < 0 || !sent: // over already, or run will see to it
		return nil
	}
	return s.sendInterrupt(e, string(OutcomeInterrupted))
}

func (s *Session) sendInterrupt(e *Execution, reason string) error {
	return s.tell(e, wire.Interrupt, wire.Marshal(wire.InterruptMessage{Reason: reason}))
}

// tell sends a message about e, if it is running.
func (s *Session) tell(e *Execution, t wire.Type, payload []byte) error {
	s.mu.Lock()
	running := len(s.queue) > 0 && s.queue[0] == e && !s.over
	s.mu.Unlock()
	if !running {
		return nil
	}
	if err := s.container.send(t, e.id, payload); err != nil && !s.isOver() {
		return &Error{Code: CodeEngine, Message: "the connection to the session's container broke", Err: err}
	}
	return nil
}

// handle takes one message. An error means that the container broke the protocol.
func (s *Session) handle(f wire.Frame) error {
	switch f.Type {
	case wire.State:
		s.mu.Lock()
		s.loseState()
		s.mu.Unlock()
		return nil
	case wire.BackgroundStdout, wire.BackgroundStderr:
		s.background.add(f)
		return nil
	}
	s.mu.Lock()
	e := s.kept[f.Execution]
	if len(s.queue) > 0 && s.queue[0].id == f.Execution {
		e = s.queue[0]
	}
	s.mu.Unlock()
	if e == nil { // the reply to a question, or the tail of an execution that was given up
		return s.answered(f)
	}
	if f.Seq != 0 {
		if f.Seq <= e.seq { // sent again after the connection broke
			return nil
		}
		e.seq = f.Seq
	}
	if f.Type == wire.Done {
		return s.done(e, f)
	}
	return e.handle(f)
}

// done ends e and lets the next one have its turn.
func (s *Session) done(e *Execution, f wire.Frame) error {
	var m wire.DoneMessage
	if err := wire.Unmarshal(f.Payload, &m); err != nil {
		return err
	}
	s.mu.Lock()
	if s.over { // it was abandoned a moment ago
		s.mu.Unlock()
		return nil
	}
	if len(s.queue) > 0 && s.queue[0] == e {
		s.next()
		s.count, s.stateLostAt = m.ExecutionCount, 0
		if !m.StateKept {
			s.loseState()
		}
	}
	delete(s.kept, e.id)
	s.mu.Unlock()
	return e.finish(m)
}

// loseState needs mu. It notes that the variables are gone; those that setup code alone had made, too: 0 says that they are
// there.
func (s *Session) loseState() { s.stateLostAt = max(s.count, 1) }

// next needs mu. It takes the first execution out of the queue and gives the one behind it its turn.
func (s *Session) next() {
	s.queue = s.queue[1:]
	if len(s.queue) > 0 {
		close(s.queue[0].turn)
		return
	}
	s.life.active = time.Now()
}
