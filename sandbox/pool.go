package sandbox

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"time"
)

// PoolConfig bounds the warm pool: containers with a ready driver that wait for a session.
type PoolConfig struct {
	Min, Max    int           // how many wait at rest, and at the most when they are wanted
	MaxStarting int           // containers started for the pool at once; clients' own starts come first
	Preload     []string      // modules that every container imports before its first cell
	ShrinkAfter time.Duration // how long containers that nobody wants are kept above Min
}

// pool is the warm containers, all of the default image and limits. It needs the Manager's lock.
type pool struct {
	ready    []*container // the longest waiting first
	starting int
	target   int       // how many it is to have, from Min to Max
	least    int       // that were ready since the last look
	retryAt  time.Time // after a start that failed, when to try again
	failures int       // in a row
	told     int       // that the log has heard of, until there were as many as there are to be
	filled   bool

	dropping map[*container]struct{} // to be removed, and not gone yet
}

const (
	// poolRetry is the rest after a failed start, doubled with every further one up to poolRetryMost.
	poolRetry     = time.Second
	poolRetryMost = time.Minute
)

// poolSpec is what the pool's containers are made from.
func poolSpec(cfg Config) Spec {
	return Spec{Image: cfg.Image, Limits: cfg.Limits, Preload: cfg.Pool.Preload, Lease: cfg.Lease}
}

// serves tells whether a warm container can become one of spec.
func (m *Manager) serves(c *container, spec Spec) bool { return m.suits(c.currentSpec(), spec) }

// suits tells whether a warm container that is made from have can become one of spec.
func (m *Manager) suits(have, spec Spec) bool {
	if have.Image != spec.Image || len(spec.Env) > 0 || have.Lease != spec.Lease || !slices.Equal(have.Preload, spec.Preload) {
		return false
	}
	return have.Limits == spec.Limits || m.rt.Updates(have.Limits, spec.Limits)
}

// takeWarm needs mu. It takes a container that serves spec out of the pool; nil when there is none.
func (m *Manager) takeWarm(spec Spec) *container {
	p := &m.pool
	for i, c := range p.ready {
		if m.serves(c, spec) {
			p.ready = slices.Delete(p.ready, i, i+1)
			p.least = min(p.least, len(p.ready))
			m.fill()
			return c
		}
	}
	if p.target < m.cfg.Pool.Max && m.suits(poolSpec(m.cfg), spec) { // it was wanted, and was not there
		p.target++
		m.fill()
	}
	return nil
}

// fill needs mu. It starts containers until there are as many as there should be, as far as it may. Before Restore has
// looked at what there is, that would take them for leftovers.
func (m *Manager) fill() {
	p := &m.pool
	p.target = max(min(p.target, m.cfg.Pool.Max), m.cfg.Pool.Min)
	if m.closed || !m.restored || time.Now().Before(p.retryAt) {
		return
	}
	for len(p.ready)+p.starting < p.target && p.starting < m.cfg.Pool.MaxStarting && m.starts.take() {
		p.starting++
		spec, timeout := poolSpec(m.cfg), m.cfg.StartTimeout
		m.wg.Go(func() { m.warm(spec, timeout) })
	}
}

// warm starts a container for the pool, or for a client that waits.
func (m *Manager) warm(spec Spec, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(m.ctx, timeout)
	defer cancel()
	c, err := m.launch(ctx, spec)
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &m.pool
	p.starting--
	defer m.fill()
	defer m.starts.give()
	if err != nil {
		if c != nil {
			m.drop(c)
		}
		if m.closed {
			return
		}
		p.failures++
		rest := min(poolRetry<<min(p.failures-1, 10), poolRetryMost)
		p.retryAt = time.Now().Add(rest)
		m.log.Warn("warm container not started", "err", err, "retry", rest)
		return
	}
	p.failures = 0
	switch {
	case m.closed || !m.current(c):
		m.drop(c)
	case m.starts.offer(c, m.serves):
	case len(p.ready) >= max(p.target, m.cfg.Pool.Min):
		m.drop(c)
	default:
		p.ready = append(p.ready, c)
		p.tell(m.log)
	}
}

// tell says how far the pool is, while it is filled for the first time: somebody may wait for it.
func (p *pool) tell(log *slog.Logger) {
	if p.filled {
		return
	}
	p.told++
	p.filled = p.told >= p.target
	log.Info("warm container ready", "ready", p.told, "of", p.target)
}

// current needs mu. It tells whether a warm container is what the configuration asks for now.
func (m *Manager) current(c *container) bool {
	have, want := c.currentSpec(), poolSpec(m.cfg)
	return have.Image == want.Image && have.Limits == want.Limits && have.Lease == want.Lease && reflect.DeepEqual(have.Preload, want.Preload)
}

// warmLost takes a container that ended by itself out of the pool.
func (m *Manager) warmLost(c *container) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pool.ready = slices.DeleteFunc(m.pool.ready, func(other *container) bool { return other == c })
	m.drop(c)
	m.fill()
}

// drop needs mu. It removes a container that is nobody's. One that cannot be removed is tried again by clear.
func (m *Manager) drop(c *container) {
	m.pool.dropping[c] = struct{}{}
	timeout := m.cfg.StopTimeout
	m.wg.Go(func() { _ = m.removeDropped(c, timeout) }) // logged there
}

func (m *Manager) removeDropped(c *container, timeout time.Duration) error {
	if err := m.destroy(m.ctx, c, timeout); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pool.dropping, c)
	return nil
}

// dropPool needs mu. It removes all that is warm.
func (m *Manager) dropPool() {
	for _, c := range m.pool.ready {
		m.drop(c)
	}
	m.pool.ready = nil
}

// shrink needs mu. It lets the pool have fewer when some were never wanted since the last look.
func (m *Manager) shrink() {
	p := &m.pool
	if surplus := min(p.least, p.target-m.cfg.Pool.Min); surplus > 0 {
		p.target -= surplus
	}
	for len(p.ready) > p.target {
		m.drop(p.ready[0])
		p.ready = slices.Delete(p.ready, 0, 1)
	}
	p.least = len(p.ready)
}

// refit needs mu. It replaces warm containers that are not what the configuration asks for.
func (m *Manager) refit() {
	p := &m.pool
	p.ready = slices.DeleteFunc(p.ready, func(c *container) bool {
		if m.current(c) {
			return false
		}
		m.drop(c)
		return true
	})
	m.fill()
	m.shrink()
}
