package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// maxFaults is how many FAULTs a driver may have to tell of: the daemon never sends what is one, so each is its word.
const maxFaults = 16

// container is a started container, the link to its supervisor, and the reader of that link. It is warm, and nobody's,
// until a session claims it; then it is that session's for the rest of its life, and its end is the session's.
type container struct {
	name     string // in labels and logs: a UUID
	log      *slog.Logger
	instance Instance
	patience func() time.Duration // how long it is tried to be reached whose connection broke
	onLost   func(*container)     // told once, and must not block, when it ends by itself while it is warm

	ctx    context.Context // of what makes the connection anew; ends when the container is over
	cancel context.CancelFunc

	wg      sync.WaitGroup // the reader
	faults  int            // the reader's alone
	pinging atomic.Bool    // one PING is on its way out
	files   transfers

	removing sync.Mutex // held while it is being removed
	removed  bool       // guarded by removing

	mu      sync.Mutex
	spec    Spec          // guarded by mu; its limits follow update
	link    *link         // guarded by mu; nil while the connection is made anew, and when over
	linked  chan struct{} // guarded by mu; closed when link is there again, or over is set
	over    bool          // guarded by mu; it has ended, or is to
	session *Session      // guarded by mu; nil while warm
	acks    []uuid.UUID   // guarded by mu; of executions that the supervisor may forget
}

// launch starts a container and waits until its driver is ready. When only that fails it returns the container with the
// error: somebody has to remove it.
func (m *Manager) launch(ctx context.Context, spec Spec) (*container, error) {
	spec.Session = uuid.NewString()
	m.locked(func() { m.known[spec.Session] = struct{}{} }) // before anybody can find it
	inst, err := m.rt.Start(ctx, spec)
	if err != nil {
		m.locked(func() { delete(m.known, spec.Session) })
		m.clearSoon() // the engine may yet make what it was asked for
		return nil, err
	}
	c := m.newContainer(spec.Session, inst, spec)
	ready, err := c.connect(ctx)
	if err != nil {
		return c, &Error{Code: CodeEngine, Message: "the session's driver did not come up", Err: err}
	}
	c.log.Debug("container started", "instance", inst.ID(), "python", ready.Python)
	return c, nil
}

func (m *Manager) newContainer(name string, inst Instance, spec Spec) *container {
	c := &container{
		name:     name,
		log:      m.log.With("session", name),
		instance: inst,
		patience: m.reconnectTimeout,
		onLost:   m.warmLost,
		spec:     spec,
		linked:   make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// connect attaches to a container that has just been started, and begins to read.
func (c *container) connect(ctx context.Context) (wire.ReadyMessage, error) {
	l, ready, err := attach(ctx, c.instance, c.currentSpec(), false)
	if err != nil {
		return ready, err
	}
	if !c.setLink(l) {
		return ready, net.ErrClosed
	}
	c.wg.Go(func() { c.read(l) })
	return ready, nil
}

// setLink makes l what is sent over, unless the container is over: then it closes l and returns false.
func (c *container) setLink(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		l.close()
		return false
	}
	c.link = l
	close(c.linked)
	return true
}

// currentSpec is what the container is made from, with its limits as they are now.
func (c *container) currentSpec() Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spec
}

// claim makes the container s's. It returns false when it has ended meanwhile.
func (c *container) claim(s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.session = s
	return true
}

// update changes the limits of a container that nothing runs in yet, where they differ.
func (c *container) update(ctx context.Context, l Limits) error {
	if c.currentSpec().Limits == l {
		return nil
	}
	if err := c.instance.Update(ctx, l); err != nil {
		return err
	}
	c.mu.Lock()
	c.spec.Limits = l
	c.mu.Unlock()
	return c.send(wire.SetLimits, uuid.Nil, wire.Marshal(wire.LimitsMessage{Memory: l.Memory, CPUs: l.CPUs}))
}

// user is the session that the container is claimed by, nil while it is warm.
func (c *container) user() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// send writes one message, and behind it what is to be acknowledged. It waits while the connection is made anew. After an
// error the message may or may not have arrived; the reader has the connection made anew, or finds the container's end.
func (c *container) send(t wire.Type, execution uuid.UUID, payload []byte) error {
	for {
		if l, acks := c.take(); l != nil {
			return c.sendOver(l, acks, t, execution, payload)
		}
		if err := c.connected(context.Background()); err != nil {
			return err
		}
	}
}

// trySend is send, but returns an error while the connection is made anew.
func (c *container) trySend(t wire.Type, execution uuid.UUID, payload []byte) error {
	l, acks := c.take()
	if l == nil {
		return net.ErrClosed
	}
	return c.sendOver(l, acks, t, execution, payload)
}

func (c *container) sendOver(l *link, acks []uuid.UUID, t wire.Type, execution uuid.UUID, payload []byte) error {
	err := l.send(acks, t, execution, payload)
	if err != nil {
		c.unlink(l)
	}
	return err
}

