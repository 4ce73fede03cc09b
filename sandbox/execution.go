package sandbox

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Execution is one run of code in a session, from the moment it was queued. It is safe for concurrent use.
type Execution struct {
	id      uuid.UUID
	session *Session
	created bool    // its request created the session
	setup   bool    // it runs the session's setup code
	seen    bool    // an earlier daemon saw its end
	req     Request // run's alone once queued
	timeout time.Duration
	caps    ExecutionConfig
	asks    bool   // input() may wait for Input
	tells   bool   // variables were asked for
	leave   func() // called with the result's coming

	repeatKey   string // of idempotency, "" for none
	repeatPrint []byte // of the request with that key

	log  eventLog
	turn chan struct{} // closed when it is first in the queue
	done chan struct{} // closed when result is set
	left chan struct{} // closed when it is left to another daemon

	window chan int64  // grants of WINDOW frames; holds the newest
	tried  atomic.Bool // EXECUTE was written, perhaps in vain; without it nothing was run
	again  atomic.Bool // EXECUTE was sent more than once
	seq    uint32      // of the last message; the reader's alone

	mu             sync.Mutex // guards what was gathered so far, up to the result
	stdout, stderr textDecoder
	received       [2]int64         // bytes of stdout and stderr
	display        int64            // bytes of displays and the result
	truncated      map[string]int64 // bytes that were left out here, not by the driver, by part; nil for none
	cuts           [2]bool          // of stdout and stderr
	count          int              // of this execution in its session, 0 for setup code
	queued         time.Time        // when it was accepted; immutable
	began          time.Time        // when it was sent
	displays       []Display
	value          *Display
	exception      *Exception
	locals         *Locals
	files          *FileChanges // nil for none that it told
	acked          bool         // the supervisor may forget it

	sent        bool        // guarded by the session's mu; EXECUTE has left
	delivered   bool        // guarded by the session's mu; so have its blobs
	interrupted bool        // guarded by the session's mu; asked for
	late        *time.Timer // guarded by the session's mu; ends the session when the driver does not answer

	endMu sync.Mutex
	onEnd []func() // guarded by endMu; called after done
	told  bool     // guarded by endMu; they were called

	result *Result // immutable once done is closed
}

func newExecution(s *Session, req Request, caps ExecutionConfig) *Execution {
	e := &Execution{
		id:      uuid.New(),
		session: s,
		req:     req,
		timeout: req.Timeout,
		asks:    req.Interactive,
		tells:   req.Locals != nil,
		leave:   req.admission.release,

		queued:    time.Now(),
		repeatKey: req.IdempotencyKey,
		caps:      req.caps(caps),
		turn:      make(chan struct{}),
		left:      make(chan struct{}),
		done:      make(chan struct{}),
		window:    make(chan int64, 1),
	}
	if e.timeout == 0 {
		e.timeout = s.options.Timeout
	}
	if e.timeout == 0 {
		e.timeout = caps.Timeout
	}
	if e.repeatKey != "" {
		print := req.fingerprint(s.key)
		e.repeatPrint = print[:]
	}
	e.log.execution = e.id.String()
	e.boundLog()
	return e
}

// boundLog lets the log hold what the caps allow.
func (e *Execution) boundLog() {
	e.log.maxEvents = int(e.caps.MaxEvents)
	e.log.maxBytes = e.caps.MaxEvents*entryOverhead + e.caps.MaxDisplay + e.caps.MaxLocals
	e.log.maxText = int(max(e.caps.MaxStdout, e.caps.MaxStderr)) + cutMark
}

// ID is the execution's UUID.
func (e *Execution) ID() string { return e.log.execution }

// Session is the session's id as its client knows it.
func (e *Execution) Session() string { return e.session.key.ID }

// IsSetup tells whether the execution is of its session's setup code.
func (e *Execution) IsSetup() bool { return e.setup }

// Created tells whether the execution's request created its session.
func (e *Execution) Created() bool { return e.created }

