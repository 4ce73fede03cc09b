package rest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/go-json-experiment/json"
)

// socket is a client of a channel.
type socket struct{ *websocket.Conn }

// said is a message of the daemon: an event, or a refusal.
type said struct {
	rest.ChannelEvent
	Status int          `json:"status"`
	Code   sandbox.Code `json:"code"`
	Detail any          `json:"detail"`
}

func (a *api) channel(t *testing.T, session string) *socket {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.url, "http")+"/v1/sessions/"+session+"/channel", nil)
	if err != nil {
		t.Fatalf("%v, %v", resp, err)
	}
	t.Cleanup(func() { ws.Close() })
	if err := ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &socket{ws}
}

func (s *socket) send(t *testing.T, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := s.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *socket) next(t *testing.T) said {
	t.Helper()
	kind, b, err := s.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		t.Fatalf("kind %d, %v", kind, err)
	}
	var m said
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return m
}

// need reads on to an event of a type, and of a ref, and returns what was printed for that ref before it.
func (s *socket) need(t *testing.T, ref string, want sandbox.EventType) (m said, printed string) {
	t.Helper()
	for {
		m := s.next(t)
		if m.Ref != ref {
			continue
		}
		if m.Type == want {
			return m, printed
		}
		if printed += m.Text; m.Type == "done" || m.Type == "refused" {
			t.Fatalf("%q: got %+v, want %s", ref, m, want)
		}
	}
}

// closed reads to the end and returns the close code.
func (s *socket) closed(t *testing.T) int {
	t.Helper()
	for {
		_, _, err := s.ReadMessage()
		var ended *websocket.CloseError
		if errors.As(err, &ended) {
			return ended.Code
		}
		if err != nil {
			t.Fatalf("got %v, want a close frame", err)
		}
	}
}

func TestChannel_ExecutesInOrderWithRefs(t *testing.T) {
	a, _ := serve(t, nil)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"all","return_locals":true}`, `{"type":"execute","ref":"é","code":"two"}`, `{"type":"execute","code":"three"}`)
	all := s.ended(t, 3)
	first := all["1"]
	if m := first[0]; m.Type != "started" || !m.SessionCreated || m.ExecutionCount != 1 || m.SessionID != "s" {
		t.Errorf("got %+v", m)
	}
	if m := first[len(first)-1]; len(first) != 7 || m.Outcome != "error" || string(m.Locals) == "null" {
		t.Errorf("got %d events, %+v", len(first), m.Ending)
	}
	for i, tc := range []struct{ ref, code string }{{"é", "two"}, {"", "three"}} {
		got := all[tc.ref]
		if len(got) != 3 || got[0].ExecutionCount != i+2 || got[1].Text != tc.code || got[2].Outcome != "ok" {
			t.Errorf("%q: got %+v", tc.ref, got)
		}
	}
}

// ended reads until n executions have ended, whose events may come among each other's, and returns them by ref.
func (s *socket) ended(t *testing.T, n int) map[string][]said {
	t.Helper()
	all := map[string][]said{}
	for n > 0 {
		m := s.next(t)
		if m.Background {
			continue
		}
		if all[m.Ref] = append(all[m.Ref], m); m.Type == "done" {
			n--
		}
	}
	return all
}

func TestChannel_InterruptsWhatRuns(t *testing.T) {
	a, st := serve(t, nil)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"wait"}`)
	st.wait(t)
	s.send(t, `{"type":"interrupt"}`)
	if m, printed := s.need(t, "1", "done"); m.Outcome != "interrupted" || printed != "begun" {
		t.Errorf("got %q, %+v", printed, m.Ending)
	}
}

