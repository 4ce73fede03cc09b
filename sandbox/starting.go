package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// session finds the session of key, or begins to start it; the start outlives ctx.
func (m *Manager) session(ctx context.Context, key Key, req Request, cfg Config) (s *Session, created bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, false, errClosed
	}
	if s := m.sessions[key]; s != nil {
		if req.MustCreate {
			return nil, false, Errorf(CodeConflict, "session %s is there already", key.ID)
		}
		return s, false, nil
	}
	if err := m.admit(key, req, cfg); err != nil {
		return nil, false, err
	}
	spec, err := req.Session.spec(cfg)
	if err != nil {
		return nil, false, err
	}
	if err := m.rt.Check(spec); err != nil { // said here, before it costs a warm container
		return nil, false, err
	}
	s = m.newSession(key, req.Session)
	warm := m.takeWarm(spec)
	if warm == nil && len(m.starts.waiting) >= cfg.StartQueue && m.starts.free == 0 {
		return nil, false, errStartsFull // said here, before anybody can wait for it
	}
	m.sessions[key] = s
	if warm != nil && warm.currentSpec().Limits == spec.Limits && req.SetupCode == "" && m.adopt(s, warm, cfg) == nil {
		m.observer.SessionStarted(true, time.Since(s.created), nil)
		m.supersede(key)
		close(s.started) // the short way: nothing is left to wait for
		return s, true, nil
	}
	ctx, cancel := m.startContext(ctx)
	s.cancelStart = cancel
	req.admission.hold() // until start has returned
	m.wg.Go(func() {
		defer cancel()
		m.start(ctx, s, spec, warm, req, cfg)
	})
	return s, true, nil
}

// startContext ends with the Manager, not with the request, of which it has only the values: who traces knows it by them.
func (m *Manager) startContext(request context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(request))
	stop := context.AfterFunc(m.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// admit needs mu. It refuses a session that may not be created.
func (m *Manager) admit(key Key, req Request, cfg Config) error {
	if err := m.goneError(key); err != nil && !req.Anew {
		return err
	}
	if req.NoCreate {
		return Errorf(CodeNotFound, "no session %s", key.ID)
	}
	// Those that are ending count: their containers still use memory.
	if req.MaxSessions > 0 && m.owned(key.Owner) >= req.MaxSessions {
		return &Error{
			Code:       CodeSessions,
			Message:    fmt.Sprintf("key %s has %d sessions open, which is the most that it may", key.Owner, req.MaxSessions),
			RetryAfter: time.Second,
		}
	}
	if len(m.sessions)+len(m.ending) >= cfg.MaxSessions {
		return &Error{
			Code:       CodeCapacity,
			Message:    fmt.Sprintf("%d sessions are open, which is the most that may be", cfg.MaxSessions),
			RetryAfter: time.Second,
		}
	}
	if !m.unsaved {
		return nil
	}
	if err := m.store.Check(); err != nil { // said here, before it costs a container
		return errUnsaved(err)
	}
	return nil
}

// owned needs mu. It counts the sessions of an owner.
func (m *Manager) owned(owner string) int {
	n := 0
	for key := range m.sessions {
		if key.Owner == owner {
			n++
		}
	}
	for _, key := range m.ending {
		if key.Owner == owner {
			n++
		}
	}
	return n
}

// adopt needs mu. It makes c the container of s, which it writes down first: a session that no later daemon could know of
// would be lost in silence. On error s has no container; it is net.ErrClosed when c has just ended.
func (m *Manager) adopt(s *Session, c *container, cfg Config) error {
	ttl, idle, _ := s.options.lifetimes(cfg) // it was validated
	if err := m.store.SaveSession(s.recordOf(c, ttl, idle, time.Now().Add(ttl))); err != nil {
		m.saved(err)
		return errUnsaved(err)
	}
	s.container, s.log = c, c.log // before the claim: from then on its reader may end the session
	if !c.claim(s) {
		s.container = nil
		m.saved(m.store.RemoveSession(c.name))
		return fmt.Errorf("claim %s: %w", c.name, net.ErrClosed)
	}
	s.live(ttl, idle, ttl, m.expire)
	return nil
}

// supersede needs mu. It forgets why an earlier session of key is gone, now that another is there. Not earlier: after a
// creation that fails, the id must not look as if it had never been used.
func (m *Manager) supersede(key Key) {
	m.gone.forget(key)
}

// start brings s up, its setup code included. What it made and is not to stay, it removes. warm, where there is one, is
// taken from the pool.
func (m *Manager) start(ctx context.Context, s *Session, spec Spec, warm *container, req Request, cfg Config) {
	defer close(s.started)
	defer req.admission.release() // before anybody hears of it
	s.startErr = m.equip(ctx, s, spec, warm, cfg)
	if s.startErr != nil && ErrorCode(s.startErr) == "" {
		s.startErr = &Error{Code: CodeEngine, Message: "the session's container did not start", Err: s.startErr}
	}
	equipped := s.startErr == nil
	m.observer.SessionStarted(warm != nil && s.container == warm, time.Since(s.created), s.startErr)
	if s.startErr == nil && req.SetupCode != "" {
		m.runSetup(ctx, s, req, cfg)
	}
	if s.startErr == nil && s.setup == nil {
		m.locked(func() {
			if m.sessions[s.key] == s { // it may have been lost in this moment
				m.supersede(s.key)
			}
		})
		return
	}
	if s.startErr != nil {
		level := slog.LevelError
		if ErrorCode(s.startErr) == CodeInvalid { // no fault of anything here
			level = slog.LevelInfo
		}
		m.log.Log(ctx, level, "session not started", "err", s.startErr)
	}
	if m.retire(s) && equipped {
		m.observer.SessionEnded(EndSetup)
	}
	s.finish(OutcomeCancelled, "it did not start")
	_ = m.remove(ctx, s, cfg.StopTimeout) // logged there, and tried again
}

// equip gives s its container: warm, with its limits changed where they have to be, or another.
func (m *Manager) equip(ctx context.Context, s *Session, spec Spec, warm *container, cfg Config) error {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, cfg.StartTimeout)
	defer cancel()
	for {
		c, err := warm, error(nil)
		if warm = nil; c == nil {
			c, err = m.obtain(ctx, spec, cfg.StartQueue)
		}
		if err == nil {
			err = c.update(ctx, spec.Limits)
		}
		m.mu.Lock()
		if m.sessions[s.key] != s || err != nil && parent.Err() != nil { // ended meanwhile
			err = m.notStarted()
		}
		if err == nil {
			err = m.adopt(s, c, cfg)
		}
		if err != nil && c != nil {
			m.drop(c)
		}
		m.mu.Unlock()
		if err == nil || ErrorCode(err) != CodeUnsupported && !errors.Is(err, net.ErrClosed) {
			return err
		}
		// A warm one that ended, or that uses too much for the limits: another may do.
	}
}

