package rest_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

var (
	anyUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	ok      = wire.DoneMessage{Outcome: "ok", StateKept: true, Duration: 0.25}
)

// The bytes are the contract: six fields first, in this order, null where there is nothing.
func TestExecute_Golden(t *testing.T) {
	a := start(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"plain": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte("out\n<é>\x00\xff"))
			c.Send(wire.Stderr, []byte("err"))
			c.Done(ok)
		},
		"rich": func(c *sandboxtest.Call) {
			c.Send(wire.Display, []byte(`{"data":{"text/plain":"1","image/png":"aGk="},"metadata":{}}`))
			c.Send(wire.Result, []byte(`{"data":{"text/plain":"42"},"metadata":{"text/plain":{"a":1}}}`))
			c.Send(wire.Locals, []byte(`{"values":{"b":[1,2.50],"a":"<x>","missing":null},"inexact":["a"],"omitted":2}`))
			m := ok
			m.Usage = wire.UsageMessage{CPUTime: 0.5, WallTime: 1.5, MemoryPeak: 1024}
			m.Truncated = map[string]int64{"stdout": 7}
			c.Done(m)
		},
		"raise": func(c *sandboxtest.Call) {
			c.Send(wire.Stderr, []byte("Traceback\nValueError: no"))
			c.Send(wire.ErrorMessage, []byte(`{"type":"ValueError","message":"no","traceback":["Traceback","ValueError: no"]}`))
			c.Done(wire.DoneMessage{Outcome: "error", StateKept: true, Duration: 0.25})
		},
	}))
	usage := `"usage":{"cpu_time":0,"wall_time":0,"memory_peak":0},` +
		`"files":{"created":[],"modified":[],"deleted":[]}}`
	for _, tc := range []struct{ body, want string }{
		{
			`{"code":"plain","session_id":"s"}`,
			`{"stdout":"out\n<é>\u0000�","stderr":"err","locals":null,"execution_time":0.25,"session_id":"s","error":null,` +
				`"session_created":true,"execution_id":"ID","execution_count":1,"outcome":"ok","state_kept":true,` +
				`"exception":null,"result":null,"displays":[],"truncated":{},"invalid_utf8":{"stdout":1},` + usage,
		},
		{
			`{"code":"rich","session_id":"s","return_locals":true}`,
			`{"stdout":"","stderr":"","locals":{"b":[1,2.50],"a":"<x>","missing":null},"execution_time":0.25,"session_id":"s","error":null,` +
				`"session_created":false,"execution_id":"ID","execution_count":2,"outcome":"ok","state_kept":true,` +
				`"exception":null,"result":{"text/plain":"42"},` +
				`"displays":[{"text/plain":"1","image/png":"aGk="}],"truncated":{"stdout":7},"invalid_utf8":{},` +
				`"usage":{"cpu_time":0.5,"wall_time":1.5,"memory_peak":1024},` +
				`"files":{"created":[],"modified":[],"deleted":[]},"locals_inexact":["a"],"locals_omitted":2}`,
		},
		{
			`{"code":"raise","session_id":"s"}`,
			`{"stdout":"","stderr":"Traceback\nValueError: no","locals":null,"execution_time":0.25,"session_id":"s","error":"ValueError: no",` +
				`"session_created":false,"execution_id":"ID","execution_count":3,"outcome":"error","state_kept":true,` +
				`"exception":{"type":"ValueError","message":"no","traceback":["Traceback","ValueError: no"]},` +
				`"result":null,"displays":[],"truncated":{},"invalid_utf8":{},` + usage,
		},
	} {
		status, got, header := a.post(t, "/execute", tc.body)
		got = anyUUID.ReplaceAllString(got, "ID")
		if status != 200 || got != tc.want {
			t.Errorf("%s: %d\n got %s\nwant %s", tc.body, status, got, tc.want)
		}
		if kind := header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s: type %q", tc.body, kind)
		}
	}
}

