package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// inputLimit is the longest answer to input(), in bytes.
const inputLimit = 1 << 20

// Interactive is an execution whose input() can be answered. It holds a WebSocket; Close it.
type Interactive struct {
	client  *Client
	session string
	cancel  context.CancelFunc
	reading sync.WaitGroup
	events  chan arrived // closed by the reader when the connection is over

	mu   sync.Mutex
	conn *websocket.Conn // guarded by mu; nil when it is over
}

// arrived is one message of the daemon's, or why there is none any more.
type arrived struct {
	event Event
	err   error
}

// waiting is how many events may wait for whoever loops over them. When they are all there the daemon is not read from,
// and after a while cuts the connection off; the loop then goes on with another.
const waiting = 256

// Interact runs code in the session of req, which must be named, and lets its input() be answered. When the client
// leaves, by Close or because ctx ended, the code is interrupted unless req.OnDisconnect says otherwise.
func (c *Client) Interact(ctx context.Context, req ExecuteRequest) (*Interactive, error) {
	if req.SessionID == "" {
		return nil, errors.New("interact: no session is named")
	}
	message := req.body(false)
	delete(message, "session_id")
	message["type"] = "execute"
	ctx, cancel := context.WithCancel(ctx)
	conn, err := c.dial(ctx, req.SessionID)
	if err == nil {
		err = write(ctx, conn, message)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	x := &Interactive{client: c, session: req.SessionID, cancel: cancel, events: make(chan arrived, waiting), conn: conn}
	x.reading.Go(func() { x.read(ctx, conn) })
	return x, nil
}

// dial opens a channel on a session.
func (c *Client) dial(ctx context.Context, session string) (*websocket.Conn, error) {
	header := http.Header{}
	c.sign(header)
	address := c.address(sessionPath(session)+"/channel", nil)
	conn, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil && resp != nil && resp.StatusCode >= 400 {
		p := newProblem(resp) // of which the library has kept the beginning
		resp.Body.Close()
		return nil, p
	}
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	conn.SetReadLimit(maxEvent)
	return conn, nil
}

func write(ctx context.Context, conn *websocket.Conn, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
		return unreachable(ctx, err)
	}
	return nil
}

// read takes messages until the connection is over.
func (x *Interactive) read(ctx context.Context, conn *websocket.Conn) {
	defer close(x.events)
	defer x.drop()
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var a arrived
		if a.event, a.err = parseEvent(text); a.err == nil && a.event.Type == "refused" {
			a.err = refused(text)
		}
		select {
		case x.events <- a:
		case <-ctx.Done():
			return
		}
	}
}

// refused is the Problem that a message was answered with.
func refused(text []byte) error {
	var p Problem
	_ = json.Unmarshal(text, &struct{ Status *int }{&p.Status}) // it was JSON a moment ago
	p.read(text)
	return &p
}

// drop closes the connection at once, if it is there.
func (x *Interactive) drop() {
	x.mu.Lock()
	conn := x.conn
	x.conn = nil
	x.mu.Unlock()
	if conn != nil {
		conn.CloseNow()
	}
}

// Events yields the events of the execution, and what is written behind it, as they come; the last is done. A connection
// that breaks after the first event is made anew, as Stream does. An error is yielded last; a *Problem is why the code
// was not run. It is to be called once.
func (x *Interactive) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: x.client, yield: yield, cut: errCut}
		for {
			var a arrived
			var open bool
			select {
			case a, open = <-x.events:
			case <-ctx.Done():
				yield(Event{}, context.Cause(ctx))
				return
			}
			switch {
			case !open:
				f.resume(ctx)
				return
			case a.err != nil:
				yield(Event{}, a.err)
				return
			case a.event.Background:
				if !yield(a.event, nil) {
					return
				}
			case !f.take(a.event):
				return
			}
		}
	}
}

// Input answers the input() that waits: nil is the end of file. Lines after the first answer the next ones.
func (x *Interactive) Input(ctx context.Context, text *string) error {
	if text != nil && len(*text) > inputLimit {
		return fmt.Errorf("input: %d bytes, at most %d are taken at once", len(*text), inputLimit)
	}
	message := map[string]any{"type": "input", "text": text}
	x.mu.Lock()
	conn := x.conn
	x.mu.Unlock()
	if conn != nil && write(ctx, conn, message) == nil {
		return nil
	}
	conn, err := x.client.dial(ctx, x.session) // any channel of the session's will do
	if err != nil {
		return err
	}
	if err := write(ctx, conn, message); err != nil {
		conn.CloseNow()
		return err
	}
	_ = conn.Close(websocket.StatusNormalClosure, "") // which waits until the daemon has read the message
	return nil
}

// Interrupt asks the execution to end.
func (x *Interactive) Interrupt(ctx context.Context) error {
	return x.client.InterruptSession(ctx, x.session)
}

// Close leaves the execution, if it has not ended, and waits for what was under way. It may be called again.
func (x *Interactive) Close() {
	x.cancel()
	x.drop()
	x.reading.Wait()
}
