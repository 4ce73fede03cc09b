package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// MaxSocketMessage is what a client may send in one message, in bytes. A larger context goes with POST /execute.
const MaxSocketMessage = 4 << 20

// closeFrameTime is how long the frame that says why a WebSocket is closed may take to leave.
const closeFrameTime = time.Second

// Socket is a WebSocket that exchanges JSON objects. One goroutine receives; any may send.
type Socket struct {
	ws     *websocket.Conn
	conn   *conn // below ws, whose Close does nothing: fasthttp closes hijacked connections
	server *Server

	mu sync.Mutex // one message at a time
}

var upgrader = websocket.FastHTTPUpgrader{
	CheckOrigin: func(*fasthttp.RequestCtx) bool { return true }, // the guard has, with more in hand
	Error:       func(*fasthttp.RequestCtx, int, error) {},       // UpgradeSocket answers

	Subprotocols: []string{subprotocol},
}

// UpgradeSocket answers with a WebSocket and runs serve on it, after the handler, until it returns. serve must not use
// c; its context ends with the request's, and the socket is closed with it.
func UpgradeSocket(c *fiber.Ctx, serve func(ctx context.Context, s *Socket)) error {
	sc, nc := scopeOf(c), connOf(c)
	server, ctx := sc.server, sc.ctx
	if !websocket.FastHTTPIsWebSocketUpgrade(c.Context()) {
		c.Set(fiber.HeaderUpgrade, "websocket")
		return &Error{Status: http.StatusUpgradeRequired, Detail: "this is a WebSocket: connect with Upgrade: websocket"}
	}
	sc.open.Add(1)
	err := upgrader.Upgrade(c.Context(), func(ws *websocket.Conn) {
		defer sc.close()
		s := &Socket{ws: ws, conn: nc, server: server}
		defer server.sockets.Add(-1)
		if n := server.sockets.Add(1); server.cfg.MaxConnections > 0 && n > int64(server.cfg.MaxConnections) {
			s.refuse(websocket.CloseTryAgainLater, "too many WebSockets are open")
			return
		}
		s.run(ctx, serve)
	})
	if err != nil {
		sc.open.Add(-1)
		c.Set("Sec-WebSocket-Version", "13")
		return &Error{Status: http.StatusBadRequest, Detail: "a WebSocket handshake has version 13 and a Sec-WebSocket-Key", Err: err}
	}
	return nil
}

// run serves the socket, and sees to it that it ends with ctx, or when its client answers no ping.
func (s *Socket) run(ctx context.Context, serve func(ctx context.Context, s *Socket)) {
	heartbeat := s.server.beat
	s.ws.SetReadLimit(MaxSocketMessage)
	alive := func(string) error { return s.ws.SetReadDeadline(time.Now().Add(2 * heartbeat)) }
	s.ws.SetPongHandler(alive)
	_ = alive("")
	s.conn.socket.Store(true)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(heartbeat)) // receiving fails if it does
			case <-ctx.Done():
				s.say(endCode(context.Cause(ctx)))
				s.conn.abort()
				return
			}
		}
	})
	defer wg.Wait()
	defer cancel()
	defer s.server.recoverTail()
	serve(ctx, s)
}

// endCode says why a socket's context has ended.
func endCode(cause error) (code int, why string) {
	if status, _, detail := Refusal(cause); status == http.StatusUnauthorized {
		return websocket.ClosePolicyViolation, fmt.Sprint(detail)
	}
	return websocket.CloseGoingAway, "the daemon is shutting down"
}

// say tells the client why the socket is closed, if that can still be said.
func (s *Socket) say(code int, why string) {
	_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(closeFrameTime))
}

// refuse closes the socket for what its client sent, and lets the client read why. Only who receives may call it.
func (s *Socket) refuse(code int, why string) {
	s.say(code, why)
	_ = s.conn.CloseWrite() // ends those who send
	s.conn.lingers()
}

// errBinary tells that a client sent what is not text.
var errBinary = errors.New("a binary message")

// Receive returns the next message, which the caller closes. An error means that the client has left or broke the
// protocol, or that there is no room for its message; the socket is closed then.
func (s *Socket) Receive() (*Body, error) {
	kind, r, err := s.ws.NextReader()
	if err != nil {
		s.conn.abort()
		return nil, err
	}
	if kind != websocket.TextMessage {
		s.refuse(websocket.CloseUnsupportedData, "messages are JSON text")
		return nil, errBinary
	}
	body := s.server.newBody()
	if err := body.read(r, -1, MaxSocketMessage); err != nil {
		body.Close()
		s.refuse(closeCode(err))
		return nil, err
	}
	return body, nil
}

// closeCode says why a message could not be read.
func closeCode(err error) (code int, why string) {
	var refused *Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return websocket.CloseMessageTooBig, "the message is too large"
	case errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable:
		return websocket.CloseTryAgainLater, "too many bytes of messages are in flight"
	default:
		return websocket.CloseProtocolError, "the message could not be read"
	}
}

// Send sends v as one message. An error means that nobody reads any more; the socket is closed then.
func (s *Socket) Send(v any) error {
	b, err := JSON(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ws.SetWriteDeadline(time.Now().Add(s.server.cfg.WriteTimeout)); err != nil {
		return err
	}
	if err := s.ws.WriteMessage(websocket.TextMessage, b); err != nil {
		s.conn.abort()
		return err
	}
	return nil
}
