package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// reconnectTime is how long a container is tried to be reached whose stream broke while it may live: because the
	// engine restarts, say.
	reconnectTime = 30 * time.Second
	// reconnectRest is how long a container's end is waited for before it is tried again.
	reconnectRest = 500 * time.Millisecond
	// handshakeTime is how long a supervisor that is there may take to answer.
	handshakeTime = 10 * time.Second
	// endTime is how long the engine may take to say how a container ended that it says has.
	endTime = 5 * time.Second
)

// reconnect makes the connection anew after old broke with err. It returns nil when the container is over, and whoever
// has it was told.
func (c *container) reconnect(old *link, err error) *link {
	old.close()
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return nil
	}
	c.link, c.linked = nil, make(chan struct{})
	c.mu.Unlock()
	c.log.Debug("stream broke", "err", err)
	ctx, cancel := context.WithTimeout(c.ctx, reconnectTime)
	defer cancel()
	rest := reconnectRest
	if errors.Is(err, errFault) { // it is there
		rest = 0
	}
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
		if again && ctx.Err() == nil {
			continue
		}
		if status, ok := c.awaitEnd(c.ctx, endTime); ok {
			c.fail(explain(status), err)
		} else {
			c.fail("the connection to its container failed", fmt.Errorf("%w; then: %w", err, failed))
		}
		return nil
	}
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
