package daemon_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json"
	"github.com/gofiber/fiber/v2"
)

func TestErrors_Routing(t *testing.T) {
	s := serve(t, testConfig())
	for _, tc := range []struct {
		request     string
		status      int
		body, allow string
	}{
		{"GET /nowhere", 404, `{"detail":"Not Found"}`, ""},
		{"GET /", 404, `{"detail":"Not Found"}`, ""},
		{"GET /hello/", 404, `{"detail":"Not Found"}`, ""},
		{"GET /Hello", 404, `{"detail":"Not Found"}`, ""},
		{"BREW /nowhere", 404, `{"detail":"Not Found"}`, ""},
		{"POST /hello", 405, `{"detail":"Method Not Allowed"}`, "GET"},
		{"OPTIONS /hello", 405, `{"detail":"Method Not Allowed"}`, "GET"},
		{"TRACE /hello", 405, `{"detail":"Method Not Allowed"}`, "GET"},
		{"BREW /hello", 405, `{"detail":"Method Not Allowed"}`, "GET"},
		{"GET /echo", 405, `{"detail":"Method Not Allowed"}`, "POST"},
	} {
		method, path, _ := strings.Cut(tc.request, " ")
		status, body, header := s.one(t, method, path, []string{"Host: localhost"}, "")
		if status != tc.status || body != tc.body || header.Get("Allow") != tc.allow {
			t.Errorf("%s: %d %s, Allow %q; want %d %s, Allow %q", tc.request, status, body, header.Get("Allow"), tc.status, tc.body, tc.allow)
		}
	}
	resp, err := http.Head("http://" + s.addr + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET" {
		t.Errorf("HEAD: %d, Allow %q; want 405, GET", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

func TestErrors_OfTheSandbox(t *testing.T) {
	coded := func(code sandbox.Code, after time.Duration) error {
		return fmt.Errorf("execute: %w", &sandbox.Error{Code: code, Message: "the reason", RetryAfter: after, Err: errors.New("SECRET")})
	}
	for name, err := range map[string]error{
		"invalid": coded(sandbox.CodeInvalid, 0), "not_found": coded(sandbox.CodeNotFound, 0), "lost": coded(sandbox.CodeLost, 0), "expired": coded(sandbox.CodeExpired, 0),
		"busy": coded(sandbox.CodeBusy, 0), "too_many_sessions": coded(sandbox.CodeSessions, 0), "capacity": coded(sandbox.CodeCapacity, 1500*time.Millisecond),
		"image": coded(sandbox.CodeImage, 0), "engine": coded(sandbox.CodeEngine, 0), "state": coded(sandbox.CodeState, 0), "closed": coded(sandbox.CodeClosed, 0),
		"unsupported": coded(sandbox.CodeUnsupported, 0), "conflict": coded(sandbox.CodeConflict, 0), "new": coded("new", 0),
		"own": &daemon.Error{Status: 418, Detail: "the reason"}, "fiber": fiber.NewError(400, "SECRET"),
	} {
		failures[name] = err
	}
	const reason = "the reason"
	s := serve(t, testConfig())
	for _, tc := range []struct {
		name          string
		status        int
		code          sandbox.Code
		detail, after string
	}{
		{"not_found", 404, sandbox.CodeNotFound, reason, ""},
		{"lost", 410, sandbox.CodeLost, reason, ""},
		{"expired", 410, sandbox.CodeExpired, reason, ""},
		{"busy", 429, sandbox.CodeBusy, reason, "1"},
		{"too_many_sessions", 429, sandbox.CodeSessions, reason, "1"},
		{"capacity", 503, sandbox.CodeCapacity, reason, "2"},
		{"image", 503, sandbox.CodeImage, reason, "1"},
		{"engine", 503, sandbox.CodeEngine, reason, "1"},
		{"state", 503, sandbox.CodeState, reason, "1"},
		{"closed", 503, sandbox.CodeClosed, reason, "1"},
		{"unsupported", 501, sandbox.CodeUnsupported, reason, ""},
		{"conflict", 409, sandbox.CodeConflict, reason, ""},
		{"new", 500, "internal", "", ""},
		{"unknown", 500, "internal", "", ""},
		{"own", 418, "", reason, ""},
		{"fiber", 400, "bad_request", "", ""},
	} {
		status, body, header := s.one(t, "POST", "/fail?error="+tc.name, []string{"Host: localhost"}, "")
		want := fmt.Sprintf(`{"detail":%q}`, cmp.Or(tc.detail, http.StatusText(tc.status)))
		if status != tc.status || body != want || header.Get("Retry-After") != tc.after {
			t.Errorf("%s: %d %s, Retry-After %q; want %d %s, %q", tc.name, status, body, header.Get("Retry-After"), tc.status, want, tc.after)
		}
		got, header := s.problem(t, "POST", "/v1/fail?error="+tc.name)
		if got.Status != tc.status || got.Code != tc.code || tc.detail != "" && got.Detail != tc.detail || header.Get("Retry-After") != tc.after {
			t.Errorf("%s: got %+v, Retry-After %q", tc.name, got, header.Get("Retry-After"))
		}
	}
	wrong := `[{"type":"value_error","loc":["body"],"msg":"Value error, the reason"}]`
	status, body, _ := s.one(t, "POST", "/fail?error=invalid", []string{"Host: localhost"}, "")
	if want := `{"detail":` + wrong + `}`; status != 422 || body != want {
		t.Errorf("invalid: %d %s, want 422 %s", status, body, want)
	}
	_, body, _ = s.one(t, "POST", "/v1/fail?error=invalid", []string{"Host: localhost", "X-Request-ID: mine"}, "")
	if want := `{"type":"/docs/errors#invalid","title":"Invalid request","status":422,"detail":"body: Value error, the reason",` +
		`"code":"invalid","request_id":"mine","errors":` + wrong + `}`; body != want {
		t.Errorf("invalid: %s, want %s", body, want)
	}
}

// problem sends a request that must be answered with a Problem, and looks at what all of them have.
func (s *server) problem(t *testing.T, method, path string, headers ...string) (daemon.Problem, http.Header) {
	t.Helper()
	status, body, header := s.one(t, method, path, append([]string{"Host: localhost"}, headers...), "")
	var p daemon.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%s: %s: %v", path, body, err)
	}
	if header.Get("Content-Type") != "application/problem+json" || p.Status != status || p.Title == "" ||
		p.RequestID == "" || p.RequestID != header.Get("X-Request-ID") || strings.Contains(body, "SECRET") {
		t.Errorf("%s: %d %s, %v", path, status, body, header)
	}
	if want := daemon.KindsPath + "#" + string(p.Code); p.Code != "" && p.Type != want || p.Code == "" && p.Type != "about:blank" {
		t.Errorf("%s: type %q, code %q", path, p.Type, p.Code)
	}
	if p.Detail == "" && p.Code != "" {
		t.Errorf("%s: no detail in %s", path, body)
	}
	return p, header
}

func TestErrors_ProblemsBeforeRouting(t *testing.T) {
	s := serve(t, testConfig())
	for _, tc := range []struct {
		request string
		headers []string
		status  int
		code    sandbox.Code
	}{
		{"GET /v1/nowhere", nil, 404, "no_route"},
		{"GET /v1/fail", nil, 405, "method_not_allowed"},
		{"BREW /v1/fail", nil, 405, "method_not_allowed"},
		{"POST /v1/fail", []string{"Origin: http://evil.example"}, 403, "cross_origin"},
		{"POST /v1/fail", []string{"Content-Encoding: gzip"}, 415, "unsupported_media_type"},
		{"POST /v1/fail", []string{"Content-Type: application/json", "Content-Length: 1048577", "Expect: 100-continue"}, 413, "payload_too_large"},
		{"POST /v1/fail", []string{"Content-Type: text/plain", "Content-Length: 1", "Expect: 100-continue"}, 415, "unsupported_media_type"},
	} {
		method, path, _ := strings.Cut(tc.request, " ")
		if got, _ := s.problem(t, method, path, tc.headers...); got.Status != tc.status || got.Code != tc.code {
			t.Errorf("%s %v: got %+v, want %d %s", tc.request, tc.headers, got, tc.status, tc.code)
		}
	}
}

func TestErrors_ProblemsOfKeys(t *testing.T) {
	ann, key := tenant(t, "ann", func(k *auth.Key) { k.Limits = auth.Limits{Rate: 0.001, Burst: 1} })
	s := serve(t, locked(key))
	for _, tc := range []struct {
		path, header string
		status       int
		code         sandbox.Code
	}{
		{"/v1/fail", "X-Nothing: x", 401, "unauthorized"},
		{"/v1/nowhere", "Authorization: Bearer " + auth.New(), 401, "unauthorized"},
		{"/v1/fail?owner=bob", "X-API-Key: " + ann, 403, "forbidden"},
		{"/v1/nowhere", "X-API-Key: " + ann, 404, "no_route"},
		{"/v1/nowhere", "X-API-Key: " + ann, 429, "rate_limited"},
	} {
		got, header := s.problem(t, "POST", tc.path, tc.header)
		if got.Status != tc.status || got.Code != tc.code || (header.Get("WWW-Authenticate") == "Bearer") != (tc.status == 401) {
			t.Errorf("%s: got %+v, %v, want %d %s", tc.path, got, header, tc.status, tc.code)
		}
	}
}

// A sentence for people says what is wrong first, however much is wrong.
func TestErrors_ManyWrongFieldsAreOneSentence(t *testing.T) {
	failures["many"] = daemon.Invalid([]jsonbody.Error{
		{Type: "t", Loc: []any{"body", "figures", 1}, Msg: "This is wrong"}, {Type: "t", Loc: []any{"body", "b"}, Msg: "That"}, {Type: "t", Loc: []any{"body", "c"}, Msg: "That"},
	})
	s := serve(t, testConfig())
	if p, _ := s.problem(t, "POST", "/v1/fail?error=many"); p.Detail != "body.figures.1: This is wrong; and 2 more" || len(p.Errors) != 3 {
		t.Errorf("got %+v", p)
	}
}

func TestErrors_WhatCannotBeReadHasARequestID(t *testing.T) {
	s := serve(t, testConfig())
	for _, request := range []string{"NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n"} {
		got := s.raw(t, request)
		if len(got) != 1 || got[0].Header.Get("X-Request-ID") == "" {
			t.Errorf("%.20q: %+v", request, got)
			continue
		}
		if id := got[0].Header.Get("X-Request-ID"); !strings.Contains(s.log.String(), "request="+id) {
			t.Errorf("%.20q: %s is not in the log", request, id)
		}
	}
}

// Every code is explained, once.
func TestKinds(t *testing.T) {
	seen := map[sandbox.Code]bool{}
	for _, k := range daemon.Kinds {
		if seen[k.Code] || k.Status < 400 || k.Title == "" || k.Meaning == "" {
			t.Errorf("got %+v", k)
		}
		seen[k.Code] = true
	}
}

func TestErrors_APanicIsA500ThatTellsNothing(t *testing.T) {
	s := serve(t, testConfig())
	body := `{"text":"CODE"}`
	status, text, _ := s.one(t, "POST", "/panic", []string{
		"Host: localhost", "X-Secret: HEADER", "Content-Type: application/json", "Content-Length: " + itoa(len(body)),
	}, body)
	if want := `{"detail":"Internal Server Error"}`; status != 500 || text != want {
		t.Errorf("got %d %s, want 500 %s", status, text, want)
	}
	if status, _ := s.post(t, "/echo", `{"text":"x"}`); status != 200 {
		t.Errorf("after the panic: %d, want 200", status)
	}
	log := s.log.String()
	if !strings.Contains(log, "panic: string") || !strings.Contains(log, "server_test.go") {
		t.Errorf("the log does not say where:\n%s", log)
	}
	for _, secret := range []string{"SECRET", "HEADER", "CODE"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log tells %s:\n%s", secret, log)
		}
	}
}

func TestLog_OneLineARequest(t *testing.T) {
	s := serve(t, testConfig())
	s.one(t, "GET", "/hello?token=SECRET", []string{"Host: localhost", "X-Request-ID: my-id"}, "")
	s.one(t, "GET", "/SECRET", []string{"Host: localhost"}, "")
	s.one(t, "POST", "/fail?error=unknown", []string{"Host: localhost"}, "")
	lines := strings.Split(strings.TrimSpace(s.log.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3:\n%s", len(lines), s.log.String())
	}
	for i, want := range [][]string{
		{"level=DEBUG", "method=GET", "route=/hello", "status=200", "request=my-id"},
		{"level=INFO", "status=404"},
		{"level=ERROR", "route=/fail", "status=500", "docker.sock"},
	} {
		for _, part := range want {
			if !strings.Contains(lines[i], part) {
				t.Errorf("line %d has no %s: %s", i, part, lines[i])
			}
		}
	}
	if strings.Contains(lines[0]+lines[1], "SECRET") {
		t.Errorf("the log tells what the client sent:\n%s", s.log.String())
	}
}

func TestRequestID(t *testing.T) {
	s := serve(t, testConfig())
	for _, tc := range []struct {
		sent string
		kept bool
	}{{"abc.DEF_1-2", true}, {strings.Repeat("x", 128), true}, {"", false}, {strings.Repeat("x", 129), false}, {"a b", false}, {"a\tb", false}, {`"x"`, false}} {
		_, body, header := s.one(t, "GET", "/hello", []string{"Host: localhost", "X-Request-ID: " + tc.sent}, "")
		got := header.Get("X-Request-ID")
		if (got == tc.sent) != tc.kept || got == "" || body != `{"hello":"`+got+`"}` {
			t.Errorf("sent %q: got %q, body %s", tc.sent, got, body)
		}
	}
}
