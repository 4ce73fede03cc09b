package daemon

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"
)

// observe is around every request: it guards it, answers its errors and panics, counts it, and writes its line of the log.
func (s *Server) observe(c *fiber.Ctx) error {
	sc := newScope(s, c)
	sc.trace(c)
	err := s.answer(c)
	if err != nil {
		err = s.fail(c, err)
	}
	secure(c)
	sc.status = c.Response().StatusCode()
	s.count(sc)
	s.logRequest(c, sc, err)
	sc.close()
	return nil
}

// count counts a request that has its answer.
func (s *Server) count(sc *scope) {
	if sc.route == nil {
		s.metrics.Request("", "", sc.status)
		return
	}
	s.metrics.Request(sc.route.Path, sc.route.Method, sc.status)
}

// secure sets what every answer has: the request's id; and no browser guesses what it is, or keeps it where others may
// find it.
func secure(c *fiber.Ctx) {
	c.Set(headerRequestID, RequestID(c))
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
}

// panicked says where a panic was, not with what: its value may hold what the client sent.
func panicked(v any) error {
	why := fmt.Sprintf("%T", v)
	if e, ok := v.(runtime.Error); ok {
		why = e.Error()
	}
	return fmt.Errorf("panic: %s\n%s", why, debug.Stack())
}

// recoverTail logs a panic in what goes on after a handler, where it would end the daemon. It is deferred.
func (s *Server) recoverTail() {
	if v := recover(); v != nil {
		s.log.Error("stream or socket", "err", panicked(v))
	}
}

// answer guards and routes the request. A panic becomes an error.
func (s *Server) answer(c *fiber.Ctx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	if err := s.guard(c); err != nil {
		return err
	}
	if isPreflight(c) {
		return s.preflight(c)
	}
	if err := s.admit(c); err != nil {
		return err
	}
	if err := charge(c); err != nil {
		return err
	}
	return c.Next()
}

// fail answers with err, and returns what is worth a line in the log.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	if werr := writeError(c, err); werr != nil { // only a Detail that is no JSON
		err = fmt.Errorf("write error response: %w (after %w)", werr, err)
		c.Status(http.StatusInternalServerError)
	}
	// Where the next request begins is in doubt, or far away.
	unread := hasBody(&c.Request().Header) && !scopeOf(c).bodyRead
	if unread || c.Response().StatusCode() == http.StatusBadRequest {
		c.Context().SetConnectionClose()
		connOf(c).lingers()
	}
	return err
}

// logRequest writes one line: debug for what went well, info for what the client did wrong, error for our own faults.
func (s *Server) logRequest(c *fiber.Ctx, sc *scope, err error) {
	level := slog.LevelDebug
	switch {
	case err == nil || asError(err).Code == codeStarting: // no fault, though it is a 503: what /readyz answers, or one that came early
	case sc.status >= 500:
		level = slog.LevelError
	case sc.status >= 400:
		level = slog.LevelInfo
	}
	if !s.log.Enabled(s.ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", c.Method()),
		slog.String("route", sc.pattern()),
		slog.Int("status", sc.status),
		slog.Duration("took", time.Since(sc.start)),
		slog.String("request", sc.id),
	}
	if id := sc.caller.identity; id != nil {
		attrs = append(attrs, slog.String("key", id.Name))
	}
	for _, about := range [...]struct{ name, value string }{
		{"session_id", sc.session}, {"session", sc.container}, {"execution", sc.execution}, {"trace", sc.span.TraceID()},
	} {
		if about.value != "" {
			attrs = append(attrs, slog.String(about.name, about.value))
		}
	}
	if err != nil && sc.status >= 500 {
		attrs = append(attrs, slog.Any("err", err))
	}
	s.log.LogAttrs(s.ctx, level, "request", attrs...)
}
