package rest_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/rest"
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

// The documented types and what is decoded must have the same names.
func TestRoutes_TypesNameTheFieldsThatAreDecoded(t *testing.T) {
	a := start(t, nil)
	for _, r := range a.handler.Routes() {
		if r.In == nil || r.Method != http.MethodPost {
			continue
		}
		// A field of the wrong type is an error that names it, so every name that is documented is decoded.
		names := reflect.TypeOf(r.In)
		for i := range names.NumField() {
			name, wrong := names.Field(i).Tag.Get("json"), "{}"
			if names.Field(i).Type.Kind() == reflect.Map {
				wrong = "[]"
			}
			_, text, _ := a.post(t, r.Path, `{"`+name+`":`+wrong+`}`)
			if !strings.Contains(text, `"loc":["body","`+name+`"]`) {
				t.Errorf("%s: %s is documented and not decoded: %s", r.Path, name, text)
			}
		}
	}
}
