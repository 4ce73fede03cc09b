package sandbox

import (
	"context"
	"fmt"
	"time"
)

// session finds the session of key, or begins to start it.
func (m *Manager) session(key Key, req Request, cfg Config) (s *Session, created bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, false, Errorf(CodeClosed, "the daemon is shutting down")
	}
	if s := m.sessions[key]; s != nil {
		return s, false, nil
	}
	if req.Anew {
		m.lost.drop(func(k Key) bool { return k == key })
	}
	if err := m.lostError(key); err != nil {
		return nil, false, err
	}
	if req.NoCreate {
		return nil, false, Errorf(CodeNotFound, "no session %s", key.ID)
	}
	// Those that are ending count: their containers still use memory.
	if len(m.sessions)+len(m.ending) >= cfg.MaxSessions {
		return nil, false, &Error{
			Code:       CodeCapacity,
			Message:    fmt.Sprintf("%d sessions are open, which is the most that may be", cfg.MaxSessions),
			RetryAfter: time.Second,
		}
	}
	s = newSession(key, m.log, m.bury)
	ctx, cancel := context.WithCancel(m.ctx)
	s.cancelStart = cancel
	m.sessions[key] = s
	m.wg.Go(func() {
		defer cancel()
		m.start(ctx, s, req, cfg)
	})
	return s, true, nil
}

// start brings s up, its setup code included. What it made and is not to stay, it removes.
func (m *Manager) start(ctx context.Context, s *Session, req Request, cfg Config) {
	defer close(s.started)
	s.startErr = m.startContainer(ctx, s, cfg)
	if s.startErr == nil && req.SetupCode != "" {
		m.runSetup(ctx, s, req, cfg)
	}
	if s.startErr == nil && s.setup == nil {
		return
	}
	if s.startErr != nil && ErrorCode(s.startErr) == "" {
		s.startErr = &Error{Code: CodeEngine, Message: "the session's container did not start", Err: s.startErr}
	}
	if s.startErr != nil {
		m.log.Error("session not started", "session", s.uid.String(), "err", s.startErr)
	}
	m.retire(s)
	s.finish(OutcomeCancelled, "it did not start", false)
	_ = m.remove(s, cfg.StopTimeout) // logged there, and tried again
}

// runSetup runs the setup code. When it fails, s.setup is set; when ctx ended first, s.startErr.
func (m *Manager) runSetup(ctx context.Context, s *Session, req Request, cfg Config) {
	setup := newExecution(s, Request{Code: req.SetupCode, Context: req.Context, Timeout: req.Timeout}, cfg.Execution)
	setup.setup = true
	if err := s.submit(setup, cfg.Execution.Queue); err != nil {
		s.startErr = err
		return
	}
	r, err := setup.Wait(ctx)
	if err != nil {
		s.startErr = errNotStarted
	} else if r.Outcome != OutcomeOK {
		s.setup = setup
	}
}

// errNotStarted is returned to those who wait for a session that was reset, or shut down, while it started.
var errNotStarted = Errorf(CodeConflict, "the session was ended before it had started")

// startContainer waits for its turn and starts the container of s.
func (m *Manager) startContainer(ctx context.Context, s *Session, cfg Config) error {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	select {
	case m.starting <- struct{}{}:
		defer func() { <-m.starting }()
	case <-ctx.Done():
		if parent.Err() != nil {
			return errNotStarted
		}
		return &Error{
			Code:       CodeCapacity,
			Message:    fmt.Sprintf("no container could be started within %s: too many starts are under way", cfg.StartTimeout),
			RetryAfter: time.Second,
		}
	}
	err := s.start(ctx, m.rt, Spec{Session: s.uid.String(), Limits: cfg.Limits, Lease: cfg.Lease})
	if err != nil && parent.Err() != nil {
		return errNotStarted
	}
	return err
}
