package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Body is the body of a request, which holds a share of the server's budget until it is closed.
type Body struct {
	b      []byte
	held   int64
	budget *budget
	limits jsonbody.Limits
}

// What a body's buffer takes before any of it has come. Longer ones take more as they arrive, so that announcing a body
// costs nobody else's budget.
const (
	firstAnnounced = 256 << 10
	firstChunked   = 8 << 10
)

// prefetched is what fasthttp has read of a body before the handler runs.
const prefetched = 8 << 10

// ReadBody reads the body, at most MaxBody bytes within ReadTimeout. The guard has looked at its type. The caller closes it.
func ReadBody(c *fiber.Ctx) (*Body, error) {
	s := scopeOf(c).server
	body := s.newBody()
	r := c.Context().RequestBodyStream()
	if r == nil {
		return body, nil
	}
	announced := c.Request().Header.ContentLength() // negative when chunked
	if announced < 0 || announced > prefetched {
		if err := c.Context().SetReadDeadline(time.Now().Add(s.cfg.ReadTimeout)); err != nil {
			return nil, fmt.Errorf("set the body's deadline: %w", err)
		}
	}
	err := body.read(r, int64(announced), s.cfg.MaxBody)
	if err == nil && announced < 0 && connOf(c).ended.Load() { // the end of a body in chunks is said before
		err = errEndedEarly
	}
	if err != nil {
		body.Close()
		return nil, err
	}
	scopeOf(c).bodyRead = true
	return body, nil
}

func (s *Server) newBody() *Body {
	return &Body{
		budget: &s.bodies,
		limits: jsonbody.Limits{Depth: s.cfg.MaxJSONDepth, Values: s.cfg.MaxJSONKeys},
	}
}

// read reads all of r. Without announced, which is -1 then, the end shows only when the buffer has room behind it.
func (b *Body) read(r io.Reader, announced, limit int64) error {
	most, first := announced, int64(firstAnnounced)
	if announced < 0 {
		most, first = limit+1, firstChunked
	}
	for {
		if len(b.b) == cap(b.b) {
			if int64(len(b.b)) == most {
				break
			}
			if err := b.grow(min(most, max(first, 2*int64(cap(b.b))))); err != nil {
				return err
			}
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return readError(err)
		}
	}
	switch {
	case int64(len(b.b)) > limit:
		return bodyTooLarge(limit)
	case announced >= 0 && int64(len(b.b)) < announced:
		return errEndedEarly
	}
	return nil
}

// grow makes room for size bytes in all.
func (b *Body) grow(size int64) error {
	if !b.budget.take(size - b.held) {
		return &Error{
			Status:     http.StatusServiceUnavailable,
			Detail:     "too many bytes of request bodies are in flight",
			RetryAfter: time.Second,
		}
	}
	b.held = size
	b.b = append(make([]byte, 0, size), b.b...)
	return nil
}

// Decode decodes the body into fields, strictly and bounded. What is wrong with it is an Error.
func (b *Body) Decode(fields []jsonbody.Field) error {
	if wrong := jsonbody.Decode(b.b, b.limits, fields); len(wrong) > 0 {
		return Invalid(wrong)
	}
	return nil
}

// Drop frees the bytes before the body is closed. What the caller decoded and holds, kept bytes, still counts.
func (b *Body) Drop(kept int64) {
	b.b = nil
	kept = min(kept, b.held)
	b.budget.give(b.held - kept)
	b.held = kept
}

// Close frees the bytes.
func (b *Body) Close() { b.Drop(0) }

// errEndedEarly answers a body that its client did not send to its end.
var errEndedEarly = refuse(http.StatusBadRequest, "the body ended early")

func bodyTooLarge(limit int64) *Error {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit))
}

func readError(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, fasthttp.ErrTimeout) {
		return &Error{Status: http.StatusRequestTimeout, Detail: "the body did not arrive in time", Err: err}
	}
	return &Error{Status: http.StatusBadRequest, Detail: "the body could not be read", Err: err}
}
