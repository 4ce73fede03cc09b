package daemon

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

const (
	headerAPIKey = "X-API-Key"
	// subprotocol is what a WebSocket speaks. A browser's cannot send headers, but it can name subprotocols: one that
	// begins with keyProtocol brings the key, and is not answered. In a URL the key would end up in logs and histories.
	subprotocol = "fastpyrepl"
	keyProtocol = "key."
)

// SetAuth changes the keys from now on. Requests that were begun with one that is withdrawn end.
func (s *Server) SetAuth(keys auth.Config) { s.ring.Set(keys) }

// signIn finds out who sent the request, by its headers and query alone.
func (s *Server) signIn(c *fiber.Ctx) error {
	if s.isOpen(c) {
		return nil
	}
	sc := scopeOf(c)
	caller := &sc.caller
	caller.audit, caller.metrics = s.audit, s.metrics
	if s.audit != nil {
		caller.who = audit.Who{Remote: c.IP(), Request: sc.id}
	}
	if s.ring.Required() {
		key := presentedKey(c)
		id := s.ring.Find(key)
		if id == nil {
			return caller.turnAway(key)
		}
		sc.ctx = sc.span.In(id.Context())
		caller.identity, caller.owner, caller.everybody = id, id.Name, id.Role == auth.Admin
		caller.who.Key, caller.who.Role = id.Name, string(id.Role)
	}
	return caller.actFor(c)
}

// isOpen tells whether the request is for a route that asks for no key.
func (s *Server) isOpen(c *fiber.Ctx) bool {
	for _, r := range s.open {
		if r.Method == c.Method() && s.matches(c, r) {
			return true
		}
	}
	return false
}

// presentedKey is what the request says that its key is; nil for none.
func presentedKey(c *fiber.Ctx) []byte {
	h := &c.Request().Header
	if key := h.Peek(headerAPIKey); len(key) > 0 {
		return key
	}
	if scheme, key, ok := bytes.Cut(h.Peek(fiber.HeaderAuthorization), []byte(" ")); ok && is(scheme, "Bearer") {
		return bytes.TrimSpace(key)
	}
	if !websocket.FastHTTPIsWebSocketUpgrade(c.Context()) {
		return nil
	}
	for protocol := range bytes.SplitSeq(h.Peek(fiber.HeaderSecWebSocketProtocol), []byte(",")) {
		if key, ok := bytes.CutPrefix(bytes.TrimSpace(protocol), []byte(keyProtocol)); ok {
			return key
		}
	}
	return nil
}

// turnAway answers somebody who is not let in, key being what was presented.
func (c *Caller) turnAway(key []byte) error {
	detail, reason := "the API key is not known", "wrong key"
	if len(key) == 0 {
		detail, reason = "an API key is needed: send it as Authorization: Bearer, or as X-API-Key", "no key"
	}
	c.audit.Refused(c.who, reason)
	return refuse(http.StatusUnauthorized, detail)
}

// actFor takes the query's owner: whose sessions an administrator's request is about.
func (c *Caller) actFor(ctx *fiber.Ctx) error {
	if len(ctx.Request().URI().QueryString()) == 0 {
		return nil
	}
	args := ctx.Context().QueryArgs()
	if !args.Has("owner") {
		return nil
	}
	if !c.everybody {
		c.audit.Refused(c.who, "owner")
		return &Error{Status: http.StatusForbidden, Code: codeForbidden, Detail: "only the key of an administrator may name an owner"}
	}
	owner := string(args.Peek("owner"))
	if owner != "" && !sandbox.ValidSessionID(owner) { // "" owns what was begun before there were keys
		return Invalid(Wrong("string_pattern_mismatch", "String should match pattern '"+sandbox.SessionIDPattern+"'", "query", "owner"))
	}
	c.owner, c.everybody = owner, false
	if owner != c.who.Key {
		c.who.Owner = owner
	}
	return nil
}

// charge counts the request against its key's rate, and tells the client what is left of it.
func charge(c *fiber.Ctx) error {
	id := CallerOf(c).identity
	if id == nil {
		return nil
	}
	q := id.Take(time.Now())
	if q.Limit == 0 {
		return nil
	}
	c.Set("RateLimit-Limit", strconv.Itoa(q.Limit))
	c.Set("RateLimit-Remaining", strconv.Itoa(q.Remaining))
	c.Set("RateLimit-Reset", strconv.Itoa(int(math.Ceil(q.Reset.Seconds()))))
	return exhausted(q)
}

// exhausted is what is wrong with a request for which a quota has no room.
func exhausted(q auth.Quota) error {
	if q.Retry == 0 {
		return nil
	}
	return &Error{Status: http.StatusTooManyRequests, Code: codeRate, Detail: "too many requests with this key", RetryAfter: q.Retry}
}
