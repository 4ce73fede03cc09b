package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/client"
)

// answering is a daemon that gives the answers in turn, and then the last one again.
func answering(t *testing.T, answers ...func(http.ResponseWriter, *http.Request)) (*client.Client, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1)) - 1
		answers[min(n, len(answers)-1)](w, r)
	}))
	t.Cleanup(server.Close)
	return connect(t, server.URL), &asked
}

func says(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestProblem_UnderstandsEveryForm(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		want   client.Problem
	}{
		{"a sentence", says(404, `{"detail":"no session x"}`, "X-Request-ID: r1"),
			client.Problem{Status: 404, Detail: "no session x", RequestID: "r1"}},
		{"a list", says(422, `{"detail":[{"type":"string_type","loc":["body","code"],"msg":"Input should be a valid string"},{"type":"missing","loc":["body"],"msg":"Field required"}]}`),
			client.Problem{Status: 422, Detail: "code: Input should be a valid string; Field required", Errors: []client.FieldError{
				{Type: "string_type", Where: []any{"body", "code"}, Message: "Input should be a valid string"},
				{Type: "missing", Where: []any{"body"}, Message: "Field required"},
			}}},
		{"RFC 9457", says(410, `{"type":"/docs/errors#lost","title":"Session lost","status":410,"detail":"session x is lost: its container ended","code":"lost","request_id":"r2"}`),
			client.Problem{Status: 410, Code: "lost", Title: "Session lost", Detail: "session x is lost: its container ended", RequestID: "r2"}},
		{"RFC 9457 with a list", says(422, `{"title":"Invalid request","status":422,"detail":"query.after: bad","code":"invalid","errors":[{"type":"int_parsing","loc":["query","after"],"msg":"bad"}]}`),
			client.Problem{Status: 422, Code: "invalid", Title: "Invalid request", Detail: "query.after: bad",
				Errors: []client.FieldError{{Type: "int_parsing", Where: []any{"query", "after"}, Message: "bad"}}}},
		{"a proxy's page", says(413, `<html>too large</html>`), client.Problem{Status: 413, Detail: "the daemon answers 413 Request Entity Too Large"}},
		{"nothing", says(500, ``), client.Problem{Status: 500, Detail: "the daemon answers 500 Internal Server Error"}},
		{"a number", says(400, `{"detail":7}`), client.Problem{Status: 400, Detail: "the daemon answers 400 Bad Request"}},
		{"when to come back", says(409, `{"detail":"x"}`, "Retry-After: 7"), client.Problem{Status: 409, Detail: "x", RetryAfter: 7 * time.Second}},
		{"when it was to come back", says(409, `{"detail":"x"}`, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"), client.Problem{Status: 409, Detail: "x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := answering(t, tt.answer)
			_, err := c.Session(t.Context(), "x")
			var got *client.Problem
			if !errors.As(err, &got) || !reflect.DeepEqual(*got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			if client.Status(err) != tt.want.Status || err.Error() != tt.want.Detail {
				t.Errorf("status %d, text %q", client.Status(err), err)
			}
		})
	}
}

const busy = `{"detail":"come back"}`

func TestRetry_WhatMayBeSentAgainIs(t *testing.T) {
	session := says(200, `{"session_id":"x"}`)
	c, asked := answering(t, says(503, busy, "Retry-After: 1"), says(429, busy), says(502, ""), session)
	began := time.Now()
	s, err := c.Session(t.Context(), "x")
	if err != nil || s.ID != "x" || asked.Load() != 4 {
		t.Errorf("got %+v, %v after %d requests", s, err, asked.Load())
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("came back after %v, not the second that it was told", took)
	}
}

func TestRetry_EndsAtTheBound(t *testing.T) {
	c, asked := answering(t, says(503, busy))
	if err := c.Health(t.Context()); client.Status(err) != 503 || asked.Load() != 5 {
		t.Errorf("got %v after %d requests, want a 503 after 5", err, asked.Load())
	}
}

func TestRetry_DoesNotOutlastTheContext(t *testing.T) {
	c, asked := answering(t, says(503, busy, "Retry-After: 3600"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := c.Health(ctx); client.Status(err) != 503 || asked.Load() != 1 || time.Since(began) > patience {
		t.Errorf("got %v after %d requests and %v", err, asked.Load(), time.Since(began))
	}

	ctx, cancel = context.WithCancel(t.Context())
	c, asked = answering(t, func(w http.ResponseWriter, r *http.Request) {
		says(503, busy, "Retry-After: 3600")(w, r)
		cancel()
	})
	if err := c.Health(ctx); err == nil || asked.Load() != 1 {
		t.Errorf("got %v after %d requests", err, asked.Load())
	}
}

func TestRetry_CodeIsSentOnceUnlessItHasAKey(t *testing.T) {
	c, asked := answering(t, says(503, busy))
	if _, err := c.Execute(t.Context(), client.ExecuteRequest{Code: "x"}); client.Status(err) != 503 || asked.Load() != 1 {
		t.Errorf("got %v after %d requests", err, asked.Load())
	}
	if err := c.InterruptSession(t.Context(), "x"); client.Status(err) != 503 || asked.Load() != 2 {
		t.Errorf("an interrupt: got %v after %d requests", err, asked.Load())
	}

	var keys []string
	note := func(next func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			next(w, r)
		}
	}
	c, _ = answering(t, note(says(503, busy)), note(says(200, `{"outcome":"ok","stdout":"1\n"}`)))
	r, err := c.Execute(t.Context(), client.ExecuteRequest{Code: "x", IdempotencyKey: "k"})
	if err != nil || r.Stdout != "1\n" || len(keys) != 2 || keys[0] != "k" || keys[1] != "k" {
		t.Errorf("got %+v, %v with the keys %q", r, err, keys)
	}
}

func TestRetry_ARefusalIsFinal(t *testing.T) {
	for _, status := range []int{400, 401, 404, 409, 410, 422, 500} {
		c, asked := answering(t, says(status, busy))
		if err := c.Health(t.Context()); client.Status(err) != status || asked.Load() != 1 {
			t.Errorf("%d: got %v after %d requests", status, err, asked.Load())
		}
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	err := connect(t, url, client.WithRetries(1)).Health(t.Context())
	var u *client.Unreachable
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "connection refused") || client.Status(err) != 0 {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if err := connect(t, url).Health(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause of the context's end", err)
	}
}

func TestNew_RefusesWhatIsNoDaemon(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8000", "ftp://x", "http://", "http://x/?a=b", "http://x#y", "http://a b"} {
		if _, err := client.New(url); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
	_, err := client.New("http://x", client.WithAPIKey("fpr_secret\n"))
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a key with a line end: %v", err)
	}
}

func TestClient_SendsWhoAsks(t *testing.T) {
	var got *http.Request
	c := connect(t, httptestServer(t, func(w http.ResponseWriter, r *http.Request) { got = r.Clone(t.Context()); says(200, "{}")(w, r) })+"/below/",
		client.WithAPIKey("fpr_k"), client.WithOwner("ann b"), client.WithUserAgent("mine/1"))
	if _, err := c.Sessions(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Authorization") != "Bearer fpr_k" || got.Header.Get("User-Agent") != "mine/1" ||
		got.URL.String() != "/below/v1/sessions?owner=ann+b&usage=true" {
		t.Errorf("got %s, %v", got.URL, got.Header)
	}
}

func httptestServer(t *testing.T, f http.HandlerFunc) string {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL
}

func TestClient_AnAnswerThatIsNoneIsAnError(t *testing.T) {
	c, _ := answering(t, says(200, "<html>"))
	if _, err := c.Session(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "not what a daemon says") {
		t.Errorf("got %v", err)
	}
}
