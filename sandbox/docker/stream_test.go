package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func mux(kind byte, data string) []byte {
	header := make([]byte, muxHeader)
	header[0] = kind
	binary.BigEndian.PutUint32(header[4:], uint32(len(data)))
	return append(header, data...)
}

// pipe is a stream with its far end.
func pipe(t testing.TB) (*stream, net.Conn) {
	near, far := net.Pipe()
	s := newStream(near, func() {})
	t.Cleanup(func() { s.Close(); far.Close() })
	return s, far
}

func TestStream_ReadGivesStdoutAndDropsStderr(t *testing.T) {
	s, far := pipe(t)
	go func() {
		far.Write(bytes.Join([][]byte{
			mux(muxStderr, "noise"), mux(muxStdout, "one "), mux(muxStdout, ""), mux(muxStderr, ""), mux(muxStderr, "more noise"),
			mux(muxStdout, "two"),
		}, nil))
		far.Close()
	}()
	got, err := io.ReadAll(s)
	if err != nil || string(got) != "one two" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, want := s.dropped.Load(), int64(len("noisemore noise")); got != want {
		t.Errorf("dropped: got %d, want %d", got, want)
	}
}

func TestStream_ReadGoesOnAfterADeadlineAtAnyByte(t *testing.T) {
	whole := bytes.Join([][]byte{mux(muxStdout, "ab"), mux(muxStderr, "xy"), mux(muxStdout, "cd")}, nil)
	for cut := range whole {
		s, far := pipe(t)
		first := make(chan struct{})
		go func() {
			far.Write(whole[:cut])
			close(first)
			far.SetWriteDeadline(time.Now().Add(10 * time.Second))
			far.Write(whole[cut:])
			far.Close()
		}()
		var got []byte
		buffer := make([]byte, 16)
		held := make(chan struct{})
		go func() { // the deadline passes when all of the first part has been read
			<-first
			s.SetReadDeadline(time.Now())
			close(held)
		}()
		for {
			n, err := s.Read(buffer)
			got = append(got, buffer[:n]...)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				<-held
				s.SetReadDeadline(time.Time{})
				continue
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
		if string(got) != "abcd" {
			t.Errorf("cut at %d: got %q", cut, got)
		}
	}
}

func TestStream_ReadRefusesWhatTheEngineCannotHaveSent(t *testing.T) {
	huge := mux(muxStdout, "")
	binary.BigEndian.PutUint32(huge[4:], maxMux+1)
	for name, tc := range map[string]struct {
		bytes []byte
		want  error
	}{
		"unknown stream": {mux(3, "x"), errMux},
		"stdin":          {mux(0, "x"), errMux},
		"no header":      {[]byte("HTTP/1.1 500"), errMux},
		"padding":        {[]byte{1, 0, 0, 1, 0, 0, 0, 1, 'x'}, errMux},
		"huge piece":     {huge, errMux},
		"cut header":     {mux(muxStdout, "")[:5], io.ErrUnexpectedEOF},
		"cut piece":      {mux(muxStdout, "four")[:10], io.ErrUnexpectedEOF},
	} {
		s, far := pipe(t)
		go func() { far.Write(tc.bytes); far.Close() }()
		if _, err := io.ReadAll(s); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestStream_CloseEndsAReadAndIsIdempotent(t *testing.T) {
	s, _ := pipe(t)
	closed := 0
	s.closing = func() { closed++ }
	read := make(chan error)
	go func() {
		_, err := s.Read(make([]byte, 1))
		read <- err
	}()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-read; err == nil {
		t.Error("read went on after close")
	}
	if closed != 1 {
		t.Errorf("owner was told %d times", closed)
	}
}

func FuzzStream_Read(f *testing.F) {
	f.Add(mux(muxStdout, "hello"))
	f.Add(append(mux(muxStderr, "x"), mux(muxStdout, "y")...))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, far := pipe(t)
		go func() { far.Write(data); far.Close() }()
		got, _ := io.ReadAll(s)
		if len(got) > len(data) {
			t.Errorf("%d bytes of %d", len(got), len(data))
		}
	})
}

// BenchmarkStream_Read is the cost of taking an answer apart, without the engine's.
func BenchmarkStream_Read(b *testing.B) {
	s, far := pipe(b)
	piece := mux(muxStdout, string(make([]byte, 128)))
	go func() {
		for {
			if _, err := far.Write(piece); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Read(buffer); err != nil {
			b.Fatal(err)
		}
	}
}
