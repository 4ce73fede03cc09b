package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is a refusal: the daemon's answer where it could not do what was asked. Code that ran and failed is none.
type Problem struct {
	Status     int           // of HTTP
	Code       string        // stable, for programs; "" from routes that have none
	Title      string        // what the code means
	Detail     string        // what happened this time, for people
	Errors     []FieldError  // all that is wrong with the request, of a 422
	Written    []string      // files that a request of several had written before
	RequestID  string        // by which the daemon's log knows the request
	RetryAfter time.Duration // when to come back; 0 where that makes no sense
}

// FieldError is one thing that is wrong with a request.
type FieldError struct {
	Type    string `json:"type"`
	Where   []any  `json:"loc"` // body, then the path of the field
	Message string `json:"msg"`
}

func (p *Problem) Error() string { return p.Detail }

// Status is the HTTP status with which the daemon refused, 0 when err is no Problem.
func Status(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

// newProblem reads a refusal in any of its forms: RFC 9457, {"detail": a sentence or a list}, and what a proxy may say.
func newProblem(resp *http.Response) *Problem {
	p := &Problem{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-ID"), RetryAfter: retryAfter(resp.Header)}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem)) // as much of it as came
	p.read(text)
	return p
}

// read takes the body of a refusal.
func (p *Problem) read(text []byte) {
	var said struct {
		Code      string          `json:"code"`
		Title     string          `json:"title"`
		Detail    json.RawMessage `json:"detail"`
		RequestID string          `json:"request_id"`
		Errors    []FieldError    `json:"errors"`
		Written   []string        `json:"written"`
	}
	if json.Unmarshal(text, &said) == nil {
		p.Code, p.Title, p.Errors, p.Written = said.Code, said.Title, said.Errors, said.Written
		if json.Unmarshal(said.Detail, &p.Detail) != nil && json.Unmarshal(said.Detail, &p.Errors) == nil {
			p.Detail = sentence(p.Errors)
		}
		if said.RequestID != "" {
			p.RequestID = said.RequestID
		}
	}
	if p.Detail == "" {
		p.Detail = fmt.Sprintf("the daemon answers %d %s", p.Status, http.StatusText(p.Status))
	}
}

// sentence says all that is wrong.
func sentence(wrong []FieldError) string {
	parts := make([]string, len(wrong))
	for i, w := range wrong {
		where := make([]string, 0, len(w.Where))
		for _, step := range w.Where {
			if step != "body" {
				where = append(where, fmt.Sprint(step))
			}
		}
		parts[i] = w.Message
		if len(where) > 0 {
			parts[i] = strings.Join(where, ".") + ": " + w.Message
		}
	}
	return strings.Join(parts, "; ")
}

// retryAfter reads the header in both of its forms.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
