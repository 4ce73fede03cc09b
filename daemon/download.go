package daemon

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Send answers with what write writes: size bytes, or -1 when nobody knows how many. When write fails, or writes less, the
// connection is cut off, so that what has come is never taken for the whole. write runs after the handler, with a context that
// ends with ErrClientLeft as its cause when the client has left, or with the request's Context; it must not use c. closed is
// called once, when nothing more will be written, also when nothing was.
func Send(c *fiber.Ctx, size int64, write func(ctx context.Context, w io.Writer) error, closed func()) {
	sc, nc := scopeOf(c), connOf(c)
	server, ctx := sc.server, sc.ctx
	sc.open.Add(1)
	over := func() {
		closed()
		sc.close()
	}
	c.Context().SetBodyStream(&bodyStream{over: over, write: func(w io.Writer) (int64, error) {
		ctx, stop := watchLeave(ctx, nc)
		defer stop()
		out := &downloadWriter{w: w, conn: nc, timeout: server.cfg.WriteTimeout}
		err := writeAll(ctx, out, size, write)
		if err != nil {
			server.log.LogAttrs(ctx, slog.LevelInfo, "download cut off", slog.String("request", sc.id), slog.Any("err", err))
			return out.n, err
		}
		return out.n, nc.SetWriteDeadline(time.Now().Add(server.cfg.WriteTimeout)) // for the end of the body
	}}, int(size))
}

// writeAll has write write size bytes, or any number where that is negative. A panic becomes an error.
func writeAll(ctx context.Context, w *downloadWriter, size int64, write func(ctx context.Context, w io.Writer) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	if err := write(ctx, w); err != nil {
		return err
	}
	if size >= 0 && w.n != size {
		return fmt.Errorf("%d bytes were written, %d were announced", w.n, size)
	}
	return nil
}

// downloadWriter gives each part of a body its time to leave.
type downloadWriter struct {
	w       io.Writer
	conn    *conn
	timeout time.Duration
	n       int64
}

func (w *downloadWriter) Write(p []byte) (int, error) {
	if err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	w.n += int64(n)
	return n, err
}
