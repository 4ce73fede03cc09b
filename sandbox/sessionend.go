package sandbox

import (
	"context"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// lose ends a session that nobody asked to end, and tells its owner.
func (s *Session) lose(cause string, err error) {
	if !s.finish(OutcomeCrashed, cause, true) {
		return
	}
	s.log.Warn("session lost", "cause", cause, "err", err)
	s.onLost(s)
}

// finish makes the session over: no execution is accepted, those there are end with the outcome, and the link is closed.
// It returns false when the session was over already. The container is left to destroy.
func (s *Session) finish(outcome Outcome, cause string, lost bool) bool {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return false
	}
	s.over, s.cause, s.lost = true, cause, lost
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()

	if s.link != nil {
		if !lost { // ends the processes at once; the removal of the container takes longer
			s.link.sendLast(wire.Shutdown)
		}
		// Closed before the container is removed: an engine with a full stream hangs on the removal.
		s.link.close()
	}
	for _, e := range queue {
		e.abandon(outcome, cause)
	}
	s.background.log.close()
	return true
}

// isOver tells whether the session has ended.
func (s *Session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// remove destroys the container of a session that is over, if one was made, and waits for the session's goroutines. It
// may be called again, as after an error, and by several at once.
func (s *Session) remove(timeout time.Duration) error {
	s.removing.Lock()
	defer s.removing.Unlock()
	if s.removed {
		return nil
	}
	if s.instance != nil {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := s.instance.Destroy(ctx); err != nil {
			s.log.Error("container not removed", "instance", s.instance.ID(), "err", err)
			return err
		}
	}
	s.wg.Wait()
	s.removed = true
	return nil
}
