package sandbox

// Info says how a session is.
type Info struct {
	ID             string
	State          State
	Running        string // id of the execution that runs, "" for none
	Queued         int    // executions that wait
	ExecutionCount int
	StateLostAt    int // the execution at which the variables were lost, 0 when they are there
}

// State is where a session is in its life.
type State string

const (
	StateStarting State = "starting"
	StateIdle     State = "idle"
	StateBusy     State = "busy"
)

func (s *Session) info() Info {
	info := Info{ID: s.key.ID, State: StateStarting}
	select {
	case <-s.started:
		info.State = StateIdle
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info.ExecutionCount, info.StateLostAt = s.count, s.stateLostAt
	if n := len(s.queue); n > 0 && info.State == StateIdle {
		info.State, info.Running, info.Queued = StateBusy, s.queue[0].ID(), n-1
	}
	return info
}

// running is the execution that runs, nil for none.
func (s *Session) running() *Execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil
	}
	return s.queue[0]
}
