package jsonbody_test

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/go-json-experiment/json"
)

type target struct {
	code, id string
	raw      []byte
	flag     bool
	number   float64
	list     []string
}

var limits = jsonbody.Limits{Depth: 5, Values: 32}

func (t *target) fields() []jsonbody.Field {
	return []jsonbody.Field{
		{Name: "code", Required: true, Value: jsonbody.String(&t.code, 10)},
		{Name: "raw", Value: jsonbody.Nullable(jsonbody.Bytes(&t.raw, 8))},
		{Name: "id", Value: jsonbody.Nullable(jsonbody.Matching(&t.id, regexp.MustCompile(`^[a-z]{1,3}$`), 100))},
		{Name: "flag", Value: jsonbody.Bool(&t.flag)},
		{Name: "number", Value: jsonbody.Positive(&t.number, 60)},
		{Name: "list", Value: jsonbody.Nullable(jsonbody.Strings(&t.list, 100))},
	}
}

func decode(body string) (target, []jsonbody.Error) {
	var got target
	wrong := jsonbody.Decode([]byte(body), limits, got.fields())
	return got, wrong
}

func TestDecode_Values(t *testing.T) {
	for body, want := range map[string]target{
		`{"code":"x"}`:                                             {code: "x"},
		"\t\r\n {} \n":                                             {},
		`{"code":""}`:                                              {},
		`{"code":"aé𝄞"}`:                                           {code: "aé𝄞"},
		`{"code":"\u0000\b\f\n\r\t\"\\\/"}`:                        {code: "\x00\b\f\n\r\t\"\\/"},
		`{"code":"\u00e9\ud834\udd1E"}`:                            {code: "é𝄞"},
		`{"c\u006fde":"x"}`:                                        {code: "x"},
		`{"code":"x","raw":"a\nb","flag":true}`:                    {code: "x", raw: []byte("a\nb"), flag: true},
		`{"code":"x","raw":null,"id":null,"list":null}`:            {code: "x"},
		`{"code":"x","raw":"","id":"","list":[],"flag":false}`:     {code: "x", raw: []byte{}},
		`{"code":"x","number":1e-3}`:                               {code: "x", number: 0.001},
		`{"code":"x","number":60}`:                                 {code: "x", number: 60},
		`{"code":"x","id":"abc","list":["a","\u00e9",""]}`:         {code: "x", id: "abc", list: []string{"a", "é", ""}},
		`{"code":"x","unknown":{"a":[1,{"code":2}]},"code2":null}`: {code: "x"},
	} {
		if want.code == "" && !strings.Contains(body, "code") {
			continue // {} misses its code; the shapes of errors are below
		}
		got, wrong := decode(body)
		if len(wrong) > 0 {
			t.Errorf("%s: %v", body, wrong)
		}
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s: got %#v, want %#v", body, got, want)
		}
	}
}

