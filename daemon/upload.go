package daemon

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Upload is the body of a request as it comes, of a route that Takes one. It never holds more of it than what is
// being read.
type Upload struct {
	r         io.Reader
	c         *fiber.Ctx
	timeout   time.Duration // for the next bytes to arrive
	limit     int64
	announced int64 // negative when it was not
	read      int64
}

// ReadUpload begins to read the body, at most MaxUpload bytes, each part of them within ReadTimeout, and as long as the request's
// Context lasts. The guard has refused one that was announced to be larger.
func ReadUpload(c *fiber.Ctx) *Upload {
	s := scopeOf(c).server
	u := &Upload{c: c, r: c.Context().RequestBodyStream(), timeout: s.cfg.ReadTimeout, limit: s.cfg.MaxUpload}
	if u.r == nil {
		u.r = strings.NewReader("")
	}
	u.announced = int64(c.Request().Header.ContentLength())
	return u
}

// Size is how many bytes the client says there are, nil when it does not say.
func (u *Upload) Size() *int64 {
	if u.announced < 0 {
		return nil
	}
	return &u.announced
}

// Read returns io.EOF only at the end of the whole body; any other error is the answer.
func (u *Upload) Read(p []byte) (int, error) {
	ctx, nc := Context(u.c), connOf(u.c)
	stop := context.AfterFunc(ctx, func() { _ = nc.SetReadDeadline(time.Now()) }) // ends the wait
	defer stop()
	if err := nc.SetReadDeadline(time.Now().Add(u.timeout)); err != nil {
		return 0, fmt.Errorf("set the body's deadline: %w", err)
	}
	if ctx.Err() != nil { // perhaps before the deadline was set
		return 0, context.Cause(ctx)
	}
	n, err := u.r.Read(p)
	u.read += int64(n)
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case u.read > u.limit:
		return 0, bodyTooLarge(u.limit)
	case err == io.EOF && (u.read < u.announced || nc.ended.Load()):
		return n, errEndedEarly
	case err == io.EOF:
		scopeOf(u.c).bodyRead = true
	case err != nil:
		err = readError(err)
	}
	return n, err
}

// takes are the forms of a body that the request's route takes as it comes; nil where it does not.
func (s *Server) takes(c *fiber.Ctx) []Media {
	for _, r := range s.uploads {
		if r.Method == c.Method() && s.matches(c, r) {
			return r.Takes
		}
	}
	return nil
}

// checkUpload refuses a body that would not be read, of a route that takes it in these forms.
func (s *Server) checkUpload(h *fasthttp.RequestHeader, forms []Media) error {
	if int64(h.ContentLength()) > s.cfg.MaxUpload {
		return bodyTooLarge(s.cfg.MaxUpload)
	}
	kind, _, _ := mime.ParseMediaType(string(h.ContentType()))
	var names []string
	for _, form := range forms {
		names = append(names, form.Type)
	}
	if !slices.Contains(names, "*/*") && !slices.Contains(names, kind) {
		return refuse(http.StatusUnsupportedMediaType, "the content type must be "+strings.Join(names, " or "))
	}
	return nil
}
