package daemon_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const waitRequest = "POST /wait HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

func TestShutdown_WaitsForWhatIsUnderWay(t *testing.T) {
	s := serve(t, testConfig())
	conn := s.dial(t)
	if _, err := io.WriteString(conn, waitRequest); err != nil {
		t.Fatal(err)
	}
	<-s.entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	if err := <-s.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	s.served <- nil
	for end := time.Now().Add(5 * time.Second); ; { // Serve may return a moment before the socket is gone
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("it still listens")
		}
	}
	close(s.release)
	got := responses(t, conn)
	if len(got) != 1 || got[0].StatusCode != 200 || !got[0].Close {
		t.Errorf("got %v, want one 200 that closes", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdown_CutsOffWhatDoesNotEnd(t *testing.T) {
	s := serve(t, testConfig())
	conn := s.dial(t)
	if _, err := io.WriteString(conn, waitRequest); err != nil {
		t.Fatal(err)
	}
	silent := s.dial(t) // a connection that never asks for anything holds nothing up either
	<-s.entered
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	for _, c := range []net.Conn{conn, silent} {
		if rest, err := io.ReadAll(c); err == nil && len(rest) > 0 && !strings.HasPrefix(string(rest), "HTTP/1.1 503") {
			t.Errorf("got %q", rest)
		}
	}
}
