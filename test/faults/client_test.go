package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answer is what the daemon said, or refused with.
type answer struct {
	Status     int           `json:"-"` // 0 where the connection broke
	RetryAfter string        `json:"-"`
	Took       time.Duration `json:"-"`

	ExecutionID    string         `json:"execution_id"`
	Stdout         string         `json:"stdout"`
	Outcome        string         `json:"outcome"`
	StateKept      bool           `json:"state_kept"`
	Error          string         `json:"error"`
	Result         map[string]any `json:"result"`
	ExecutionCount int            `json:"execution_count"`
	Truncated      map[string]int `json:"truncated"`
	StateLostAt    int            `json:"state_lost_at"`
	Detail         any            `json:"detail"`
	State          string         `json:"state"`    // of a session
	Sessions       []struct{}     `json:"sessions"` // all of them
}

// ending says in a word or two how it ended, and why with what the daemon says of it.
func (a *answer) ending() (ending, cause string) {
	switch {
	case a.Status == 0:
		return "cut", a.Error
	case a.Status == http.StatusGone:
		return "lost", fmt.Sprint(a.Detail)
	case a.Status == http.StatusServiceUnavailable && a.RetryAfter == "":
		return "503 without Retry-After", fmt.Sprint(a.Detail)
	case a.Status >= 400:
		return fmt.Sprint(a.Status), fmt.Sprint(a.Detail)
	case a.Outcome == "crashed" && strings.HasPrefix(a.Error, "crashed: "),
		a.Outcome == "cancelled" && strings.HasPrefix(a.Error, "cancelled: its "): // before it had begun
		return "lost", a.Error
	case a.Outcome != "":
		return a.Outcome, a.Error
	}
	return "ok", ""
}

// request is the body of POST /execute and of POST /v1/sessions, as far as the tests use it.
type request struct {
	Code    string            `json:"code,omitempty"`
	Session string            `json:"session_id,omitempty"`
	Timeout float64           `json:"timeout,omitempty"`
	Create  *bool             `json:"create,omitempty"`
	Detach  bool              `json:"detach,omitempty"`
	Leave   string            `json:"on_disconnect,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Image   string            `json:"image,omitempty"`

	key string // of idempotency
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

func (d *daemon) execute(ctx context.Context, r request) *answer {
	return d.call(ctx, http.MethodPost, "/execute", r)
}

// call sends a request, and decodes the answer. A connection that broke is an answer too.
func (d *daemon) call(ctx context.Context, method, path string, body any) *answer {
	began := time.Now()
	a, err := d.tryCall(ctx, method, path, body)
	if err != nil {
		a = &answer{Error: err.Error()}
	}
	a.Took = time.Since(began)
	return a
}

func (d *daemon) tryCall(ctx context.Context, method, path string, body any) (*answer, error) {
	resp, err := d.send(ctx, method, path, body, "", 0)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
	if len(text) > 0 && json.Unmarshal(text, a) != nil { // too many connections: then nobody reads the request
		a.Detail = string(text)
	}
	return a, nil
}

// send sends a request. after is the number of the last event that was seen.
func (d *daemon) send(ctx context.Context, method, path string, body any, accept string, after int) (*http.Response, error) {
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		text = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.url+path, text)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r, ok := body.(request); ok && r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	if after > 0 {
		req.Header.Set("Last-Event-ID", fmt.Sprint(after))
	}
	return client.Do(req)
}

// event is what a stream says.
type event struct {
	Seq         int    `json:"seq"`
	Type        string `json:"type"`
	ExecutionID string `json:"execution_id"`
	Text        string `json:"text"`
	Outcome     string `json:"outcome"`
	Error       string `json:"error"`
	StateKept   bool   `json:"state_kept"`
}

// follower is the client of a stream, which comes back when its connection breaks.
type follower struct {
	execution string
	seq       int // of the last event
	stdout    strings.Builder
	outcome   string
	cause     string
	broke     int           // times that it came back
	begun     chan struct{} // closed with the first output
}

// follow streams an execution to its end. refused is the answer where there is no stream.
func (f *follower) follow(ctx context.Context, d *daemon, r request) (refused *answer, err error) {
	for {
		var resp *http.Response
		if f.execution == "" {
			resp, err = d.send(ctx, http.MethodPost, "/execute", r, "text/event-stream", 0)
		} else {
			resp, err = d.send(ctx, http.MethodGet, "/v1/executions/"+f.execution+"/events", nil, "text/event-stream", f.seq)
		}
		if err == nil {
			refused, err = f.read(resp)
			starting := refused != nil && refused.Status == http.StatusServiceUnavailable && f.execution != ""
			if refused != nil && !starting || f.outcome != "" {
				return refused, err
			}
		}
		if f.execution == "" || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		f.broke++
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond): // as a browser does
		}
	}
}

func (f *follower) read(resp *http.Response) (*answer, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		a := &answer{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
		return a, json.NewDecoder(resp.Body).Decode(a)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, err
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return nil, err
		}
		if e.Seq <= f.seq {
			return &answer{Error: fmt.Sprintf("event %d came after %d", e.Seq, f.seq)}, nil
		}
		f.seq, f.execution = e.Seq, e.ExecutionID
		f.stdout.WriteString(e.Text)
		if e.Type == "stdout" && f.begun != nil {
			close(f.begun)
			f.begun = nil
		}
		if e.Type == "done" {
			f.outcome, f.cause = e.Outcome, e.Error
			return nil, nil
		}
	}
}
