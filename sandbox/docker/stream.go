package docker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/elastic"
)

// The engine multiplexes stdout and stderr: a header of stream, three zero bytes and a length, then the bytes.
const (
	muxHeader = 8       // bytes
	maxMux    = 1 << 20 // bytes of one piece; engines send no more than 32 KiB

	muxStdout = 1
	muxStderr = 2
)

var errMux = errors.New("engine's attach stream is broken")

var _ sandbox.Stream = (*stream)(nil)

// stream is an attached container: reads give its stdout, writes go to its stdin. Its stderr is read, counted and
// dropped: the driver says nothing there, and what is not read would stall the engine.
type stream struct {
	conn    net.Conn
	r       *elastic.Reader
	stdout  int // bytes left of the piece being read
	stderr  int
	dropped atomic.Int64 // bytes of stderr

	once    sync.Once
	closing func() // tells the owner
}

func newStream(conn net.Conn, closing func()) *stream {
	return &stream{conn: conn, r: elastic.NewReader(conn), closing: closing}
}

// Read is not safe for concurrent use. After a read deadline it goes on where it was.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for s.stdout == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n, err := s.r.Read(p[:min(len(p), s.stdout)])
	s.stdout -= n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next drops what there is of stderr, then reads one header.
func (s *stream) next() error {
	for s.stderr > 0 {
		n, err := s.r.Discard(min(s.stderr, elastic.Small))
		s.stderr -= n
		s.dropped.Add(int64(n))
		if err != nil {
			return err
		}
	}
	header, err := s.r.Peek(muxHeader)
	if err != nil {
		if len(header) > 0 && errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	size := binary.BigEndian.Uint32(header[4:])
	if header[1] != 0 || header[2] != 0 || header[3] != 0 || size > maxMux {
		return fmt.Errorf("%w: header % x", errMux, header)
	}
	switch header[0] {
	case muxStdout:
		s.stdout = int(size)
	case muxStderr:
		s.stderr = int(size)
	default:
		return fmt.Errorf("%w: header % x", errMux, header)
	}
	_, err = s.r.Discard(muxHeader)
	return err
}

func (s *stream) Write(p []byte) (int, error) { return s.conn.Write(p) }

func (s *stream) SetReadDeadline(t time.Time) error  { return s.conn.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// Close may be called while others read and write, and more than once.
func (s *stream) Close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		err = s.conn.Close()
		s.closing()
	})
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
