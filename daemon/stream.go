package daemon

import (
	"context"
	"errors"
	"io"
	"mime"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// StreamWriter sends the parts of an answer as they come.
type StreamWriter struct {
	w         io.Writer // a chunk for each write
	conn      *conn
	timeout   time.Duration // for one part to leave
	heartbeat time.Duration
}

// Send writes one part, which leaves now. An error means that nobody reads any more.
func (s *StreamWriter) Send(part []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	_, err := s.w.Write(part)
	return err
}

// Heartbeat is how long the stream may say nothing.
func (s *StreamWriter) Heartbeat() time.Duration { return s.heartbeat }

// Stream answers with what write sends, until it returns. write runs after the handler, with a context that
// ends with ErrClientLeft as its cause when the client has left, or with the request's Context; it must not use c.
func Stream(c *fiber.Ctx, contentType string, write func(ctx context.Context, s *StreamWriter)) {
	sc, nc := scopeOf(c), connOf(c)
	server, ctx := sc.server, sc.ctx
	c.Set(fiber.HeaderContentType, contentType)
	c.Set("X-Accel-Buffering", "no") // nginx would hold it back
	c.Response().ImmediateHeaderFlush = true
	sc.open.Add(1)
	c.Context().SetBodyStream(&bodyStream{over: sc.close, write: func(w io.Writer) (int64, error) {
		ctx, stop := watchLeave(ctx, nc)
		defer stop()
		defer server.recoverTail()
		write(ctx, &StreamWriter{w: w, conn: nc, timeout: server.cfg.WriteTimeout, heartbeat: server.beat})
		return 0, nc.SetWriteDeadline(time.Now().Add(server.cfg.WriteTimeout)) // for the end of the body
	}}, -1)
}

// bodyStream is a body that fasthttp has written in the connection's own goroutine. The stream writers of fasthttp's
// take it in pieces of 4 KiB from a goroutine of their own.
type bodyStream struct {
	write func(w io.Writer) (int64, error) // returns how many bytes it wrote, where that was said before
	over  func()
}

var _ fasthttp.BodyWriterTo = (*bodyStream)(nil)

// WriteTo returns when the body is written, or the connection fails; then w knows the error too.
func (b *bodyStream) WriteTo(w io.Writer) (int64, error) { return b.write(w) }

// SupportsBodyWriteTo makes fasthttp call WriteTo.
func (b *bodyStream) SupportsBodyWriteTo() bool { return true }

// Read is for writers that know no WriteTo. There is none.
func (b *bodyStream) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close is called once, also when nothing could be written.
func (b *bodyStream) Close() error {
	b.over()
	return nil
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