func TestDecode_Errors(t *testing.T) {
	syntax := func(offset int, why string) string {
		return fmt.Sprintf(`[{"type":"json_invalid","loc":["body",%d],"msg":"JSON decode error","ctx":{"error":%q}}]`, offset, why)
	}
	missing := `[{"type":"missing","loc":["body"],"msg":"Field required"}]`
	notObject := `[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from"}]`
	for _, tc := range []struct{ body, want string }{
		{``, missing},
		{" \n", missing},
		{`null`, missing},
		{`[]`, notObject}, {`"code"`, notObject}, {`1`, notObject}, {`true`, notObject},
		{`{}`, `[{"type":"missing","loc":["body","code"],"msg":"Field required"}]`},
		{`{`, syntax(1, "unexpected end of data")},
		{`{"code":"SECRET`, syntax(15, "unexpected end of data")},
		{`[`, syntax(1, "unexpected end of data")},
		{`{"code":"x",}`, syntax(11, "invalid syntax")},
		{`{"code":'x'}`, syntax(8, "invalid syntax")},
		{`{"code":"x"}{"code":"y"}`, syntax(12, "data after the end")},
		{`{"code":"x"} SECRET`, syntax(12, "data after the end")},
		{`[] x`, syntax(2, "data after the end")},
		{`{"code":NaN}`, syntax(8, "invalid syntax")},
		{`{"code":"x","number":01}`, syntax(22, "invalid syntax")},
		{`SECRET`, syntax(0, "invalid syntax")},
		{"\xef\xbb\xbf{}", syntax(0, "invalid syntax")},
		{`{"code":"a","code":"b"}`, syntax(12, "duplicate name")},
		{`{"code":"a","c\u006fde":"b"}`, syntax(12, "duplicate name")},
		{`{"code":"a","x":{"y":1,"y":2}}`, syntax(23, "duplicate name")},
		{"{\"code\":\"\xff\"}", syntax(9, "invalid UTF-8")},
		{"{\"code\":\"x\",\"y\":\"\xed\xa0\x80\"}", syntax(17, "invalid UTF-8")},
		{"{\"code\":\"\xc0\xaf\"}", syntax(9, "invalid UTF-8")},
		{`{"code":"\ud800"}`, syntax(9, "invalid escape sequence, or a lone surrogate")},
		{`{"code":"\udc00\ud800"}`, syntax(9, "invalid escape sequence, or a lone surrogate")},
		{`{"code":"x","y":"\ud800\u0041"}`, syntax(17, "invalid escape sequence, or a lone surrogate")},
		{`{"code":"\x41"}`, syntax(9, "invalid escape sequence, or a lone surrogate")},
		{"{\"code\":\"a\nb\"}", syntax(10, "invalid syntax")},
		{`{"Code":"x","code":"y"}`, `[{"type":"extra_forbidden","loc":["body","Code"],"msg":"Names are case-sensitive: use code"}]`},
		{`{"code":"x","LIST":1}`, `[{"type":"extra_forbidden","loc":["body","LIST"],"msg":"Names are case-sensitive: use list"}]`},
		{`{"code":"x","liſt":1}`, `[{"type":"extra_forbidden","loc":["body","liſt"],"msg":"Names are case-sensitive: use list"}]`},
		{`{"code":1}`, `[{"type":"string_type","loc":["body","code"],"msg":"Input should be a valid string"}]`},
		{`{"code":null}`, `[{"type":"string_type","loc":["body","code"],"msg":"Input should be a valid string"}]`},
		{`{"code":"12345678901"}`, `[{"type":"string_too_long","loc":["body","code"],"msg":"String should have at most 10 bytes of UTF-8","ctx":{"max_length":10}}]`},
		{`{"code":"éééééa"}`, `[{"type":"string_too_long","loc":["body","code"],"msg":"String should have at most 10 bytes of UTF-8","ctx":{"max_length":10}}]`},
		{`{"code":"x","raw":"\u00e9\u00e9\u00e9\u00e9x"}`, `[{"type":"string_too_long","loc":["body","raw"],"msg":"String should have at most 8 bytes of UTF-8","ctx":{"max_length":8}}]`},
		{`{"code":"x","id":"A"}`, `[{"type":"string_pattern_mismatch","loc":["body","id"],"msg":"String should match pattern '^[a-z]{1,3}$'","ctx":{"pattern":"^[a-z]{1,3}$"}}]`},
		{`{"code":"x","id":"a\n"}`, `[{"type":"string_pattern_mismatch","loc":["body","id"],"msg":"String should match pattern '^[a-z]{1,3}$'","ctx":{"pattern":"^[a-z]{1,3}$"}}]`},
		{`{"code":"x","id":"` + strings.Repeat("a", 101) + `"}`, `[{"type":"string_pattern_mismatch","loc":["body","id"],"msg":"String should match pattern '^[a-z]{1,3}$'","ctx":{"pattern":"^[a-z]{1,3}$"}}]`},
		{`{"code":"x","flag":null}`, `[{"type":"bool_type","loc":["body","flag"],"msg":"Input should be a valid boolean"}]`},
		{`{"code":"x","number":"1"}`, `[{"type":"float_type","loc":["body","number"],"msg":"Input should be a valid number"}]`},
		{`{"code":"x","number":0}`, `[{"type":"greater_than","loc":["body","number"],"msg":"Input should be greater than 0","ctx":{"gt":0}}]`},
		{`{"code":"x","number":-1e400}`, `[{"type":"greater_than","loc":["body","number"],"msg":"Input should be greater than 0","ctx":{"gt":0}}]`},
		{`{"code":"x","number":60.5}`, `[{"type":"less_than_equal","loc":["body","number"],"msg":"Input should be less than or equal to 60","ctx":{"le":60}}]`},
		{`{"code":"x","number":1e400}`, `[{"type":"less_than_equal","loc":["body","number"],"msg":"Input should be less than or equal to 60","ctx":{"le":60}}]`},
		{`{"code":"x","list":"a"}`, `[{"type":"list_type","loc":["body","list"],"msg":"Input should be a valid list"}]`},
		{`{"code":"x","list":["a",1,null]}`, `[{"type":"string_type","loc":["body","list",1],"msg":"Input should be a valid string"},` +
			`{"type":"string_type","loc":["body","list",2],"msg":"Input should be a valid string"}]`},
		{`{"code":"x","list":["` + strings.Repeat("a", 90) + `","bcd"]}`, `[{"type":"too_long","loc":["body","list"],"msg":"List should have at most 100 bytes in all","ctx":{"max_length":100}}]`},
		{`{"code":"x","list":["","","","","","","","","","","","",""]}`, `[{"type":"too_long","loc":["body","list"],"msg":"List should have at most 100 bytes in all","ctx":{"max_length":100}}]`},
		{`{"list":1,"flag":"SECRET","Raw":2}`, `[{"type":"extra_forbidden","loc":["body","Raw"],"msg":"Names are case-sensitive: use raw"},` +
			`{"type":"missing","loc":["body","code"],"msg":"Field required"},` +
			`{"type":"bool_type","loc":["body","flag"],"msg":"Input should be a valid boolean"},` +
			`{"type":"list_type","loc":["body","list"],"msg":"Input should be a valid list"}]`},
		{`{"code":"x","y":[[[[[]]]]]}`, syntax(20, "nested deeper than 5 levels")},
		{`{"code":"x","y":[` + strings.Repeat("0,", 31) + `0]}`, syntax(76, "more than 32 members and elements")},
		{`{"code":"x","` + strings.Repeat("n", jsonbody.MaxName) + `" : 1}`, syntax(12, "a name is longer than 65536 bytes")},
	} {
		_, wrong := decode(tc.body)
		got, err := json.Marshal(wrong)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != tc.want {
			t.Errorf("%.100s\n got %s\nwant %s", tc.body, got, tc.want)
		}
		if strings.Contains(string(got), "SECRET") {
			t.Errorf("%s: the error tells what was sent", tc.body)
		}
	}
}

