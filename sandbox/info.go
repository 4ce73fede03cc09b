package sandbox

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Info says how a session is.
type Info struct {
	Key            Key
	State          State
	Running        string // id of the execution that runs, "" for none
	Queued         int    // executions that wait
	ExecutionCount int
	StateLostAt    int // the execution at which the variables were lost, 0 when they are there

	Image   string // "" while it starts
	Limits  Limits // zero while it starts
	Timeout time.Duration
	Created time.Time
	TTL     time.Duration // 0 is for ever
	IdleTTL time.Duration
	Expires time.Time // if nothing is done in it until then; zero is never
}

// State is where a session is in its life.
type State string

const (
	StateStarting State = "starting"
	StateIdle     State = "idle"
	StateBusy     State = "busy"
)

// States are all of them.
var States = []State{StateStarting, StateIdle, StateBusy}

func (s *Session) info() Info {
	info := Info{Key: s.key, State: StateStarting, Timeout: s.options.Timeout, Created: s.created}
	select {
	case <-s.started:
		info.State = StateIdle
		if s.container != nil {
			spec := s.container.currentSpec()
			info.Image, info.Limits = spec.Image, spec.Limits
		}
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info.ExecutionCount, info.StateLostAt = s.count, s.stateLostAt
	if n := len(s.queue); n > 0 && info.State == StateIdle {
		info.State, info.Running, info.Queued = StateBusy, s.queue[0].ID(), n-1
	}
	info.TTL, info.IdleTTL = s.life.ttl, s.life.idle
	info.Expires = s.life.due(time.Now(), s.busy())
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

// Session says how a session is. An unknown one is CodeNotFound, one that is gone CodeLost or CodeExpired.
func (m *Manager) Session(key Key) (Info, error) {
	s, err := m.find(key)
	if err != nil {
		return Info{}, err
	}
	return s.info(), nil
}

// Sessions says how the sessions are whose owners are mine, the oldest first.
func (m *Manager) Sessions(mine func(owner string) bool) []Info {
	m.mu.Lock()
	var sessions []*Session
	for key, s := range m.sessions {
		if mine(key.Owner) {
			sessions = append(sessions, s)
		}
	}
	m.mu.Unlock()
	infos := make([]Info, 0, len(sessions))
	for _, s := range sessions {
		infos = append(infos, s.info())
	}
	slices.SortFunc(infos, func(a, b Info) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Key.Owner, b.Key.Owner), cmp.Compare(a.Key.ID, b.Key.ID))
	})
	return infos
}

// Usage reads what a session's container uses now. While it starts, that is nothing.
func (m *Manager) Usage(ctx context.Context, key Key) (Usage, error) {
	s, err := m.find(key)
	if err != nil {
		return Usage{}, err
	}
	select {
	case <-s.started:
	default:
		return Usage{}, nil
	}
	if s.container == nil {
		return Usage{}, nil
	}
	return s.container.instance.Usage(ctx)
}

// Create makes a session in which nothing is run but the setup code, if there is one, and returns when it is ready. An id
// that is in use is CodeConflict; that of a session which is gone may be used again. The other errors are those of Execute.
func (m *Manager) Create(ctx context.Context, key Key, req Request) (Info, error) {
	if key.ID == "" {
		key.ID = uuid.NewString()
	} else if !ValidSessionID(key.ID) {
		return Info{}, Errorf(CodeInvalid, "session id must match %s", SessionIDPattern)
	}
	req.MustCreate, req.Anew = true, true
	m.mu.Lock()
	cfg := m.cfg
	m.mu.Unlock()
	if err := req.validate(cfg); err != nil {
		return Info{}, err
	}
	if req.SetupCode != "" {
		var err error
		if req.admission, err = req.admit(); err != nil {
			return Info{}, err
		}
		defer req.admission.release()
	}
	s, _, err := m.session(ctx, key, req, cfg)
	if err != nil {
		return Info{}, err
	}
	select {
	case <-s.started:
	case <-ctx.Done():
		return Info{}, context.Cause(ctx)
	}
	if s.startErr != nil {
		return Info{}, s.startErr
	}
	if s.setup != nil {
		r, _ := s.setup.Wait(ctx) // it has ended
		return Info{}, Errorf(CodeInvalid, "%s", r.Error)
	}
	return s.info(), nil
}

// Extend changes how long a session lasts, ttl from now on; nil leaves it. It counts as something done in the session.
func (m *Manager) Extend(key Key, ttl, idle *time.Duration) (Info, error) {
	s, err := m.find(key)
	if err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	options := SessionOptions{TTL: ttl, IdleTTL: idle}
	if _, _, err := options.lifetimes(m.cfg); err != nil {
		return Info{}, err
	}
	if s.container == nil || m.sessions[key] != s {
		return Info{}, Errorf(CodeConflict, "session %s is starting, or has just ended", key.ID)
	}
	s.extend(ttl, idle)
	m.saved(m.store.SaveSession(s.record()))
	return s.info(), nil
}
