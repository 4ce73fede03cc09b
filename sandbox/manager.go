package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// Manager owns the sessions. It is safe for concurrent use.
type Manager struct {
	rt  Runtime
	log *slog.Logger

	ctx    context.Context // ends when the Manager closes; bounds starts and the keep-alive
	cancel context.CancelFunc
	wg     sync.WaitGroup // starts, removals of lost sessions, the keep-alive

	starting   chan struct{} // a slot for every container being started
	executions *registry
	repeats    idempotency

	mu       sync.Mutex
	cfg      Config           // guarded by mu
	closed   bool             // guarded by mu
	sessions map[Key]*Session // guarded by mu
	ending   map[*Session]Key // guarded by mu; over, their containers not gone yet
	lost     tombstones       // guarded by mu
}

// NewManager makes a Manager that starts containers with rt. Close it to end its sessions. Config.MaxStarting and
// Config.Lease are fixed from here on.
func NewManager(rt Runtime, cfg Config, log *slog.Logger) *Manager {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Manager{
		rt:         rt,
		log:        log,
		ctx:        ctx,
		cancel:     cancel,
		starting:   make(chan struct{}, cfg.MaxStarting),
		executions: newRegistry(),
		cfg:        cfg,
		sessions:   map[Key]*Session{},
		ending:     map[*Session]Key{},
	}
	if cfg.Lease > 0 {
		m.wg.Go(func() { m.keepAlive(cfg.Lease / 3) })
	}
	return m
}

// SetConfig changes the bounds for what begins from now on. Sessions that run keep their limits.
func (m *Manager) SetConfig(cfg Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cfg = cfg
}

// Execute queues code in the session named by key, which it creates when there is none; an empty id gets a UUID.
// It returns when the execution is queued, after the session's start where it had to start. When the setup code failed,
// the execution it returns is that of the setup code, ended, and the session is gone.
//
// It returns an Error with CodeInvalid, CodeNotFound, CodeLost, CodeBusy, CodeCapacity, CodeImage, CodeEngine or
// CodeClosed, or the cause of ctx; a start that ctx left behind goes on.
func (m *Manager) Execute(ctx context.Context, key Key, req Request) (*Execution, error) {
	asked := key
	if key.ID == "" {
		key.ID = uuid.NewString()
	} else if !ValidSessionID(key.ID) {
		return nil, Errorf(CodeInvalid, "session id must match %s", SessionIDPattern)
	}
	if req.IdempotencyKey == "" {
		return m.execute(ctx, key, req, nil)
	}
	return m.repeats.do(ctx, asked, req, func(forget func()) (*Execution, error) {
		return m.execute(ctx, key, req, forget)
	})
}