// Wait blocks until the execution has ended or ctx has; the execution goes on without its waiter. When the daemon leaves
// it to the next one the error has CodeClosed.
func (e *Execution) Wait(ctx context.Context) (*Result, error) {
	select {
	case <-e.done:
		return e.result, nil
	case <-e.left:
		return nil, Errorf(CodeClosed, "the daemon is restarting; the execution goes on, and can be asked for as /v1/executions/%s", e.ID())
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// begin notes that e is being sent.
func (e *Execution) begin(count int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count, e.began = count, time.Now()
	e.log.append(Event{Type: EventStarted, ExecutionCount: count})
}

// Result is how the execution ended, nil while it has not.
func (e *Execution) Result() *Result {
	select {
	case <-e.done:
		return e.result
	default:
		return nil
	}
}

// OnEnd calls f once the execution has ended, after those that it was given before; at once if it has. f must not block.
func (e *Execution) OnEnd(f func()) {
	e.endMu.Lock()
	defer e.endMu.Unlock()
	if e.told {
		f()
		return
	}
	e.onEnd = append(e.onEnd, f)
}

// Next returns events numbered above after, at least one, and whether they are the last. It waits for one until ctx ends,
// and then returns the cause. The log may have dropped the oldest; the Result has all there is.
func (e *Execution) Next(ctx context.Context, after uint64) (events []Event, ended bool, err error) {
	return e.log.Next(ctx, after)
}

// Events yields the events numbered above after, as they come, and ends after the last. When ctx ends first, it yields
// the cause.
func (e *Execution) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return follow(ctx, e, after)
}

// Feed is a log of events that can be followed: an Execution's, or a session's Background.
type Feed interface {
	Next(ctx context.Context, after uint64) (events []Event, ended bool, err error)
}

// follow yields what a feed says, until it ends or ctx does.
func follow(ctx context.Context, feed Feed, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			events, ended, err := feed.Next(ctx, after)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, ev := range events {
				if !yield(ev, nil) {
					return
				}
				after = ev.Seq
			}
			if ended {
				return
			}
		}
	}
}

// Delivered notes that a client has the result, which need not outlive this daemon any more.
func (e *Execution) Delivered() {
	if e.repeatKey == "" { // else its client may come again, and another daemon must know of it
		e.ack(true)
	}
}

// ackAtOnce is how many bytes a supervisor may keep for nothing.
const ackAtOnce = 256 << 10

// ack lets the supervisor forget e, once it has ended: now where that frees much and may be, else with the next message.
func (e *Execution) ack(now bool) {
	e.mu.Lock()
	over := e.result != nil && !e.acked
	e.acked = e.acked || over
	size := e.received[0] + e.received[1] + e.display
	e.mu.Unlock()
	if over {
		e.session.container.ack(e.id, now && size > ackAtOnce)
	}
}

// Interrupt asks the execution to end: a KeyboardInterrupt, then after the grace time a kill. It returns at once; one
// that has ended already is left alone.
func (e *Execution) Interrupt() error { return e.session.interrupt(e) }

// Input answers the program's input(); nil is the end of file.
func (e *Execution) Input(text *string) error {
	if text != nil && int64(len(*text)) > maxInput {
		return Errorf(CodeInvalid, "the input has %d bytes, at most %d are allowed", len(*text), maxInput)
	}
	return e.session.tell(e, wire.Input, wire.Marshal(wire.InputMessage{Text: text}))
}

// maxInput is the length of one answer to input(), in bytes.
const maxInput = 1 << 20

// message is the EXECUTE that starts e.
func (e *Execution) message() wire.ExecuteMessage {
	m := wire.ExecuteMessage{
		Code:       e.req.Code,
		Timeout:    e.timeout.Seconds(),
		Grace:      e.caps.Grace.Seconds(),
		MaxStdout:  e.caps.MaxStdout,
		MaxStderr:  e.caps.MaxStderr,
		MaxDisplay: e.caps.MaxDisplay,
		Input:      e.req.Interactive,
		Figures:    e.req.Figures,
		Meta:       e.meta(),
	}
	if e.setup {
		m.Name = "Setup"
	}
	if c := e.req.Context; c != nil {
		m.Context = &wire.Blob{Kind: wire.BlobText, Size: int64(len(c.Data))}
		if c.JSON {
			m.Context.Kind = wire.BlobJSON
		}
	}
	if e.req.Stdin != "" {
		m.Stdin = &wire.Blob{Size: int64(len(e.req.Stdin))}
	}
	if l := e.req.Locals; l != nil {
		m.Locals = &wire.LocalsRequest{Keys: l.Keys, MaxValue: e.caps.MaxLocalsValue, MaxTotal: e.caps.MaxLocals}
	}
	return m
}

