package daemon

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	// maxSocketMessage is what a client may send in one message, in bytes. A larger context goes with POST /execute.
	maxSocketMessage = 4 << 20
	// pingEvery is how often a WebSocket is asked whether its client is still there; it has as long again to answer.
	pingEvery = 20 * time.Second
)

// Socket is a WebSocket that exchanges JSON objects. One goroutine receives; any may send.
type Socket struct {
	ws      *websocket.Conn
	timeout time.Duration // for one message to leave
	limits  jsonbody.Limits

	mu sync.Mutex // one message at a time
}

var upgrader = websocket.FastHTTPUpgrader{
	HandshakeTimeout: maxHeaderTime,
	CheckOrigin:      func(*fasthttp.RequestCtx) bool { return true }, // the guard has, with more in hand
	Error: func(ctx *fasthttp.RequestCtx, status int, reason error) {
		ctx.SetStatusCode(status)
	},
}

// UpgradeSocket answers with a WebSocket and runs serve on it, after the handler, until it returns. serve must not use
// c; its context ends when the server gives up, and the socket is closed with it.
func UpgradeSocket(c *fiber.Ctx, serve func(ctx context.Context, s *Socket)) error {
	if !websocket.FastHTTPIsWebSocketUpgrade(c.Context()) {
		return &Error{Status: http.StatusUpgradeRequired, Detail: "this is a WebSocket: connect with Upgrade: websocket"}
	}
	sc := scopeOf(c)
	server := sc.server
	c.Set(fiber.HeaderUpgrade, "websocket")
	err := upgrader.Upgrade(c.Context(), func(ws *websocket.Conn) {
		s := &Socket{
			ws:      ws,
			timeout: server.cfg.WriteTimeout,
			limits:  jsonbody.Limits{Depth: server.cfg.MaxJSONDepth, Values: server.cfg.MaxJSONKeys},
		}
		ctx, cancel := context.WithCancel(server.ctx)
		closed := context.AfterFunc(ctx, func() { ws.Close() })
		pinged := s.keepAlive(ctx)
		serve(ctx, s)
		closed()
		cancel()
		<-pinged
		ws.Close()
	})
	if err != nil {
		return &Error{Status: http.StatusBadRequest, Detail: "the WebSocket handshake is wrong: " + err.Error(), Err: err}
	}
	return nil
}

// keepAlive asks the client now and then whether it is there. The channel is closed when it has ended with ctx.
func (s *Socket) keepAlive(ctx context.Context) <-chan struct{} {
	s.ws.SetReadLimit(maxSocketMessage)
	extend := func(string) error { return s.ws.SetReadDeadline(time.Now().Add(2 * pingEvery)) }
	s.ws.SetPongHandler(extend)
	_ = extend("")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(pingEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.timeout))
			case <-ctx.Done():
				return
			}
		}
	}()
	return ended
}

// Receive returns the next message. An error means that the client has left, or broke the protocol.
func (s *Socket) Receive() ([]byte, error) {
	kind, b, err := s.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		refusal := websocket.FormatCloseMessage(websocket.CloseUnsupportedData, "messages are JSON text")
		_ = s.ws.WriteControl(websocket.CloseMessage, refusal, time.Now().Add(s.timeout))
		return nil, websocket.ErrBadHandshake
	}
	return b, nil
}

// Decode decodes a message as strictly as a body.
func (s *Socket) Decode(b []byte, fields []jsonbody.Field) error {
	if wrong := jsonbody.Decode(b, s.limits, fields); len(wrong) > 0 {
		return Invalid(wrong)
	}
	return nil
}

// Send sends v as one message. An error means that nobody reads any more.
func (s *Socket) Send(v any) error {
	b, err := JSON(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ws.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	return s.ws.WriteMessage(websocket.TextMessage, b)
}
