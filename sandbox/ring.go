package sandbox

// ring holds bytes between one writer and one reader. It grows as it is filled; who uses it bounds that.
type ring struct {
	buf   []byte
	start int // of what is held
	held  int
}

// firstRing is what a ring begins with, in bytes.
const firstRing = 4 << 10

// write holds b too.
func (r *ring) write(b []byte) {
	if r.held+len(b) > len(r.buf) {
		r.grow(r.held + len(b))
	}
	end := (r.start + r.held) % len(r.buf)
	n := copy(r.buf[end:], b)
	copy(r.buf, b[n:])
	r.held += len(b)
}

func (r *ring) grow(size int) {
	n := max(firstRing, len(r.buf))
	for n < size {
		n *= 2
	}
	buf, held := make([]byte, n), r.held
	r.read(buf)
	r.buf, r.start, r.held = buf, 0, held
}

// read takes as many of the oldest bytes as there are, or fit into p.
func (r *ring) read(p []byte) int {
	n := min(len(p), r.held)
	first := copy(p[:n], r.buf[r.start:])
	copy(p[first:n], r.buf)
	if r.held -= n; r.held == 0 {
		r.start = 0
	} else {
		r.start = (r.start + n) % len(r.buf)
	}
	return n
}
