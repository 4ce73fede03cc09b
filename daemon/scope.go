package daemon

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

const headerRequestID = "X-Request-ID"

// scope is what the server keeps of one request. Its handler's goroutine owns it.
type scope struct {
	server *Server
	id     string
	start  time.Time
	ctx    context.Context // of the handler; see Context
	caller Caller

	route     *Route // nil until it was routed
	session   string // for the log, as the client calls it
	container string // for the log: what the session is called there
	execution string // for the log
	bodyRead  bool   // to its end

	span   *tracing.Span
	method string       // for the span
	status int          // once the handler has returned
	open   atomic.Int32 // the handler, and what writes the answer after it; see close
}

type scopeKey struct{}

func newScope(s *Server, c *fiber.Ctx) *scope {
	sc := &scope{server: s, start: time.Now(), ctx: s.ctx}
	sc.open.Store(1)
	if id := c.Request().Header.Peek(headerRequestID); validRequestID(id) {
		sc.id = string(id)
	} else {
		sc.id = uuid.NewString()
	}
	c.Locals(scopeKey{}, sc)
	return sc
}

// trace begins the request's span, where there are any.
func (sc *scope) trace(c *fiber.Ctx) {
	if sc.server.tracer == nil {
		return
	}
	h := &c.Request().Header
	sc.method = strings.Clone(c.Method())
	sc.ctx, sc.span = sc.server.tracer.Request(sc.ctx, sc.method, string(h.Peek("traceparent")), string(h.Peek("tracestate")))
}

// pattern is the path of the request's route, "" where it has none. The request's own path is the client's text.
func (sc *scope) pattern() string {
	if sc.route == nil {
		return ""
	}
	return sc.route.Path
}

// close tells that a part of the request has ended. The last of them ends its span, and the time that it took.
func (sc *scope) close() {
	if sc.open.Add(-1) > 0 {
		return
	}
	sc.span.End(sc.method, sc.pattern(), sc.status)
	if sc.status != http.StatusSwitchingProtocols {
		sc.server.metrics.Answered(sc.pattern(), time.Since(sc.start))
	}
}

// scopeOf panics outside of a route.
func scopeOf(c *fiber.Ctx) *scope { return c.Locals(scopeKey{}).(*scope) }

// connOf is the connection of a request. Every one of ours is TCP.
func connOf(c *fiber.Ctx) *conn { return c.Context().Conn().(*conn) }

// Context ends when the server has stopped waiting for its handlers, or the request's key was withdrawn; the cause is the
// answer. It does not end when the client leaves: fasthttp does not notice that.
func Context(c *fiber.Ctx) context.Context { return scopeOf(c).ctx }

// RequestID is the client's X-Request-ID, or a new one.
func RequestID(c *fiber.Ctx) string { return scopeOf(c).id }

// SetSession names the session, as the client does, in the request's line of the log.
func SetSession(c *fiber.Ctx, id string) { scopeOf(c).session = id }

// SetExecution names an execution, and its session, in the request's line of the log.
func SetExecution(c *fiber.Ctx, x *sandbox.Execution) {
	sc := scopeOf(c)
	sc.session, sc.container, sc.execution = x.Session(), x.Container(), x.ID()
}

// validRequestID keeps what a client may put in our log and headers to characters that mean nothing there.
func validRequestID(id []byte) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, b := range id {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '.', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}
