package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// SessionRequest asks for a session. What is left out is what the daemon's configuration says.
type SessionRequest struct {
	ID        string
	Image     string            // a name of the daemon's
	Memory    int64             // bytes
	CPUs      float64           // cores
	Pids      int64             // processes and threads
	Disk      int64             // bytes of the working directory
	Env       map[string]string // environment variables
	Timeout   time.Duration     // of executions that name none
	TTL       *time.Duration    // how long it lasts; 0 is for ever
	IdleTTL   *time.Duration    // how long it lasts while nothing is executed in it; 0 is for ever
	SetupCode string            // runs once, before the session is ready
}

func (r *SessionRequest) body() map[string]any {
	b := map[string]any{}
	put := func(name string, value any, there bool) {
		if there {
			b[name] = value
		}
	}
	put("session_id", r.ID, r.ID != "")
	put("image", r.Image, r.Image != "")
	put("memory", r.Memory, r.Memory != 0)
	put("cpus", r.CPUs, r.CPUs != 0)
	put("pids", r.Pids, r.Pids != 0)
	put("disk", r.Disk, r.Disk != 0)
	put("env", r.Env, len(r.Env) > 0)
	put("timeout", r.Timeout.Seconds(), r.Timeout != 0)
	put("setup_code", r.SetupCode, r.SetupCode != "")
	addLifetimes(b, r.TTL, r.IdleTTL)
	return b
}

func addLifetimes(b map[string]any, ttl, idle *time.Duration) {
	if ttl != nil {
		b["ttl"] = ttl.Seconds()
	}
	if idle != nil {
		b["idle_ttl"] = idle.Seconds()
	}
}

// Session says how a session is.
type Session struct {
	ID             string         `json:"session_id"`
	Owner          string         `json:"owner"`        // the name of its key
	State          string         `json:"state"`        // starting, idle or busy
	ExecutionID    string         `json:"execution_id"` // of the one that runs
	Queued         int            `json:"queued"`       // executions that wait
	ExecutionCount int            `json:"execution_count"`
	StateLostAt    int            `json:"state_lost_at"` // the execution at which the variables were lost
	Image          string         `json:"image"`
	Limits         *SessionLimits `json:"limits"`  // nil while it starts
	Timeout        float64        `json:"timeout"` // seconds, of executions that name none
	CreatedAt      time.Time      `json:"created_at"`
	TTL            float64        `json:"ttl"`        // seconds, 0 is for ever
	IdleTTL        float64        `json:"idle_ttl"`   // seconds, 0 is for ever
	ExpiresAt      *time.Time     `json:"expires_at"` // if nothing is done in it until then; nil for never
	Usage          *SessionUsage  `json:"usage"`      // where it was asked for

	Raw json.RawMessage `json:"-"` // the answer as it came
}

func (s *Session) keep(text json.RawMessage) { s.Raw = text }

// SessionLimits bound a session.
type SessionLimits struct {
	Memory int64   `json:"memory"` // bytes
	CPUs   float64 `json:"cpus"`
	Pids   int64   `json:"pids"`
	Disk   int64   `json:"disk"` // bytes
}

// SessionUsage is what a session uses now.
type SessionUsage struct {
	Memory  int64   `json:"memory"`   // bytes
	CPUTime float64 `json:"cpu_time"` // seconds since its container started
	Pids    int64   `json:"pids"`
}

// SessionList is the caller's sessions, the oldest first.
type SessionList struct {
	Sessions []Session `json:"sessions"`

	Raw json.RawMessage `json:"-"` // the answer as it came
}

func (l *SessionList) keep(text json.RawMessage) { l.Raw = text }

func sessionPath(id string) string { return "/v1/sessions/" + url.PathEscape(id) }

func (c *Client) session(ctx context.Context, call call) (*Session, error) {
	s := new(Session)
	if err := c.ask(ctx, call, s); err != nil {
		return nil, err
	}
	return s, nil
}

// CreateSession makes a session and returns when it is ready. An id that is in use is a Problem with Status 409.
func (c *Client) CreateSession(ctx context.Context, req SessionRequest) (*Session, error) {
	return c.session(ctx, call{method: http.MethodPost, path: "/v1/sessions", body: req.body()})
}

// Session says how a session is. An unknown one is a Problem with Status 404, one that is lost or has expired with 410.
func (c *Client) Session(ctx context.Context, id string) (*Session, error) {
	return c.session(ctx, call{method: http.MethodGet, path: sessionPath(id), again: true})
}

// Sessions lists the caller's sessions, an administrator's everybody's; with usage, also what each uses.
func (c *Client) Sessions(ctx context.Context, usage bool) (*SessionList, error) {
	l := new(SessionList)
	query := url.Values{"usage": {strconv.FormatBool(usage)}}
	if err := c.ask(ctx, call{method: http.MethodGet, path: "/v1/sessions", query: query, again: true}, l); err != nil {
		return nil, err
	}
	return l, nil
}

// ExtendSession changes how long a session lasts, ttl from now on; nil leaves it as it is, 0 is for ever.
func (c *Client) ExtendSession(ctx context.Context, id string, ttl, idleTTL *time.Duration) (*Session, error) {
	b := map[string]any{}
	addLifetimes(b, ttl, idleTTL)
	return c.session(ctx, call{method: http.MethodPatch, path: sessionPath(id), body: b, again: true})
}

// DeleteSession ends a session, and returns when its container is gone. An unknown one is no error.
func (c *Client) DeleteSession(ctx context.Context, id string) error {
	return c.ask(ctx, call{method: http.MethodDelete, path: sessionPath(id), again: true}, nil)
}

// InterruptSession asks what runs in a session to end: KeyboardInterrupt, a grace time, a kill. It returns at once; the
// execution says how it ended.
func (c *Client) InterruptSession(ctx context.Context, id string) error {
	return c.ask(ctx, call{method: http.MethodPost, path: sessionPath(id) + "/interrupt"}, nil)
}

// ResetAll ends all of the caller's sessions; an administrator's, everybody's.
func (c *Client) ResetAll(ctx context.Context) error {
	return c.ask(ctx, call{method: http.MethodPost, path: "/reset", body: struct{}{}}, nil)
}