// blobs are the bytes that message announced.
func (e *Execution) blobs() [][]byte {
	var b [][]byte
	if e.req.Context != nil {
		b = append(b, e.req.Context.Data)
	}
	if e.req.Stdin != "" {
		b = append(b, []byte(e.req.Stdin))
	}
	return b
}

// What the driver may say at most, in bytes of a payload. It keeps well below these.
const (
	maxException = 4 << 20
	maxPrompt    = 64 << 10
	localsSlack  = 1 << 20 // beyond the cap on values: names, and which are inexact
)

// handle takes one frame of e, but DONE, from the container. An error means that the container broke the protocol.
func (e *Execution) handle(f wire.Frame) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.result != nil { // it was given up in this moment
		return nil
	}
	e.log.at(f.Seq)
	switch f.Type {
	case wire.Stdout:
		return e.output(EventStdout, 0, &e.stdout, f.Payload, e.caps.MaxStdout)
	case wire.Stderr:
		return e.output(EventStderr, 1, &e.stderr, f.Payload, e.caps.MaxStderr)
	case wire.Cut:
		return e.cut(f)
	case wire.Display, wire.Result:
		return e.show(f)
	case wire.ErrorMessage:
		return e.raised(f)
	case wire.Locals:
		return e.variables(f)
	case wire.Files:
		return e.changed(f)
	case wire.InputRequest:
		return e.ask(f)
	case wire.WindowGrant:
		return e.grant(f)
	case wire.Reject:
		var m wire.RejectMessage
		if err := wire.Unmarshal(f.Payload, &m); err != nil {
			return err
		}
		if e.again.Load() && (m.Code == wire.RejectDuplicate || m.Code == wire.RejectBusy) { // the first one did arrive
			return nil
		}
		return fmt.Errorf("the driver refused the execution as %.20q: %.200s: %w", m.Code, m.Message, wire.BadMessage)
	}
	return nil
}

// leaveOut counts bytes of a part of the answer.
func (e *Execution) leaveOut(part string, n int64) {
	if e.truncated == nil {
		e.truncated = map[string]int64{}
	}
	e.truncated[part] += n
}

// What a worker says passes the driver unread. JSON that is broken, or of the wrong shape, is a lie about the worker
// itself: it costs that message, which counts as left out. Only a driver that was taken over breaks its bounds.

// raised takes an ERROR.
func (e *Execution) raised(f wire.Frame) error {
	var m wire.ExceptionMessage
	if e.exception != nil || len(f.Payload) > maxException {
		return fmt.Errorf("a second ERROR, or one of %d bytes: %w", len(f.Payload), wire.BadMessage)
	}
	err := wire.Unmarshal(f.Payload, &m)
	if m.Traceback == nil || m.Traceback.Kind() == 'n' {
		m.Traceback = jsontext.Value("[]")
	}
	if err != nil || !wire.IsStrings(m.Traceback) {
		e.leaveOut("exception", int64(len(f.Payload)))
		return nil
	}
	e.exception = &Exception{Type: m.Type, Message: m.Message, Traceback: m.Traceback}
	e.log.append(Event{Type: EventError, Exception: e.exception})
	return nil
}

// variables takes a LOCALS.
func (e *Execution) variables(f wire.Frame) error {
	var m wire.LocalsMessage
	if !e.tells || e.locals != nil || int64(len(f.Payload)) > e.caps.MaxLocals+localsSlack {
		return fmt.Errorf("LOCALS that were not asked for, again, or of %d bytes: %w", len(f.Payload), wire.BadMessage)
	}
	if err := wire.Unmarshal(f.Payload, &m); err != nil || !wire.IsObject(m.Values) || m.Inexact != nil && !wire.IsStrings(m.Inexact) {
		e.leaveOut("locals", int64(len(f.Payload)))
		return nil
	}
	e.locals = &Locals{Values: m.Values, Inexact: m.Inexact, Omitted: m.Omitted}
	return nil
}

