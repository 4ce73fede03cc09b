package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

const (
	// restoreTime is how long a daemon that starts waits for the sessions of an earlier one. Those that do not answer by
	// then go on being tried, as after a broken connection.
	restoreTime = 10 * time.Second
	// removeAtOnce is how many leftovers are removed side by side.
	removeAtOnce = 16
)

// Restore takes over what an earlier daemon of this owner left: its sessions go on, with their variables and with what runs
// in them. One whose container is gone, or does not answer, is lost, and says so. Containers that are no session's are
// removed, now or, where the engine fails to, later. Nothing may be executed before it has returned; then the pool is filled.
func (m *Manager) Restore(ctx context.Context) error {
	found, err := m.rt.List(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	records, cfg, err := m.load()
	if err != nil {
		return fmt.Errorf("load the state: %w", err)
	}
	instances := map[string]Instance{}
	for _, inst := range found {
		instances[inst.Spec().Session] = inst
	}
	ctx, cancel := context.WithTimeout(ctx, restoreTime)
	defer cancel()
	var restored []*container
	kept := map[Instance]bool{}
	for _, r := range records {
		inst := instances[r.Container]
		if c := m.restore(r, inst, cfg); c != nil {
			restored = append(restored, c)
			kept[inst] = true
		}
	}
	leftovers := slices.DeleteFunc(found, func(inst Instance) bool { return kept[inst] })
	m.removeLeftovers(ctx, leftovers, cfg.StopTimeout)
	for _, c := range restored {
		c.settled(ctx)
	}
	m.locked(func() {
		m.restored = true
		m.fill()
	})
	return nil
}

// load reads what an earlier daemon knew.
func (m *Manager) load() ([]SessionRecord, Config, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	records, stones, err := m.store.Load()
	if err != nil {
		return nil, m.cfg, err
	}
	now := time.Now()
	for i, stone := range stones { // as old as the clock says now, and never from the future; from here on they only age
		stones[i].At = now.Add(-max(0, now.Sub(stone.At)))
	}
	slices.SortStableFunc(stones, func(a, b Tombstone) int { return a.At.Compare(b.At) })
	for _, stone := range stones {
		m.gone.restore(stone)
	}
	m.gone.age(m.cfg.LostKept)
	return records, m.cfg, nil
}

// removeLeftovers removes containers that are no session's. What is not gone when ctx ends goes on being removed.
func (m *Manager) removeLeftovers(ctx context.Context, leftovers []Instance, timeout time.Duration) {
	done := make(chan struct{})
	m.wg.Go(func() {
		defer close(done)
		var g errgroup.Group
		g.SetLimit(removeAtOnce)
		for _, inst := range leftovers {
			g.Go(func() error {
				m.log.Info("removing leftover container", "instance", inst.ID())
				ctx, cancel := context.WithTimeout(m.ctx, timeout)
				defer cancel()
				return inst.Destroy(ctx)
			})
		}
		if err := g.Wait(); err != nil {
			m.log.Error("leftover containers not removed", "err", err)
			m.clearSoon() // nobody knows of them: they are strays from now on
		}
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// restore makes one session of an earlier daemon this one's, and begins to connect to its container; nil where there is none.
func (m *Manager) restore(r SessionRecord, inst Instance, cfg Config) *container {
	if err := uuid.Validate(r.Container); err != nil {
		m.log.Error("session not restored", "err", err)
		return nil
	}
	if inst == nil {
		m.bereave(r, "its container was gone when the daemon started again")
		return nil
	}
	s := m.newSession(r.Key, r.Options)
	c := m.newContainer(r.Container, inst, r.Spec)
	s.container, s.created, s.log, s.awaited = c, r.Created, c.log, true
	s.background.log.last = uint64(time.Now().UnixMilli()) // above what earlier daemons gave, less than one a millisecond
	s.readopt = func(kept []wire.KeptExecution) {
		m.readopt(s, kept, r.Unseen, cfg)
		s.log.Info("session restored", "instance", inst.ID(), "execution", s.info().Running)
	}
	c.claim(s)
	close(s.started)
	m.locked(func() {
		m.sessions[r.Key] = s
		m.known[r.Container] = struct{}{}
		if len(r.Unseen) > 0 { // from here on it is this daemon that sees them end
			saved := r
			saved.Unseen = nil
			m.saved(m.store.SaveSession(saved))
		}
	})
	c.wg.Go(func() { c.read(c.reconnect(nil, errRestarted)) })
	s.live(r.TTL, r.Idle, r.left(), m.expire) // last: its time may be over, and who removes it waits for the above
	return c
}

// Awaits tells whether a container of an earlier daemon's may still say what runs in it, or has ended.
func (m *Manager) Awaits(container string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		s.mu.Lock()
		awaited := s.awaited && !s.over
		s.mu.Unlock()
		if awaited && s.container.name == container {
			return true
		}
	}
	return false
}

// errRestarted is why a container of an earlier daemon is not connected to.
var errRestarted = errors.New("the daemon was restarted")

// left is what is left of the session's ttl: at most all of it, however the clock was moved.
func (r SessionRecord) left() time.Duration {
	if r.TTL == 0 {
		return 0
	}
	return min(time.Until(r.Ends), r.TTL)
}

// bereave remembers that a session was lost of which there is nothing else.
func (m *Manager) bereave(r SessionRecord, cause string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log.Warn("session lost", "session", r.Container, "cause", cause)
	m.saved(m.store.RemoveSession(r.Container))
	m.observer.SessionEnded(EndLost)
	m.gone.add(Tombstone{Key: r.Key, Cause: cause, At: time.Now()})
}