// execute is Execute for a key that is whole. forget is called when the execution is no longer kept.
func (m *Manager) execute(ctx context.Context, key Key, req Request, forget func()) (*Execution, error) {
	for {
		m.mu.Lock()
		cfg := m.cfg
		m.mu.Unlock()
		if err := req.validate(cfg.Execution); err != nil {
			return nil, err
		}
		s, created, err := m.session(key, req, cfg)
		if err != nil {
			return nil, err
		}
		select {
		case <-s.started:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if s.setup != nil && created {
			m.register(s.setup, forget)
			return s.setup, nil
		}
		if s.setup != nil { // somebody else's; this request may bring a better one
			continue
		}
		if s.startErr != nil {
			return nil, s.startErr
		}
		first := req
		if created && req.SetupCode != "" {
			first.Context = nil // it was set before the setup code
		}
		e := newExecution(s, first, cfg.Execution)
		e.created = created
		m.register(e, forget)
		err = s.submit(e, cfg.Execution.Queue)
		if err != nil {
			m.executions.remove(e)
		}
		if ErrorCode(err) == CodeConflict && !created { // it was reset in this moment
			continue
		}
		if err != nil {
			return nil, err
		}
		return e, nil
	}
}

// register makes e findable, and bounds how long it stays so after its end.
func (m *Manager) register(e *Execution, forget func()) {
	m.executions.add(e, forget)
	e.OnEnd(func() {
		m.mu.Lock()
		cfg := m.cfg
		m.mu.Unlock()
		m.executions.keep(e, cfg.MaxResults, cfg.ResultsKept)
	})
}

// Execution finds an execution of owner's that runs, or ended and is still kept; else the error has CodeNotFound.
func (m *Manager) Execution(owner, id string) (*Execution, error) {
	return m.executions.find(owner, id)
}

// Interrupt asks the running execution of a session to end, as Execution.Interrupt does. A session in which nothing
// runs is left alone; an unknown one is CodeNotFound, a lost one CodeLost.
func (m *Manager) Interrupt(key Key) error {
	s, err := m.find(key)
	if err != nil {
		return err
	}
	if e := s.running(); e != nil {
		return e.Interrupt()
	}
	return nil
}

// Session says how a session is. An unknown one is CodeNotFound, a lost one CodeLost.
func (m *Manager) Session(key Key) (Info, error) {
	s, err := m.find(key)
	if err != nil {
		return Info{}, err
	}
	return s.info(), nil
}

// Background is what threads and child processes of a session wrote after the end of the execution they came from. The
// feed ends with the session; the oldest output is dropped at 256 KiB.
func (m *Manager) Background(key Key) (Feed, error) {
	s, err := m.find(key)
	if err != nil {
		return nil, err
	}
	return &s.background.log, nil
}

// find returns a session that is there.
func (m *Manager) find(key Key) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[key]; s != nil {
		return s, nil
	}
	if err := m.lostError(key); err != nil {
		return nil, err
	}
	return nil, Errorf(CodeNotFound, "no session %s", key.ID)
}

// lostError needs mu.
func (m *Manager) lostError(key Key) error {
	if cause, ok := m.lost.get(key, m.cfg.LostKept); ok {
		return Errorf(CodeLost, "session %s is lost: %s; reset it to use the id again", key.ID, cause)
	}
	return nil
}

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
		m.lost.drop(key)
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

// start brings s up, its setup code included.
func (m *Manager) start(ctx context.Context, s *Session, req Request, cfg Config) {
	s.startErr = m.startContainer(ctx, s, cfg)
	if s.startErr != nil {
		if ErrorCode(s.startErr) == "" {
			s.startErr = &Error{Code: CodeEngine, Message: "the session's container did not start", Err: s.startErr}
		}
		m.log.Error("session not started", "session", s.uid.String(), "err", s.startErr)
		m.forget(s)
		close(s.started)
		return
	}
	if req.SetupCode != "" {
		m.runSetup(ctx, s, req, cfg)
	}
	if s.setup != nil || s.startErr != nil {
		m.retire(s)
		s.finish(OutcomeCancelled, "its setup code did not succeed", false)
		_ = s.remove(cfg.StopTimeout) // logged there
		m.forget(s)
	}
	close(s.started)
}

// runSetup runs the setup code. When it fails, s.setup is set; when ctx ended first, s.startErr.
func (m *Manager) runSetup(ctx context.Context, s *Session, req Request, cfg Config) {
	setup := newExecution(s, Request{Code: req.SetupCode, Context: req.Context, Timeout: req.Timeout}, cfg.Execution)
	setup.setup, setup.created = true, true
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
	err := s.start(ctx, m.rt, Spec{Session: s.uid.String(), Limits: cfg.Limits, Lease: cfg.Lease}, cfg.StopTimeout)
	if err != nil && parent.Err() != nil {
		return errNotStarted
	}
	return err
}

// Reset ends the session of key, and forgets the cause if it was lost. It returns after the container is gone. An
// unknown id is no error.
func (m *Manager) Reset(ctx context.Context, key Key) error {
	m.mu.Lock()
	m.lost.drop(key)
	var doomed []*Session
	if s := m.sessions[key]; s != nil {
		doomed = append(doomed, s)
	}
	for s, k := range m.ending {
		if k == key {
			doomed = append(doomed, s)
		}
	}
	m.mu.Unlock()
	return m.end(ctx, doomed, "the session was reset")
}

