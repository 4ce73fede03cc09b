package sandbox

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// What was written is read, in order, however the two take turns, and a ring is never larger than twice what it held at most.
func TestRing_GivesWhatItWasGiven(t *testing.T) {
	for seed := range uint64(50) {
		r, random := ring{}, rand.New(rand.NewPCG(seed, 0))
		var in, out []byte
		most := 0
		for range 300 {
			if random.IntN(2) == 0 {
				b := make([]byte, random.IntN(20_000))
				for i := range b {
					b[i] = byte(random.Uint32())
				}
				r.write(b)
				in = append(in, b...)
				most = max(most, r.held)
				continue
			}
			p := make([]byte, random.IntN(30_000))
			out = append(out, p[:r.read(p)]...)
		}
		rest := make([]byte, r.held)
		out = append(out, rest[:r.read(rest)]...)
		if !bytes.Equal(in, out) {
			t.Fatalf("seed %d: %d bytes in, %d others out", seed, len(in), len(out))
		}
		if len(r.buf) > 2*max(most, firstRing) {
			t.Errorf("seed %d: %d bytes for %d", seed, len(r.buf), most)
		}
	}
}
