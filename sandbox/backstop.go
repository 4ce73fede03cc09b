package sandbox

import "time"

const (
	// answerTime is how long after deadline and grace the driver may still answer. It promises one second.
	answerTime = 2 * time.Second
	// rescueTime is how long it may then take to ask again over a new connection.
	rescueTime = 5 * time.Second
)

// backstop ends the session when the driver has not answered by the end of e's grace, and a little more. It gives up what
// was counted for e in wg.
func (s *Session) backstop(e *Execution, left time.Duration) {
	late := time.AfterFunc(left+e.caps.Grace+answerTime, func() {
		defer s.wg.Done()
		s.rescue(e)
	})
	stop := func() {
		if late.Stop() {
			s.wg.Done()
		}
	}
	s.mu.Lock()
	e.late = late
	over := s.over
	s.mu.Unlock()
	if over { // left to another daemon in this moment, by one that saw no timer
		stop()
	}
	e.OnEnd(stop)
}

// rescue is the last that is tried for an execution that is overdue. Perhaps the driver has answered long ago, and the
// answer is stuck on its way: over a new connection it is told again.
func (s *Session) rescue(e *Execution) {
	patience := time.NewTimer(rescueTime)
	defer patience.Stop()
	linked, refreshed := s.container.refresh()
	if !refreshed { // it is being made anew already, which is bounded, and for whose end the execution need not pay
		select {
		case <-linked:
		case <-e.done:
		case <-e.left:
		}
		patience.Reset(rescueTime)
	}
	select {
	case <-patience.C:
		s.lose("its driver did not answer in time", nil)
	case <-e.done:
	case <-e.left:
	}
}
