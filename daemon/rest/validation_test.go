package rest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

func TestValidation(t *testing.T) {
	a := start(t, nil)
	pattern := `"msg":"String should match pattern '^[A-Za-z0-9._-]{1,128}$'","ctx":{"pattern":"^[A-Za-z0-9._-]{1,128}$"}`
	sessionID := `{"detail":[{"type":"string_pattern_mismatch","loc":["body","session_id"],` + pattern + `}]}`
	for _, tc := range []struct{ path, body, want string }{
		{"/execute", ``, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]}`},
		{"/execute", `{}`, `{"detail":[{"type":"missing","loc":["body","code"],"msg":"Field required"}]}`},
		{"/execute", `{"code":7,"context":{"a":1},"setup_code":[],"session_id":1,"return_locals":"yes","locals_keys":{},"create":0,"timeout":"1"}`,
			`{"detail":[` +
				`{"type":"string_type","loc":["body","code"],"msg":"Input should be a valid string"},` +
				`{"type":"string_type","loc":["body","context"],"msg":"Input should be a valid string"},` +
				`{"type":"string_type","loc":["body","setup_code"],"msg":"Input should be a valid string"},` +
				`{"type":"string_type","loc":["body","session_id"],"msg":"Input should be a valid string"},` +
				`{"type":"bool_type","loc":["body","return_locals"],"msg":"Input should be a valid boolean"},` +
				`{"type":"list_type","loc":["body","locals_keys"],"msg":"Input should be a valid list"},` +
				`{"type":"bool_type","loc":["body","create"],"msg":"Input should be a valid boolean"},` +
				`{"type":"float_type","loc":["body","timeout"],"msg":"Input should be a valid number"}]}`},
		{"/execute", `{"code":"SECRET","session_id":"a/b"}`, sessionID},
		{"/execute", `{"code":"SECRET","session_id":"` + strings.Repeat("a", 129) + `"}`, sessionID},
		{"/execute", `{"code":"SECRET","session_id":"a\u0000"}`, sessionID},
		{"/execute", `{"code":"x","timeout":60.1}`, `{"detail":[{"type":"less_than_equal","loc":["body","timeout"],"msg":"Input should be less than or equal to 60","ctx":{"le":60}}]}`},
		{"/execute", `{"code":"x","figures":["png","gif"]}`, `{"detail":[{"type":"literal_error","loc":["body","figures",1],"msg":"Input should be 'png' or 'svg'"}]}`},
		{"/execute", `{"code":"x","timeout":0}`, `{"detail":[{"type":"greater_than","loc":["body","timeout"],"msg":"Input should be greater than 0","ctx":{"gt":0}}]}`},
		{"/execute", `{"code":"` + strings.Repeat("x", 1<<10+1) + `"}`, `{"detail":[{"type":"string_too_long","loc":["body","code"],"msg":"String should have at most 1024 bytes of UTF-8","ctx":{"max_length":1024}}]}`},
		{"/execute", `{"code":"SECRET","CODE":"x"}`, `{"detail":[{"type":"extra_forbidden","loc":["body","CODE"],"msg":"Names are case-sensitive: use code"}]}`},
		{"/execute", `{"code":"a","code":"b"}`, `{"detail":[{"type":"json_invalid","loc":["body",12],"msg":"JSON decode error","ctx":{"error":"duplicate name"}}]}`},
		{"/execute", `{"code":"\ud83d"}`, `{"detail":[{"type":"json_invalid","loc":["body",9],"msg":"JSON decode error","ctx":{"error":"invalid escape sequence, or a lone surrogate"}}]}`},
		{"/execute", `{"code":"x","y":` + strings.Repeat("[", 100_000), `{"detail":[{"type":"json_invalid","loc":["body",79],"msg":"JSON decode error","ctx":{"error":"nested deeper than 64 levels"}}]}`},
		{"/reset", ``, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]}`},
		{"/reset", `{"session_id":5}`, `{"detail":[{"type":"string_type","loc":["body","session_id"],"msg":"Input should be a valid string"}]}`},
		{"/reset", `{"session_id":"a b"}`, sessionID},
		{"/reset", `{"Session_id":"a"}`, `{"detail":[{"type":"extra_forbidden","loc":["body","Session_id"],"msg":"Names are case-sensitive: use session_id"}]}`},
	} {
		status, got, _ := a.post(t, tc.path, tc.body)
		if status != 422 || got != tc.want {
			t.Errorf("%s %.100s: %d\n got %s\nwant %s", tc.path, tc.body, status, got, tc.want)
		}
	}
	if n := a.runtime.Started(); n != 0 {
		t.Errorf("refused requests started %d containers", n)
	}
}