func TestDecode_KeepsNothingOfTheBody(t *testing.T) {
	body := []byte(`{"code":"abc","raw":"def","id":"ghi","list":["jkl"]}`)
	var got target
	if wrong := jsonbody.Decode(body, limits, got.fields()); wrong != nil {
		t.Fatal(wrong)
	}
	for i := range body {
		body[i] = 'x'
	}
	if got.code != "abc" || string(got.raw) != "def" || got.id != "ghi" || got.list[0] != "jkl" {
		t.Errorf("got %q %q %q %q", got.code, got.raw, got.id, got.list)
	}
}

// A string that would be too long is refused before it is decoded, and what is bounded away is not allocated for.
func TestDecode_RefusesWithoutAllocating(t *testing.T) {
	for name, body := range map[string]string{
		"long string":   `{"code":"` + strings.Repeat(`\u0041`, 1<<20) + `"}`,
		"many elements": `{"code":[` + strings.Repeat(`0,`, 1<<20) + `0]}`,
		"deep":          `{"code":` + strings.Repeat(`[`, 1<<20),
		"long name":     `{"` + strings.Repeat(`n`, 1<<22) + `":1}`,
	} {
		b := []byte(body)
		var got target
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		wrong := jsonbody.Decode(b, limits, got.fields())
		runtime.ReadMemStats(&after)
		if len(wrong) == 0 {
			t.Errorf("%s: accepted", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
			t.Errorf("%s: %d bytes allocated for a body of %d", name, n, len(b))
		}
	}
}
