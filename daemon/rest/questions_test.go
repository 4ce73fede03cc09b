package rest_test

import (
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

func TestQuestions(t *testing.T) {
	a := serveOn(t, &sandboxtest.Runtime{Answer: func(kind wire.Type, q wire.QuestionMessage) (wire.Type, []byte) {
		switch {
		case kind == wire.Variables:
			return wire.Answer, []byte(`{"variables":[{"name":"x","type":"int","size":null,"shape":null,"repr":"1"},{"name":"y","type":"T","size":0,"shape":[],"repr":""}],"omitted":0}`)
		case kind == wire.IsComplete:
			return wire.Answer, []byte(`{"status":"invalid","indent":0}`)
		case kind == wire.Inspect:
			return wire.Answer, []byte(`{"found":false,"name":"","type":"","signature":"","doc":"","repr":""}`)
		case q.Cursor == 2:
			return wire.Answer, []byte(`{"matches":["` + q.Code + `"],"start":0,"end":2,"omitted":0}`)
		}
		return wire.Reject, []byte(`{"code":"failed","message":"the cursor is not at 2"}`)
	}}, nil)
	a.execute(t, `{"session_id":"s","code":"x"}`)
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string // is in it
	}{
		{"POST", "s/complete", `{"code":"üx"}`, 200, `{"matches":["üx"],"start":0,"end":2,"omitted":0}`},
		{"POST", "s/complete", `{"code":"üxy","cursor":2}`, 200, `{"matches":["üxy"],"start":0,"end":2,"omitted":0}`},
		{"POST", "s/complete", `{"code":"üx","cursor":null}`, 200, `{"matches":["üx"],"start":0,"end":2,"omitted":0}`},
		{"POST", "s/complete", `{"code":"üx","cursor":99}`, 200, `{"matches":["üx"],"start":0,"end":2,"omitted":0}`},
		{"POST", "s/complete", `{"code":"üx","cursor":0}`, 409, `the cursor is not at 2`},
		{"POST", "s/is_complete", `{"code":"1 +"}`, 200, `{"status":"invalid","indent":0}`},
		{"POST", "s/inspect", `{"code":"none"}`, 200, `{"found":false,"name":"","type":"","signature":"","doc":"","repr":""}`},
		{"GET", "s/variables", ``, 200, `{"variables":[{"name":"x","type":"int","repr":"1"},{"name":"y","type":"T","size":0,"shape":[],"repr":""}],"omitted":0}`},
		{"POST", "none/complete", `{"code":"x"}`, 404, `no session none`},
		{"GET", "none/variables", ``, 404, `no session none`},
		{"POST", "s/complete", `{}`, 422, `Field required`},
		{"POST", "s/complete", `{"code":7}`, 422, `valid string`},
		{"POST", "s/complete", `{"code":"x","cursor":-1}`, 422, `greater than or equal to 0`},
		{"POST", "s/complete", `{"code":"x","cursor":1.5}`, 422, `valid integer`},
		{"POST", "s/complete", `{"code":"x","cursor":1e99}`, 422, `valid integer`},
		{"POST", "s/complete", `{"code":"x","cursor":99999999999999999999}`, 422, `less than or equal to 262144`},
		{"POST", "s/is_complete", `{"code":"` + strings.Repeat("x", 1<<18+1) + `"}`, 422, `at most 262144 bytes`},
		{"POST", "a%20b/inspect", `{"code":"x"}`, 422, `match pattern`},
	} {
		if status, text := a.ask(t, tt.method, "/v1/sessions/"+tt.path, tt.body); status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s %.60s: %d %s, want %d %s", tt.path, tt.body, status, text, tt.status, tt.want)
		}
	}
}

// askQuestions asks a real session.
func askQuestions(t *testing.T, a *api) {
	a.execute(t, body("import os.path\nnumbers = {'a': 1}\ndef f(a, b=2):\n  'Adds.'\n", ""))
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "complete", `{"code":"os.path.joi"}`, `{"matches":["join"],"start":8,"end":11,"omitted":0}`},
		{"POST", "complete", `{"code":"numbers.setd"}`, `{"matches":["setdefault"],"start":8,"end":12,"omitted":0}`},
		{"POST", "is_complete", `{"code":"if f:\n  1"}`, `{"status":"incomplete","indent":2}`},
		{"POST", "inspect", `{"code":"f("}`, `"name":"f","type":"function","signature":"(a, b=2)","doc":"Adds."`},
		{"GET", "variables", ``, `{"name":"numbers","type":"dict","size":1,"repr":"{'a': 1}"}`},
	} {
		if status, text := a.ask(t, tt.method, "/v1/sessions/s/"+tt.path, tt.body); status != 200 || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %d %s, want %s", tt.path, status, text, tt.want)
		}
	}
	e := a.events(t, "POST", "/execute", body("print('in')\nwhile True: pass", ""))
	e.need(t, sandbox.EventStarted)
	e.need(t, sandbox.EventStdout)
	if status, text := a.ask(t, "GET", "/v1/sessions/s/variables", ""); status != 409 || !strings.Contains(text, "busy") {
		t.Errorf("while it runs: %d %s", status, text)
	}
	if status, text := a.ask(t, "POST", "/v1/sessions/s/interrupt", ""); status != 204 {
		t.Errorf("%d %s", status, text)
	}
	e.rest(t)
}
