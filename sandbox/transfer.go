package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// transferPatience is how long a driver may say nothing of a transfer that waits for it.
const transferPatience = time.Minute

var (
	// errBroken is why a transfer ended when its connection did.
	errBroken = &Error{Code: CodeAborted, Message: "the connection to the session's container broke during the transfer", RetryAfter: time.Second}
	errSilent = &Error{Code: CodeEngine, Message: "the session's container did not answer in time"}
)

// transfers are those of one container, which all end with its connection.
type transfers struct {
	mu   sync.Mutex
	open map[uuid.UUID]*transfer // guarded by mu
}

// transfer is one operation on the files of a container. One goroutine uses it; the container's reader hears of it. What it
// holds is bounded by the window.
type transfer struct {
	id   uuid.UUID
	op   string
	c    *container
	ctx  context.Context
	wake chan struct{}     // holds one when something was heard
	fail func(error) error // says to the caller what ended it
	end  func(*transfer)   // called once, when it is closed

	sent   int64 // bytes; its goroutine's alone
	closed bool  // its goroutine's alone

	mu    sync.Mutex
	bytes ring                  // guarded by mu; heard, and not read yet
	heard int64                 // guarded by mu; bytes in all
	read  int64                 // guarded by mu; of them
	told  int64                 // guarded by mu; of those, as the driver knows
	taken int64                 // guarded by mu; of what was sent, as the driver says
	info  *wire.FileInfoMessage // guarded by mu
	done  *wire.FileDoneMessage // guarded by mu
	err   error                 // guarded by mu; why there will be no done
}

// begin sends what begins a transfer, which is to be closed.
func (c *container) begin(ctx context.Context, m wire.FileOpenMessage, fail func(error) error, end func(*transfer)) (*transfer, error) {
	t := &transfer{id: uuid.New(), op: m.Op, c: c, ctx: ctx, wake: make(chan struct{}, 1), fail: fail, end: end}
	c.files.mu.Lock()
	if c.files.open == nil {
		c.files.open = map[uuid.UUID]*transfer{}
	}
	c.files.open[t.id] = t
	c.files.mu.Unlock()
	err := c.connected(ctx)
	if err == nil {
		err = c.trySend(wire.FileOpen, t.id, wire.Marshal(m))
	}
	if err != nil {
		t.close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fail(errBroken)
	}
	return t, nil
}

// handle takes one frame. An error means that the container broke the protocol.
func (ts *transfers) handle(f wire.Frame) error {
	ts.mu.Lock()
	t := ts.open[f.Execution]
	ts.mu.Unlock()
	if t == nil { // nobody wants it any more
		return nil
	}
	return t.hear(f)
}

// lose ends all of them: their connection is gone.
func (ts *transfers) lose() {
	ts.mu.Lock()
	open := ts.open
	ts.open = nil
	ts.mu.Unlock()
	for _, t := range open {
		t.mu.Lock()
		if t.done == nil {
			t.err = errBroken
		}
		t.mu.Unlock()
		t.stir()
	}
}

// errGivenUp ends a transfer whose user gave it up.
var errGivenUp = errors.New("the transfer was given up")

// abort ends it for its own goroutine, from another one.
func (t *transfer) abort() {
	t.mu.Lock()
	if t.err == nil {
		t.err = errGivenUp
	}
	t.mu.Unlock()
	t.stir()
}

func (t *transfer) stir() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// hear takes one frame of the transfer.
func (t *transfer) hear(f wire.Frame) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done != nil {
		return fmt.Errorf("a frame of a transfer that has ended: %w", wire.BadMessage)
	}
	defer t.stir()
	switch f.Type {
	case wire.FileBytes:
		return t.hearBytes(f.Payload)
	case wire.FileGrant:
		var m wire.WindowMessage
		if err := wire.Unmarshal(f.Payload, &m); err != nil {
			return err
		}
		if m.Consumed < t.taken {
			return fmt.Errorf("a grant of %d after %d: %w", m.Consumed, t.taken, wire.BadMessage)
		}
		t.taken = m.Consumed
	case wire.FileInfo:
		var m wire.FileInfoMessage
		if err := wire.Unmarshal(f.Payload, &m); err != nil {
			return err
		}
		if t.op != wire.FileRead || t.info != nil || m.Start < 0 || m.Length < 0 || m.File.Size < m.Length || m.Start > m.File.Size-m.Length {
			return fmt.Errorf("a second FILE_INFO, one of %s, or an extent beyond the file: %w", t.op, wire.BadMessage)
		}
		t.info = &m
	case wire.FileDone:
		var m wire.FileDoneMessage
		if err := wire.Unmarshal(f.Payload, &m); err != nil {
			return err
		}
		if t.op == wire.FileRead && m.Error == nil && (t.info == nil || t.heard != t.info.Length) {
			return fmt.Errorf("the end of a file after %d bytes: %w", t.heard, wire.BadMessage)
		}
		t.done = &m
	}
	return nil
}

// hearBytes needs mu.
func (t *transfer) hearBytes(b []byte) error {
	t.heard += int64(len(b))
	switch {
	case t.heard > t.told+wire.FileWindow:
		return fmt.Errorf("%d bytes of a file beyond the window: %w", t.heard-t.told-wire.FileWindow, wire.BadMessage)
	case t.op == wire.FileRead && (t.info == nil || t.heard > t.info.Length), t.op != wire.FileRead && t.op != wire.FileList:
		return fmt.Errorf("bytes of a file that nobody asked for: %w", wire.BadMessage)
	}
	t.bytes.write(b)
	return nil
}

