package daemon

import (
	"net/http"

	"github.com/valyala/fasthttp"
)

// expect answers a client that asks before it sends a body: one that would be refused for its headers is not sent at
// all. It is fasthttp's ExpectHandler, which writes the response as it finds it here, with the status returned.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	c := s.app.AcquireCtx(ctx)
	defer s.app.ReleaseCtx(c)
	newScope(s, c)
	err := s.guard(c)
	if err == nil {
		err = s.admit(c)
	}
	if err == nil {
		return http.StatusContinue
	}
	_ = s.hangUp(c, err) // these errors are always JSON
	return c.Response().StatusCode()
}
