package sandbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// restoreAtOnce is how many containers are connected to, or removed, side by side.
const restoreAtOnce = 16

// Restore takes over what an earlier daemon of this owner left: its sessions go on, with their variables and with what runs
// in them. One whose container is gone, or does not answer, is lost, and says so. Containers that are no session's are
// removed. Nothing may be executed before it has returned; then the pool is filled.
func (m *Manager) Restore(ctx context.Context) error {
	found, err := m.rt.List(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	m.mu.Lock()
	cfg := m.cfg
	records, stones, err := m.store.Load()
	if err == nil {
		slices.SortStableFunc(stones, func(a, b Tombstone) int { return a.At.Compare(b.At) })
		m.gone.stones = stones
		m.gone.age(cfg.LostKept)
	}
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("load the state: %w", err)
	}
	instances := map[string]Instance{}
	for _, inst := range found {
		instances[inst.Spec().Session] = inst
	}
	var g errgroup.Group
	g.SetLimit(restoreAtOnce)
	kept := map[string]bool{}
	for _, r := range records {
		kept[r.Container] = true
		g.Go(func() error { m.restore(ctx, r, instances[r.Container], cfg); return nil })
	}
	for _, inst := range found {
		if kept[inst.Spec().Session] {
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
	m.locked(func() {
		m.restored = true
		m.fill()
	})
	return nil
}

// restore makes one session of an earlier daemon this one's, or lost.
func (m *Manager) restore(ctx context.Context, r SessionRecord, inst Instance, cfg Config) {
	if inst == nil {
		m.bereave(r, "its container was gone when the daemon started again")
		return
	}
	if err := uuid.Validate(r.Container); err != nil {
		m.log.Error("session not restored", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	s := m.newSession(r.Key, r.Options)
	c := newContainer(r.Container, inst, r.Spec, m.log, m.warmLost)
	s.container, s.created, s.log = c, r.Created, c.log
	c.claim(s)
	close(s.started)
	m.locked(func() { m.sessions[r.Key] = s })
	if _, err := c.connect(ctx, true, func(ready wire.ReadyMessage) {
		s.resync(ready)
		m.readopt(s, ready.Executions, cfg)
	}); err != nil {
		cause := "its container did not answer when the daemon started again"
		if status, ok := c.awaitEnd(ctx, reconnectRest); ok {
			cause = explain(status)
		}
		s.lose(cause, err)
		return
	}
	left := time.Duration(0)
	if r.TTL > 0 { // at most all of it, however the clock was moved
		left = min(time.Until(r.Ends), r.TTL)
	}
	s.live(r.TTL, r.Idle, left, m.expire)
	s.log.Info("session restored", "instance", inst.ID(), "execution", s.info().Running)
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
