package sandbox

import (
	"context"
	"slices"
)

// starts rations the starting of containers, of which an engine can do a few at a time: clients first, in the order they
// came, then the pool. It needs the Manager's lock.
type starts struct {
	free    int       // starts that may begin now
	waiting []*waiter // clients, in order
}

// waiter is a client that waits for a container.
type waiter struct {
	spec    Spec
	granted chan grant // holds one
}

// grant is what a waiter gets: a warm container, or the right to start one, which it has to give back.
type grant struct{ warm *container }

// take begins a start, if nobody waits for one.
func (s *starts) take() bool {
	if s.free == 0 || len(s.waiting) > 0 {
		return false
	}
	s.free--
	return true
}

// join queues a waiter.
func (s *starts) join(spec Spec) *waiter {
	w := &waiter{spec: spec, granted: make(chan grant, 1)}
	s.waiting = append(s.waiting, w)
	return w
}

// leave takes a waiter out, and tells whether it was still there: else it has been granted something.
func (s *starts) leave(w *waiter) bool {
	i := slices.Index(s.waiting, w)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return true
}

// give ends a start: the next waiter may begin.
func (s *starts) give() {
	if len(s.waiting) == 0 {
		s.free++
		return
	}
	w := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	w.granted <- grant{}
}

// offer gives a warm container to the first waiter that it serves, and tells whether there was one.
func (s *starts) offer(c *container, serves func(*container, Spec) bool) bool {
	for i, w := range s.waiting {
		if serves(c, w.spec) {
			s.waiting = slices.Delete(s.waiting, i, i+1)
			w.granted <- grant{warm: c}
			return true
		}
	}
	return false
}

// obtain gets a container for spec: a warm one, or one that it starts when its turn has come. On error there may be a
// container all the same, which is to be removed.
func (m *Manager) obtain(ctx context.Context, spec Spec, maxQueue int) (*container, error) {
	m.mu.Lock()
	var w *waiter
	if !m.starts.take() {
		if len(m.starts.waiting) >= maxQueue {
			m.mu.Unlock()
			return nil, errStartsFull
		}
		w = m.starts.join(spec)
	}
	m.mu.Unlock()
	if w != nil {
		g, err := m.awaitTurn(ctx, w)
		if err != nil || g.warm != nil {
			return g.warm, err
		}
	}
	defer m.startEnded()
	return m.launch(ctx, spec)
}

// awaitTurn waits for what w gets, or for ctx.
func (m *Manager) awaitTurn(ctx context.Context, w *waiter) (grant, error) {
	select {
	case g := <-w.granted:
		return g, nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	left := m.starts.leave(w)
	m.mu.Unlock()
	if left {
		return grant{}, errStartsSlow
	}
	g := <-w.granted // it was granted in this moment
	if g.warm != nil {
		return g, nil
	}
	m.startEnded()
	return grant{}, errStartsSlow
}

// startEnded lets the next start begin.
func (m *Manager) startEnded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts.give()
	m.fill()
}
