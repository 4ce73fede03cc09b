package rest_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

var timestamp = regexp.MustCompile(`20\d\d-[^"]*Z`)

func TestSessions_SayHowTheyAre(t *testing.T) {
	a, st := serve(t, nil)
	const rest = `"image":"","limits":null,"created_at":"_","ttl":0,"idle_ttl":0,"expires_at":null,` +
		`"usage":{"memory":1048576,"cpu_time":0.001,"pids":2}}`
	want := func(want string) {
		t.Helper()
		if status, text := a.ask(t, "GET", "/v1/sessions/s", ""); status != 200 || timestamp.ReplaceAllString(variable.ReplaceAllString(text, "_"), "_") != want {
			t.Errorf("got %d %s, want 200 %s", status, text, want)
		}
	}
	a.execute(t, `{"code":"x","session_id":"s"}`)
	want(`{"session_id":"s","state":"idle","queued":0,"execution_count":1,` + rest)
	p := a.detached(t, `{"code":"wait","session_id":"s","detach":true}`)
	q := a.detached(t, `{"code":"x","session_id":"s","detach":true}`)
	st.wait(t)
	if status, text := a.ask(t, "GET", "/v1/sessions", ""); status != 200 || !strings.Contains(text, `{"sessions":[{"session_id":"s","state":"busy"`) {
		t.Errorf("the list: %d %s", status, text)
	}
	want(`{"session_id":"s","state":"busy","execution_id":"_","queued":1,"execution_count":1,` + rest)
	if _, text := a.ask(t, "GET", "/v1/sessions/s", ""); !strings.Contains(text, p.ExecutionID) {
		t.Errorf("%s does not name %s, which runs", text, p.ExecutionID)
	}
	st.release <- struct{}{}
	a.result(t, q.ExecutionID)
	want(`{"session_id":"s","state":"idle","queued":0,"execution_count":3,` + rest)
}

// An engine that does not say what containers use holds up nobody who asks how sessions are, however many there are.
func TestSessions_AreToldWithoutWhatTheyUseWhenTheEngineStalls(t *testing.T) {
	const stalled = 20
	a, _ := serve(t, func(s *settings) { s.sandbox.MaxSessions = stalled + 1 })
	a.execute(t, `{"code":"x","session_id":"first"}`)
	a.runtime.OnUsage = func(ctx context.Context, in sandbox.Instance) error {
		if in.ID() == "fake-1" {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
		}
		return errors.New("the engine did not answer")
	}
	for n := range stalled {
		a.execute(t, fmt.Sprintf(`{"code":"x","session_id":"s%d"}`, n))
	}
	for path, used := range map[string]int{"/v1/sessions/s0": 0, "/v1/sessions?usage=true": 1, "/v1/sessions/first": 1} {
		began := time.Now()
		status, text := a.ask(t, "GET", path, "")
		if took := time.Since(began); status != 200 || strings.Count(text, `"usage":`) != used || took > 10*time.Second {
			t.Errorf("%s: after %s, %d %s; want what %d use", path, took, status, text, used)
		}
	}
}

func TestSessions_UnknownBadAndLostOnes(t *testing.T) {
	a, _ := serve(t, nil)
	if r := a.execute(t, `{"code":"exit","session_id":"lost"}`); r.Outcome != "crashed" {
		t.Fatalf("got %+v", r)
	}
	const lost = `"detail":"session lost is lost: its container ended with status 3; reset it to use the id again"`
	const badID = `"code":"invalid"`
	for _, tc := range []struct {
		method, path string
		status       int
		said         string // in the body
	}{
		{"GET", "/v1/sessions/none", 404, `"detail":"no session none","code":"not_found"`},
		{"POST", "/v1/sessions/none/interrupt", 404, `"detail":"no session none","code":"not_found"`},
		{"GET", "/v1/sessions/none/events", 404, `"detail":"no session none","code":"not_found"`},
		{"DELETE", "/v1/sessions/none", 204, ""},
		{"GET", "/v1/sessions/lost", 410, lost + `,"code":"lost"`},
		{"POST", "/v1/sessions/lost/interrupt", 410, lost + `,"code":"lost"`},
		{"GET", "/v1/sessions/lost/events", 410, lost + `,"code":"lost"`},
		{"GET", "/v1/sessions/a%2Fb", 422, badID},
		{"DELETE", "/v1/sessions/a%20b", 422, badID},
		{"POST", "/v1/sessions/" + strings.Repeat("a", 129) + "/interrupt", 422, badID},
		{"GET", "/v1/sessions/%2e%2e%00/events", 422, badID},
		{"GET", "/v1/sessions/a%2Fb/channel", 422, badID},
		{"PUT", "/v1/sessions/s", 405, `"code":"method_not_allowed"`},
		{"GET", "/v1/sessions/s/interrupt", 405, `"code":"method_not_allowed"`},
		{"PUT", "/v1/sessions", 405, `"code":"method_not_allowed"`},
	} {
		status, text := a.ask(t, tc.method, tc.path, "")
		if status != tc.status || !strings.Contains(text, tc.said) || status == 422 && !strings.Contains(text, `"loc":["path","id"]`) {
			t.Errorf("%s %.80s: got %d %s, want %d %s", tc.method, tc.path, status, text, tc.status, tc.said)
		}
	}
	status, text := a.ask(t, "POST", "/execute", `{"code":"x","session_id":"lost"}`)
	if want := "{" + lost + "}"; status != 410 || text != want {
		t.Errorf("execute: got %d %s, want 410 %s", status, text, want)
	}
	if status, _ := a.ask(t, "DELETE", "/v1/sessions/lost", ""); status != 204 {
		t.Errorf("DELETE of the lost: %d", status)
	}
	if r := a.execute(t, `{"code":"x","session_id":"lost"}`); !r.SessionCreated {
		t.Errorf("after it: %+v", r)
	}
}