// take returns the link, nil while there is none, and what is to be acknowledged over it.
func (c *container) take() (l *link, acks []uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.link == nil {
		return nil, nil
	}
	acks, c.acks = c.acks, nil
	return c.link, acks
}

// connected waits until there is a connection, or none will be made any more.
func (c *container) connected(ctx context.Context) error {
	for {
		c.mu.Lock()
		is, linked, over := c.link != nil, c.linked, c.over
		c.mu.Unlock()
		switch {
		case over:
			return net.ErrClosed
		case is:
			return nil
		}
		select {
		case <-linked:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ack lets the supervisor forget an execution: at once where that frees much, else with the next message.
func (c *container) ack(execution uuid.UUID, atOnce bool) {
	c.mu.Lock()
	if !c.over {
		c.acks = append(c.acks, execution)
	}
	c.mu.Unlock()
	if atOnce {
		c.ping()
	}
}

// ping renews the container's lease. Its answer is only drained.
func (c *container) ping() {
	if c.pinging.CompareAndSwap(false, true) { // one that is stuck is enough
		defer c.pinging.Store(false)
		_ = c.trySend(wire.Ping, uuid.Nil, nil)
	}
}

// close gives the connection up, for good. With last it tells the supervisor to end everything, which is quicker than the
// removal of the container. It may be called again.
func (c *container) close(last bool) {
	c.mu.Lock()
	l := c.shut()
	c.mu.Unlock()
	if l == nil {
		return
	}
	if last {
		l.sendLast(wire.Shutdown)
	}
	// Closed before the container is removed: an engine with a full stream hangs on the removal.
	l.close()
}

// shut needs mu. It makes the container over, and returns the link that is to be closed, if there is one.
func (c *container) shut() *link {
	l := c.link
	if !c.over && l == nil {
		close(c.linked)
	}
	c.over, c.link = true, nil
	c.cancel()
	c.files.lose()
	return l
}

// fail notes that the container ended by itself, and tells whoever has it.
func (c *container) fail(cause string, err error) {
	if !c.spend(cause, err) {
		c.user().lose(cause, err)
	}
}

// spend ends the container if it is warm, and tells its owner. It returns false when it is a session's, which is left alone.
func (c *container) spend(cause string, err error) bool {
	c.mu.Lock()
	if c.over || c.session != nil {
		defer c.mu.Unlock()
		return c.over
	}
	l := c.shut()
	c.mu.Unlock()
	if l != nil {
		l.close()
	}
	c.log.Warn("warm container ended", "cause", cause, "err", err)
	c.onLost(c)
	return true
}

// read takes all that the container says, until it ends or breaks the protocol. It never stops while the link is open:
// an engine whose attach stream is not drained cannot kill the container.
func (c *container) read(l *link) {
	for l != nil {
		f, err := l.dec.NextMessage()
		if err == nil && f.Epoch == l.epoch {
			err = c.handle(f)
		}
		if err == nil {
			continue
		}
		if wire.IsBadFrame(err) {
			c.fail("its container broke the protocol", err)
			return
		}
		l = c.reconnect(l, err)
	}
}

// handle takes one message. An error means that the container broke the protocol, or that its stream has to be made anew.
func (c *container) handle(f wire.Frame) error {
	switch f.Type {
	case wire.Fault:
		if c.faults++; c.faults > maxFaults {
			return fmt.Errorf("more than %d FAULTs: %w", maxFaults, wire.BadMessage)
		}
		c.log.Warn("the driver skipped bytes", "message", fmt.Sprintf("%.200q", f.Payload))
		return errFault
	case wire.Pong:
		return nil
	}
	if f.Type < wire.Ready {
		return fmt.Errorf("a frame of type %#x from the driver: %w", uint8(f.Type), wire.BadType)
	}
	if f.Type.OfFiles() {
		return c.files.handle(f)
	}
	if s := c.user(); s != nil {
		return s.handle(f)
	}
	if f.Type == wire.State {
		return fmt.Errorf("the worker of a warm container died: %w", wire.BadMessage) // it was made anew, but why did it?
	}
	return fmt.Errorf("a frame of type %#x from a warm container: %w", uint8(f.Type), wire.BadMessage)
}

// errFault is a driver that lost the framing: it waits for the HELLO of another attachment.
var errFault = errors.New("the driver skipped bytes")

// remove destroys the container, if one was made, and waits for its reader. It may be called again, as after an error,
// and by several at once.
func (c *container) remove(ctx context.Context) error {
	c.close(false)
	c.removing.Lock()
	defer c.removing.Unlock()
	if c.removed {
		return nil
	}
	if err := c.instance.Destroy(ctx); err != nil {
		c.log.Error("container not removed", "instance", c.instance.ID(), "err", err)
		return err
	}
	c.wg.Wait()
	c.removed = true
	return nil
}
