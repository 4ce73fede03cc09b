package rest_test

import (
	"testing"
)

// The daemon's own share of a warm execute: HTTP, decoding, the session, rendering; the container is played in memory.
func BenchmarkExecute(b *testing.B) {
	a := start(b, nil)
	a.execute(b, `{"code":"x","session_id":"s"}`)
	b.ReportAllocs()
	for b.Loop() {
		status, text, _ := a.post(b, "/execute", `{"code":"x = 2\nprint(x)","session_id":"s"}`)
		if status != 200 {
			b.Fatal(text)
		}
	}
}
