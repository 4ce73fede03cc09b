package sandbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Manager owns the sessions. It is safe for concurrent use.
type Manager struct {
	rt  Runtime
	log *slog.Logger

	ctx    context.Context // ends when the Manager closes; bounds starts and the keep-alive
	cancel context.CancelFunc
	wg     sync.WaitGroup // starts, removals of lost sessions, what goes on beside them

	observer   Observer                     // immutable once anything is executed
	resumed    func(Resumed) (leave func()) // immutable once anything is executed
	executions *registry
	repeats    idempotency

	mu       sync.Mutex
	cfg      Config           // guarded by mu
	store    Store            // used with mu held
	restored bool             // guarded by mu; Restore has looked at what there is, and known has it
	unsaved  bool             // guarded by mu; store lacks something, or has too much
	closed   bool             // guarded by mu
	sessions map[Key]*Session // guarded by mu
	ending   map[*Session]Key // guarded by mu; over, their containers not gone yet
	gone     tombstones       // guarded by mu
	starts   starts           // guarded by mu
	pool     pool             // guarded by mu
	// known are the containers that are, or may be, there, by the Session of their Spec: from before they are made until
	// they are gone. Guarded by mu.
	known   map[string]struct{}
	unclear chan struct{} // holds one when a container may be there that should not be
}

// NewManager makes a Manager that starts containers with rt and remembers in store; nil forgets. Restore must follow
// before anything is executed. Close it to end its sessions. Config.MaxStarting, Config.Lease and
// Config.Pool.ShrinkAfter are fixed from here on.
func NewManager(rt Runtime, store Store, cfg Config, log *slog.Logger) *Manager {
	ctx, cancel := context.WithCancel(context.Background())
	if store == nil {
		store = noStore{}
	}
	m := &Manager{
		rt:         rt,
		store:      store,
		log:        log,
		ctx:        ctx,
		cancel:     cancel,
		observer:   unobserved{},
		resumed:    func(Resumed) func() { return func() {} },
		executions: newRegistry(),
		cfg:        cfg,
		sessions:   map[Key]*Session{},
		ending:     map[*Session]Key{},
		starts:     starts{free: cfg.MaxStarting},
		pool:       pool{dropping: map[*container]struct{}{}},
		known:      map[string]struct{}{},
		unclear:    make(chan struct{}, 1),
	}
	m.gone = newTombstones(store, m.saved)
	m.wg.Go(func() { m.tend(cfg.Pool.ShrinkAfter) })
	m.wg.Go(func() { m.renew(cfg.Lease) })
	m.wg.Go(m.clear)
	return m
}

// SetConfig changes the bounds for what begins from now on. Sessions that run keep their limits.
func (m *Manager) SetConfig(cfg Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cfg = cfg
	m.refit()
}

func (m *Manager) reconnectTimeout() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cfg.ReconnectTimeout
}

// saved needs mu. It tells of a store that failed: until clear has made up for it, a later daemon would know less.
func (m *Manager) saved(err error) {
	if err != nil {
		m.log.Error("state not saved", "err", err)
		m.unsaved = true
		m.clearSoon()
	}
}

// Execute queues code in the session named by key, which it creates when there is none; an empty id gets a UUID.
// It returns when the execution is queued, after the session's start where it had to start. When the setup code failed,
// the execution it returns is that of the setup code, ended, and the session is gone.
//
// It returns an Error with CodeInvalid, CodeNotFound, CodeLost, CodeExpired, CodeBusy, CodeSessions, CodeCapacity, CodeImage,
// CodeEngine, CodeState or CodeClosed, what req.Admit returned, or the cause of ctx; a start that ctx left behind goes on.
func (m *Manager) Execute(ctx context.Context, key Key, req Request) (*Execution, error) {
	asked := key
	if key.ID == "" && req.NoCreate {
		return nil, Errorf(CodeNotFound, "no session is named, and none is to be created")
	}
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
	var err error
	if req.admission, err = req.admit(); err != nil {
		return nil, err
	}
	e, err := m.begin(ctx, key, req, forget)
	if err != nil || e.setup { // the execution that was admitted did not come about
		req.admission.release()
	}
	return e, err
}

// begin is execute for a request that was admitted.
func (m *Manager) begin(ctx context.Context, key Key, req Request, forget func()) (*Execution, error) {
	for {
		m.mu.Lock()
		cfg := m.cfg
		m.mu.Unlock()
		if err := req.validate(cfg); err != nil {
			return nil, err
		}
		s, created, err := m.session(ctx, key, req, cfg)
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

// register makes e findable, and bounds how long it stays so after its end. It returns false when its id is taken.
func (m *Manager) register(e *Execution, forget func()) bool {
	if !m.executions.add(e, forget) {
		return false
	}
	e.OnEnd(func() {
		m.mu.Lock()
		cfg := m.cfg
		m.mu.Unlock()
		for _, gone := range m.executions.keep(e, cfg.MaxResults, cfg.ResultsKept) {
			if gone.forget != nil {
				gone.forget()
			}
			gone.execution.ack(false) // this may be the reader of a container
		}
	})
	return true
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
	if err := m.goneError(key); err != nil {
		return nil, err
	}
	return nil, Errorf(CodeNotFound, "no session %s", key.ID)
}

// goneError needs mu. It says what became of a session that is gone, if nobody ended it.
func (m *Manager) goneError(key Key) error {
	stone, ok := m.gone.get(key, m.cfg.LostKept)
	switch {
	case !ok:
		return nil
	case stone.Expired:
		return Errorf(CodeExpired, "session %s has expired: %s; reset it to use the id again", key.ID, stone.Cause)
	default:
		return Errorf(CodeLost, "session %s is lost: %s; reset it to use the id again", key.ID, stone.Cause)
	}
}
