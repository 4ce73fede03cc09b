package sandbox

import (
	"maps"
	"slices"
	"time"
)

// lose ends a session that nobody asked to end, and tells its owner.
func (s *Session) lose(cause string, err error) {
	if !s.finish(OutcomeCrashed, cause, true) {
		return
	}
	s.log.Warn("session lost", "cause", cause, "err", err)
	s.onLost(s)
}

// finish makes the session over: no execution is accepted, those there are end with the outcome, and the connection is
// closed. It returns false when the session was over already. The container is left to destroy.
func (s *Session) finish(outcome Outcome, cause string, lost bool) bool {
	queue, ok := s.end(cause, lost)
	if !ok {
		return false
	}
	if s.container != nil {
		s.container.close(!lost)
	}
	for _, e := range queue {
		e.abandon(outcome, cause)
	}
	s.background.log.close()
	return true
}

// end makes the session over, and returns the executions that have not ended; false when it was over already.
func (s *Session) end(cause string, lost bool) (queue []*Execution, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, false
	}
	s.over, s.cause, s.lost = true, cause, lost
	if s.life.timer != nil {
		s.life.timer.Stop()
	}
	queue, s.queue = s.queue, nil
	queue = slices.AppendSeq(queue, maps.Values(s.kept))
	s.kept = nil
	return queue, true
}

// isOver tells whether the session has ended.
func (s *Session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// record is what a later daemon has to know of the session.
func (s *Session) record() SessionRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := SessionRecord{
		Container: s.container.name,
		Key:       s.key,
		Spec:      s.container.currentSpec(),
		Options:   s.options,
		Created:   s.created,
		TTL:       s.life.ttl,
		Idle:      s.life.idle,
	}
	if s.life.ttl > 0 {
		r.Ends = time.Now().Add(time.Until(s.life.ends)) // by the wall clock as it is now
	}
	return r
}
