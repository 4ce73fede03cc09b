package sandbox

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzTextDecoder(f *testing.F) {
	f.Add([]byte("caf\xc3\xa9 \xf0\x9f\x98\x80 \xff\xfe \xe2\x82"), uint8(1))
	f.Add([]byte("\xe2\xe2\x82\xac\xf0\x9f\xc3"), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		var want []byte
		var invalid int64
		for rest := b; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			want = utf8.AppendRune(want, r)
			if r == utf8.RuneError && size == 1 {
				invalid++
			}
			rest = rest[size:]
		}
		var d textDecoder
		var got strings.Builder
		for rest := b; len(rest) > 0; {
			n := min(len(rest), int(step%7)+1)
			d.append(&got, rest[:n])
			rest = rest[n:]
		}
		d.finish(&got)
		if got.String() != string(want) {
			t.Errorf("%q in steps of %d: got %q, want %q", b, step%7+1, got.String(), want)
		}
		if d.invalid != invalid {
			t.Errorf("%q in steps of %d: %d bytes counted, want %d", b, step%7+1, d.invalid, invalid)
		}
	})
}
