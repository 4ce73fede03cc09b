package rest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/state"
	"github.com/go-json-experiment/json"
)

// tenants is a daemon with keys for ann, bob and root, an administrator.
type tenants struct {
	*api
	*stage
	keys map[string]string // by name
	set  func(*settings)
}

// restart ends the daemon, and starts another that takes its sessions over.
func (a *tenants) restart(t *testing.T) {
	t.Helper()
	if err := a.manager.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.api = serveOn(t, a.runtime, a.set)
}

// shared starts one; change, if any, changes ann's key.
func shared(t *testing.T, change func(*auth.Key), more func(*settings)) *tenants {
	t.Helper()
	a := &tenants{keys: map[string]string{}}
	var cfg auth.Config
	for _, name := range []string{"ann", "bob", "root"} {
		secret := auth.New()
		hash, err := auth.HashOf(secret)
		if err != nil {
			t.Fatal(err)
		}
		k := auth.Key{Name: name, Hashes: []auth.Hash{hash}, Role: auth.User}
		if name == "root" {
			k.Role = auth.Admin
		}
		if name == "ann" && change != nil {
			change(&k)
		}
		cfg.Keys = append(cfg.Keys, k)
		a.keys[name] = secret
	}
	cfg.Required = true
	a.set = func(s *settings) {
		s.sandbox.MaxSessions, s.sandbox.ReconnectTimeout = 10, patience
		s.server.Auth = cfg
		if more != nil {
			more(s)
		}
	}
	a.api, a.stage = serve(t, a.set)
	return a
}

// as is ask with the key of a name.
func (a *tenants) as(t testing.TB, name, request, body string, headers ...string) (int, string) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	return a.ask(t, method, path, body, append(headers, "X-API-Key", a.keys[name])...)
}

// run executes in a session of name's.
func (a *tenants) run(t testing.TB, name, body string, headers ...string) rest.ExecuteResponse {
	t.Helper()
	status, text := a.as(t, name, "POST /execute", body, headers...)
	var r rest.ExecuteResponse
	if err := json.Unmarshal([]byte(text), &r); status != 200 && status != 202 || err != nil {
		t.Fatalf("%s, %.100s: %d %s", name, body, status, text)
	}
	return r
}

func (a *tenants) channelOf(t testing.TB, name, session string) *socket {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"fastpyrepl", "key." + a.keys[name]}}
	ws, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.url, "http")+"/v1/sessions/"+session+"/channel", nil)
	if err != nil {
		t.Fatalf("%v, %v", resp, err)
	}
	t.Cleanup(func() { ws.Close() })
	return &socket{ws}
}

