package hostile_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// request is the body of POST /execute, as far as the attacks use it.
type request struct {
	Code    string  `json:"code"`
	Session string  `json:"session_id"`
	Timeout float64 `json:"timeout,omitzero"` // seconds
	Locals  bool    `json:"return_locals,omitzero"`
	Context *string `json:"context,omitzero"`
	Create  *bool   `json:"create,omitzero"`
}

// answer is what the daemon said, or refused with.
type answer struct {
	Status         int              `json:"-"`
	RetryAfter     string           `json:"-"`
	Took           time.Duration    `json:"-"`
	Stdout         string           `json:"stdout"`
	Stderr         string           `json:"stderr"`
	Outcome        string           `json:"outcome"`
	StateKept      bool             `json:"state_kept"`
	ExecutionCount int              `json:"execution_count"`
	Error          string           `json:"error"`
	Exception      *exception       `json:"exception"`
	Result         map[string]any   `json:"result"` // by MIME type
	Displays       []map[string]any `json:"displays"`
	Locals         map[string]any   `json:"locals"`
	Truncated      map[string]int   `json:"truncated"`
	StateLostAt    int              `json:"state_lost_at"`
	Detail         any              `json:"detail"`
	State          string           `json:"state"` // of a session
}

type exception struct {
	Type      string   `json:"type"`
	Message   string   `json:"message"`
	Traceback []string `json:"traceback"`
}

// ending says in one word how an execution ended: as the daemon does, but "killed" is a timeout that cost the variables, and "lost" a session
// that is gone with its cause told.
func (a *answer) ending() string {
	switch {
	case a.Status == http.StatusGone:
		return "lost"
	case a.Status != http.StatusOK:
		return fmt.Sprintf("status %d", a.Status)
	case a.Outcome == "crashed" && strings.HasPrefix(a.Error, "crashed: its "), // container or driver, not the worker
		a.Outcome == "cancelled" && strings.HasPrefix(a.Error, "cancelled: its "): // before it had begun
		return "lost"
	case a.Outcome == "timeout" && !a.StateKept:
		return "killed"
	}
	return a.Outcome
}

// execute runs code. The answer must be JSON in the strictest sense.
func (w *world) execute(ctx context.Context, r request) (*answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return w.call(ctx, http.MethodPost, "/execute", body)
}

// call sends a request and decodes the answer, if there is one.
func (w *world) call(ctx context.Context, method, path string, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	began := time.Now()
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After"), Took: time.Since(began)}
	if len(text) > 0 {
		if err := json.Unmarshal(text, a); err != nil {
			return nil, fmt.Errorf("%s %s answered what is not JSON: %w", method, path, err)
		}
	}
	return a, nil
}
