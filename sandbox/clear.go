package sandbox

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// clearEvery is how often it is looked for containers that should not be there.
	clearEvery = 30 * time.Second
	// clearRest is how soon that is after something failed; doubled, up to clearEvery, while something still fails.
	clearRest = time.Second
	// clearAtOnce is how many containers are removed side by side.
	clearAtOnce = 16
)

// clearSoon has clear look soon: a container may be there that should not be.
func (m *Manager) clearSoon() {
	select {
	case m.unclear <- struct{}{}:
	default:
	}
}

// clear removes what could not be removed, or was made without anybody's knowing, until the Manager ends.
func (m *Manager) clear() {
	rest, failing := clearEvery, false
	due := time.NewTimer(rest)
	defer due.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.unclear:
			if !failing {
				rest, failing = clearRest, true
				due.Reset(rest)
			}
			continue
		case <-due.C:
		}
		switch {
		case m.clearOnce():
			rest, failing = clearEvery, false
		case failing:
			rest = min(2*rest, clearEvery)
		default:
			rest, failing = clearRest, true
		}
		due.Reset(rest)
	}
}

// clearOnce tells whether all is gone that should be. It also forgets what is too old to be told.
func (m *Manager) clearOnce() bool {
	var sessions []*Session
	var dropped []*container
	var timeout time.Duration
	restored, saved := false, false
	m.locked(func() {
		m.gone.age(m.cfg.LostKept)
		timeout, restored = m.cfg.StopTimeout, m.restored
		saved = m.save() == nil
		for s := range m.ending {
			if s.isOver() { // its start may still be under way
				sessions = append(sessions, s)
			}
		}
		for c := range m.pool.dropping {
			dropped = append(dropped, c)
		}
	})
	var g errgroup.Group
	g.SetLimit(clearAtOnce)
	for _, s := range sessions {
		g.Go(func() error { return m.remove(m.ctx, s, timeout) })
	}
	for _, c := range dropped {
		g.Go(func() error { return m.removeDropped(c, timeout) })
	}
	return g.Wait() == nil && (!restored || m.reap(timeout)) && saved // what failed is logged
}

// CheckStore tells whether all is saved that a later daemon has to know, and whether more could be.
func (m *Manager) CheckStore() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.save(); err != nil {
		return err
	}
	return m.store.Check()
}

// save needs mu. Where the store failed before, it writes down all that should be there.
func (m *Manager) save() error {
	if !m.unsaved || !m.restored || m.closed { // before Restore, and after Leave, there is more in the store than here
		return nil
	}
	err := m.store.Check() // one write tells of a full disk as well as thousands
	if err == nil {
		err = m.rewrite()
	}
	if err != nil {
		m.log.Error("state not saved", "err", err)
		return err
	}
	m.unsaved = false
	m.log.Info("the state is saved again")
	return nil
}

// rewrite needs mu. It ends at the first error.
func (m *Manager) rewrite() error {
	records, stones, err := m.store.Load()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, s := range m.sessions {
		if s.container == nil {
			continue
		}
		there[s.container.name] = true
		if err := m.store.SaveSession(s.record()); err != nil {
			return err
		}
	}
	for stone := range m.gone.all() {
		if err := m.store.SaveTombstone(stone); err != nil {
			return err
		}
	}
	for _, r := range records {
		if there[r.Container] {
			continue
		}
		if err := m.store.RemoveSession(r.Container); err != nil {
			return err
		}
	}
	for _, stone := range stones {
		if _, ok := m.gone.get(stone.Key, m.cfg.LostKept); ok {
			continue
		}
		if err := m.store.RemoveTombstone(stone.Key); err != nil {
			return err
		}
	}
	return nil
}

// reap removes containers of this daemon's owner that nobody here knows of: an engine that did not answer a creation may
// have made one all the same, and later.
func (m *Manager) reap(timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(m.ctx, timeout)
	defer cancel()
	found, err := m.rt.List(ctx)
	if err != nil {
		m.log.Debug("containers not listed", "err", err)
		return false
	}
	var g errgroup.Group
	g.SetLimit(clearAtOnce)
	for _, inst := range found {
		known := false // which it was before it could be found
		m.locked(func() { _, known = m.known[inst.Spec().Session] })
		if known {
			continue
		}
		g.Go(func() error {
			m.log.Info("removing stray container", "instance", inst.ID())
			err := inst.Destroy(ctx)
			if err != nil {
				m.log.Error("container not removed", "instance", inst.ID(), "err", err)
			}
			return err
		})
	}
	return g.Wait() == nil
}
