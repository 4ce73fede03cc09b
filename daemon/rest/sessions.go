package rest

import (
	"context"
	"regexp"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"golang.org/x/sync/errgroup"
)

// sessionKey is the session that the path names.
func sessionKey(c *fiber.Ctx) (sandbox.Key, error) {
	id := utils.CopyString(c.Params("id"))
	if !sandbox.ValidSessionID(id) {
		return sandbox.Key{}, daemon.Invalid(daemon.Wrong("string_pattern_mismatch",
			"String should match pattern '"+sandbox.SessionIDPattern+"'", "path", "id"))
	}
	daemon.SetSession(c, id)
	return daemon.CallerOf(c).Key(id), nil
}

// maxEnv is how long all names and values of a session's environment may be together, in bytes.
const maxEnv = 64 << 10

// createSession makes a session and answers when it is ready.
func (h *Handler) createSession(c *fiber.Ctx) error {
	body, err := daemon.ReadBody(c)
	if err != nil {
		return err
	}
	defer body.Close()
	id, req, err := h.sessionRequest(body)
	if err != nil {
		return err
	}
	daemon.SetSession(c, id)
	info, err := daemon.CallerOf(c).Create(daemon.Context(c), h.manager, id, req)
	if err != nil {
		return err
	}
	daemon.SetSession(c, info.Key.ID)
	c.Status(fiber.StatusCreated)
	c.Set(fiber.HeaderLocation, "/v1/sessions/"+info.Key.ID)
	return daemon.WriteJSON(c, newSessionResponse(info))
}

// sessionRequest decodes a SessionRequest. What goes together, and which images and variables there may be, others know.
func (h *Handler) sessionRequest(body *daemon.Body) (string, sandbox.Request, error) {
	var (
		id      string
		req     sandbox.Request
		timeout float64
	)
	err := body.Decode(sessionFields(&id, &req, &timeout, h.limits.Load()))
	req.Session.Timeout = seconds(timeout)
	return id, req, err
}

// sessionFields are those of SessionRequest.
func sessionFields(id *string, req *sandbox.Request, timeout *float64, l *Limits) []jsonbody.Field {
	o := &req.Session
	return []jsonbody.Field{
		{Name: "session_id", Value: jsonbody.Nullable(jsonbody.Matching(id, sessionID, maxSessionID))},
		{Name: "image", Value: jsonbody.Nullable(jsonbody.Matching(&o.Image, imageName, maxSessionID))},
		{Name: "memory", Value: jsonbody.Nullable(jsonbody.Whole(&o.Memory, l.Session.Memory))},
		{Name: "cpus", Value: jsonbody.Nullable(jsonbody.Positive(&o.CPUs, l.Session.CPUs))},
		{Name: "pids", Value: jsonbody.Nullable(jsonbody.Whole(&o.Pids, l.Session.Pids))},
		{Name: "disk", Value: jsonbody.Nullable(jsonbody.Whole(&o.WorkDir, l.Session.WorkDir))},
		{Name: "env", Value: jsonbody.Nullable(jsonbody.StringMap(&o.Env, maxEnv))},
		{Name: "timeout", Value: jsonbody.Nullable(jsonbody.Positive(timeout, l.MaxTimeout.Seconds()))},
		{Name: "ttl", Value: jsonbody.Nullable(lifetime(&o.TTL, l.MaxTTL))},
		{Name: "idle_ttl", Value: jsonbody.Nullable(lifetime(&o.IdleTTL, l.MaxIdleTTL))},
		{Name: "setup_code", Value: jsonbody.Nullable(jsonbody.String(&req.SetupCode, l.MaxCode))},
	}
}

// patchFields are those of SessionPatch. What else a session can be made with is refused: ignored, as names are that nobody
// knows, it would look as if it had been changed.
func patchFields(req *sandbox.Request, l *Limits) []jsonbody.Field {
	fields := sessionFields(new(string), req, new(float64), l)
	for i, f := range fields {
		if f.Name != "ttl" && f.Name != "idle_ttl" {
			fields[i].Value = jsonbody.Nullable(fixed)
		}
	}
	return fields
}