func TestValidation_OfSessions(t *testing.T) {
	a := start(t, nil)
	a.handler.SetLimits(rest.Limits{
		MaxCode: 3, MaxTimeout: time.Second, MaxTTL: time.Hour,
		Session: sandbox.Ceilings{Memory: 1 << 20, CPUs: 1.5, Pids: 7, WorkDir: 1 << 10},
	})
	above := func(field, limit string) string {
		return `{"type":"less_than_equal","loc":["body","` + field + `"],"msg":"Input should be less than or equal to ` + limit + `","ctx":{"le":` + limit + `}}`
	}
	zero := func(field string) string {
		return `{"type":"greater_than","loc":["body","` + field + `"],"msg":"Input should be greater than 0","ctx":{"gt":0}}`
	}
	for body, want := range map[string]string{
		`{"memory":1048577}`:                 above("memory", "1048576"),
		`{"memory":99999999999999999999999}`: above("memory", "1048576"),
		`{"memory":0}`:                       zero("memory"),
		`{"memory":1.5}`:                     `{"type":"int_type","loc":["body","memory"],"msg":"Input should be a valid integer"}`,
		`{"cpus":1.6}`:                       above("cpus", "1.5"),
		`{"pids":8}`:                         above("pids", "7"),
		`{"disk":1025}`:                      above("disk", "1024"),
		`{"timeout":1.1}`:                    above("timeout", "1"),
		`{"ttl":3600.1}`:                     above("ttl", "3600"),
		`{"ttl":0}`:                          zero("ttl"), // for ever
		`{"idle_ttl":31536000.1}`:            above("idle_ttl", "31536000"),
		`{"idle_ttl":-1}`:                    `{"type":"greater_than_equal","loc":["body","idle_ttl"],"msg":"Input should be greater than or equal to 0","ctx":{"ge":0}}`,
		`{"image":"A"}`:                      `{"type":"string_pattern_mismatch","loc":["body","image"],"msg":"String should match pattern '^[a-z0-9][a-z0-9._-]{0,62}$'","ctx":{"pattern":"^[a-z0-9][a-z0-9._-]{0,62}$"}}`,
		`{"env":{"A":7}}`:                    `{"type":"string_type","loc":["body","env","A"],"msg":"Input should be a valid string"}`,
		`{"setup_code":"four"}`:              `{"type":"string_too_long","loc":["body","setup_code"],"msg":"String should have at most 3 bytes of UTF-8","ctx":{"max_length":3}}`,
		`{"SESSION_ID":"a"}`:                 `{"type":"extra_forbidden","loc":["body","SESSION_ID"],"msg":"Names are case-sensitive: use session_id"}`,
	} {
		status, got, _ := a.post(t, "/v1/sessions", body)
		if !strings.HasSuffix(got, `"errors":[`+want+`]}`) || status != 422 {
			t.Errorf("%s: %d\n got %s\nwant %s", body, status, got, want)
		}
	}
	if n := a.runtime.Started(); n != 0 {
		t.Errorf("refused requests started %d containers", n)
	}
}

func TestValidation_LimitsChangeLive(t *testing.T) {
	a := start(t, nil)
	a.handler.SetLimits(rest.Limits{MaxCode: 3, MaxContext: 2, MaxTimeout: time.Second})
	for body, want := range map[string]int{
		`{"code":"abc","context":"é","timeout":1}`: 200,
		`{"code":"abcd"}`:                    422,
		`{"code":"abc","setup_code":"abcd"}`: 422,
		`{"code":"abc","context":"éa"}`:      422,
		`{"code":"abc","timeout":1.1}`:       422,
	} {
		if status, text, _ := a.post(t, "/execute", body); status != want {
			t.Errorf("%s: %d %s, want %d", body, status, text, want)
		}
	}
}
