package daemon

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

const (
	// acceptRest is how long the listener rests after the system could not give it a connection, doubled up to
	// acceptRestMost while it cannot.
	acceptRest     = 5 * time.Millisecond
	acceptRestMost = 500 * time.Millisecond
)

// listener makes the connections of a TCP listener known to conns. It outlasts a system that has no more to give: the
// server takes any error of Accept for the listener's end.
type listener struct {
	net.Listener
	conns *conns
	log   *slog.Logger
}

func (l listener) Accept() (net.Conn, error) {
	rest := acceptRest
	for {
		nc, err := l.Listener.Accept()
		if err == nil {
			c := &conn{TCPConn: nc.(*net.TCPConn), conns: l.conns}
			l.conns.add(c)
			return c, nil
		}
		if !passes(err) {
			return nil, err
		}
		if rest == acceptRest {
			l.log.Error("connections wait: the system has no more to give", "err", err)
		}
		time.Sleep(rest) // nothing tells when a file is closed
		rest = min(2*rest, acceptRestMost)
	}
}

// passes tells whether err is a lack of files or memory, which passes.
func passes(err error) bool {
	for _, lack := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, lack) {
			return true
		}
	}
	return false
}
