package rest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json"
)

func TestExecutions_DetachedIsAnsweredAtOnceAndFoundLater(t *testing.T) {
	a, st := serve(t, nil)
	resp := a.do(t, t.Context(), "POST", "/execute", `{"code":"wait","session_id":"s","detach":true}`, "Accept", "text/event-stream")
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p rest.PendingResponse
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	path := "/v1/executions/" + p.ExecutionID
	want := `{"execution_id":"` + p.ExecutionID + `","session_id":"s","session_created":true}`
	if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Location") != path || string(body) != want {
		t.Errorf("got %d %q %s, want 202 %q %s", resp.StatusCode, resp.Header.Get("Location"), body, path, want)
	}
	st.wait(t)
	if status, got := a.ask(t, "GET", path, ""); status != http.StatusAccepted || got != want {
		t.Errorf("while it runs: got %d %s, want 202 %s", status, got, want)
	}
	st.release <- struct{}{}
	if r := a.result(t, p.ExecutionID); r.Outcome != "ok" || r.Stdout != "begun and done" || !r.SessionCreated || r.SessionID != "s" {
		t.Errorf("got %+v", r)
	}
}

func TestExecutions_UnknownOnesAndThoseOfOthersAreNotFound(t *testing.T) {
	a, _ := serve(t, nil)
	x, err := a.manager.Execute(t.Context(), sandbox.Key{Owner: "somebody", ID: "s"}, sandbox.Request{Code: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{x.ID(), "00000000-0000-0000-0000-000000000000", "x", strings.Repeat("a", 1000), "%00"} {
		for _, path := range []string{"/v1/executions/" + id, "/v1/executions/" + id + "/events"} {
			status, text := a.ask(t, "GET", path, "")
			if status != 404 || !strings.Contains(text, `"detail":"no execution `) || len(text) > 300 {
				t.Errorf("%.100s: got %d %s, want 404", path, status, text)
			}
		}
	}
	if status, text := a.ask(t, "GET", "/v1/sessions/s", ""); status != 404 {
		t.Errorf("the other's session: got %d %s, want 404", status, text)
	}
}

func TestExecutions_ResultsGoWhenThereAreTooMany(t *testing.T) {
	a, _ := serve(t, func(s *settings) { s.sandbox.MaxResults = 64 << 10 })
	first := a.execute(t, `{"code":"first","session_id":"s"}`).ExecutionID
	for range 64 {
		last := a.execute(t, `{"code":"more","session_id":"s"}`).ExecutionID
		if status, text := a.ask(t, "GET", "/v1/executions/"+last, ""); status != 200 {
			t.Fatalf("the newest: %d %s", status, text)
		}
		if status, _ := a.ask(t, "GET", "/v1/executions/"+first, ""); status == 404 {
			return
		}
	}
	t.Error("the first of 65 results is still kept, in 64 KiB")
}

func TestExecutions_AnIdempotencyKeyRunsOnce(t *testing.T) {
	a, st := serve(t, nil)
	body := `{"code":"wait","session_id":"s"}`
	var wg sync.WaitGroup
	ids := make(chan string, 8)
	for i := range cap(ids) {
		accept := []string{"application/json", "text/event-stream"}[i%2]
		wg.Go(func() {
			status, text := a.ask(t, "POST", "/execute", body, "Idempotency-Key", "k", "Accept", accept)
			_, id, ok := strings.Cut(text, `"execution_id":"`)
			if status != 200 || !ok || !strings.Contains(text, `"outcome":"ok"`) {
				t.Errorf("%d %s", status, text)
			}
			ids <- id[:36]
		})
	}
	st.wait(t)
	st.release <- struct{}{}
	wg.Wait()
	first := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != first {
			t.Errorf("ran as %s and as %s", first, id)
		}
	}
	// The answer is the same later on, and in the session nothing else has run.
	retried := a.do(t, t.Context(), "POST", "/execute", body, "Idempotency-Key", "k")
	text, _ := io.ReadAll(retried.Body)
	if !strings.Contains(string(text), first) || !strings.Contains(string(text), `"session_created":true`) {
		t.Errorf("got %s", text)
	}
	if r := a.execute(t, `{"code":"x","session_id":"s"}`); r.ExecutionCount != 2 {
		t.Errorf("%d executions, want 2", r.ExecutionCount)
	}
}

func TestExecutions_AnIdempotencyKeyNamesOneRequest(t *testing.T) {
	a, _ := serve(t, nil)
	body := `{"code":"x","session_id":"s"}`
	if status, text := a.ask(t, "POST", "/execute", body, "Idempotency-Key", "k"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for _, other := range []string{
		`{"code":"y","session_id":"s"}`, `{"code":"x","session_id":"t"}`, `{"code":"x","session_id":"s","context":""}`,
		`{"code":"x","session_id":"s","stdin":"z"}`, `{"code":"x","session_id":"s","setup_code":"z"}`, `{"code":"x","session_id":"s","timeout":1}`,
		`{"code":"x","session_id":"s","return_locals":true}`, `{"code":"x","session_id":"s","max_stdout":1}`, `{"code":"x","session_id":"s","create":false}`,
	} {
		status, text := a.ask(t, "POST", "/execute", other, "Idempotency-Key", "k")
		if want := `{"detail":"the idempotency key was used for another request"}`; status != 409 || text != want {
			t.Errorf("%s: got %d %s, want 409 %s", other, status, text, want)
		}
	}
	if status, text := a.ask(t, "POST", "/execute", body, "Idempotency-Key", strings.Repeat("k", 255)); status != 200 {
		t.Errorf("the longest key: %d %s", status, text)
	}
	status, text := a.ask(t, "POST", "/execute", body, "Idempotency-Key", strings.Repeat("k", 256))
	if want := `{"detail":[{"type":"string_too_long","loc":["header","idempotency-key"],"msg":"Value should have at most 255 bytes"}]}`; status != 422 || text != want {
		t.Errorf("a longer key: got %d %s, want 422 %s", status, text, want)
	}
}

func TestExecutions_CapsMayBeLoweredNotRaised(t *testing.T) {
	var seen wire.ExecuteMessage
	play := func(c *sandboxtest.Call) {
		seen = c.Message
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
	}
	a := serveOn(t, &sandboxtest.Runtime{Play: play}, nil)
	x := testConfig().Execution
	a.execute(t, `{"code":"x","session_id":"s","return_locals":true,"max_stdout":5,"max_stderr":6.5,"max_display":7,"max_locals":8}`)
	if seen.Locals.MaxValue != 8 {
		t.Errorf("got %+v", seen.Locals)
	}
	a.execute(t, `{"code":"x","session_id":"s","return_locals":true,"max_stdout":5,"max_stderr":6.5,"max_display":7,"max_locals":8,"max_locals_value":3}`)
	if seen.MaxStdout != 5 || seen.MaxStderr != 7 || seen.MaxDisplay != 7 || seen.Locals.MaxTotal != 8 || seen.Locals.MaxValue != 3 {
		t.Errorf("got %+v, %+v", seen, seen.Locals)
	}
	a.execute(t, `{"code":"x","session_id":"s","return_locals":true,"max_stdout":null}`)
	if seen.MaxStdout != x.MaxStdout || seen.MaxDisplay != x.MaxDisplay || seen.Locals.MaxTotal != x.MaxLocals || seen.Locals.MaxValue != x.MaxLocalsValue {
		t.Errorf("got %+v, %+v", seen, seen.Locals)
	}
	for name, most := range map[string]int64{
		"max_stdout": x.MaxStdout, "max_stderr": x.MaxStderr, "max_display": x.MaxDisplay, "max_locals": x.MaxLocals,
		"max_locals_value": x.MaxLocalsValue, "max_events": x.MaxEvents,
	} {
		for value, want := range map[string]int{fmt.Sprint(most): 200, fmt.Sprint(most + 1): 422, "1e300": 422, "0": 422, "-1": 422, `"5"`: 422} {
			status, text := a.ask(t, "POST", "/execute", `{"code":"x","session_id":"s","`+name+`":`+value+`}`)
			if status != want || want == 422 && !strings.Contains(text, `"loc":["body","`+name+`"]`) {
				t.Errorf("%s %s: got %d %s, want %d", name, value, status, text, want)
			}
		}
	}
}

func TestExecutions_FewerEventsMayBeKept(t *testing.T) {
	a := serveOn(t, &sandboxtest.Runtime{Play: func(c *sandboxtest.Call) {
		for range 10 {
			c.Send(wire.Display, []byte(`{"data":{"text/plain":"x"}}`))
		}
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
	}}, nil)
	x := a.execute(t, `{"code":"x","session_id":"s","max_events":4}`)
	events := a.events(t, "GET", "/v1/executions/"+x.ExecutionID+"/events", "").rest(t)
	if n := len(events); len(x.Displays) != 10 || n > 4 || events[n-1].Type != "done" || events[0].Seq <= 1 {
		t.Errorf("%d displays; kept are %+v", len(x.Displays), events)
	}
}

func TestExecutions_CutOutputIsMarkedAndCounted(t *testing.T) {
	play := func(c *sandboxtest.Call) {
		c.Send(wire.Stdout, []byte("head"))
		c.Send(wire.Cut, []byte(`{"stream":"stdout","bytes":1000}`))
		c.Send(wire.Stdout, []byte("tail"))
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true, Truncated: map[string]int64{"stdout": 1000, "stderr": 0}})
	}
	a := serveOn(t, &sandboxtest.Runtime{Play: play}, nil)
	want := "head\n[... 1000 bytes left out ...]\ntail"
	r := a.execute(t, `{"code":"x","session_id":"s"}`)
	if r.Stdout != want || len(r.Truncated) != 1 || r.Truncated["stdout"] != 1000 {
		t.Errorf("got %q, %v", r.Stdout, r.Truncated)
	}
	all := a.events(t, "GET", "/v1/executions/"+r.ExecutionID+"/events", "").rest(t)
	if got := text(all, sandbox.EventStdout); got != want {
		t.Errorf("got %q", got)
	}
}

