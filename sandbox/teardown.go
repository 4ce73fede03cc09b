package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// Reset ends the session of key, and forgets the cause if it was lost. It returns after the container is gone. An
// unknown id is no error.
func (m *Manager) Reset(ctx context.Context, key Key) error {
	return m.end(ctx, "the session was reset", func(k Key) bool { return k == key })
}

// ResetAll ends every session of an owner.
func (m *Manager) ResetAll(ctx context.Context, owner string) error {
	return m.end(ctx, "all sessions were reset", func(k Key) bool { return k.Owner == owner })
}

// Close ends every session, waits until the containers are gone, or until ctx ends, and leaves no goroutine behind when
// it returns nil. Calls after it get CodeClosed.
func (m *Manager) Close(ctx context.Context) error {
	m.cancel()
	if err := m.end(ctx, "the daemon is shutting down", nil); err != nil {
		return err
	}
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
			errs <- m.endOne(s, cause, timeout)
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
	if doomed == nil {
		m.closed = true
		doomed = func(Key) bool { return true }
	} else if m.closed {
		return nil, 0, Errorf(CodeClosed, "the daemon is shutting down")
	}
	m.lost.drop(doomed)
	for key, s := range m.sessions {
		if doomed(key) {
			m.unlist(s)
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
func (m *Manager) endOne(s *Session, cause string, timeout time.Duration) error {
	s.cancelStart()
	<-s.started
	s.finish(OutcomeCancelled, cause, false)
	return m.remove(s, timeout)
}

// remove removes the container of a session that is over. One that cannot be removed stays in ending: it counts, and is
// tried again by tend, and by whoever resets its id.
func (m *Manager) remove(s *Session, timeout time.Duration) error {
	if err := s.remove(timeout); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ending, s)
	return nil
}

// retire takes s off the list of sessions, so that its id may be used again, while its container still is there.
func (m *Manager) retire(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unlist(s)
}

// unlist needs mu. It moves s from the list to those that are ending, and tells whether it was on the list.
func (m *Manager) unlist(s *Session) bool {
	if m.sessions[s.key] != s {
		return false
	}
	delete(m.sessions, s.key)
	m.ending[s] = s.key
	return true
}

// bury removes a lost session and remembers the cause.
func (m *Manager) bury(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	timeout := m.cfg.StopTimeout
	if m.unlist(s) {
		m.lost.add(s.key, s.cause)
	}
	m.wg.Go(func() { // before the lock is given up: Close waits for it from then on
		<-s.started              // its start may still be in the setup code
		_ = m.remove(s, timeout) // logged there, and tried again
	})
}

// removeEvery is how often a removal that failed is tried again.
const removeEvery = 30 * time.Second

// tend renews the lease of every container, and tries again to remove those that should be gone.
func (m *Manager) tend(lease time.Duration) {
	retry := time.NewTicker(removeEvery)
	defer retry.Stop()
	var renew <-chan time.Time
	if lease > 0 {
		ticker := time.NewTicker(lease / 3)
		defer ticker.Stop()
		renew = ticker.C
	}
	for {
		var g errgroup.Group
		g.SetLimit(16) // a frozen container holds a sender for writeTimeout
		select {
		case <-renew:
			live, _, _ := m.list()
			for _, s := range live {
				g.Go(s.ping)
			}
		case <-retry.C:
			_, ending, timeout := m.list()
			for _, s := range ending {
				g.Go(func() error { return m.remove(s, timeout) })
			}
		case <-m.ctx.Done():
			return
		}
		_ = g.Wait() // what failed is logged, or shows in the session
	}
}

// list returns the sessions, and those that are over and not gone.
func (m *Manager) list() (live, ending []*Session, stopTimeout time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		live = append(live, s)
	}
	for s := range m.ending {
		if s.isOver() { // its start may still be under way
			ending = append(ending, s)
		}
	}
	return live, ending, m.cfg.StopTimeout
}

// Sweep removes the containers of this owner that no session of the Manager uses: what an earlier daemon left.
func (m *Manager) Sweep(ctx context.Context) error {
	found, err := m.rt.List(ctx)
	if err != nil {
		return fmt.Errorf("list leftovers: %w", err)
	}
	m.mu.Lock()
	used := map[string]bool{}
	for _, s := range m.sessions {
		used[s.uid.String()] = true
	}
	for s := range m.ending {
		used[s.uid.String()] = true
	}
	m.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(m.starting))
	for _, inst := range found {
		if used[inst.Spec().Session] {
			continue
		}
		g.Go(func() error {
			m.log.Info("removing leftover container", "instance", inst.ID())
			return inst.Destroy(ctx)
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("remove leftovers: %w", err)
	}
	return nil
}
