package daemon_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// starved is a listener that the system has nothing for, a few times.
type starved struct {
	net.Listener
	lacks []syscall.Errno
}

func (l *starved) Accept() (net.Conn, error) {
	if len(l.lacks) > 0 {
		err := l.lacks[0]
		l.lacks = l.lacks[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	return l.Listener.Accept()
}

func TestServe_OutlastsASystemWithoutFiles(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, testConfig(), &starved{ln, []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}})
	if status, text := s.post(t, "/echo", `{"text":"x"}`); status != 200 {
		t.Errorf("got %d %s", status, text)
	}
	if got := strings.Count(fmt.Sprint(s.log), "connections wait"); got != 1 {
		t.Errorf("it was told %d times", got)
	}
}