// runSetup runs the setup code. When it fails, s.setup is set; when ctx ended first, s.startErr.
func (m *Manager) runSetup(ctx context.Context, s *Session, req Request, cfg Config) {
	setup := newExecution(s, Request{Code: req.SetupCode, Context: req.Context, Timeout: req.Timeout, Began: req.Began}, cfg.Execution)
	setup.setup = true
	if err := s.submit(setup, cfg.Execution.Queue); err != nil {
		s.startErr = err
		return
	}
	r, err := setup.Wait(ctx)
	if err != nil {
		s.startErr = m.notStarted()
	} else if r.Outcome != OutcomeOK {
		s.setup = setup
	} else {
		setup.ack(true) // nobody asks for it
	}
}

// notStarted is why a session's start was given up.
func (m *Manager) notStarted() error {
	if m.ctx.Err() != nil {
		return errClosed
	}
	return errNotStarted
}

// errUnsaved is why a session is refused of which a later daemon could not know.
func errUnsaved(err error) error {
	return &Error{
		Code:       CodeState,
		Message:    "no session can be begun: what a later daemon must know of it cannot be written",
		RetryAfter: time.Second,
		Err:        err,
	}
}

var (
	// errNotStarted is returned to those who wait for a session that was reset while it started.
	errNotStarted = Errorf(CodeConflict, "the session was ended before it had started")
	// errClosed is returned while the daemon shuts down.
	errClosed = Errorf(CodeClosed, "the daemon is shutting down")
	// errStartsFull is returned at once when too many clients wait for a container.
	errStartsFull = &Error{Code: CodeCapacity, Message: "too many sessions are being started", RetryAfter: time.Second}
	// errStartsSlow is returned to a client whose turn did not come in time.
	errStartsSlow = &Error{Code: CodeCapacity, Message: "no container could be started in time: too many starts are under way", RetryAfter: time.Second}
)
