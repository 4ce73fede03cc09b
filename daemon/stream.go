package daemon

import (
	"bufio"
	"context"
	"mime"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// StreamWriter sends the parts of an answer as they come.
type StreamWriter struct {
	w       *bufio.Writer
	conn    net.Conn
	timeout time.Duration // for one part to leave
}

// Send writes one part and sees to it that it leaves now. An error means that nobody reads any more.
func (s *StreamWriter) Send(part []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(part); err != nil {
		return err
	}
	return s.w.Flush()
}

// Stream answers with what write sends, until it returns. write runs after the handler, with a context that ends with
// ErrClientLeft as its cause when the client has left, or when the server gives up; it must not use c.
func Stream(c *fiber.Ctx, contentType string, write func(ctx context.Context, s *StreamWriter)) {
	sc := scopeOf(c)
	nc := c.Context().Conn()
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no") // nginx would hold it back
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, stop := watchLeave(sc.server.ctx, nc)
		defer stop()
		write(ctx, &StreamWriter{w: w, conn: nc, timeout: sc.server.cfg.WriteTimeout})
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
