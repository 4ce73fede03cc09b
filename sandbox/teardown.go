package sandbox

import (
	"context"
	"errors"
	"time"
)

// Reset ends the session of key, and forgets the cause if it was lost. It returns after the container is gone. An
// unknown id is no error.
func (m *Manager) Reset(ctx context.Context, key Key) error {
	return m.end(ctx, "the session was reset", func(k Key) bool { return k == key })
}

// ResetAll ends every session whose owner is mine.
func (m *Manager) ResetAll(ctx context.Context, mine func(owner string) bool) error {
	return m.end(ctx, "all sessions were reset", func(k Key) bool { return mine(k.Owner) })
}

// Close ends every session, waits until the containers are gone, or until ctx ends, and leaves no goroutine behind when
// it returns nil. Calls after it get CodeClosed.
func (m *Manager) Close(ctx context.Context) error {
	m.cancel()
	if err := m.end(ctx, "the daemon is shutting down", nil); err != nil {
		return err
	}
	return m.idle(ctx)
}

// idle waits for what the Manager has under way.
func (m *Manager) idle(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		m.wg.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end ends the sessions whose keys are doomed, side by side, and waits for their containers to be gone, or for ctx; the
// work goes on without it. A nil doomed closes the Manager: it ends all, and nothing begins after it.
func (m *Manager) end(ctx context.Context, cause string, doomed func(Key) bool) error {
	sessions, timeout, err := m.condemn(doomed)
	if err != nil {
		return err
	}
	errs := make(chan error, len(sessions))
	for _, s := range sessions {
		go func() {
			defer m.wg.Done()
			errs <- m.endOne(ctx, s, cause, timeout)
		}()
	}
	var all []error
	for range sessions {
		select {
		case err := <-errs:
			all = append(all, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := errors.Join(all...); err != nil {
		return &Error{Code: CodeEngine, Message: "a container could not be removed; it will be tried again", Err: err}
	}
	return nil
}

// condemn takes sessions off the list, those included that are ending already or whose removal failed, and counts one in
// wg for each. Under one lock: what it counts, Close waits for.
func (m *Manager) condemn(doomed func(Key) bool) (sessions []*Session, timeout time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	why := EndReset
	if doomed == nil {
		why, m.closed = EndShutdown, true
		m.dropPool()
		doomed = func(Key) bool { return true }
	} else if m.closed {
		return nil, 0, errClosed
	}
	m.gone.drop(doomed)
	for key, s := range m.sessions {
		if doomed(key) {
			m.unlist(s)
			m.observer.SessionEnded(why)
		}
	}
	for s, key := range m.ending {
		if doomed(key) {
			sessions = append(sessions, s)
		}
	}
	m.wg.Add(len(sessions))
	return sessions, m.cfg.StopTimeout, nil
}

// endOne ends a session that is off the list.
func (m *Manager) endOne(ctx context.Context, s *Session, cause string, timeout time.Duration) error {
	if s.cancelStart != nil {
		s.cancelStart()
	}
	<-s.started
	s.finish(OutcomeCancelled, cause)
	return m.remove(ctx, s, timeout)
}

// remove removes the container of a session that is over, and waits for what its executions have under way. Of ctx it has
// the values alone: that who asked for it has left does not end it. One that cannot be removed stays in ending: it counts,
// and is tried again by clear, and by whoever resets its id.
func (m *Manager) remove(ctx context.Context, s *Session, timeout time.Duration) error {
	if s.container != nil {
		if err := m.destroy(ctx, s.container, timeout); err != nil {
			return err
		}
	}
	s.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ending, s)
	return nil
}

// destroy removes a container, and forgets it once it is gone. Of ctx it has the values alone.
func (m *Manager) destroy(ctx context.Context, c *container, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := c.remove(ctx); err != nil {
		m.clearSoon()
		return err
	}
	m.locked(func() { delete(m.known, c.name) })
	return nil
}

// retire takes s off the list of sessions, so that its id may be used again, while its container still is there. It tells
// whether it was on the list.
func (m *Manager) retire(s *Session) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unlist(s)
}

// unlist needs mu. It moves s from the list to those that are ending, and tells whether it was on the list. From here on
// a daemon that starts anew takes the container for a leftover.
func (m *Manager) unlist(s *Session) bool {
	if m.sessions[s.key] != s {
		return false
	}
	delete(m.sessions, s.key)
	m.ending[s] = s.key
	if s.container != nil {
		m.saved(m.store.RemoveSession(s.container.name))
	}
	return true
}

// entomb needs mu. It is unlist for a session that nobody ended, of which stone remains. That is saved first: a daemon that is
// killed between the two must not make it a session that never was.
func (m *Manager) entomb(s *Session, stone Tombstone) bool {
	if m.sessions[s.key] != s {
		return false
	}
	stone.Key, stone.At = s.key, time.Now()
	m.gone.add(stone)
	return m.unlist(s)
}

// bury removes a lost session and remembers the cause.
func (m *Manager) bury(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	timeout := m.cfg.StopTimeout
	if m.entomb(s, Tombstone{Cause: s.cause}) {
		m.observer.SessionEnded(EndLost)
	}
	m.wg.Go(func() { // before the lock is given up: Close waits for it from then on
		<-s.started                     // its start may still be in the setup code
		_ = m.remove(m.ctx, s, timeout) // logged there, and tried again
	})
}

// expire ends a session whose time is over, and remembers that.
func (m *Manager) expire(s *Session, cause string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.entomb(s, Tombstone{Expired: true, Cause: cause}) {
		return
	}
	m.log.Info("session expired", "session", s.container.name, "cause", cause)
	m.observer.SessionEnded(EndExpired)
	timeout := m.cfg.StopTimeout
	m.wg.Go(func() {
		s.finish(OutcomeCancelled, cause)
		<-s.started
		_ = m.remove(m.ctx, s, timeout) // logged there, and tried again
	})
}
