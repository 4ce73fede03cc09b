package jsonbody_test

import (
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
)

func BenchmarkDecode(b *testing.B) {
	wide := jsonbody.Limits{Depth: 64, Values: 100_000}
	for name, body := range map[string]string{
		"small":   `{"code":"x=2\nx","id":"abc"}`,
		"text":    `{"code":"x","context":"` + strings.Repeat("the quick brown fox\\n", 1<<18) + `"}`,
		"escapes": `{"code":"x","context":"` + strings.Repeat(`\u0001`, 1<<20) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(body)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				var got target
				var context []byte
				fields := append(got.fields(), jsonbody.Field{Name: "context", Value: jsonbody.Bytes(&context, 1<<30)})
				if wrong := jsonbody.Decode(raw, wide, fields); wrong != nil {
					b.Fatal(wrong)
				}
			}
		})
	}
}
