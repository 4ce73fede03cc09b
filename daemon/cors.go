package daemon

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// What pages of allowed origins may send and read, besides what any may. Cookies and other credentials of the browser's
// are never among it: the key is in a header that the page sets.
const (
	corsRequestHeaders  = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, Last-Event-ID, Range, X-API-Key, X-Request-ID"
	corsResponseHeaders = "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, X-Request-ID"
	corsMaxAge          = "600" // seconds that a browser need not ask again
)

// SetCORSOrigins replaces Config.CORSOrigins. It may be called while the server runs.
func (s *Server) SetCORSOrigins(origins []string) {
	origins = slices.Clone(origins)
	s.origins.Store(&origins)
}

// allowOrigin tells whether pages of this origin may use the API, and tells their browser so.
func (s *Server) allowOrigin(c *fiber.Ctx, origin string) bool {
	if !slices.Contains(*s.origins.Load(), origin) {
		return false
	}
	c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
	c.Set(fiber.HeaderAccessControlExposeHeaders, corsResponseHeaders)
	c.Set(fiber.HeaderVary, fiber.HeaderOrigin)
	return true
}

// isPreflight tells whether a browser asks what a page of an allowed origin may send. The question never has a key.
func isPreflight(c *fiber.Ctx) bool {
	return c.Method() == fiber.MethodOptions &&
		len(c.Request().Header.Peek(fiber.HeaderAccessControlRequestMethod)) > 0 &&
		len(c.Response().Header.Peek(fiber.HeaderAccessControlAllowOrigin)) > 0
}

// preflight answers isPreflight. It is the same on every path: what is there is for those with a key.
func (s *Server) preflight(c *fiber.Ctx) error {
	c.Set(fiber.HeaderAccessControlAllowMethods, s.methods)
	c.Set(fiber.HeaderAccessControlAllowHeaders, corsRequestHeaders)
	c.Set(fiber.HeaderAccessControlMaxAge, corsMaxAge)
	return c.SendStatus(fiber.StatusNoContent)
}

// methodsOf lists the methods of a table.
func methodsOf(routes []Route) string {
	var methods []string
	for _, r := range routes {
		methods = append(methods, r.Method)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}
