package rest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
)

var variable = regexp.MustCompile(`"time":"[^"]*"|[0-9a-f]{8}-[0-9a-f-]{27}`)

// what "all" says, but for ids and times.
const ending = `"outcome":"error","state_kept":true,"error":"ValueError: no","execution_time":0.5,"locals":{"a":1},"locals_omitted":2,` +
	`"truncated":{"stdout":7},"invalid_utf8":{"stdout":1},"usage":{"cpu_time":0,"wall_time":0,"memory_peak":0},` +
	`"files":{"created":[],"modified":[],"deleted":[]}`

var allSaid = []string{
	`"seq":1,"type":"started","execution_id":"_",_,"session_id":"s","session_created":true,"execution_count":1`,
	`"seq":2,"type":"stdout","execution_id":"_",_,"text":"one\ntwo\r` + "\u2028é" + `\u0000\u001b[0m"`,
	`"seq":3,"type":"stderr","execution_id":"_",_,"text":"careful"`,
	`"seq":4,"type":"display","execution_id":"_",_,"data":{"text/plain":"a\nb"},"metadata":{"text/plain":{"k":1}}`,
	`"seq":5,"type":"result","execution_id":"_",_,"data":{"text/plain":"42"}`,
	`"seq":6,"type":"error","execution_id":"_",_,"exception":{"type":"ValueError","message":"no","traceback":["ValueError: no"]}`,
	`"seq":8,"type":"done","execution_id":"_",_,` + ending,
}

func TestStream_GoldenSSEAndNDJSON(t *testing.T) {
	a, _ := serve(t, nil)
	var sse, ndjson strings.Builder
	for _, m := range allSaid {
		m = strings.Replace(m, `\u0000\u001b[0m"`, `\u0000\u001b[0m`+"\ufffd"+`"`, 1)
		kind := regexp.MustCompile(`"type":"(\w+)"`).FindStringSubmatch(m)[1]
		seq := regexp.MustCompile(`"seq":(\d+)`).FindStringSubmatch(m)[1] // the variables, which are no event, had a number too
		fmt.Fprintf(&sse, "id: %s\nevent: %s\ndata: {%s}\n\n", seq, kind, m)
		fmt.Fprintf(&ndjson, "{%s}\n", m)
	}
	x := a.execute(t, `{"code":"all","session_id":"s","return_locals":true}`)
	for _, tc := range []struct{ accept, mediaType, want string }{
		{"text/event-stream", "text/event-stream", sse.String()},
		{"application/x-ndjson", "application/x-ndjson", ndjson.String()},
		{"", "text/event-stream", sse.String()}, // the default of events
	} {
		resp := a.do(t, t.Context(), "GET", "/v1/executions/"+x.ExecutionID+"/events", "", "Accept", tc.accept)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := variable.ReplaceAllString(string(body), "_"); got != tc.want {
			t.Errorf("Accept %q:\n got %q\nwant %q", tc.accept, got, tc.want)
		}
		for header, want := range map[string]string{
			"Content-Type": tc.mediaType, "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
		} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("Accept %q: %s is %q, want %q", tc.accept, header, got, want)
			}
		}
	}
}

func TestStream_AcceptDecidesAndWildcardsDoNot(t *testing.T) {
	a, _ := serve(t, nil)
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "text/*": "application/json", "application/*": "application/json",
		"application/json": "application/json", "text/html, */*;q=0.8": "application/json", "text/event-streams": "application/json",
		"text/event-stream": "text/event-stream", "TEXT/EVENT-STREAM": "text/event-stream",
		"application/json, text/event-stream;q=0.5": "text/event-stream",
		"application/x-ndjson":                      "application/x-ndjson",
		"application/x-ndjson; charset=utf-8":       "application/x-ndjson",
	} {
		resp := a.do(t, t.Context(), "POST", "/execute", `{"code":"x","session_id":"s"}`, "Accept", accept)
		body, err := io.ReadAll(resp.Body)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != want || err != nil {
			t.Errorf("Accept %q: %d %s %.80s, want %s", accept, resp.StatusCode, got, body, want)
		}
	}
}

