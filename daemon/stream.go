package daemon

import (
	"bufio"
	"context"
	"mime"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// StreamWriter sends the parts of an answer as they come.
type StreamWriter struct {
	w         *bufio.Writer
	conn      *conn
	timeout   time.Duration // for one part to leave
	heartbeat time.Duration
}

// Send writes one part and sees to it that it leaves now. It waits while a few parts have not left yet. An error means
// that nobody reads any more.
func (s *StreamWriter) Send(part []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(part); err != nil {
		return err
	}
	return s.w.Flush()
}

// Heartbeat is how long the stream may say nothing.
func (s *StreamWriter) Heartbeat() time.Duration { return s.heartbeat }

// Stream answers with what write sends, until it returns. write runs beside and after the handler, with a context that
// ends with ErrClientLeft as its cause when the client has left, or with the request's Context; it must not use c.
func Stream(c *fiber.Ctx, contentType string, write func(ctx context.Context, s *StreamWriter)) {
	server, nc, ctx := scopeOf(c).server, connOf(c), Context(c)
	c.Set(fiber.HeaderContentType, contentType)
	c.Set("X-Accel-Buffering", "no") // nginx would hold it back
	c.Response().ImmediateHeaderFlush = true
	nc.writers.Add(1)
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer nc.writers.Done()
		ctx, stop := watchLeave(ctx, nc)
		defer stop()
		defer server.recoverTail()
		write(ctx, &StreamWriter{w: w, conn: nc, timeout: server.cfg.WriteTimeout, heartbeat: server.beat})
		_ = nc.SetWriteDeadline(time.Now().Add(server.cfg.WriteTimeout)) // for the end of the body
	})
}

// Accepts tells whether the client's Accept header names this media type; wildcards do not count.
func Accepts(c *fiber.Ctx, mediaType string) bool {
	for accepted := range strings.SplitSeq(string(c.Request().Header.Peek(fiber.HeaderAccept)), ",") {
		if kind, _, err := mime.ParseMediaType(accepted); err == nil && kind == mediaType {
			return true
		}
	}
	return false
}
