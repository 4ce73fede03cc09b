package daemon

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

const headerRequestID = "X-Request-ID"

// scope is what the server keeps of one request. Its handler's goroutine owns it.
type scope struct {
	server  *Server
	id      string
	start   time.Time
	ctx     context.Context // of the handler; see Context
	caller  Caller
	session string // for the log

	bodyRead bool // to its end
}

type scopeKey struct{}

func newScope(s *Server, c *fiber.Ctx) *scope {
	sc := &scope{server: s, start: time.Now(), ctx: s.ctx}
	if id := c.Request().Header.Peek(headerRequestID); validRequestID(id) {
		sc.id = string(id)
	} else {
		sc.id = uuid.NewString()
	}
	c.Locals(scopeKey{}, sc)
	return sc
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

// SetSession names the session in the request's line of the log.
func SetSession(c *fiber.Ctx, id string) { scopeOf(c).session = id }

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