// A stream that cannot begin is an ordinary error.
func TestStream_RefusalsAreJSON(t *testing.T) {
	a, _ := serve(t, nil)
	for body, want := range map[string]int{`{}`: 422, `{"code":"x","create":false,"session_id":"none"}`: 404} {
		status, text := a.ask(t, "POST", "/execute", body, "Accept", "text/event-stream")
		if status != want || !strings.HasPrefix(text, `{"detail":`) {
			t.Errorf("%s: %d %s, want %d", body, status, text, want)
		}
	}
}

func TestStream_HeadersComeBeforeTheFirstEventAndSilenceIsFilled(t *testing.T) {
	a, st := serve(t, func(s *settings) { s.deps.Heartbeat = 10 * time.Millisecond })
	a.detached(t, `{"code":"wait","session_id":"s","detach":true}`)
	st.wait(t)
	e := a.events(t, "POST", "/execute", `{"code":"x","session_id":"s"}`) // queued: nothing to say yet
	for range 3 {
		for _, want := range []string{": keep-alive\n", "\n"} {
			if line, err := e.lines.ReadString('\n'); line != want || err != nil {
				t.Fatalf("got %q, %v; want %q", line, err, want)
			}
		}
	}
	close(st.release)
	if all := e.rest(t); len(all) != 3 || text(all, sandbox.EventStdout) != "x" {
		t.Errorf("got %+v", all)
	}
}

func TestStream_SilenceIsNoLineOfNDJSON(t *testing.T) {
	a, st := serve(t, func(s *settings) { s.deps.Heartbeat = time.Millisecond })
	resp := a.do(t, t.Context(), "POST", "/execute", `{"code":"wait","session_id":"s"}`, "Accept", "application/x-ndjson")
	st.wait(t)
	time.AfterFunc(50*time.Millisecond, func() { close(st.release) }) // a good many heartbeats
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	for _, line := range lines {
		if !jsontext.Value(line).IsValid() {
			t.Errorf("%q is not JSON", line)
		}
	}
	if n := len(lines); n != 4 {
		t.Errorf("%d lines, want started, stdout, stdout, done", n)
	}
}

func TestStream_EventsComeWhileTheCodeRuns(t *testing.T) {
	a, st := serve(t, nil)
	e := a.events(t, "POST", "/execute", `{"code":"wait","session_id":"s"}`)
	e.need(t, sandbox.EventStarted)
	if m := e.need(t, sandbox.EventStdout); m.Text != "begun" {
		t.Errorf("got %q", m.Text)
	}
	st.release <- struct{}{} // only now
	all := e.rest(t)
	if len(all) != 2 || text(all, sandbox.EventStdout) != " and done" || all[1].Ending == nil || all[1].Outcome != "ok" {
		t.Errorf("got %+v", all)
	}
}

func TestStream_ResumesWhereTheClientSays(t *testing.T) {
	a, st := serve(t, nil)
	p := a.detached(t, `{"code":"wait","session_id":"s","detach":true}`)
	st.wait(t)
	path := "/v1/executions/" + p.ExecutionID + "/events"
	for range 2 { // while it runs, and after its end
		for _, tc := range []struct {
			query, header string
			first         uint64
		}{
			{"", "", 1}, {"?after=0", "", 1}, {"?after=1", "", 2}, {"", "1", 2}, {"?after=0", "1", 2},
		} {
			e := a.events(t, "GET", path+tc.query, "", "Last-Event-ID", tc.header)
			if m, err := e.next(); m.Seq != tc.first || err != nil {
				t.Errorf("%+v: got %+v, %v", tc, m, err)
			}
			e.leave()
		}
		if x, _ := a.manager.Execution("", p.ExecutionID); x.Result() == nil {
			live := a.events(t, "GET", path+"?after=2", "") // nothing yet
			st.release <- struct{}{}
			if all := live.rest(t); len(all) != 2 || all[0].Seq != 3 || all[0].Text != " and done" {
				t.Errorf("live: %+v", all)
			}
		}
	}
	for _, query := range []string{"?after=4", "?after=18446744073709551615"} {
		if all := a.events(t, "GET", path+query, "").rest(t); len(all) != 0 {
			t.Errorf("%s: got %+v, want nothing", query, all)
		}
	}
}

