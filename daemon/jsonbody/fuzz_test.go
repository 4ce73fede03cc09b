package jsonbody_test

import (
	stdjson "encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
)

// What is accepted means the same to a parser that is nothing like ours: the standard library's first one, which takes
// the last of duplicates, any case, and replaces what is not UTF-8.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"code":"print(1)\n","raw":"\ud834\udd1e","id":"abc","flag":true,"number":1.5,"list":["a","b"]}`,
		`{"code":"a","Code":"b"}`, `{"code":"a","code":"b"}`, `{"code":"\ud800"}`, "{\"code\":\"\xff\"}", `{"code":"x"}x`,
		`{"code":"x","more":{"a":[1,2,{"b":null}]}}`, `[]`, `null`, ``, `{"code":"\\\""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got target
		if wrong := jsonbody.Decode(body, limits, got.fields()); len(wrong) > 0 {
			for _, e := range wrong {
				if e.Type == "" || e.Msg == "" || len(e.Loc) == 0 || e.Loc[0] != "body" {
					t.Fatalf("error without its parts: %#v", e)
				}
			}
			return
		}
		var want struct {
			Code   *string  `json:"code"`
			Raw    *string  `json:"raw"`
			ID     string   `json:"id"`
			Flag   bool     `json:"flag"`
			Number float64  `json:"number"`
			List   []string `json:"list"`
		}
		if err := stdjson.Unmarshal(body, &want); err != nil {
			t.Fatalf("accepted %q, encoding/json: %v", body, err)
		}
		if want.Code == nil || got.code != *want.Code || got.id != want.ID || got.flag != want.Flag || got.number != want.Number {
			t.Fatalf("%q: got %+v, want %+v", body, got, want)
		}
		if (got.raw == nil) != (want.Raw == nil) || want.Raw != nil && string(got.raw) != *want.Raw {
			t.Fatalf("%q: raw %q, want %v", body, got.raw, want.Raw)
		}
		if len(got.list) != len(want.List) {
			t.Fatalf("%q: list %q, want %q", body, got.list, want.List)
		}
		for i := range got.list {
			if got.list[i] != want.List[i] {
				t.Fatalf("%q: list %q, want %q", body, got.list, want.List)
			}
		}
		if !utf8.ValidString(got.code) || !utf8.Valid(got.raw) {
			t.Fatalf("%q: decoded to what is not UTF-8", body)
		}
	})
}