// wait waits until something is heard.
func (t *transfer) wait() error {
	timer := time.NewTimer(transferPatience)
	defer timer.Stop()
	select {
	case <-t.wake:
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	case <-timer.C:
		return errSilent
	}
}

// await waits until ready, which is called with mu held, or the transfer has ended. It returns how it ended, nil while it
// has not.
func (t *transfer) await(ready func() bool) (*wire.FileDoneMessage, error) {
	for {
		t.mu.Lock()
		ok, done, err := ready(), t.done, t.err
		t.mu.Unlock()
		if ok || done != nil {
			return done, nil
		}
		if err == nil {
			err = t.wait()
		}
		if err != nil {
			return nil, t.fail(err)
		}
	}
}

// finish waits for the end of the transfer, and returns what went wrong with it.
func (t *transfer) finish() (*wire.FileDoneMessage, error) {
	done, err := t.await(func() bool { return false })
	if err != nil {
		return nil, err
	}
	return done, t.failure(done)
}

// failure is what went wrong by the driver's word, nil for nothing.
func (t *transfer) failure(done *wire.FileDoneMessage) error {
	if done.Error == nil {
		return nil
	}
	return t.fail(fileError(done))
}

// Read reads what the driver sends. It returns io.EOF only at the end of a transfer that went well.
func (t *transfer) Read(p []byte) (int, error) {
	if t.closed {
		return 0, io.ErrClosedPipe
	}
	n, tell := 0, int64(-1)
	done, err := t.await(func() bool {
		n = t.bytes.read(p)
		if t.read += int64(n); t.done == nil && t.read-t.told >= wire.FileWindow/4 {
			t.told, tell = t.read, t.read
		}
		return n > 0 || len(p) == 0
	})
	if err != nil {
		return 0, err
	}
	if tell >= 0 && t.c.trySend(wire.FileTaken, t.id, wire.Marshal(wire.WindowMessage{Consumed: tell})) != nil {
		return n, t.fail(errBroken)
	}
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case done.Error != nil:
		return 0, t.failure(done)
	}
	return 0, io.EOF
}

// errEnded is returned by upload when the driver has ended the transfer before it was whole.
var errEnded = errors.New("the transfer has ended")

// upload sends all of r, and that it was all. A failure of r is returned as it is: what came before it is not the whole.
func (t *transfer) upload(r io.Reader) error {
	buf := make([]byte, wire.MaxPayload)
	for {
		n, err := fill(r, buf)
		if err != nil && err != io.EOF {
			return err
		}
		if n > 0 {
			if serr := t.push(buf[:n]); serr != nil {
				return serr
			}
		}
		if err == io.EOF {
			if t.c.trySend(wire.FileEnd, t.id, nil) != nil {
				return t.fail(errBroken)
			}
			return nil
		}
	}
}

// fill reads until p is full or r fails, and returns r's own error: io.ReadFull would make an end of one that is none.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// push sends bytes as soon as the window lets them through.
func (t *transfer) push(b []byte) error {
	done, err := t.await(func() bool { return t.sent-t.taken+int64(len(b)) <= wire.FileWindow })
	if err != nil {
		return err
	}
	if done != nil {
		return errEnded
	}
	t.mu.Lock()
	beyond := t.taken > t.sent
	t.mu.Unlock()
	if beyond {
		return t.fail(fmt.Errorf("a grant of more than was sent: %w", wire.BadMessage))
	}
	if t.c.trySend(wire.FileData, t.id, b) != nil {
		return t.fail(errBroken)
	}
	t.sent += int64(len(b))
	return nil
}

// close gives the transfer up. It may be called again.
func (t *transfer) close() {
	if t.closed {
		return
	}
	t.closed = true
	t.c.files.mu.Lock()
	delete(t.c.files.open, t.id)
	t.c.files.mu.Unlock()
	t.mu.Lock()
	ended := t.done != nil
	t.bytes = ring{}
	t.mu.Unlock()
	if !ended {
		_ = t.c.trySend(wire.FileCancel, t.id, nil)
	}
	t.end(t)
}

// moved are the bytes of a file that went into the session, and came out of it.
func (t *transfer) moved() (in, out int64) {
	if t.op == wire.FileRead {
		t.mu.Lock()
		defer t.mu.Unlock()
		out = t.read
	}
	return t.sent, out
}

// fileError is what the error of a FILE_DONE means.
func fileError(done *wire.FileDoneMessage) error {
	codes := map[string]Code{
		wire.FileInvalid:      CodeInvalid,
		wire.FileNotFound:     CodeNotFound,
		wire.FileConflict:     CodeConflict,
		wire.FileNoSpace:      CodeNoSpace,
		wire.FileTooLarge:     CodeTooLarge,
		wire.FilePrecondition: CodePrecondition,
		wire.FileOutOfRange:   CodeRange,
		wire.FileBusy:         CodeBusy,
		wire.FileAborted:      CodeAborted,
	}
	e := &Error{Code: codes[done.Error.Code], Message: fmt.Sprintf("%.300s", done.Error.Message)}
	if done.File != nil {
		info, err := newFileInfo("", *done.File)
		if err != nil {
			return err
		}
		e.File = &info
	}
	switch e.Code {
	case "":
		return &Error{Code: CodeEngine, Message: "the session's driver could not do it", Err: errors.New(e.Message)}
	case CodeBusy, CodeAborted:
		e.RetryAfter = time.Second
	}
	return e
}
