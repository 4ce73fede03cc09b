package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// What becomes of an execution when the client of its stream leaves.
const (
	Interrupt = "interrupt" // it is interrupted, or taken out of the queue
	Continue  = "continue"  // it runs on
)

// ExecuteRequest asks for code to be run. Only Code is required.
type ExecuteRequest struct {
	Code string
	// SessionID names the session; an unknown one is created. "" is a new session with an id of its own.
	SessionID string
	// NoCreate refuses an unknown session instead of creating it.
	NoCreate bool
	// Anew lets the id of a session that is lost or has expired be used again.
	Anew bool
	// Context, where it is not nil, becomes the variable context before the code runs.
	Context *string
	// SetupCode runs once, before Code, when the request creates the session.
	SetupCode string
	// Locals asks for variables: all of them, or those of LocalsKeys.
	Locals     bool
	LocalsKeys []string
	// Timeout bounds the code; 0 is the session's, or the daemon's.
	Timeout time.Duration
	// Stdin is what input() and sys.stdin read before their end.
	Stdin string
	// OnDisconnect is Interrupt or Continue, for streams; "" is Interrupt.
	OnDisconnect string
	// Figures are the forms in which matplotlib figures are shown, png or svg; none is png.
	Figures []string
	// MaxStdout, MaxStderr, MaxDisplay, MaxLocals and MaxLocalsValue lower the daemon's caps; 0 keeps them. Bytes.
	MaxStdout, MaxStderr, MaxDisplay, MaxLocals, MaxLocalsValue int64
	MaxEvents                                                   int // lowers how many are kept to be asked for again
	// IdempotencyKey has a request that is sent twice run once. With one, a request whose answer was lost is sent again.
	IdempotencyKey string
}

// body is the request as the daemon reads it.
func (r *ExecuteRequest) body(detach bool) map[string]any {
	b := map[string]any{"code": r.Code}
	put := func(name string, value any, there bool) {
		if there {
			b[name] = value
		}
	}
	put("session_id", r.SessionID, r.SessionID != "")
	put("create", !r.NoCreate, r.NoCreate || r.Anew)
	put("context", r.Context, r.Context != nil)
	put("setup_code", r.SetupCode, r.SetupCode != "")
	put("return_locals", true, r.Locals)
	put("locals_keys", r.LocalsKeys, r.Locals && len(r.LocalsKeys) > 0)
	put("timeout", r.Timeout.Seconds(), r.Timeout != 0)
	put("stdin", r.Stdin, r.Stdin != "")
	put("detach", true, detach)
	put("on_disconnect", r.OnDisconnect, r.OnDisconnect != "")
	put("figures", r.Figures, len(r.Figures) > 0)
	put("max_stdout", r.MaxStdout, r.MaxStdout > 0)
	put("max_stderr", r.MaxStderr, r.MaxStderr > 0)
	put("max_display", r.MaxDisplay, r.MaxDisplay > 0)
	put("max_locals", r.MaxLocals, r.MaxLocals > 0)
	put("max_locals_value", r.MaxLocalsValue, r.MaxLocalsValue > 0)
	put("max_events", r.MaxEvents, r.MaxEvents > 0)
	return b
}

// call is the request as it is sent.
func (r *ExecuteRequest) call(accept string, detach bool) call {
	c := call{
		method: http.MethodPost, path: "/execute", body: r.body(detach),
		header: http.Header{"Accept": {accept}}, again: r.IdempotencyKey != "",
	}
	if r.IdempotencyKey != "" {
		c.header.Set("Idempotency-Key", r.IdempotencyKey)
	}
	return c
}

// Outcomes of an execution.
const (
	OutcomeOK          = "ok"
	OutcomeError       = "error" // the code raised
	OutcomeTimeout     = "timeout"
	OutcomeInterrupted = "interrupted"
	OutcomeOOM         = "oom"       // killed at the memory limit
	OutcomeCrashed     = "crashed"   // its process died of something else
	OutcomeCancelled   = "cancelled" // the session was ended, or lost before the code had begun
)

