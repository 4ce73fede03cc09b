package sandbox

import (
	"maps"
	"slices"
	"time"
)

// lose ends a session that nobody asked to end, and tells its owner before anybody else: who is told of it and asks again
// finds it lost.
func (s *Session) lose(cause string, err error) {
	queue, ok := s.end(cause, true)
	if !ok {
		return
	}
	s.log.Warn("session lost", "cause", cause, "err", err)
	s.onLost(s)
	s.part(queue, OutcomeCrashed, cause)
}

// finish makes the session over: no execution is accepted, those there are end with the outcome, and the connection is
// closed. The container, which is told to end, is left to destroy.
func (s *Session) finish(outcome Outcome, cause string) {
	queue, ok := s.end(cause, false)
	if !ok {
		return
	}
	if s.container != nil {
		s.container.close(true)
	}
	s.part(queue, outcome, cause)
}

// part ends what a session that is over had under way.
func (s *Session) part(queue []*Execution, outcome Outcome, cause string) {
	if s.container != nil {
		s.container.close(false)
	}
	for _, e := range queue {
		e.abandon(outcome, cause)
	}
	s.background.log.close()
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
	s.unanswered()
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
	return s.recordOf(s.container, s.life.ttl, s.life.idle, s.life.ends)
}

// recordOf is record for a session that is to live in c, for so long.
func (s *Session) recordOf(c *container, ttl, idle time.Duration, ends time.Time) SessionRecord {
	r := SessionRecord{
		Container: c.name,
		Key:       s.key,
		Spec:      c.currentSpec(),
		Options:   s.options,
		Created:   s.created,
		TTL:       ttl,
		Idle:      idle,
	}
	if ttl > 0 {
		r.Ends = time.Now().Add(time.Until(ends)) // by the wall clock as it is now
	}
	return r
}
