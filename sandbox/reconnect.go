package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// reconnectRest is how long a container's end is waited for before it is tried again.
	reconnectRest = 500 * time.Millisecond
	// handshakeTime is how long a supervisor that is there may take to answer.
	handshakeTime = 10 * time.Second
	// endTime is how long the engine may take to say how a container ended that it says has.
	endTime = 5 * time.Second
)

// reconnect makes the connection anew after old broke with err; nil is the first one of a daemon that has just started. It
// returns nil when the container is over, and whoever has it was told.
func (c *container) reconnect(old *link, err error) *link {
	if old != nil {
		c.unlink(old)
	}
	if c.spend("its connection broke", err) { // nothing in a warm one is worth the wait
		return nil
	}
	c.files.lose()
	c.log.Debug("stream broke", "err", err)
	ctx, cancel := context.WithTimeout(c.ctx, c.patience())
	defer cancel()
	rest := reconnectRest
	if old == nil || errors.Is(err, errFault) { // it is there, as far as is known
		rest = 0
	}
	var why error // it could not be reached
	for ; ; rest = reconnectRest {
		if status, ok := c.awaitEnd(ctx, rest); ok {
			c.fail(explain(status), err)
			return nil
		}
		l, again, failed := c.reach(ctx)
		if l != nil {
			c.log.Info("connected anew", "cause", err)
			return l
		}
		if why == nil || ctx.Err() == nil { // that the time is up says nothing
			why = failed
		}
		if again && ctx.Err() == nil {
			continue
		}
		if !again { // the engine says that it has ended
			if status, ok := c.awaitEnd(c.ctx, endTime); ok {
				c.fail(explain(status), err)
				return nil
			}
		}
		c.fail(unreachable(why), fmt.Errorf("%w; then: %w", err, why))
		return nil
	}
}

// settled waits until the container is connected to or over, or for ctx.
func (c *container) settled(ctx context.Context) {
	c.mu.Lock()
	linked := c.linked
	c.mu.Unlock()
	select {
	case <-linked:
	case <-ctx.Done():
	}
}

// refresh gives up a connection that seems to stand, so that it is made anew. Where there was none, broken is false. linked
// is closed when it is there again, or the container is over.
func (c *container) refresh() (linked <-chan struct{}, broken bool) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	broken = l != nil && c.unlink(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.linked, broken
}

// unlink gives a link up, so that who sends waits for the next one. It returns false when that was done already.
func (c *container) unlink(l *link) bool {
	l.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.link != l {
		return false
	}
	c.link, c.linked = nil, make(chan struct{})
	return true
}

// reach attaches once more. again tells whether another attempt may fare better.
func (c *container) reach(ctx context.Context) (l *link, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	l, ready, err := attach(ctx, c.instance, c.currentSpec(), true)
	if err != nil {
		return nil, ErrorCode(err) != CodeLost, err
	}
	if s := c.user(); s != nil {
		s.resync(ready) // before anything else can be sent
	}
	if !c.setLink(l) {
		return nil, false, context.Canceled
	}
	return l, false, nil
}

// awaitEnd waits a while for the container's end.
func (c *container) awaitEnd(ctx context.Context, patience time.Duration) (ExitStatus, bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, err := c.instance.Wait(ctx)
	return status, err == nil
}

// unreachable says for people why a container that may live was given up.
func unreachable(err error) string {
	cause := "its container could not be reached"
	var known *Error
	if errors.As(err, &known) {
		cause += ": " + known.Message
	}
	return cause
}

// explain says for people how a container ended.
func explain(status ExitStatus) string {
	switch {
	case status.OOMKilled:
		return fmt.Sprintf("its container ended with status %d after processes were killed at the memory limit", status.Code)
	case status.Code < 0:
		return "its container is gone: removed from outside, or by an engine that restarted"
	}
	return fmt.Sprintf("its container ended with status %d", status.Code)
}