func TestStream_BadPlacesAreRefused(t *testing.T) {
	a, _ := serve(t, nil)
	id := a.execute(t, `{"code":"x","session_id":"s"}`).ExecutionID
	for _, path := range []string{"/v1/executions/" + id + "/events", "/v1/sessions/s/events"} {
		for _, bad := range []string{"x", "-1", "1.5", "18446744073709551616", "0x1"} {
			status, got := a.ask(t, "GET", path+"?after="+bad, "")
			if want := `"errors":[{"type":"int_parsing","loc":["query","after"],"msg":"Input should be a valid integer of 0 or more"}]}`; status != 422 || !strings.HasSuffix(got, want) {
				t.Errorf("after=%s: %d %s, want 422 %s", bad, status, got, want)
			}
			status, got = a.ask(t, "GET", path, "", "Last-Event-ID", bad)
			if want := `"errors":[{"type":"int_parsing","loc":["header","last-event-id"],"msg":"Input should be a valid integer of 0 or more"}]}`; status != 422 || !strings.HasSuffix(got, want) {
				t.Errorf("Last-Event-ID %s: %d %s, want 422 %s", bad, status, got, want)
			}
		}
	}
}

func TestStream_AClientThatLeavesInterruptsItsExecution(t *testing.T) {
	a, st := serve(t, nil)
	for _, body := range []string{`{"code":"wait","session_id":"s"}`, `{"code":"wait","session_id":"s","on_disconnect":"interrupt"}`} {
		for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
			e := a.events(t, "POST", "/execute", body, "Accept", accept)
			st.wait(t)
			info, err := a.manager.Session(sandbox.Key{ID: "s"})
			if err != nil {
				t.Fatal(err)
			}
			e.leave()
			if r := a.result(t, info.Running); r.Outcome != "interrupted" || r.Stdout != "begun" {
				t.Errorf("%s: got %+v", body, r)
			}
		}
	}
}

func TestStream_AClientThatLeavesTakesItsExecutionOutOfTheQueue(t *testing.T) {
	a, st := serve(t, nil)
	a.detached(t, `{"code":"wait","session_id":"s","detach":true}`)
	st.wait(t)
	e := a.events(t, "POST", "/execute", `{"code":"wait queued","session_id":"s"}`)
	last := a.detached(t, `{"code":"last","session_id":"s","detach":true}`)
	e.leave()
	deadline := time.Now().Add(patience)
	for {
		info, err := a.manager.Session(sandbox.Key{ID: "s"})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("still queued: %+v, %v", info, err)
		}
		if info.Queued == 1 {
			break
		}
	}
	close(st.release)
	if r := a.result(t, last.ExecutionID); r.Stdout != "last" || r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestStream_OnDisconnectContinueLetsItRun(t *testing.T) {
	a, st := serve(t, nil)
	e := a.events(t, "POST", "/execute", `{"code":"wait","session_id":"s","on_disconnect":"continue"}`)
	id := e.need(t, sandbox.EventStarted).ExecutionID
	st.wait(t)
	e.leave()
	follower := a.events(t, "GET", "/v1/executions/"+id+"/events", "") // leaving this one interrupts nothing either
	follower.need(t, sandbox.EventStarted)
	follower.leave()
	again := a.events(t, "GET", "/v1/executions/"+id+"/events?after=1", "")
	again.need(t, sandbox.EventStdout)
	st.release <- struct{}{}
	if r := a.result(t, id); r.Outcome != "ok" || r.Stdout != "begun and done" {
		t.Errorf("got %+v", r)
	}
	if status, text := a.ask(t, "POST", "/execute", `{"code":"x","on_disconnect":"explode"}`); status != 422 || !strings.Contains(text, "^(interrupt|continue)$") {
		t.Errorf("got %d %s", status, text)
	}
}