func TestSessions_PatchRefusesWhatCannotBeChanged(t *testing.T) {
	a, _ := serve(t, nil)
	a.execute(t, `{"code":"x","session_id":"s"}`)
	for _, member := range []string{
		`"session_id":"t"`, `"image":"default"`, `"memory":3`, `"cpus":1`, `"pids":9`, `"disk":"much"`, `"env":{}`, `"timeout":1`, `"setup_code":"x"`,
	} {
		name, _, _ := strings.Cut(member, ":")
		want := `"errors":[{"type":"frozen_field","loc":["body",` + name +
			`],"msg":"A session keeps what it was made with: ttl and idle_ttl alone can be changed"}]`
		if status, text := a.ask(t, "PATCH", "/v1/sessions/s", `{"ttl":60,`+member+`}`); status != 422 || !strings.Contains(text, want) {
			t.Errorf("%s: got %d %s", member, status, text)
		}
	}
	if info, err := a.manager.Session(sandbox.Key{ID: "s"}); err != nil || info.TTL != 0 {
		t.Errorf("after all that was refused: %+v, %v", info, err)
	}
	for _, tc := range []struct{ body, want string }{
		{`{"ttl":60,"idle_ttl":5}`, `"ttl":60,"idle_ttl":5`},
		{`{"ttl":90,"memory":null,"idle_ttl":null}`, `"ttl":90,"idle_ttl":5`},
		{`{"colour":"red"}`, `"ttl":90,"idle_ttl":5`}, // which nobody knows
	} {
		if status, text := a.ask(t, "PATCH", "/v1/sessions/s", tc.body); status != 200 || !strings.Contains(text, tc.want) {
			t.Errorf("%s: got %d %s, want %s", tc.body, status, text, tc.want)
		}
	}
}

func TestSessions_DeleteEndsWhatRuns(t *testing.T) {
	a, st := serve(t, nil)
	p := a.detached(t, `{"code":"wait","session_id":"s","detach":true}`)
	st.wait(t)
	resp := a.do(t, t.Context(), "DELETE", "/v1/sessions/s", "")
	if resp.StatusCode != 204 || resp.ContentLength > 0 || a.containers(t) != 0 {
		t.Errorf("got %d, %d bytes, %d containers; want 204, none, none", resp.StatusCode, resp.ContentLength, a.containers(t))
	}
	if r := a.result(t, p.ExecutionID); r.Outcome != "cancelled" || r.StateKept {
		t.Errorf("got %+v", r)
	}
}

func TestSessions_InterruptEndsWhatRunsAndNothingElse(t *testing.T) {
	a, st := serve(t, nil)
	a.execute(t, `{"code":"x","session_id":"s"}`)
	if status, text := a.ask(t, "POST", "/v1/sessions/s/interrupt", ""); status != 204 || text != "" {
		t.Errorf("while nothing runs: got %d %s, want 204", status, text)
	}
	p := a.detached(t, `{"code":"wait","session_id":"s","detach":true}`)
	q := a.detached(t, `{"code":"queued","session_id":"s","detach":true}`)
	st.wait(t)
	if status, text := a.ask(t, "POST", "/v1/sessions/s/interrupt", ""); status != 204 {
		t.Errorf("got %d %s, want 204", status, text)
	}
	if r := a.result(t, p.ExecutionID); r.Outcome != "interrupted" || !r.StateKept {
		t.Errorf("got %+v", r)
	}
	if r := a.result(t, q.ExecutionID); r.Outcome != "ok" || r.Stdout != "queued" {
		t.Errorf("got %+v", r)
	}
}

// An interrupt that comes before the code was sent must not be lost.
func TestSessions_AnInterruptIsNeverTooEarly(t *testing.T) {
	a, st := serve(t, nil)
	for range 200 {
		x, err := a.manager.Execute(t.Context(), sandbox.Key{ID: "s"}, sandbox.Request{Code: "wait"})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Interrupt(); err != nil {
			t.Fatal(err)
		}
		if r := a.result(t, x.ID()); r.Outcome != "interrupted" {
			t.Fatalf("got %+v", r)
		}
		for len(st.begun) > 0 {
			<-st.begun
		}
	}
}

func TestSessions_BackgroundOutputIsMarked(t *testing.T) {
	a, _ := serve(t, func(s *settings) { s.deps.Heartbeat = 10 * time.Millisecond })
	a.execute(t, `{"code":"x","session_id":"s"}`)
	e := a.events(t, "GET", "/v1/sessions/s/events", "")
	id := a.execute(t, `{"code":"leave","session_id":"s"}`).ExecutionID
	for i, want := range []sandbox.EventType{"stdout", "stderr"} {
		if m := e.need(t, want); m.Seq != uint64(i)+1 || m.ExecutionID != id || !m.Background || m.Text != []string{"still ", "here"}[i] {
			t.Errorf("got %+v", m)
		}
	}
	if m := a.events(t, "GET", "/v1/sessions/s/events?after=1", "").need(t, "stderr"); m.Seq != 2 || m.Text != "here" {
		t.Errorf("resumed: got %+v", m)
	}
	if status, _ := a.ask(t, "DELETE", "/v1/sessions/s", ""); status != 204 {
		t.Error("not deleted")
	}
	if all := e.rest(t); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}
