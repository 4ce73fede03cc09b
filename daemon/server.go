package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Server serves routes over HTTP/1.1. Make it with New.
type Server struct {
	cfg     Config
	log     *slog.Logger
	beat    time.Duration
	routes  []Route
	app     *fiber.App
	bodies  budget
	conns   conns
	sockets atomic.Int64 // WebSockets that are open
	hosts   atomic.Pointer[Hosts]
	origins atomic.Pointer[[]string]
	ring    *auth.Ring
	audit   *audit.Log
	metrics *metrics.Metrics
	tracer  *tracing.Tracer
	open    []Route // those that ask for no key
	uploads []Route // those that take a body as it comes
	methods string  // of all routes
	bound   string  // the address listened on, where it is one; immutable while serving

	ctx    context.Context // of every handler; ends when Shutdown has given up waiting for them
	cancel context.CancelCauseFunc
}

// New makes a server of routes. It does not listen yet.
func New(cfg Config, deps Deps) *Server {
	if deps.Heartbeat == 0 {
		deps.Heartbeat = defaultHeartbeat
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &Server{
		cfg:     cfg,
		log:     deps.Log,
		beat:    deps.Heartbeat,
		routes:  deps.Routes,
		bodies:  budget{limit: cfg.MaxInflightBody},
		conns:   conns{open: map[*conn]struct{}{}, empty: make(chan struct{}, 1)},
		ring:    auth.NewRing(ctx, refuse(http.StatusUnauthorized, "the API key was withdrawn")),
		audit:   deps.Audit,
		metrics: deps.Metrics,
		tracer:  deps.Tracer,
		methods: methodsOf(deps.Routes),
		ctx:     ctx,
		cancel:  cancel,
	}
	s.SetAllowedHosts(cfg.AllowedHosts)
	s.SetCORSOrigins(cfg.CORSOrigins)
	s.SetAuth(cfg.Auth)
	s.app = fiber.New(fiber.Config{
		AppName:                      "fastpyrepl",
		DisableStartupMessage:        true,
		StrictRouting:                true,
		CaseSensitive:                true,
		ErrorHandler:                 s.refuseUnread, // the rest ends in observe
		BodyLimit:                    int(cfg.MaxBody),
		StreamRequestBody:            true, // so that the guard runs before a body is read
		DisablePreParseMultipartForm: true,
		ReadBufferSize:               cfg.MaxHeader,
		Concurrency:                  cfg.MaxConnections,
		ReadTimeout:                  min(cfg.ReadTimeout, maxHeaderTime),
		WriteTimeout:                 cfg.WriteTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
	})
	s.app.Use(s.observe)
	for i := range s.routes {
		r := &s.routes[i]
		s.app.Add(r.Method, r.Path, routed(r, deps.Starting))
		if r.Open {
			s.open = append(s.open, *r)
		}
		if r.Takes != nil {
			s.uploads = append(s.uploads, *r)
		}
	}
	server, handler := s.app.Server(), s.app.Handler()
	server.CloseOnShutdown = true
	server.SecureErrorLogMessage = true
	server.ExpectHandler = s.expect
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if !knownMethod(ctx.Method()) { // Fiber answers these before any route; no route has TRACE
			ctx.Request.Header.SetMethod(fiber.MethodTrace)
		}
		handler(ctx)
	}
	return s
}

func knownMethod(method []byte) bool {
	for _, m := range fiber.DefaultMethods {
		if string(method) == m {
			return true
		}
	}
	return false
}

// startingRetry is when a client that came while the daemon starts may try again.
const startingRetry = 5 * time.Second

// routed is the handler of a route, for those who may use it, once the daemon has started.
func routed(r *Route, starting func() string) fiber.Handler {
	if starting == nil {
		starting = func() string { return "" }
	}
	return func(c *fiber.Ctx) error {
		sc := scopeOf(c)
		sc.route = r
		if id := sc.caller.identity; r.Admin && id != nil && id.Role != auth.Admin {
			return &Error{Status: http.StatusForbidden, Code: codeForbidden, Detail: "this is for the keys of administrators"}
		}
		if what := starting(); what != "" && !r.Early {
			return &Error{
				Status: http.StatusServiceUnavailable, Code: codeStarting, Detail: "the daemon is starting: " + what, RetryAfter: startingRetry,
			}
		}
		return r.Handler(c)
	}
}

// Now is what the server has open.
func (s *Server) Now() metrics.Server {
	return metrics.Server{Connections: s.conns.count(), WebSockets: int(s.sockets.Load()), Bodies: s.bodies.used.Load()}
}

// Resumed takes account of an execution of an earlier daemon's that goes on under this one, as sandbox.Manager.OnResume
// asks for it: its line of the audit log is yet to be written, unless it was, and one that runs counts for its session's
// owner. Who asked for it may have been an administrator, but no bound is to rest on what a container tells of that.
func (s *Server) Resumed(r sandbox.Resumed) (leave func()) {
	s.audit.Resumed(r.Execution)
	if !r.Runs {
		return func() {}
	}
	return s.ring.Resume(r.Owner)
}

// Routes is the table that the server was made from.
func (s *Server) Routes() []Route { return s.routes }

// SetAllowedHosts replaces Config.AllowedHosts. It may be called while the server runs.
func (s *Server) SetAllowedHosts(names []string) {
	s.hosts.Store(NewHosts(names))
}

// Serve answers requests from ln, a TCP listener, which it closes, until Shutdown. It is called once.
func (s *Server) Serve(ln net.Listener) error {
	s.bound = Bound(ln)
	if err := s.app.Listener(listener{Listener: ln, conns: &s.conns, log: s.log}); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Bound is the address that ln listens on, "" where that is all of the machine's.
func Bound(ln net.Listener) string {
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsUnspecified() {
		return addr.IP.String()
	}
	return ""
}

// closeTime is how long the handlers have to return after their context and connections were taken from them.
const closeTime = 2 * time.Second

// Shutdown stops listening, waits for the requests under way until ctx ends, and then cuts them off. Executions end
// with the Manager, not with their request: close it meanwhile. It returns nil when every handler has returned.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.app.ShutdownWithContext(ctx)
	s.cancel(sandbox.Errorf(sandbox.CodeClosed, "the daemon is shutting down"))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("stop listening: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := s.conns.closeAll(ctx); err != nil {
		return fmt.Errorf("wait for the handlers: %w", err)
	}
	return nil
}