// ask takes an INPUT_REQUEST.
func (e *Execution) ask(f wire.Frame) error {
	var m wire.InputRequestMessage
	if !e.asks || len(f.Payload) > maxPrompt {
		return fmt.Errorf("an INPUT_REQUEST that nobody can answer, or of %d bytes: %w", len(f.Payload), wire.BadMessage)
	}
	if wire.Unmarshal(f.Payload, &m) != nil {
		e.leaveOut("input_request", int64(len(f.Payload)))
		return nil
	}
	e.log.append(Event{Type: EventInputRequest, Prompt: &Prompt{Prompt: m.Prompt, Password: m.Password}})
	return nil
}

// grant takes a WINDOW. A newer one replaces one that nobody has taken.
func (e *Execution) grant(f wire.Frame) error {
	var m wire.WindowMessage
	if err := wire.Unmarshal(f.Payload, &m); err != nil {
		return err
	}
	select {
	case <-e.window:
	default:
	}
	e.window <- m.Consumed
	return nil
}

// output takes bytes of one stream. The driver keeps to the cap, so that a flood costs the container and nobody else;
// one that does not has been taken over.
func (e *Execution) output(t EventType, i int, d *textDecoder, b []byte, limit int64) error {
	if e.received[i] += int64(len(b)); e.received[i] > limit {
		return fmt.Errorf("%s of more than %d bytes: %w", t, limit, wire.BadMessage)
	}
	e.log.appendText(t, len(b), func(dst *strings.Builder) { d.append(dst, b) })
	return nil
}

// cutMark is more than the mark of what is left out takes, in bytes.
const cutMark = 64

// cut takes a CUT, which marks the place of bytes left out.
func (e *Execution) cut(f wire.Frame) error {
	var m wire.CutMessage
	if err := wire.Unmarshal(f.Payload, &m); err != nil {
		return err
	}
	i, t, d := 0, EventStdout, &e.stdout
	if m.Stream == string(EventStderr) {
		i, t, d = 1, EventStderr, &e.stderr
	}
	if e.cuts[i] || m.Bytes <= 0 {
		return fmt.Errorf("a second CUT of %s, or one of %d bytes: %w", t, m.Bytes, wire.BadMessage)
	}
	e.cuts[i] = true
	e.log.appendText(t, cutMark, func(dst *strings.Builder) {
		d.finish(dst)
		fmt.Fprintf(dst, "\n[... %d bytes left out ...]\n", m.Bytes)
	})
	return nil
}

// show takes a DISPLAY or RESULT.
func (e *Execution) show(f wire.Frame) error {
	if e.display += int64(len(f.Payload)); e.display > e.caps.MaxDisplay {
		return fmt.Errorf("displays of more than %d bytes: %w", e.caps.MaxDisplay, wire.BadMessage)
	}
	part := "display"
	if f.Type == wire.Result {
		if part = "result"; e.value != nil {
			return fmt.Errorf("a second RESULT: %w", wire.BadMessage)
		}
	}
	var m wire.DisplayMessage
	if f.Type == wire.Display && len(e.displays) == maxDisplays || wire.Unmarshal(f.Payload, &m) != nil ||
		!wire.IsObject(m.Data) || m.Metadata != nil && !wire.IsObject(m.Metadata) {
		e.leaveOut(part, int64(len(f.Payload)))
		return nil
	}
	d := Display{Data: m.Data, Metadata: m.Metadata}
	if f.Type == wire.Display {
		e.displays = append(e.displays, d)
		e.log.append(Event{Type: EventDisplay, Display: &d})
		return nil
	}
	e.value = &d
	e.log.append(Event{Type: EventResult, Display: &d})
	return nil
}

// maxDisplays is how many displays of one execution are kept: each takes far more than its bytes when it is small. Those
// after it are counted as left out.
const maxDisplays = 4096