func TestExecute_SessionID(t *testing.T) {
	a := start(t, nil)
	for _, body := range []string{`{"code":"x"}`, `{"code":"x","session_id":null}`, `{"code":"x","session_id":""}`} {
		r := a.execute(t, body)
		if _, err := uuid.Parse(r.SessionID); err != nil || !r.SessionCreated {
			t.Errorf("%s: session %q, created %t; want a new UUID", body, r.SessionID, r.SessionCreated)
		}
		if again := a.execute(t, `{"code":"x","session_id":"`+r.SessionID+`"}`); again.SessionCreated || again.ExecutionCount != 2 {
			t.Errorf("%s: its session is not there the next time: %+v", body, again)
		}
		a.post(t, "/reset", `{}`)
	}
	status, text, _ := a.post(t, "/execute", `{"code":"x","session_id":"s","create":false}`)
	if want := `{"detail":"no session s"}`; status != 404 || text != want {
		t.Errorf("create false: %d %s, want 404 %s", status, text, want)
	}
	if n := a.containers(t); n != 0 {
		t.Errorf("create false started %d containers", n)
	}
	if r := a.execute(t, `{"code":"x","session_id":"s","create":true}`); !r.SessionCreated {
		t.Error("create true did not create")
	}
	if r := a.execute(t, `{"code":"x","session_id":"s","create":false}`); r.SessionCreated {
		t.Error("create false created")
	}
}

func TestExecute_PassesOnWhatItGot(t *testing.T) {
	calls := make(chan *sandboxtest.Call, 1)
	a := start(t, func(c *sandboxtest.Call) {
		calls <- c
		c.Done(ok)
	})
	for _, tc := range []struct {
		fields string
		check  func(c *sandboxtest.Call) bool
	}{
		{``, func(c *sandboxtest.Call) bool {
			return c.Message.Context == nil && c.Message.Locals == nil && c.Message.Timeout == 10
		}},
		{`,"context":"book \u00e9\n"`, func(c *sandboxtest.Call) bool {
			return c.Message.Context.Kind == wire.BlobText && string(c.Context) == "book é\n"
		}},
		{`,"context":""`, func(c *sandboxtest.Call) bool { return c.Message.Context != nil && len(c.Context) == 0 }},
		{`,"context":null`, func(c *sandboxtest.Call) bool { return c.Message.Context == nil }},
		{`,"timeout":1.5`, func(c *sandboxtest.Call) bool { return c.Message.Timeout == 1.5 }},
		{`,"timeout":null`, func(c *sandboxtest.Call) bool { return c.Message.Timeout == 10 }},
		{`,"locals_keys":["a"]`, func(c *sandboxtest.Call) bool { return c.Message.Locals == nil }},
		{`,"return_locals":true`, func(c *sandboxtest.Call) bool { return c.Message.Locals.Keys == nil }},
		{`,"return_locals":true,"locals_keys":null`, func(c *sandboxtest.Call) bool { return c.Message.Locals.Keys == nil }},
		{`,"return_locals":true,"locals_keys":[]`, func(c *sandboxtest.Call) bool { return c.Message.Locals.Keys == nil }},
		{`,"return_locals":true,"locals_keys":["a","é"]`, func(c *sandboxtest.Call) bool {
			return strings.Join(c.Message.Locals.Keys, " ") == "a é"
		}},
		{`,"unknown":{"code":"other"}`, func(c *sandboxtest.Call) bool { return true }},
	} {
		body := `{"code":"x = 1\nprint(x)","session_id":"s"` + tc.fields + `}`
		a.execute(t, body)
		c := <-calls
		if c.Message.Code != "x = 1\nprint(x)" || !tc.check(c) {
			t.Errorf("%s: the driver got %+v, context %q", body, c.Message, c.Context)
		}
	}
}