// fixed refuses whatever value.
func fixed(jsontext.Value) []jsonbody.Error {
	return []jsonbody.Error{{Type: "frozen_field", Msg: "A session keeps what it was made with: ttl and idle_ttl alone can be changed"}}
}

const imagePattern = `^[a-z0-9][a-z0-9._-]{0,62}$`

var imageName = regexp.MustCompile(imagePattern)

// maxLifetime is the longest that anybody may ask for where the configuration has no ceiling, in seconds.
const maxLifetime = 365 * 24 * 3600

// lifetime decodes seconds up to most. Where that is 0 there is no ceiling, and 0 means for ever.
func lifetime(dst **time.Duration, most time.Duration) jsonbody.Decoder {
	return func(raw jsontext.Value) []jsonbody.Error {
		var n float64
		decode := jsonbody.Between(&n, 0, maxLifetime)
		if most > 0 {
			decode = jsonbody.Positive(&n, most.Seconds())
		}
		wrong := decode(raw)
		d := seconds(n)
		*dst = &d
		return wrong
	}
}

const (
	// usageTime is how long the engine may take to say what sessions use, however many are asked for: how they are is known
	// without it.
	usageTime = time.Second
	// usageAtOnce is how many containers the engine is asked about side by side.
	usageAtOnce = 8
)

// listSessions answers with all sessions, and with what they use where ?usage=true asks for it.
func (h *Handler) listSessions(c *fiber.Ctx) error {
	usage, err := daemon.QueryFlag(c, "usage")
	if err != nil {
		return err
	}
	infos := h.manager.Sessions(daemon.CallerOf(c).Reaches)
	list := SessionList{Sessions: make([]SessionResponse, len(infos))}
	ctx, cancel := context.WithTimeout(daemon.Context(c), usageTime)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(usageAtOnce)
	for i, info := range infos {
		list.Sessions[i] = newSessionResponse(info)
		if usage {
			g.Go(func() error { h.addUsage(ctx, info.Key, &list.Sessions[i]); return nil })
		}
	}
	_ = g.Wait()
	return daemon.WriteJSON(c, list)
}

// addUsage adds what a session uses. Without an answer from the engine the rest is still true.
func (h *Handler) addUsage(ctx context.Context, key sandbox.Key, r *SessionResponse) {
	usage, err := h.manager.Usage(ctx, key)
	if err == nil && usage != (sandbox.Usage{}) {
		r.Usage = &SessionUsage{Memory: usage.Memory, CPUTime: usage.CPUTime.Seconds(), Pids: usage.Pids}
	}
}

// getSession answers with how a session is, and what it uses.
func (h *Handler) getSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	info, err := h.manager.Session(key)
	if err != nil {
		return err
	}
	r := newSessionResponse(info)
	ctx, cancel := context.WithTimeout(daemon.Context(c), usageTime)
	defer cancel()
	h.addUsage(ctx, key, &r)
	return daemon.WriteJSON(c, r)
}

// patchSession changes how long a session lasts.
func (h *Handler) patchSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	body, err := daemon.ReadBody(c)
	if err != nil {
		return err
	}
	defer body.Close()
	var req sandbox.Request
	if err := body.Decode(patchFields(&req, h.limits.Load())); err != nil {
		return err
	}
	info, err := daemon.CallerOf(c).Extend(h.manager, key.ID, req.Session.TTL, req.Session.IdleTTL)
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, newSessionResponse(info))
}

// deleteSession ends the session and answers when its container is gone. An unknown one is no error, as in /reset.
func (h *Handler) deleteSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	if err := daemon.CallerOf(c).Reset(daemon.Context(c), h.manager, key.ID); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// interruptSession asks the execution that runs to end. It answers at once: the execution says how it ended.
func (h *Handler) interruptSession(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	if err := daemon.CallerOf(c).Interrupt(h.manager, key.ID); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// getSessionEvents follows what threads and child processes write after the end of their execution.
func (h *Handler) getSessionEvents(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	after, err := resumeAfter(c)
	if err != nil {
		return err
	}
	feed, err := h.manager.Background(key)
	if err != nil {
		return err
	}
	as := encodingOf(c)
	if as == nil {
		as = &sse
	}
	as.stream(c, feed, nil, after, nil)
	return nil
}