func TestTenants_TheSameIDIsAnotherSession(t *testing.T) {
	a := shared(t, nil, nil)
	for _, name := range []string{"ann", "bob"} {
		if r := a.run(t, name, `{"code":"x","session_id":"s"}`); !r.SessionCreated || r.ExecutionCount != 1 {
			t.Errorf("%s is in somebody else's session: %+v", name, r)
		}
	}
	if r := a.run(t, "ann", `{"code":"x","session_id":"s"}`); r.SessionCreated || r.ExecutionCount != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestTenants_OthersAreNotThere(t *testing.T) {
	a := shared(t, nil, nil)
	id := a.run(t, "ann", `{"code":"wait SECRET","session_id":"s","detach":true}`).ExecutionID
	a.wait(t)
	for _, tc := range []struct {
		request, body string
		status        int
		want          string // in it
	}{
		{"GET /v1/executions/" + id, "", 404, fmt.Sprintf(`"detail":"no execution \"%s\", or its result is no longer kept","code":"not_found"`, id)},
		{"GET /v1/executions/" + id + "/events", "", 404, fmt.Sprintf(`"detail":"no execution \"%s\", or its result is no longer kept","code":"not_found"`, id)},
		{"GET /v1/sessions/s", "", 404, `"detail":"no session s","code":"not_found"`},
		{"POST /v1/sessions/s/interrupt", "", 404, `"detail":"no session s","code":"not_found"`},
		{"GET /v1/sessions/s/events", "", 404, `"detail":"no session s","code":"not_found"`},
		{"GET /v1/sessions", "", 200, `{"sessions":[]}`},
		{"POST /execute", `{"code":"x","session_id":"s","create":false}`, 404, `{"detail":"no session s"}`},
		{"DELETE /v1/sessions/s", "", 204, ""},
		{"POST /reset", `{"session_id":"s"}`, 200, `{"status":"ok","message":"reset session s"}`},
		{"POST /reset", `{}`, 200, `{"status":"ok","message":"reset all sessions"}`},
		{"GET /v1/sessions/s?owner=ann", "", 403, ""},
		{"POST /reset?owner=ann", `{}`, 403, ""},
	} {
		if status, text := a.as(t, "bob", tc.request, tc.body); status != tc.status || !strings.Contains(text, tc.want) {
			t.Errorf("%s %s: got %d %s, want %d %s", tc.request, tc.body, status, text, tc.status, tc.want)
		}
	}
	channel := a.channelOf(t, "bob", "s")
	channel.send(t, `{"type":"interrupt","ref":"i"}`, `{"type":"input","ref":"t","text":"x"}`, `{"type":"execute","ref":"e","code":"x","create":false}`)
	for range 3 {
		if m := channel.next(t); m.Type != "refused" || m.Status != 404 {
			t.Errorf("a channel on it: %+v", m)
		}
	}
	a.release <- struct{}{}
	e := a.events(t, "GET", "/v1/executions/"+id+"/events", "", "X-API-Key", a.keys["ann"])
	if all := e.rest(t); text(all, "stdout") != "begun and done" || all[len(all)-1].Outcome != "ok" {
		t.Errorf("ann's execution was touched: %+v", all)
	}
}

func TestTenants_AnIdempotencyKeyIsItsOwners(t *testing.T) {
	a := shared(t, nil, nil)
	body := `{"code":"x","session_id":"s"}`
	first := a.run(t, "ann", body, "Idempotency-Key", "k")
	if again := a.run(t, "ann", body, "Idempotency-Key", "k"); again.ExecutionID != first.ExecutionID {
		t.Error("it ran twice")
	}
	if other := a.run(t, "bob", body, "Idempotency-Key", "k"); other.ExecutionID == first.ExecutionID || !other.SessionCreated {
		t.Error("bob got ann's execution")
	}
}

func TestTenants_AdministratorsSeeAndResetAll(t *testing.T) {
	a := shared(t, nil, nil)
	list := func(name, query string) string {
		t.Helper()
		status, text := a.as(t, name, "GET /v1/sessions"+query, "")
		var r rest.SessionList
		if err := json.Unmarshal([]byte(text), &r); status != 200 || err != nil {
			t.Fatalf("%d %s", status, text)
		}
		var all []string
		for _, s := range r.Sessions {
			all = append(all, s.Owner+"/"+s.SessionID)
		}
		return strings.Join(all, " ")
	}
	id := a.run(t, "ann", `{"code":"wait","session_id":"s","detach":true}`).ExecutionID
	a.wait(t)
	a.run(t, "bob", `{"code":"x","session_id":"s"}`)
	a.run(t, "root", `{"code":"x","session_id":"r"}`)
	for _, tc := range []struct{ name, query, want string }{
		{"ann", "", "ann/s"}, {"root", "", "ann/s bob/s root/r"}, {"root", "?owner=bob", "bob/s"}, {"root", "?owner=none", ""},
	} {
		if got := list(tc.name, tc.query); got != tc.want {
			t.Errorf("%s%s: got %q, want %q", tc.name, tc.query, got, tc.want)
		}
	}
	for _, tc := range []struct {
		request, body string
		status        int
	}{
		{"GET /v1/sessions/s", "", 404}, // not root's own
		{"GET /v1/sessions/s?owner=ann", "", 200},
		{"GET /v1/executions/" + id, "", 404},
		{"GET /v1/executions/" + id + "?owner=ann", "", 202},
		{"POST /v1/sessions/s/interrupt?owner=ann", "", 204},
		{"DELETE /v1/sessions/s?owner=bob", "", 204},
	} {
		if status, text := a.as(t, "root", tc.request, tc.body); status != tc.status {
			t.Errorf("%s: got %d %s, want %d", tc.request, status, text, tc.status)
		}
	}
	if got := list("root", ""); got != "ann/s root/r" {
		t.Errorf("after bob's was deleted: %q", got)
	}
	if status, _ := a.as(t, "root", "POST /reset?owner=root", `{}`); status != 200 || list("root", "") != "ann/s" {
		t.Errorf("after a reset of root's own: %d, %q", status, list("root", ""))
	}
	if status, _ := a.as(t, "root", "POST /reset", `{}`); status != 200 || a.containers(t) != 0 {
		t.Errorf("after a reset of all: %d, %d containers", status, a.containers(t))
	}
}

func TestTenants_ExecutionsAtOnce(t *testing.T) {
	a := shared(t, func(k *auth.Key) { k.Limits.Executions = 2 }, nil)
	full := `{"detail":"key ann has 2 executions under way, which is the most that it may"}`
	running := a.run(t, "ann", `{"code":"wait","session_id":"s","detach":true}`)
	a.wait(t)
	a.run(t, "ann", `{"code":"x","session_id":"s","detach":true}`, "Idempotency-Key", "k") // waits behind it, and counts
	resp := a.do(t, t.Context(), "POST", "/execute", `{"code":"x","session_id":"t"}`, "X-API-Key", a.keys["ann"])
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("a third: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if status, text := a.as(t, "ann", "POST /execute", `{"code":"x","session_id":"t"}`); status != 429 || text != full {
		t.Errorf("a third: %d %s", status, text)
	}
	if n := a.containers(t); n != 1 {
		t.Errorf("%d containers: what was refused started one", n)
	}
	// A retry is not one more.
	if status, text := a.as(t, "ann", "POST /execute", `{"code":"x","session_id":"s","detach":true}`, "Idempotency-Key", "k"); status != 202 {
		t.Errorf("a retry: %d %s", status, text)
	}
	channel := a.channelOf(t, "ann", "t")
	channel.send(t, `{"type":"execute","ref":"c","code":"x"}`)
	if m := channel.next(t); m.Type != "refused" || m.Status != 429 || m.Code != "too_many_executions" || m.Ref != "c" {
		t.Errorf("over a channel: %+v", m)
	}
	a.run(t, "bob", `{"code":"x","session_id":"s"}`)
	if status, _ := a.as(t, "ann", "GET /v1/executions/"+running.ExecutionID, ""); status != 202 {
		t.Errorf("only executions are bounded: %d", status)
	}
	a.release <- struct{}{}
	e := a.events(t, "GET", "/v1/executions/"+running.ExecutionID+"/events", "", "X-API-Key", a.keys["ann"])
	e.rest(t)
	a.run(t, "ann", `{"code":"x","session_id":"s"}`) // one may still run, this is the second
}

// Setup code counts as an execution does, and is refused as one.
func TestTenants_ExecutionsAtOnceHaveSetupCode(t *testing.T) {
	a := shared(t, func(k *auth.Key) { k.Limits.Executions = 1 }, nil)
	created := make(chan int)
	go func() {
		status, _ := a.as(t, "ann", "POST /v1/sessions", `{"session_id":"s","setup_code":"wait"}`)
		created <- status
	}()
	a.wait(t)
	for request, body := range map[string]string{
		"POST /execute":     `{"code":"x","session_id":"t"}`,
		"POST /v1/sessions": `{"session_id":"t","setup_code":"x"}`,
	} {
		status, text := a.as(t, "ann", request, body)
		if want := "key ann has 1 executions under way, which is the most that it may"; status != 429 || !strings.Contains(text, want) {
			t.Errorf("%s beside setup code: %d %s, want 429 %s", request, status, text, want)
		}
	}
	if status, text := a.as(t, "ann", "POST /v1/sessions", `{"session_id":"u"}`); status != 201 {
		t.Errorf("a session in which nothing is run: %d %s", status, text)
	}
	a.release <- struct{}{}
	if status := <-created; status != 201 {
		t.Errorf("the session was made with %d", status)
	}
	if status, text := a.as(t, "ann", "POST /v1/sessions", `{"session_id":"v","setup_code":"raise"}`); status != 422 {
		t.Errorf("setup code that fails: %d %s", status, text)
	}
	a.run(t, "ann", `{"code":"x","session_id":"u"}`)
}

// What an earlier daemon began counts while it runs, for the key whose session it is in.
func TestTenants_ExecutionsAtOnceOutliveTheDaemon(t *testing.T) {
	store, _, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a := shared(t, func(k *auth.Key) { k.Limits.Executions = 2 }, func(s *settings) { s.store = store })
	a.run(t, "ann", `{"code":"x","session_id":"s","detach":true}`) // ends, and does not count
	var ids []string
	for _, session := range []string{"s", "t"} {
		ids = append(ids, a.run(t, "ann", `{"code":"wait","session_id":"`+session+`","detach":true}`).ExecutionID)
		a.wait(t)
	}
	a.restart(t)
	status, text := a.as(t, "ann", "POST /execute", `{"code":"x","session_id":"u"}`)
	if want := "key ann has 2 executions under way, which is the most that it may"; status != 429 || !strings.Contains(text, want) {
		t.Errorf("a third, of another daemon: %d %s, want 429 %s", status, text, want)
	}
	a.run(t, "bob", `{"code":"x","session_id":"s"}`)
	for range ids {
		a.release <- struct{}{}
	}
	for _, id := range ids {
		a.events(t, "GET", "/v1/executions/"+id+"/events", "", "X-API-Key", a.keys["ann"]).rest(t)
	}
	a.restart(t)
	a.run(t, "ann", `{"code":"wait","session_id":"s","detach":true}`)
	a.wait(t)
	a.run(t, "ann", `{"code":"x","session_id":"t"}`) // the second
	a.release <- struct{}{}
}

// A client that sends one request after the other is never refused for the one before, with every kind of answer.
func TestTenants_OneExecutionAtATimeIsEnoughForOneClient(t *testing.T) {
	a := shared(t, func(k *auth.Key) { k.Limits.Executions = 1 }, nil)
	for i := range 300 {
		if i%3 == 0 {
			a.events(t, "POST", "/execute", `{"code":"x","session_id":"s"}`, "X-API-Key", a.keys["ann"]).rest(t)
			continue
		}
		a.run(t, "ann", `{"code":"x","session_id":"s"}`)
	}
}

func TestTenants_SessionsAtOnce(t *testing.T) {
	a := shared(t, func(k *auth.Key) { k.Limits.Sessions = 2 }, nil)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			statuses[i], _ = a.as(t, "ann", "POST /execute", fmt.Sprintf(`{"code":"x","session_id":"%d"}`, i))
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if want := []int{200, 200, 429, 429, 429, 429, 429, 429}; !slices.Equal(statuses, want) {
		t.Errorf("got %v, want %v", statuses, want)
	}
	status, text := a.as(t, "ann", "POST /execute", `{"code":"x"}`)
	if want := `{"detail":"key ann has 2 sessions open, which is the most that it may"}`; status != 429 || text != want {
		t.Errorf("got %d %s, want 429 %s", status, text, want)
	}
	status, text = a.as(t, "ann", "POST /v1/sessions", `{}`)
	if want := `"detail":"key ann has 2 sessions open, which is the most that it may","code":"too_many_sessions"`; status != 429 || !strings.Contains(text, want) {
		t.Errorf("got %d %s, want 429 %s", status, text, want)
	}
	for range 3 { // others' do not count
		a.run(t, "bob", `{"code":"x"}`)
	}
	a.as(t, "ann", "POST /reset", `{}`)
	a.run(t, "ann", `{"code":"x"}`)
}

func TestTenants_MessagesOfAChannelCountForTheRate(t *testing.T) {
	a := shared(t, func(k *auth.Key) { k.Limits.Rate, k.Limits.Burst = 0.001, 3 }, nil)
	channel := a.channelOf(t, "ann", "s") // one request
	channel.send(t, `{"type":"execute","ref":"1","code":"x"}`, `{"type":"execute","ref":"2","code":"x"}`,
		`{"type":"execute","ref":"3","code":"x"}`)
	ended := map[string]string{}
	for len(ended) < 3 {
		switch m := channel.next(t); m.Type {
		case "done":
			ended[m.Ref] = string(m.Outcome)
		case "refused":
			ended[m.Ref] = fmt.Sprint(m.Status, " ", m.Code, " ", m.Detail)
		}
	}
	if ended["1"] != "ok" || ended["2"] != "ok" || ended["3"] != "429 rate_limited too many requests with this key" {
		t.Errorf("got %v", ended)
	}
	if status, _ := a.as(t, "ann", "GET /v1/sessions/s", ""); status != 429 {
		t.Errorf("a request after them: %d", status)
	}
}

func TestTenants_AWithdrawnKeyEndsItsStreamsAndChannels(t *testing.T) {
	a := shared(t, nil, nil)
	e := a.events(t, "POST", "/execute", `{"code":"wait","session_id":"s"}`, "X-API-Key", a.keys["ann"])
	e.need(t, sandbox.EventStarted)
	a.wait(t)
	channel := a.channelOf(t, "ann", "t")
	channel.send(t, `{"type":"execute","ref":"1","code":"wait"}`)
	a.wait(t)
	a.as(t, "ann", "POST /execute", `{"code":"wait","session_id":"u","detach":true}`)
	a.wait(t)
	a.server.SetAuth(auth.Config{Required: true})
	if code := channel.closed(t); code != websocket.ClosePolicyViolation {
		t.Errorf("the channel was closed with %d", code)
	}
	e.rest(t)                               // ends
	for _, id := range []string{"s", "t"} { // nobody is there to read it: both were interrupted
		info, err := a.manager.Session(sandbox.Key{Owner: "ann", ID: id})
		if err != nil {
			t.Fatal(err)
		}
		if x, err := a.manager.Execution("ann", info.Running); err == nil {
			if r, err := x.Wait(t.Context()); err != nil || r.Outcome != "interrupted" {
				t.Errorf("%s: %+v, %v", id, r, err)
			}
		}
	}
	if info, err := a.manager.Session(sandbox.Key{Owner: "ann", ID: "u"}); err != nil || info.Running == "" {
		t.Errorf("what was detached has ended: %+v, %v", info, err)
	}
}

func TestTenants_TheAuditLogHasEveryWayToRunCode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	log, err := audit.Open(audit.Config{File: file, MaxSize: 1 << 20, Keep: 1}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a := shared(t, nil, func(s *settings) { s.deps.Audit = log })
	a.run(t, "ann", `{"code":"answer","session_id":"s"}`, "X-Request-ID", "r-1")
	a.events(t, "POST", "/execute", `{"code":"stream","session_id":"s"}`, "X-API-Key", a.keys["ann"]).rest(t)
	for range 2 { // the second finds the first
		a.run(t, "ann", `{"code":"detach","session_id":"s","detach":true}`, "Idempotency-Key", "k")
	}
	channel := a.channelOf(t, "ann", "s")
	channel.send(t, `{"type":"execute","ref":"1","code":"channel"}`)
	channel.need(t, "1", "done")
	channel.send(t, `{"type":"interrupt","ref":"2"}`, `{"type":"execute","ref":"3","code":"after it"}`)
	channel.need(t, "3", "done")
	for request, body := range map[string]string{
		"POST /v1/sessions/s/interrupt": "", "PATCH /v1/sessions/s": `{"ttl":60}`,
		"POST /v1/sessions/s/interrupt?owner=ann": "", "PATCH /v1/sessions/s?owner=ann": `{"idle_ttl":60}`,
	} {
		name := "ann"
		if strings.Contains(request, "?") {
			name = "root"
		}
		if status, text := a.as(t, name, request, body); status/100 != 2 {
			t.Errorf("%s: %d %s", request, status, text)
		}
	}
	for id, setup := range map[string]string{"made": "sets up", "not": "raise it"} {
		a.as(t, "ann", "POST /v1/sessions", `{"session_id":"`+id+`","setup_code":"`+setup+`"}`)
	}
	a.run(t, "ann", `{"code":"x","session_id":"both","setup_code":"sets up"}`)
	a.as(t, "root", "DELETE /v1/sessions/s?owner=ann", "")
	a.as(t, "bob", "POST /reset", `{}`)
	a.as(t, "root", "POST /reset", `{}`)
	if status, _ := a.ask(t, "GET", "/v1/sessions", "", "X-API-Key", auth.New()); status != 401 {
		t.Errorf("a wrong key: %d", status)
	}
	if err := a.manager.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l["remote"] != "127.0.0.1" || l["request"] == "" {
			t.Errorf("got %s", line)
		}
		said := l["event"].(string)
		for _, name := range []string{"key", "role", "owner", "session", "outcome", "reason"} {
			if value, ok := l[name].(string); ok {
				said += " " + value
			}
		}
		for _, name := range []string{"setup_size", "ttl", "idle_ttl"} {
			if value, ok := l[name].(float64); ok {
				said += fmt.Sprint(" ", name, " ", value)
			}
		}
		if l["event"] == "execution" && (l["code_sha256"] == nil) == (l["setup_sha256"] == nil) {
			t.Errorf("not the hash of one code: %s", line)
		}
		got = append(got, said)
	}
	slices.Sort(got)
	want := []string{
		"execution ann user both ok", "execution ann user both ok setup_size 7",
		"execution ann user made ok setup_size 7", "execution ann user not error setup_size 8",
		"execution ann user s ok", "execution ann user s ok", "execution ann user s ok", "execution ann user s ok", "execution ann user s ok",
		"refused wrong key",
		"session_changed ann user s ttl 60", "session_changed root admin ann s idle_ttl 60",
		"session_created ann user both", "session_created ann user made", "session_created ann user s",
		"session_interrupted ann user s", "session_interrupted ann user s", "session_interrupted root admin ann s",
		"session_reset root admin ann s", "sessions_reset bob user", "sessions_reset root admin",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, secret := range []string{"fpr_", "answer", "sets up", "raise it", "stream\"", "sha256:"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the audit log has %q:\n%s", secret, text)
		}
	}
	if !strings.Contains(string(text), `"request":"r-1"`) {
		t.Error("the request's id is not there")
	}
}

// What keys add to a warm execute: two of the runs differ in nothing else.
func BenchmarkTenants_Execute(b *testing.B) {
	a := start(b, nil)
	secret := auth.New()
	hash, err := auth.HashOf(secret)
	if err != nil {
		b.Fatal(err)
	}
	key := auth.Key{Name: "ann", Hashes: []auth.Hash{hash}, Limits: auth.Limits{Rate: 1e6, Executions: 8, Sessions: 8}}
	for name, keys := range map[string]auth.Config{"without keys": {}, "with keys": {Required: true, Keys: []auth.Key{key}}} {
		a.server.SetAuth(keys)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, a.url+"/execute", strings.NewReader(`{"code":"x","session_id":"s"}`))
				if err != nil {
					b.Fatal(err)
				}
				req.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {secret}}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 200 || err != nil {
					b.Fatal(resp.StatusCode, string(text), err)
				}
			}
		})
	}
}
