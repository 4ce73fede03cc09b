package daemon

import (
	"context"
	"net"
	"syscall"
	"time"
)

// watchLeave returns a context that ends when the client closes its side of the connection, which fasthttp does not
// notice by itself, and a function that ends the watch and must be called before anything else reads the connection.
// It takes no byte from the connection: a request that is sent ahead stays where it is, and ends the watch.
func watchLeave(ctx context.Context, nc net.Conn) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	c, ok := nc.(*conn)
	if !ok {
		return ctx, func() { cancel(nil) }
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return ctx, func() { cancel(nil) }
	}
	_ = c.SetReadDeadline(time.Time{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		left := false
		err := raw.Read(func(fd uintptr) bool {
			var b [1]byte
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if err == syscall.EAGAIN || err == syscall.EINTR {
				return false // wait until there is something
			}
			left = err != nil || n == 0
			return true
		})
		if err == nil && left {
			cancel(ErrClientLeft)
		}
	}()
	return ctx, func() {
		_ = c.SetReadDeadline(time.Now()) // ends the wait
		<-ended
		_ = c.SetReadDeadline(time.Time{}) // the server sets its own before it reads
		cancel(nil)
	}
}

// ErrClientLeft is why a stream's context ended when its client closed the connection.
var ErrClientLeft = &Error{Status: statusClientLeft}

// statusClientLeft is what the log says of a request whose client did not wait; no client sees it.
const statusClientLeft = 499