func TestChannel_AnswersInput(t *testing.T) {
	a, _ := serve(t, nil)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"ask"}`)
	id := ""
	for i, answer := range []string{`"naïve\n\u0000"`, `""`, `null`} {
		m, _ := s.need(t, "1", "input_request")
		id = m.ExecutionID
		if want := (sandbox.Prompt{Prompt: []string{"0? ", "1? ", "2? "}[i], Password: i == 1}); *m.Input != want {
			t.Errorf("got %+v, want %+v", m.Input, want)
		}
		s.send(t, `{"type":"input","text":`+answer+`}`)
	}
	if m, printed := s.need(t, "1", "done"); m.Outcome != "ok" || printed != "EOF" {
		t.Errorf("got %q, %+v", printed, m.Ending)
	}
	if r := a.result(t, id); r.Stdout != "naïve\n\x00;;EOF" {
		t.Errorf("got %q", r.Stdout)
	}
}

func TestChannel_RefusesWhatIsWrong(t *testing.T) {
	a, _ := serve(t, nil)
	a.execute(t, `{"code":"x","session_id":"s"}`)
	s := a.channel(t, "s")
	for _, tc := range []struct {
		message, ref string
		status       int
		detail       string
	}{
		{`{`, "", 422, "JSON decode error"},
		{`7`, "", 422, "valid dictionary"},
		{``, "", 422, "Field required"},
		{"{\"type\":\"execute\",\"code\":\"\xff\"}", "", 422, "JSON decode error"},
		{`{"ref":"a","code":"x"}`, "a", 422, "Field required"},
		{`{"ref":"a","type":"","code":"x"}`, "a", 422, "Field required"},
		{`{"ref":"b","type":"explode"}`, "b", 422, "^(execute|interrupt|input)$"},
		{`{"ref":"c","type":"Execute","code":"x"}`, "c", 422, "^(execute|interrupt|input)$"},
		{`{"ref":"d","Type":"execute","code":"x"}`, "d", 422, "case-sensitive"},
		{`{"ref":"e","type":"execute","CODE":"x"}`, "e", 422, "case-sensitive"},
		{`{"ref":"f","type":"execute"}`, "f", 422, "Field required"},
		{`{"ref":"g","type":"execute","code":"x","timeout":1e9}`, "g", 422, "less than or equal"},
		{`{"ref":"h","type":"execute","code":"x","max_stdout":1e9}`, "h", 422, "less than or equal"},
		{`{"ref":"i","type":"input"}`, "i", 422, "Field required"},
		{`{"ref":"j","type":"input","text":7}`, "j", 422, "valid string"},
		{`{"ref":"k","type":"input","text":"x"}`, "k", 409, "nothing runs"},
		{`{"ref":"` + strings.Repeat("l", 257) + `","type":"interrupt"}`, "", 422, "at most 256"},
		{`{"ref":"m","type":"input","text":"` + strings.Repeat("x", 1<<20+1) + `"}`, "m", 422, "at most 1048576"},
		{`{"ref":"n","type":"execute","code":"x","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "", 422, "nested deeper"},
	} {
		s.send(t, tc.message)
		m := s.next(t)
		detail, _ := json.Marshal(m.Detail)
		code := map[int]sandbox.Code{422: "invalid", 409: "conflict"}[tc.status]
		if m.Type != "refused" || m.Ref != tc.ref || m.Status != tc.status || m.Code != code || !strings.Contains(string(detail), tc.detail) {
			t.Errorf("%.80s: got %+v, want %d %s", tc.message, m, tc.status, tc.detail)
		}
	}
	s.send(t, `{"type":"execute","ref":"z","code":"fine"}`) // and goes on
	if _, printed := s.need(t, "z", "done"); printed != "fine" {
		t.Errorf("got %q", printed)
	}
	other := a.channel(t, "none")
	other.send(t, `{"type":"execute","ref":"1","code":"x","create":false}`, `{"type":"interrupt","ref":"2"}`)
	refused := map[string]int{}
	for range 2 {
		m := other.next(t)
		refused[m.Ref] = m.Status
	}
	if refused["1"] != 404 || refused["2"] != 404 {
		t.Errorf("without a session: got %v, want 404s", refused)
	}
}

func TestChannel_MessagesAreBoundedTextOnly(t *testing.T) {
	a, _ := serve(t, nil)
	s := a.channel(t, "s")
	message := func(size int) string {
		const frame = `{"type":"execute","code":"x","context":""}`
		return `{"type":"execute","code":"x","context":"` + strings.Repeat("x", size-len(frame)) + `"}`
	}
	s.send(t, message(daemon.MaxSocketMessage))
	s.need(t, "", "done")
	s.send(t, message(daemon.MaxSocketMessage+1))
	if code := s.closed(t); code != websocket.CloseMessageTooBig {
		t.Errorf("too large: closed with %d", code)
	}
	s = a.channel(t, "s")
	if err := s.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"execute","code":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if code := s.closed(t); code != websocket.CloseUnsupportedData {
		t.Errorf("binary: closed with %d", code)
	}
}

