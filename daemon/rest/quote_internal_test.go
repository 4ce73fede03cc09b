package rest

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func FuzzAppendQuoted(f *testing.F) {
	for b := range 0x100 {
		f.Add(string(rune(b)) + "1234567" + string(rune(b)) + "12345678é\u2028😀" + string(rune(b)))
	}
	f.Add(strings.Repeat("x", 100) + "\"\\\x00\x1f\x7f\n")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		want, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendQuoted(nil, s)); got != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func BenchmarkAppendQuoted(b *testing.B) {
	for name, text := range map[string]string{
		"flood": strings.Repeat("x", 64<<10),
		"lines": strings.Repeat("a line of output as it often is\n", 2<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var dst []byte
			for b.Loop() {
				dst = appendQuoted(dst[:0], text)
			}
		})
		b.Run(name+"/encoder", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var dst []byte
			for b.Loop() {
				dst, _ = jsontext.AppendQuote(dst[:0], text)
			}
		})
	}
}
