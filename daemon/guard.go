package daemon

import (
	"mime"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// guard refuses a request before routing, by its headers alone. Any web page may make the browser of somebody who runs
// this daemon send requests to it: what a page can send without asking is refused, and asking is never answered.
func (s *Server) guard(c *fiber.Ctx) error {
	h := &c.Request().Header
	if err := checkFraming(h); err != nil {
		return err
	}
	host := string(h.Host())
	if host == "" {
		return refuse(http.StatusBadRequest, "the Host header is missing")
	}
	if !s.serves(host) {
		return refuse(http.StatusMisdirectedRequest, "this Host is not served; allowed_hosts adds names to loopback's")
	}
	if err := checkOrigin(c, host); err != nil {
		return err
	}
	if len(h.Peek(fiber.HeaderContentEncoding)) > 0 { // a few bytes may inflate to any number
		return refuse(http.StatusUnsupportedMediaType, "Content-Encoding is not supported")
	}
	if !hasBody(h) {
		return nil
	}
	if !isJSON(string(h.ContentType())) {
		return refuse(http.StatusUnsupportedMediaType, "the content type must be application/json, in UTF-8")
	}
	if int64(h.ContentLength()) > s.cfg.MaxBody {
		return bodyTooLarge(s.cfg.MaxBody)
	}
	return nil
}

// checkOrigin refuses what a page of another origin sent. Programs that are no browsers send neither header.
func checkOrigin(c *fiber.Ctx, host string) error {
	h := &c.Request().Header
	switch site := string(h.Peek("Sec-Fetch-Site")); site {
	case "", "none", "same-origin":
	default:
		return refuse(http.StatusForbidden, "requests from other sites are not allowed")
	}
	if origin := h.Peek(fiber.HeaderOrigin); len(origin) > 0 && !sameOrigin(string(origin), host, c.Context().IsTLS()) {
		return refuse(http.StatusForbidden, "requests from other origins are not allowed")
	}
	return nil
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
