package elastic_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/gjyotin305/fastpyrepl/sandbox/elastic"
)

// pieces gives what it reads in pieces of chance lengths.
type pieces struct {
	r    io.Reader
	rand *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	n := 1 + p.rand.IntN(2*elastic.Small)
	if p.rand.IntN(8) == 0 {
		n = 1 << 20
	}
	return p.r.Read(b[:min(n, len(b))])
}

// However it is cut and asked for, every byte comes once and in order.
func TestReader_GivesEveryByteOnceAndInOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 1<<20)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		e := elastic.NewReader(&pieces{bytes.NewReader(data), r})
		rest := data
		for len(rest) > 0 {
			n := 1 + r.IntN(min(len(rest), 200))
			if r.IntN(4) == 0 {
				n = 1 + r.IntN(min(len(rest), elastic.Large))
			}
			switch r.IntN(3) {
			case 0:
				got, err := e.Peek(n)
				if err != nil || !bytes.Equal(got, rest[:n]) {
					t.Fatalf("seed %d: peek of %d: %v", seed, n, err)
				}
			case 1:
				if got, err := e.Discard(n); got != n || err != nil {
					t.Fatalf("seed %d: discard of %d: %d, %v", seed, n, got, err)
				}
				rest = rest[n:]
			default:
				b := make([]byte, n)
				got, err := e.Read(b)
				if got == 0 || err != nil || !bytes.Equal(b[:got], rest[:got]) {
					t.Fatalf("seed %d: read of %d: %d, %v", seed, n, got, err)
				}
				rest = rest[got:]
			}
		}
		if _, err := e.Peek(1); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
}

func TestReader_ErrorsComeAfterWhatCameBefore(t *testing.T) {
	broken := errors.New("broken")
	e := elastic.NewReader(io.MultiReader(bytes.NewReader(make([]byte, 100)), iotest.ErrReader(broken)))
	if got, err := e.Peek(101); len(got) != 100 || err != broken {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if n, err := e.Discard(101); n != 100 || err != broken {
		t.Errorf("discarded %d, %v", n, err)
	}
	if _, err := e.Peek(elastic.Large + 1); err != elastic.ErrTooLong {
		t.Errorf("got %v", err)
	}
}

func BenchmarkReader_Little(b *testing.B) {
	piece := make([]byte, 300)
	src := bytes.NewReader(piece)
	e := elastic.NewReader(src)
	for b.Loop() {
		src.Reset(piece)
		if _, err := e.Discard(len(piece)); err != nil {
			b.Fatal(err)
		}
	}
}