func TestExecute_SetupCode(t *testing.T) {
	a := start(t, func(c *sandboxtest.Call) {
		if c.Message.Code == "bad" {
			c.Send(wire.ErrorMessage, []byte(`{"type":"NameError","message":"bad","traceback":[]}`))
			c.Done(wire.DoneMessage{Outcome: "error", StateKept: true})
			return
		}
		sandboxtest.Echo(c)
	})
	r := a.execute(t, `{"code":"x","setup_code":"bad","session_id":"s"}`)
	if r.Error == nil || !strings.Contains(*r.Error, "NameError: bad") || r.SessionCreated || r.StateKept {
		t.Errorf("a failing setup: %+v", r)
	}
	if n := a.containers(t); n != 0 {
		t.Errorf("a failing setup keeps %d containers", n)
	}
	if r := a.execute(t, `{"code":"x","setup_code":"good","session_id":"s"}`); r.Error != nil || r.Stdout != "x" || !r.SessionCreated {
		t.Errorf("a good setup: %+v", r)
	}
	if r := a.execute(t, `{"code":"x","setup_code":"bad","session_id":"s"}`); r.Error != nil || r.SessionCreated {
		t.Errorf("setup code for a session that is there: %+v", r)
	}
}

func TestExecute_Refusals(t *testing.T) {
	release := make(chan struct{})
	running := make(chan struct{}, 8)
	a := start(t, sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"wait": func(c *sandboxtest.Call) {
			running <- struct{}{}
			<-release
			c.Done(ok)
		},
		"die": func(c *sandboxtest.Call) { c.Exit(137) },
	}))

	// The session dies under its code; after that the id stays lost until it is reset.
	r := a.execute(t, `{"code":"die","session_id":"dead"}`)
	if r.Outcome != sandbox.OutcomeCrashed || r.StateKept || r.Error == nil {
		t.Errorf("the execution that was lost: %+v", r)
	}
	status, text, _ := a.post(t, "/execute", `{"code":"x","session_id":"dead"}`)
	if status != 410 || !strings.Contains(text, `{"detail":"session dead is lost: `) {
		t.Errorf("a lost session: %d %s, want 410", status, text)
	}
	a.post(t, "/reset", `{"session_id":"dead"}`)
	if r := a.execute(t, `{"code":"x","session_id":"dead"}`); !r.SessionCreated {
		t.Error("a lost session that was reset is not created anew")
	}
	a.post(t, "/reset", `{}`)

	// Of three, one runs and one waits; the other, whichever it is, has no room and is the first to be answered.
	type answer struct {
		status int
		text   string
		header http.Header
	}
	answered := make(chan answer, 3)
	for range 3 {
		go func() {
			status, text, header := a.post(t, "/execute", `{"code":"wait","session_id":"busy"}`)
			answered <- answer{status, text, header}
		}()
	}
	<-running
	if got := <-answered; got.status != 429 || got.header.Get("Retry-After") == "" || !strings.HasPrefix(got.text, `{"detail":"`) {
		t.Errorf("a full queue: %d %s, Retry-After %q; want 429", got.status, got.text, got.header.Get("Retry-After"))
	}
	for _, id := range []string{"b", "c"} {
		a.execute(t, `{"code":"x","session_id":"`+id+`"}`)
	}
	status, text, header := a.post(t, "/execute", `{"code":"x"}`)
	if status != 503 || header.Get("Retry-After") != "1" || !strings.Contains(text, "3 sessions are open") {
		t.Errorf("a session too many: %d %s, Retry-After %q", status, text, header.Get("Retry-After"))
	}
	close(release)
	for range 2 {
		if got := <-answered; got.status != 200 {
			t.Errorf("a waiting request: %d %s", got.status, got.text)
		}
	}
}

// 64 MiB of text arrive as they are, and so does text of which JSON needs six bytes for each.
func TestExecute_LargeContext(t *testing.T) {
	got := make(chan int, 1)
	a := start(t, func(c *sandboxtest.Call) {
		got <- bytes.Count(c.Context, c.Context[:1])
		c.Done(ok)
	})
	for escaped, size := range map[string]int{`\u0001`: 1 << 20, "\x7f": 64 << 20} {
		a.execute(t, `{"code":"x","session_id":"s","context":"`+strings.Repeat(escaped, size)+`"}`)
		if n := <-got; n != size {
			t.Errorf("%q: the context has %d bytes, want %d", escaped, n, size)
		}
	}
}
