package daemon

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lingerTime is how long a connection is drained that is closed before all of its request was read. Closing at once
// would reset it, and the client could lose the answer that says why.
const lingerTime = time.Second

// conns knows every open connection. fasthttp closes one in the goroutine that served it, as the last thing.
type conns struct {
	empty chan struct{} // holds one when the last was closed

	mu   sync.Mutex
	open map[*conn]struct{} // guarded by mu
}

// conn is an accepted connection.
type conn struct {
	*net.TCPConn
	conns  *conns
	linger atomic.Bool
	socket atomic.Bool // a WebSocket, whose handler closes it with a reason when the server gives up
	ended  atomic.Bool // its client sends nothing any more, and all that it sent was read
}

// lingers makes the connection drain what its client still sends when it is closed.
func (c *conn) lingers() { c.linger.Store(true) }

// Read notes the end. fasthttp takes one between two chunks of a body for the end of the body.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err == io.EOF {
		c.ended.Store(true)
	}
	return n, err
}

func (c *conn) Close() error {
	defer c.conns.remove(c)
	if c.linger.Load() && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, c.TCPConn) // until the client has closed, or the deadline
	}
	return c.TCPConn.Close()
}

// abort ends every read and write of a connection, which its server still closes.
func (c *conn) abort() {
	_ = c.CloseRead()
	_ = c.CloseWrite()
}

func (cs *conns) add(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open[c] = struct{}{}
}

func (cs *conns) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open)
}

func (cs *conns) remove(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	if len(cs.open) == 0 {
		select {
		case cs.empty <- struct{}{}:
		default:
		}
	}
}

// closeAll cuts off every connection, WebSockets a little later, and waits until they were given up. None may be added
// any more.
func (cs *conns) closeAll(ctx context.Context) error {
	patience := time.NewTimer(closeFrameTime)
	defer patience.Stop()
	for late := false; ; {
		cs.mu.Lock()
		n := len(cs.open)
		for c := range cs.open {
			if late || !c.socket.Load() {
				_ = c.TCPConn.Close()
			}
		}
		cs.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-cs.empty:
		case <-patience.C:
			late = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
