package daemon_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
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
		"invalid": coded(sandbox.CodeInvalid, 0), "not_found": coded(sandbox.CodeNotFound, 0), "lost": coded(sandbox.CodeLost, 0),
		"busy": coded(sandbox.CodeBusy, 0), "capacity": coded(sandbox.CodeCapacity, 1500*time.Millisecond),
		"image": coded(sandbox.CodeImage, 0), "engine": coded(sandbox.CodeEngine, 0), "closed": coded(sandbox.CodeClosed, 0),
		"unsupported": coded(sandbox.CodeUnsupported, 0), "conflict": coded(sandbox.CodeConflict, 0), "new": coded("new", 0),
		"own": &daemon.Error{Status: 418, Detail: "the reason"}, "fiber": fiber.NewError(400, "SECRET"),
	} {
		failures[name] = err
	}
	const reason = `{"detail":"the reason"}`
	s := serve(t, testConfig())
	for _, tc := range []struct {
		name        string
		status      int
		body, after string
	}{
		{"invalid", 422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, the reason"}]}`, ""},
		{"not_found", 404, reason, ""},
		{"lost", 410, reason, ""},
		{"busy", 429, reason, "1"},
		{"capacity", 503, reason, "2"},
		{"image", 503, reason, "1"},
		{"engine", 503, reason, "1"},
		{"closed", 503, reason, "1"},
		{"unsupported", 501, reason, ""},
		{"conflict", 409, reason, ""},
		{"new", 500, `{"detail":"Internal Server Error"}`, ""},
		{"unknown", 500, `{"detail":"Internal Server Error"}`, ""},
		{"own", 418, reason, ""},
		{"fiber", 400, `{"detail":"Bad Request"}`, ""},
	} {
		status, body, header := s.one(t, "POST", "/fail?error="+tc.name, []string{"Host: localhost"}, "")
		if status != tc.status || body != tc.body || header.Get("Retry-After") != tc.after {
			t.Errorf("%s: %d %s, Retry-After %q; want %d %s, %q", tc.name, status, body, header.Get("Retry-After"), tc.status, tc.body, tc.after)
		}
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
