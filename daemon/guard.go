package daemon

import (
	"mime"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// admit is what a request has to pass before it is routed, by its headers alone.
func (s *Server) admit(c *fiber.Ctx) error {
	if err := s.signIn(c); err != nil {
		return err
	}
	return s.checkBody(c)
}

// guard refuses what no client of this daemon sends. Any web page may make the browser of somebody who runs it send
// requests: what a page can send without asking is refused, and asking is answered for the origins alone that the operator
// named.
func (s *Server) guard(c *fiber.Ctx) error {
	h := &c.Request().Header
	if err := checkFraming(h); err != nil {
		return err
	}
	host := string(h.Host())
	if host == "" {
		return refuse(http.StatusBadRequest, "the Host header is missing")
	}
	if !s.hosts.Load().Serves(host, s.bound) {
		return refuse(http.StatusMisdirectedRequest, "this Host is not served; allowed_hosts adds names to loopback's")
	}
	return s.checkOrigin(c, host)
}

// checkBody refuses a body that would not be read.
func (s *Server) checkBody(c *fiber.Ctx) error {
	h := &c.Request().Header
	if len(h.Peek(fiber.HeaderContentEncoding)) > 0 { // a few bytes may inflate to any number
		return refuse(http.StatusUnsupportedMediaType, "Content-Encoding is not supported")
	}
	if !hasBody(h) {
		return nil
	}
	if forms := s.takes(c); forms != nil {
		return s.checkUpload(h, forms)
	}
	if !isJSON(string(h.ContentType())) {
		return refuse(http.StatusUnsupportedMediaType, "the content type must be application/json, in UTF-8")
	}
	if int64(h.ContentLength()) > s.cfg.MaxBody {
		return bodyTooLarge(s.cfg.MaxBody)
	}
	return nil
}

// checkOrigin refuses what a page of another origin sent, unless that one is allowed. Programs that are no browsers send
// neither header.
func (s *Server) checkOrigin(c *fiber.Ctx, host string) error {
	h := &c.Request().Header
	origin := string(h.Peek(fiber.HeaderOrigin))
	if origin != "" && s.allowOrigin(c, origin) {
		return nil
	}
	site := string(h.Peek("Sec-Fetch-Site"))
	if site != "" && s.isVisit(c) {
		site = "none" // as if somebody had typed the address
	}
	return CheckSite(site, origin, host, c.Context().IsTLS())
}

// CheckSite refuses, with an Error, what a page of another origin had a browser send to host, by the headers Sec-Fetch-Site and
// Origin. Browsers leave out the first where the connection is not secure, and the second of most requests that only read.
func CheckSite(site, origin, host string, tls bool) error {
	switch site {
	case "", "none", "same-origin":
	default:
		return refuse(http.StatusForbidden, "requests from other sites are not allowed")
	}
	if origin != "" && !sameOrigin(origin, host, tls) {
		return refuse(http.StatusForbidden, "requests from other origins are not allowed")
	}
	return nil
}

// isVisit tells whether somebody followed a link to what asks for no key. The page that has the link learns nothing of what it
// leads to, and what it leads to changes nothing.
func (s *Server) isVisit(c *fiber.Ctx) bool {
	h := &c.Request().Header
	return c.Method() == fiber.MethodGet && s.isOpen(c) &&
		string(h.Peek("Sec-Fetch-Mode")) == "navigate" && string(h.Peek("Sec-Fetch-Dest")) == "document"
}

// sameOrigin compares scheme, host and port.
func sameOrigin(origin, host string, tls bool) bool {
	scheme, port := "http://", ":80"
	if tls {
		scheme, port = "https://", ":443"
	}
	from, ok := strings.CutPrefix(strings.ToLower(origin), scheme)
	return ok && strings.TrimSuffix(from, port) == strings.TrimSuffix(strings.ToLower(host), port)
}

// isJSON takes application/json, with UTF-8 as the only charset: the content types that a page may send are others.
func isJSON(contentType string) bool {
	if contentType == fiber.MIMEApplicationJSON {
		return true
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != fiber.MIMEApplicationJSON {
		return false
	}
	charset, ok := params["charset"]
	return len(params) == 0 || ok && len(params) == 1 && strings.EqualFold(charset, "utf-8")
}
