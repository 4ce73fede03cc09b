package sandbox

import (
	"context"
	"errors"
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
	restored, saved := false, true
	m.locked(func() {
		m.gone.age(m.cfg.LostKept)
		timeout, restored = m.cfg.StopTimeout, m.restored
		if restored { // before, there is more in the store than here
			saved = m.save()
		}
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

// save needs mu. Where the store failed before, it writes down all that should be there, and tells whether it is.
func (m *Manager) save() bool {
	if !m.unsaved {
		return true
	}
	records, stones, err := m.store.Load()
	there := map[string]bool{}
	for _, s := range m.sessions {
		if s.container != nil {
			there[s.container.name] = true
			err = errors.Join(err, m.store.SaveSession(s.record()))
		}
	}
	for _, r := range records {
		if !there[r.Container] {
			err = errors.Join(err, m.store.RemoveSession(r.Container))
		}
	}
	for stone := range m.gone.all() {
		err = errors.Join(err, m.store.SaveTombstone(stone))
	}
	for _, stone := range stones {
		if _, ok := m.gone.get(stone.Key, m.cfg.LostKept); !ok {
			err = errors.Join(err, m.store.RemoveTombstone(stone.Key))
		}
	}
	m.unsaved = err != nil
	if err != nil {
		m.log.Error("state not saved", "err", err)
	}
	return err == nil
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
