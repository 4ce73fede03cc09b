package sandbox

import (
	"fmt"
	"time"
)

// life bounds how long a session lasts. Its times are monotonic: a clock that is moved ends no session.
type life struct {
	ttl, idle time.Duration // 0 is for ever
	ends      time.Time     // by ttl; zero is never
	active    time.Time     // when something was last done in the session
	timer     *time.Timer   // nil where there is no bound, and once it is over
}

// due tells when, by what is known at now, the session may have to end; zero is never.
func (l *life) due(now time.Time, busy bool) time.Time {
	at := l.ends
	if l.idle > 0 {
		idle := l.active.Add(l.idle)
		if busy {
			idle = now.Add(l.idle)
		}
		if at.IsZero() || idle.Before(at) {
			at = idle
		}
	}
	return at
}

// cause says why the session has to end at now, "" when it need not.
func (l *life) cause(now time.Time, busy bool) string {
	switch {
	case !l.ends.IsZero() && !now.Before(l.ends):
		return fmt.Sprintf("its ttl of %s has passed", l.ttl)
	case l.idle > 0 && !busy && now.Sub(l.active) >= l.idle:
		return fmt.Sprintf("nothing was done in it for %s", l.idle)
	}
	return ""
}

// live counts the lifetimes of s from now; left is what is left of ttl. expire is called when one has passed, perhaps more
// than once; it must not block.
func (s *Session) live(ttl, idle, left time.Duration, expire func(s *Session, cause string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.life = life{ttl: ttl, idle: idle, active: now}
	if ttl > 0 {
		s.life.ends = now.Add(left)
	}
	s.life.timer = time.AfterFunc(time.Hour, func() { s.check(expire) })
	s.arm(now)
}

// busy needs mu. It tells whether something is being done in the session.
func (s *Session) busy() bool { return len(s.queue) > 0 || s.uses > 0 }

// use counts a transfer of files, -1 for its end.
func (s *Session) use(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses += n
	s.life.active = time.Now()
}

// check ends s if it has to end, and else comes back when it may have to.
func (s *Session) check(expire func(s *Session, cause string)) {
	now := time.Now()
	s.mu.Lock()
	cause := s.life.cause(now, s.busy())
	if cause == "" {
		s.arm(now)
	}
	over := s.over
	s.mu.Unlock()
	if cause != "" && !over {
		expire(s, cause)
	}
}

// arm needs mu. It sets the timer to when s may have to end.
func (s *Session) arm(now time.Time) {
	at := s.life.due(now, s.busy())
	if s.over || at.IsZero() {
		s.life.timer.Stop()
		return
	}
	s.life.timer.Reset(max(at.Sub(now), time.Millisecond))
}

// extend sets the lifetimes anew where they are not nil, ttl from now.
func (s *Session) extend(ttl, idle *time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.life.active = now
	if ttl != nil {
		s.life.ttl, s.life.ends = *ttl, time.Time{}
		if *ttl > 0 {
			s.life.ends = now.Add(*ttl)
		}
	}
	if idle != nil {
		s.life.idle = *idle
	}
	if s.life.timer != nil {
		s.arm(now)
	}
}