// Result is how an execution ended, and all that it said.
type Result struct {
	Stdout         string       `json:"stdout"`
	Stderr         string       `json:"stderr"` // a traceback is at its end
	SessionID      string       `json:"session_id"`
	SessionCreated bool         `json:"session_created"` // by the request
	ExecutionID    string       `json:"execution_id"`
	ExecutionCount int          `json:"execution_count"`
	Exception      *Exception   `json:"exception"` // nil for none
	Value          MIMEBundle   `json:"result"`    // of the last expression; nil for none
	Displays       []MIMEBundle `json:"displays"`  // in order
	Ending

	Raw json.RawMessage `json:"-"` // the answer as it came
}

func (r *Result) keep(text json.RawMessage) { r.Raw = text }

// Ending is what is known of an execution at its end.
type Ending struct {
	Outcome       string                     `json:"outcome"`
	StateKept     bool                       `json:"state_kept"`     // whether the variables survived
	Error         string                     `json:"error"`          // a line; "" when all went well
	ExecutionTime float64                    `json:"execution_time"` // seconds
	Locals        map[string]json.RawMessage `json:"locals"`         // nil unless asked for
	LocalsInexact []string                   `json:"locals_inexact"` // those that are a repr
	LocalsOmitted int                        `json:"locals_omitted"` // how many did not fit
	Truncated     map[string]int64           `json:"truncated"`      // bytes left out, by part
	InvalidUTF8   map[string]int64           `json:"invalid_utf8"`   // bytes that became U+FFFD, by stream
	Usage         Usage                      `json:"usage"`
	Files         *FileChanges               `json:"files"`         // nil where nobody knows
	StateLostAt   int                        `json:"state_lost_at"` // the earlier execution that lost the variables, said once
}

// Usage is what an execution used.
type Usage struct {
	CPUTime    float64 `json:"cpu_time"`    // seconds
	WallTime   float64 `json:"wall_time"`   // seconds
	MemoryPeak int64   `json:"memory_peak"` // bytes
}

// Exception is what code raised.
type Exception struct {
	Type      string   `json:"type"`
	Message   string   `json:"message"`
	Traceback []string `json:"traceback"` // lines as Python prints them
}

// Execute runs code and returns when it has ended. Code that failed is a Result, not an error. When ctx ends first, the
// code runs on: to its end, its deadline, or an interrupt.
func (c *Client) Execute(ctx context.Context, req ExecuteRequest) (*Result, error) {
	r := new(Result)
	if err := c.ask(ctx, req.call("application/json", false), r); err != nil {
		return nil, err
	}
	return r, nil
}

// Pending is an execution that nobody waits for.
type Pending struct {
	ExecutionID    string `json:"execution_id"`
	SessionID      string `json:"session_id"`
	SessionCreated bool   `json:"session_created"`
}

// Detach queues code and returns at once. Events and Result tell what became of it.
func (c *Client) Detach(ctx context.Context, req ExecuteRequest) (*Pending, error) {
	p := new(Pending)
	if err := c.ask(ctx, req.call("application/json", true), p); err != nil {
		return nil, err
	}
	return p, nil
}

// Result is how an execution ended, nil while it runs. It is kept for a while; then it is a Problem with Status 404.
func (c *Client) Result(ctx context.Context, executionID string) (*Result, error) {
	r := new(Result)
	err := c.ask(ctx, call{method: http.MethodGet, path: "/v1/executions/" + url.PathEscape(executionID), again: true}, r)
	if err != nil {
		return nil, err
	}
	if r.Outcome == "" { // a Pending
		return nil, nil
	}
	return r, nil
}

// Wait is Result, once the execution has ended.
func (c *Client) Wait(ctx context.Context, executionID string) (*Result, error) {
	for _, err := range c.Events(ctx, executionID, 0) {
		if err != nil {
			return nil, err
		}
	}
	return c.Result(ctx, executionID)
}