func TestStream_ABlockingClientThatLeavesLetsItRun(t *testing.T) {
	a, st := serve(t, nil)
	conn := a.dial(t)
	body := `{"code":"wait","session_id":"s"}`
	fmt.Fprintf(conn, "POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	st.wait(t)
	info, err := a.manager.Session(sandbox.Key{ID: "s"})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	st.release <- struct{}{}
	if r := a.result(t, info.Running); r.Outcome != "ok" || r.Stdout != "begun and done" {
		t.Errorf("got %+v", r)
	}
}

// A client that sends the next request ahead has not left.
func TestStream_ARequestSentAheadIsNoLeaving(t *testing.T) {
	a, st := serve(t, nil)
	conn := a.dial(t)
	body := `{"code":"wait","session_id":"s"}`
	fmt.Fprintf(conn, "POST /execute HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"+
		"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", len(body), body)
	st.wait(t)
	st.release <- struct{}{}
	got, err := io.ReadAll(conn)
	if s := string(got); err != nil || !strings.Contains(s, " and done") || !strings.Contains(s, `"outcome":"ok"`) || !strings.HasSuffix(s, `{"status":"PYTHON REPL ACTIVE"}`) {
		t.Errorf("got %s, %v", s, err)
	}
}

// dial opens a connection that gives up at last.
func (a *api) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Clients that read nothing must neither hold up a session nor make the daemon hold its output once for each of them.
func TestStream_ClientsThatStopReadingHarmNobody(t *testing.T) {
	const output, clients = 32 << 20, 4
	a, _ := serve(t, func(s *settings) {
		s.sandbox.Execution.MaxStdout, s.sandbox.MaxResults = output, 4*output
		s.server.WriteTimeout = 5 * time.Second
	})
	id := a.execute(t, `{"code":"flood","session_id":"s"}`).ExecutionID
	before := heap()
	for range clients {
		conn := a.dial(t)
		fmt.Fprintf(conn, "GET /v1/executions/%s/events HTTP/1.1\r\nHost: localhost\r\n\r\n", id)
		if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil { // its answer has begun
			t.Fatal(err)
		}
	}
	if r := a.execute(t, `{"code":"x","session_id":"s"}`); r.Stdout != "x" { // the session goes on
		t.Errorf("got %+v", r)
	}
	for { // once their buffers are full: what fills them makes garbage
		grown := heap() - before
		if n := streaming(); n < clients {
			t.Fatalf("the %d of %d clients that are left hold %d KiB", n, clients, grown>>10)
		}
		if grown < clients*2<<20 {
			break
		}
	}
	for deadline := time.Now().Add(patience); streaming() > 0; { // cut off after the timeout
		if time.Now().After(deadline) {
			t.Fatalf("%d streams still wait for their clients", streaming())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// streaming counts the streams that are being written.
func streaming() int {
	stacks := make([]byte, 4<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("(*encoding).write("))
}

// A flood that nobody reads is interrupted when its stream is given up.
func TestStream_AStalledClientInterruptsItsFlood(t *testing.T) {
	a, _ := serve(t, func(s *settings) {
		s.sandbox.Execution.MaxStdout, s.sandbox.MaxResults = 64<<20, 256<<20
		s.server.WriteTimeout = 200 * time.Millisecond
	})
	conn := a.dial(t)
	body := `{"code":"floodwait","session_id":"s"}`
	fmt.Fprintf(conn, "POST /execute HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil { // its answer has begun
		t.Fatal(err)
	}
	e := a.events(t, "POST", "/execute", `{"code":"next","session_id":"s"}`) // behind it
	all := e.rest(t)
	if got := text(all, sandbox.EventStdout); got != "next" {
		t.Errorf("got %q", got)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestStream_EndsWithItsSession(t *testing.T) {
	a, st := serve(t, nil)
	e := a.events(t, "POST", "/execute", `{"code":"wait","session_id":"s"}`)
	background := a.events(t, "GET", "/v1/sessions/s/events", "")
	st.wait(t)
	if status, text, _ := a.post(t, "/reset", `{"session_id":"s"}`); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	all := e.rest(t)
	if last := all[len(all)-1]; last.Ending == nil || last.Outcome != "cancelled" || last.StateKept {
		t.Errorf("got %+v", last)
	}
	if all := background.rest(t); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}

func TestStream_ShutdownEndsStreamsPromptly(t *testing.T) {
	a, st := serve(t, nil)
	e := a.events(t, "POST", "/execute", `{"code":"wait","session_id":"s","on_disconnect":"continue"}`)
	st.wait(t)
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		t.Errorf("shut down: %v", err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	for err := error(nil); err != io.EOF && err != io.ErrUnexpectedEOF; { // whatever was on its way, and then the end
		if _, err = e.next(); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF && !strings.Contains(err.Error(), "reset") {
			t.Fatal(err)
		} else if err != nil {
			break
		}
	}
}
