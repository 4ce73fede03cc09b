package elastic

import (
	"errors"
	"io"
	"sync"
)

const (
	Small = 4 << 10  // bytes of a buffer at rest
	Large = 72 << 10 // bytes, the most that Peek gives

	// calm is after how many reads in a row that a small buffer would have held the large one goes back.
	calm = 64

	// patience is how many reads in a row may give neither bytes nor an error.
	patience = 100
)

// ErrTooLong is returned by Peek for more than Large.
var ErrTooLong = errors.New("elastic: more than the buffer holds")

var large = sync.Pool{New: func() any { return new([Large]byte) }}

// Reader reads from another reader. It is not safe for concurrent use.
type Reader struct {
	r        io.Reader
	small    [Small]byte
	big      *[Large]byte // nil while the small one is in use
	from, to int          // what is buffered
	few      int          // reads in a row that were small
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

func (e *Reader) buf() []byte {
	if e.big != nil {
		return e.big[:]
	}
	return e.small[:]
}

// Buffered is how many bytes can be had without reading.
func (e *Reader) Buffered() int { return e.to - e.from }

// Peek returns the next n bytes and leaves them where they are. They are valid until the next call of any method. With fewer than n
// the error says why.
func (e *Reader) Peek(n int) ([]byte, error) {
	if n > Large {
		return nil, ErrTooLong
	}
	for e.to-e.from < n {
		if err := e.fill(n); err != nil {
			return e.buf()[e.from:e.to], err
		}
	}
	return e.buf()[e.from : e.from+n], nil
}

// Discard skips n bytes.
func (e *Reader) Discard(n int) (skipped int, err error) {
	for skipped < n {
		if e.from == e.to {
			if err := e.fill(1); err != nil {
				return skipped, err
			}
		}
		step := min(n-skipped, e.to-e.from)
		e.from += step
		skipped += step
	}
	return skipped, nil
}

// Read reads at least a byte. What is longer than all buffers goes around them.
func (e *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.from == e.to {
		if len(p) >= Large {
			return e.r.Read(p)
		}
		if err := e.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.buf()[e.from:e.to])
	e.from += n
	return n, nil
}

// fill reads once, into a buffer that can hold n bytes from the first that is buffered.
func (e *Reader) fill(n int) error {
	e.exchange(n)
	buf := e.buf()
	if e.from > 0 {
		e.from, e.to = 0, copy(buf, buf[e.from:e.to])
	}
	for range patience {
		got, err := e.r.Read(buf[e.to:])
		e.to += got
		if got > 0 {
			if e.to < Small {
				e.few++
			} else {
				e.few = 0
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// exchange takes the large buffer when n bytes are wanted that the small one cannot hold, or when it was full; and gives it back
// when it has been more than enough for a while.
func (e *Reader) exchange(n int) {
	switch {
	case e.big == nil && (n > Small || e.to == Small && e.few == 0):
		e.big = large.Get().(*[Large]byte)
		e.from, e.to = 0, copy(e.big[:], e.small[e.from:e.to])
	case e.big != nil && e.few >= calm && n <= Small && e.to-e.from <= Small/2:
		e.from, e.to = 0, copy(e.small[:], e.big[e.from:e.to])
		large.Put(e.big)
		e.big = nil
	}
}