func TestChannel_MessagesShareTheBudgetOfBodies(t *testing.T) {
	a, st := serve(t, func(s *settings) { s.server.MaxBody, s.server.MaxInflightBody = 1<<20, 1<<20 })
	book := strings.Repeat("x", 400<<10)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"wait","context":"`+book+`"}`)
	st.wait(t)
	s.send(t, `{"type":"execute","ref":"2","code":"x","context":"`+book+`"}`, `{"type":"execute","ref":"3","code":"x","context":"`+book+`"}`)
	if code := s.closed(t); code != websocket.CloseTryAgainLater {
		t.Errorf("closed with %d, want %d", code, websocket.CloseTryAgainLater)
	}
	for deadline := time.Now().Add(patience); ; { // the executions it began are interrupted, and give all of it back
		status, text := a.ask(t, "POST", "/execute", `{"code":"x","session_id":"t","context":"`+book+book+`"}`)
		if status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d %s", status, text)
		}
	}
}

func TestChannel_MoreThanTheQueueIsRefused(t *testing.T) {
	a, st := serve(t, nil)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"wait"}`)
	st.wait(t)
	for range testConfig().Execution.Queue + 3 + 2 { // serve has 4 of them
		s.send(t, `{"type":"execute","ref":"more","code":"x"}`)
	}
	refusals := 0
	for refusals < 2 {
		if m := s.next(t); m.Type == "refused" && m.Status == http.StatusTooManyRequests {
			refusals++
		}
	}
	st.release <- struct{}{}
	for range 4 {
		s.need(t, "more", "done")
	}
}

