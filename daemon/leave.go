package daemon

import (
	"context"
	"syscall"
	"time"
)

// watchLeave returns a context that ends when the client closes its side of the connection, or the server all of it,
// which fasthttp does not tell, and a function that ends the watch and must be called before anything else reads the
// connection. It takes no byte from the connection: a request that is sent ahead stays where it is, and ends the watch.
func watchLeave(ctx context.Context, c *conn) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	raw, err := c.SyscallConn()
	if err != nil { // closed
		cancel(ErrClientLeft)
		return ctx, func() {}
	}
	_ = c.SetReadDeadline(time.Time{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		left := false
		err := raw.Read(func(fd uintptr) bool {
			var b [1]byte
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if err == syscall.EAGAIN {
				return false // wait until there is something
			}
			left = err != nil || n == 0
			return true
		})
		// An error is the end of the watch, or the server's: it closes the connection when a write fails.
		if err != nil || left {
			cancel(ErrClientLeft)
		}
	}()
	return ctx, func() {
		cancel(nil)
		_ = c.SetReadDeadline(time.Now()) // ends the wait
		<-ended
		_ = c.SetReadDeadline(time.Time{}) // the server sets its own before it reads
	}
}

// ErrClientLeft is why a stream's context ended when its client closed the connection.
var ErrClientLeft = &Error{Status: statusClientLeft}

// statusClientLeft is what the log says of a request whose client did not wait; no client sees it.
const statusClientLeft = 499
