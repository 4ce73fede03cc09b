package sandbox

import (
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	removeEvery = 30 * time.Second // how often a removal that failed is tried again
	fillEvery   = time.Second      // how often the pool looks whether it may try again to start a container
)

// tend renews the lease of every container, tries again to remove those that should be gone, and keeps the pool to its size.
func (m *Manager) tend(lease, shrinkAfter time.Duration) {
	var stops []func()
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	every := func(d time.Duration) <-chan time.Time {
		if d <= 0 {
			return nil
		}
		ticker := time.NewTicker(d)
		stops = append(stops, ticker.Stop)
		return ticker.C
	}
	renew, remove, fill, shrink := every(lease/3), every(removeEvery), every(fillEvery), every(shrinkAfter)
	for {
		select {
		case <-renew:
			m.renew()
		case <-remove:
			m.removeAgain()
		case <-fill:
			m.locked(m.fill)
		case <-shrink:
			m.locked(m.shrink)
		case <-m.ctx.Done():
			return
		}
	}
}

func (m *Manager) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// renew tells every supervisor that there is a daemon.
func (m *Manager) renew() {
	var all []*container
	m.locked(func() {
		for _, s := range m.sessions {
			if s.container != nil {
				all = append(all, s.container)
			}
		}
		all = append(all, m.pool.ready...)
	})
	var g errgroup.Group
	g.SetLimit(16) // a frozen container holds a sender for writeTimeout
	for _, c := range all {
		g.Go(func() error { c.ping(); return nil })
	}
	_ = g.Wait()
}

// removeAgain removes what could not be removed, and forgets what is too old to be told.
func (m *Manager) removeAgain() {
	var sessions []*Session
	var dropped []*container
	var timeout time.Duration
	m.locked(func() {
		m.gone.age(m.cfg.LostKept)
		timeout = m.cfg.StopTimeout
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
	g.SetLimit(16)
	for _, s := range sessions {
		g.Go(func() error { return m.remove(m.ctx, s, timeout) })
	}
	for _, c := range dropped {
		g.Go(func() error { return m.removeDropped(c, timeout) })
	}
	_ = g.Wait() // what failed is logged
}
