package sandbox

import "context"

// Leave gives the sessions up for a later daemon of this owner, which finds them with Restore: what runs in them goes on,
// what waits ends as cancelled, for nobody else knows of it. Who waits for an execution gets CodeClosed, and event logs
// end without their last event. Sessions that are still starting, and warm containers, are removed. It returns nil when
// nothing of the Manager's is under way any more.
func (m *Manager) Leave(ctx context.Context) error {
	m.cancel()
	m.mu.Lock()
	m.closed = true
	var left []*Session
	for key, s := range m.sessions {
		select {
		case <-s.started:
			delete(m.sessions, key)
			left = append(left, s)
		default: // its start was cancelled, and cleans up
		}
	}
	m.dropPool()
	m.wg.Add(len(left))
	m.mu.Unlock()
	for _, s := range left {
		go func() {
			defer m.wg.Done()
			if unseen := s.leave(); len(unseen) > 0 {
				r := s.record()
				r.Unseen = unseen
				m.locked(func() { m.saved(m.store.SaveSession(r)) })
			}
		}()
	}
	return m.idle(ctx)
}

// leave gives the session up and keeps its container. It returns the ids of the executions that go on, whose ends nobody has
// seen.
func (s *Session) leave() (unseen []string) {
	queue, ok := s.end("the daemon was restarted", false)
	if !ok {
		return nil
	}
	s.container.close(false)
	for _, e := range queue {
		if !e.tried.Load() {
			e.end(&Result{
				Outcome: OutcomeCancelled, StateKept: true,
				Error: "cancelled: the daemon was restarted before the execution had begun",
			})
			continue
		}
		s.mu.Lock()
		late := e.late
		s.mu.Unlock()
		if late != nil && late.Stop() {
			s.wg.Done()
		}
		if !e.seen {
			unseen = append(unseen, e.ID())
		}
		close(e.left)
		e.log.close()
	}
	s.background.log.close()
	s.wg.Wait()
	s.container.wg.Wait()
	return unseen
}