// ResetAll ends every session of an owner.
func (m *Manager) ResetAll(ctx context.Context, owner string) error {
	m.mu.Lock()
	m.lost.dropOwner(owner)
	var doomed []*Session
	for key, s := range m.sessions {
		if key.Owner == owner {
			doomed = append(doomed, s)
		}
	}
	for s, key := range m.ending {
		if key.Owner == owner {
			doomed = append(doomed, s)
		}
	}
	m.mu.Unlock()
	return m.end(ctx, doomed, "all sessions were reset")
}

// end ends sessions side by side and waits for their containers to be gone, or for ctx; the work goes on without it.
func (m *Manager) end(ctx context.Context, doomed []*Session, cause string) error {
	m.mu.Lock()
	timeout := m.cfg.StopTimeout
	m.mu.Unlock()
	errs := make(chan error, len(doomed))
	for _, s := range doomed {
		m.retire(s)
		m.wg.Go(func() { errs <- m.endOne(s, cause, timeout) })
	}
	var all []error
	for range doomed {
		select {
		case err := <-errs:
			all = append(all, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := errors.Join(all...); err != nil {
		return &Error{Code: CodeEngine, Message: "a container could not be removed", Err: err}
	}
	return nil
}

// endOne ends a session that was retired.
func (m *Manager) endOne(s *Session, cause string, timeout time.Duration) error {
	s.cancelStart()
	<-s.started
	if s.startErr != nil || s.setup != nil {
		return nil // start has cleaned up
	}
	s.finish(OutcomeCancelled, cause, false)
	err := s.remove(timeout)
	m.forget(s)
	return err
}

// retire takes s off the list of sessions, so that its id may be used again, while its container still is there.
func (m *Manager) retire(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[s.key] == s {
		delete(m.sessions, s.key)
		m.ending[s] = s.key
	}
}

// forget takes s off every list. Its container is gone, or was never there.
func (m *Manager) forget(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[s.key] == s {
		delete(m.sessions, s.key)
	}
	delete(m.ending, s)
}

// bury removes a lost session and remembers the cause.
func (m *Manager) bury(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	timeout := m.cfg.StopTimeout
	if m.sessions[s.key] == s {
		delete(m.sessions, s.key)
		m.ending[s] = s.key
		m.lost.add(s.key, s.cause)
	}
	m.wg.Go(func() { // before the lock is given up: Close waits for it from then on
		<-s.started // its start may still be in the setup code
		_ = s.remove(timeout)
		m.forget(s)
	})
}

// keepAlive renews the lease of every container.
func (m *Manager) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		m.mu.Lock()
		var live []*Session
		for _, s := range m.sessions {
			live = append(live, s)
		}
		m.mu.Unlock()
		var g errgroup.Group
		g.SetLimit(16) // a frozen container holds a sender for writeTimeout
		for _, s := range live {
			g.Go(s.ping)
		}
		_ = g.Wait()
	}
}

// Sweep removes the containers of this owner that no session of the Manager uses: what an earlier daemon left.
func (m *Manager) Sweep(ctx context.Context) error {
	found, err := m.rt.List(ctx)
	if err != nil {
		return fmt.Errorf("list leftovers: %w", err)
	}
	m.mu.Lock()
	used := map[string]bool{}
	for _, s := range m.sessions {
		used[s.uid.String()] = true
	}
	for s := range m.ending {
		used[s.uid.String()] = true
	}
	m.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(m.starting))
	for _, inst := range found {
		if used[inst.Spec().Session] {
			continue
		}
		g.Go(func() error {
			m.log.Info("removing leftover container", "instance", inst.ID())
			return inst.Destroy(ctx)
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("remove leftovers: %w", err)
	}
	return nil
}

// Close ends every session, waits until the containers are gone, or until ctx ends, and leaves no goroutine behind when
// it returns nil. Calls after it get CodeClosed.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	var doomed []*Session
	for _, s := range m.sessions {
		doomed = append(doomed, s)
	}
	m.mu.Unlock()
	m.cancel()
	if err := m.end(ctx, doomed, "the daemon is shutting down"); err != nil {
		return err
	}
	idle := make(chan struct{})
	go func() {
		m.wg.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
