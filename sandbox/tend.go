package sandbox

import (
	"time"
)

// fillEvery is how often the pool looks whether it may try again to start a container.
const fillEvery = time.Second

// tend keeps the pool to its size.
func (m *Manager) tend(shrinkAfter time.Duration) {
	fill := time.NewTicker(fillEvery)
	defer fill.Stop()
	shrink := ticker(shrinkAfter)
	defer shrink.Stop()
	for {
		select {
		case <-fill.C:
			m.locked(m.fill)
		case <-shrink.C:
			m.locked(m.shrink)
		case <-m.ctx.Done():
			return
		}
	}
}

// renew tells every supervisor, in time for its lease, that there is a daemon. It waits for nobody: what is frozen must not
// cost another its lease.
func (m *Manager) renew(lease time.Duration) {
	due := ticker(lease / 3)
	defer due.Stop()
	for {
		select {
		case <-due.C:
		case <-m.ctx.Done():
			return
		}
		var all []*container
		m.locked(func() {
			for _, s := range m.sessions {
				if s.container != nil {
					all = append(all, s.container)
				}
			}
			all = append(all, m.pool.ready...)
		})
		for _, c := range all {
			m.wg.Go(c.ping)
		}
	}
}

// ticker is a time.Ticker that never ticks where d is none.
func ticker(d time.Duration) *time.Ticker {
	if d > 0 {
		return time.NewTicker(d)
	}
	t := time.NewTicker(time.Hour)
	t.Stop()
	return t
}

func (m *Manager) locked(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}