func TestExecutions_BytesThatAreNotUTF8AreCounted(t *testing.T) {
	play := func(c *sandboxtest.Call) {
		for _, part := range []string{"\xc3", "\xa9 \xe2\x82", " \xff", "\xf0\x9f"} { // é, two of a character of three, one, two
			c.Send(wire.Stdout, []byte(part))
		}
		c.Send(wire.Stderr, []byte("\x80"))
		c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
	}
	a := serveOn(t, &sandboxtest.Runtime{Play: play}, nil)
	r := a.execute(t, `{"code":"x","session_id":"s"}`)
	if want := "é \ufffd\ufffd \ufffd\ufffd\ufffd"; r.Stdout != want || r.InvalidUTF8["stdout"] != 5 || r.InvalidUTF8["stderr"] != 1 {
		t.Errorf("got %q, %v; want %q", r.Stdout, r.InvalidUTF8, want)
	}
}

// What a detached execution holds counts until it has ended, or a queue of them would hold any number of books.
func TestExecutions_ContextsOfDetachedExecutionsCount(t *testing.T) {
	a, st := serve(t, func(s *settings) { s.server.MaxInflightBody = 16 << 20 })
	book := strings.Repeat("x", 6<<20)
	first := a.detached(t, `{"code":"wait","session_id":"s","detach":true,"context":"`+book+`"}`)
	second := a.detached(t, `{"code":"x","session_id":"s","detach":true,"context":"`+book+`"}`)
	status, text := a.ask(t, "POST", "/execute", `{"code":"x","session_id":"t","context":"`+book+`"}`)
	if status != 503 {
		t.Errorf("beside two books: got %d %s, want 503", status, text)
	}
	st.wait(t)
	st.release <- struct{}{}
	a.result(t, first.ExecutionID)
	a.result(t, second.ExecutionID)
	deadline := time.Now().Add(patience)
	for status := 503; status != 200; { // given back just after the end
		if status, text = a.ask(t, "POST", "/execute", `{"code":"x","session_id":"t","context":"`+book+`"}`); time.Now().After(deadline) {
			t.Fatalf("after their end: got %d %s", status, text)
		}
	}
}
