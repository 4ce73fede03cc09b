package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// backstop is how long after deadline and grace the driver may still answer. It promises one second.
const backstop = 2 * time.Second

// largeBlob is when a blob is worth giving its memory back at once, in bytes.
const largeBlob = 16 << 20

// maxFaults is how many FAULTs a driver may have to tell of: the daemon never sends what is one, so each is its word.
const maxFaults = 16

// Session is one container and the executions in it, which run one after the other.
type Session struct {
	key Key
	uid uuid.UUID // names the container in labels and logs
	log *slog.Logger

	started  chan struct{} // closed when the start has ended, well or not
	startErr error         // immutable once started is closed
	instance Instance      // nil when none was made; immutable once started is closed
	link     *link         // immutable once started is closed

	cancelStart context.CancelFunc
	setup       *Execution // of the setup code, when it failed; immutable once started is closed

	background backgroundLog
	faults     int // the reader's alone

	wg sync.WaitGroup // the reader, and what every execution has under way

	removing sync.Mutex // held while the container is being removed
	removed  bool       // guarded by removing

	mu          sync.Mutex
	queue       []*Execution // guarded by mu; the first one is running
	over        bool         // guarded by mu
	cause       string       // guarded by mu; why it is over
	lost        bool         // guarded by mu; over without anybody asking for it
	count       int          // guarded by mu; executions so far
	stateLostAt int          // guarded by mu; 0 when the variables are there

	onLost func(*Session) // called once, must not block
}

func newSession(key Key, log *slog.Logger, onLost func(*Session)) *Session {
	uid := uuid.New()
	return &Session{
		key:        key,
		uid:        uid,
		log:        log.With("session", uid.String()),
		started:    make(chan struct{}),
		onLost:     onLost,
		background: backgroundLog{log: eventLog{maxBytes: maxBackground}},
	}
}

// start brings up the container and begins to read from it. It returns when the driver is ready.
func (s *Session) start(ctx context.Context, rt Runtime, spec Spec) error {
	inst, err := rt.Start(ctx, spec)
	if err != nil {
		return err
	}
	s.instance = inst // also when it is of no use: somebody has to remove it
	l, ready, err := attach(ctx, inst, spec, false)
	if err != nil {
		return &Error{Code: CodeEngine, Message: "the session's driver did not come up", Err: err}
	}
	s.log.Debug("session started", "instance", inst.ID(), "python", ready.Python)
	s.link = l
	s.mu.Lock()
	s.count = ready.ExecutionCount
	s.mu.Unlock()
	s.wg.Go(s.read)
	return nil
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
	late := time.AfterFunc(e.timeout+e.caps.Grace+backstop, func() {
		defer s.wg.Done()
		s.lose("its driver did not answer in time", nil)
	})
	e.OnEnd(func() {
		if late.Stop() {
			s.wg.Done()
		}
	})
	err := s.link.send(wire.Execute, e.id, wire.Marshal(e.message()))
	if err == nil {
		err = s.sent(e)
	}
	if err == nil {
		err = s.sendBlobs(e)
	}
	if err != nil {
		s.lose("its container stopped reading", err)
	}
}

// begin marks e as running, unless it has ended already.
func (s *Session) begin(e *Execution) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	e.stateLostAt, s.stateLostAt = s.stateLostAt, 0
	count := 0
	if !e.setup {
		count = s.count + 1
	}
	e.begin(count)
	return true
}

// sent notes that the driver knows of e, and makes up for an interrupt that came before that.
func (s *Session) sent(e *Execution) error {
	s.mu.Lock()
	e.sent = true
	interrupted := e.interrupted
	s.mu.Unlock()
	if !interrupted {
		return nil
	}
	return s.sendInterrupt(e)
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
				}
				continue
			}
			n := min(int64(len(blob)), room, wire.MaxPayload)
			if err := s.link.send(wire.Data, e.id, blob[:n]); err != nil {
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
	return s.sendInterrupt(e)
}

func (s *Session) sendInterrupt(e *Execution) error {
	return s.tell(e, wire.Interrupt, wire.Marshal(wire.InterruptMessage{Reason: string(OutcomeInterrupted)}))
}

// tell sends a message about e, if it is running.
func (s *Session) tell(e *Execution, t wire.Type, payload []byte) error {
	s.mu.Lock()
	running := len(s.queue) > 0 && s.queue[0] == e && !s.over
	s.mu.Unlock()
	if !running {
		return nil
	}
	return s.link.send(t, e.id, payload)
}

// read takes all that the container says, until it ends or breaks the protocol. It never stops while the link is open:
// an engine whose attach stream is not drained cannot kill the container.
func (s *Session) read() {
	for {
		f, err := s.link.dec.NextMessage()
		if err == nil && f.Epoch == s.link.epoch {
			err = s.handle(f)
		}
		if err != nil {
			s.lose(s.explain(err), err)
			return
		}
	}
}

// handle takes one message. An error means that the container broke the protocol.
func (s *Session) handle(f wire.Frame) error {
	switch f.Type {
	case wire.State:
		s.mu.Lock()
		s.stateLostAt = s.count
		s.mu.Unlock()
		return nil
	case wire.Fault:
		if s.faults++; s.faults > maxFaults {
			return fmt.Errorf("more than %d FAULTs: %w", maxFaults, wire.BadMessage)
		}
		s.log.Warn("the driver skipped bytes", "message", fmt.Sprintf("%.200q", f.Payload))
		return nil
	case wire.BackgroundStdout, wire.BackgroundStderr:
		s.background.add(f)
		return nil
	case wire.Pong:
		return nil
	}
	if f.Type < wire.Ready {
		return fmt.Errorf("a frame of type %#x from the driver: %w", uint8(f.Type), wire.BadType)
	}
	s.mu.Lock()
	var e *Execution
	if len(s.queue) > 0 && s.queue[0].id == f.Execution {
		e = s.queue[0]
	}
	s.mu.Unlock()
	if e == nil { // the tail of one that was given up
		return nil
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
	s.queue = s.queue[1:]
	if len(s.queue) > 0 {
		close(s.queue[0].turn)
	}
	s.count = m.ExecutionCount
	if !m.StateKept {
		s.stateLostAt = max(s.count, 1)
	}
	lostAt := e.stateLostAt
	s.mu.Unlock()
	return e.finish(m, lostAt)
}

// explain says for people why the stream ended.
func (s *Session) explain(err error) string {
	if wire.IsBadFrame(err) {
		return "its container broke the protocol"
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection to its container failed"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	status, err := s.instance.Wait(ctx)
	if err != nil {
		return "its container ended, cause unknown"
	}
	if status.OOMKilled {
		return fmt.Sprintf("its container ended with status %d after processes were killed at the memory limit", status.Code)
	}
	return fmt.Sprintf("its container ended with status %d", status.Code)
}

// ping renews the container's lease. Its answer is only drained.
func (s *Session) ping() error {
	select {
	case <-s.started:
	default:
		return nil
	}
	if s.startErr != nil {
		return nil
	}
	return s.link.send(wire.Ping, uuid.Nil, nil)
}