// While a session starts, messages are refused rather than left unread: the next may be the one that ends the wait.
func TestChannel_ReadsOnWhileTheSessionStarts(t *testing.T) {
	starting, goOn := make(chan struct{}), make(chan struct{})
	a := serveOn(t, &sandboxtest.Runtime{OnStart: func(context.Context, sandbox.Spec) error {
		starting <- struct{}{}
		<-goOn
		return nil
	}}, nil)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"x"}`)
	<-starting
	for range 17 {
		s.send(t, `{"type":"execute","ref":"more","code":"x"}`)
	}
	if m := s.next(t); m.Type != "refused" || m.Status != http.StatusTooManyRequests || m.Detail != "too many executions wait for the session to start" {
		t.Errorf("got %+v", m)
	}
	s.Close() // it is noticed too: the executions that wait never run
	close(goOn)
	go func() { <-starting }()
	if r := a.execute(t, `{"code":"x","session_id":"t"}`); r.Outcome != "ok" {
		t.Errorf("got %+v", r)
	}
}

func TestChannel_AClientThatLeavesInterruptsItsExecutions(t *testing.T) {
	for name, leave := range map[string]func(*socket){
		"with a close frame": func(s *socket) {
			_ = s.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
		},
		"without": func(s *socket) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			a, st := serve(t, nil)
			stays, goes := a.channel(t, "s"), a.channel(t, "t")
			stays.send(t, `{"type":"execute","code":"wait","on_disconnect":"continue"}`)
			st.wait(t)
			goes.send(t, `{"type":"execute","code":"wait"}`)
			st.wait(t)
			continued, interrupted := a.executing(t, "s"), a.executing(t, "t")
			leave(stays)
			leave(goes)
			if r := a.result(t, interrupted); r.Outcome != "interrupted" {
				t.Errorf("got %+v", r)
			}
			st.release <- struct{}{}
			if r := a.result(t, continued); r.Outcome != "ok" || r.Stdout != "begun and done" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// executing is the id of the execution that runs in a session.
func (a *api) executing(t *testing.T, session string) string {
	t.Helper()
	info, err := a.manager.Session(sandbox.Key{ID: session})
	if err != nil || info.Running == "" {
		t.Fatalf("%+v, %v", info, err)
	}
	return info.Running
}

func TestChannel_FollowsTheBackgroundAlsoAfterAReset(t *testing.T) {
	a, _ := serve(t, nil)
	s := a.channel(t, "s")
	for range 2 {
		s.send(t, `{"type":"execute","ref":"1","code":"leave"}`)
		printed, ended := "", false
		for len(printed) < len("still here") || !ended {
			m := s.next(t)
			if ended = ended || m.Type == "done"; m.Background {
				printed += m.Text
			}
		}
		if printed != "still here" {
			t.Errorf("got %q", printed)
		}
		if status, _ := a.ask(t, "DELETE", "/v1/sessions/s", ""); status != 204 {
			t.Error("not deleted")
		}
	}
}

func TestChannel_HandshakesThatAreRefused(t *testing.T) {
	a, _ := serve(t, func(s *settings) { s.server.AllowedHosts = []string{"sandbox.test"} })
	host := strings.TrimPrefix(a.url, "http://")
	shake := func(change ...string) int {
		headers := map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		}
		for i := 0; i < len(change); i += 2 {
			headers[change[i]] = change[i+1]
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", a.url+"/v1/sessions/s/channel", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			if name == "Host" {
				req.Host = value
			} else if value != "" {
				req.Header.Set(name, value)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n := len(resp.Header.Values("Upgrade")); n > 1 || resp.StatusCode == 426 && n != 1 {
			t.Errorf("%v: %d Upgrade headers", change, n)
		}
		return resp.StatusCode
	}
	for _, tc := range []struct {
		want   int
		change []string
	}{
		{101, nil},
		{101, []string{"Origin", a.url}},
		{101, []string{"Host", "sandbox.test", "Origin", "http://sandbox.test"}},
		{403, []string{"Origin", "http://evil.test"}},
		{403, []string{"Origin", "null"}},
		{403, []string{"Origin", "http://localhost:1"}},
		{403, []string{"Origin", "https://" + host}},
		{403, []string{"Sec-Fetch-Site", "cross-site"}},
		{421, []string{"Host", "evil.test"}},
		{421, []string{"Host", "evil.test", "Origin", "http://evil.test"}},
		{426, []string{"Upgrade", ""}},
		{426, []string{"Connection", "keep-alive"}},
		{400, []string{"Sec-WebSocket-Version", "8"}},
		{400, []string{"Sec-WebSocket-Key", ""}},
	} {
		if got := shake(tc.change...); got != tc.want {
			t.Errorf("%v: got %d, want %d", tc.change, got, tc.want)
		}
	}
}

func TestChannel_SocketsAreBounded(t *testing.T) {
	a, _ := serve(t, func(s *settings) { s.server.MaxConnections = 2 })
	open := func() *socket { // and used: it counts from when it is served
		s := a.channel(t, "s")
		s.send(t, `{"type":"execute","code":"x"}`)
		s.need(t, "", "done")
		return s
	}
	first, second := open(), open()
	if code := a.channel(t, "s").closed(t); code != websocket.CloseTryAgainLater {
		t.Errorf("closed with %d", code)
	}
	first.send(t, `{"type":"execute","code":"x"}`)
	first.need(t, "", "done")
	second.Close()
	for deadline := time.Now().Add(patience); ; { // its place is free again, a moment later
		s := a.channel(t, "s")
		s.send(t, `{"type":"execute","code":"x"}`)
		if _, _, err := s.ReadMessage(); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("its place was not given back")
		}
	}
}

func TestChannel_PingsKeepItAliveAndFindOutWhoIsGone(t *testing.T) {
	a, st := serve(t, func(s *settings) { s.deps.Heartbeat = 200 * time.Millisecond })
	dead := a.channel(t, "t")
	dead.send(t, `{"type":"execute","code":"wait"}`) // and then reads nothing: no pong
	st.wait(t)
	id := a.executing(t, "t")
	alive := a.channel(t, "s") // which reads from now on
	pings := 0
	pong := alive.PingHandler()
	alive.SetPingHandler(func(data string) error {
		if pings++; pings == 8 {
			alive.send(t, `{"type":"execute","ref":"1","code":"x"}`)
		}
		return pong(data)
	})
	if _, printed := alive.need(t, "1", "done"); printed != "x" || pings < 8 {
		t.Errorf("got %q after %d pings", printed, pings)
	}
	if r := a.result(t, id); r.Outcome != "interrupted" {
		t.Errorf("got %+v", r)
	}
}

func TestChannel_AClientThatStopsReadingIsCutOff(t *testing.T) {
	a, _ := serve(t, func(s *settings) {
		s.sandbox.Execution.MaxStdout, s.sandbox.MaxResults = 64<<20, 256<<20
		s.server.WriteTimeout = 200 * time.Millisecond
	})
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","code":"floodwait"}`) // until its client is given up
	s.need(t, "", "started")
	if r := a.execute(t, `{"code":"next","session_id":"s"}`); r.Stdout != "next" || r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestChannel_ShutdownClosesItPromptlyAndSaysSo(t *testing.T) {
	a, st := serve(t, nil)
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","code":"wait"}`)
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
	if code := s.closed(t); code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
}
