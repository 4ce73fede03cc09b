package rest

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
)

// ChannelRequest is a message of a channel's client.
type ChannelRequest struct {
	Type string  `json:"type"` // execute, interrupt or input
	Ref  *string `json:"ref"`  // comes back with every event of an execution, and with a refusal

	// ExecuteRequest's fields but session_id go with execute.
	ExecuteRequest

	Text *string `json:"text"` // input: the answer, null for the end of file
}

// ChannelEvent is an EventMessage with the ref of the request that it answers.
type ChannelEvent struct {
	EventMessage
	Ref string `json:"ref,omitempty"`
}

// ChannelRefusal answers a message that could not be served. Status and detail are those of an HTTP answer.
type ChannelRefusal struct {
	Type   string `json:"type"` // refused
	Ref    string `json:"ref,omitempty"`
	Status int    `json:"status"`
	Detail any    `json:"detail"`
}

var channelTypes = regexp.MustCompile(`^(execute|interrupt|input)$`)

const (
	maxRef         = 256     // bytes
	maxChannelText = 1 << 20 // bytes of an answer to input()
	// maxChannelQueue is how many execute messages may wait for the session; the client's next ones wait in its socket.
	maxChannelQueue = 16
)

// channel is one WebSocket on one session.
type channel struct {
	h      *Handler
	key    sandbox.Key
	socket *daemon.Socket
	wg     sync.WaitGroup // followers of executions, and of the background

	background atomic.Bool // somebody follows it
}

// openChannel serves a session over a WebSocket: code in, events out. When the client leaves, the executions that it
// began are interrupted, unless they said otherwise.
func (h *Handler) openChannel(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	return daemon.UpgradeSocket(c, func(ctx context.Context, s *daemon.Socket) {
		ch := &channel{h: h, key: key, socket: s}
		ctx, cancel := context.WithCancel(ctx)
		requests := make(chan executeMessage, maxChannelQueue)
		ch.wg.Go(func() { ch.execute(ctx, requests) })
		ch.followBackground(ctx)
		ch.receive(ctx, requests)
		cancel()
		ch.wg.Wait()
	})
}

// executeMessage is a decoded ChannelRequest.
type executeMessage struct {
	kind, ref, text string
	request         executeRequest
}

// receive takes messages until the client leaves.
func (ch *channel) receive(ctx context.Context, requests chan<- executeMessage) {
	for {
		b, err := ch.socket.Receive()
		if err != nil {
			return
		}
		m := executeMessage{request: executeRequest{create: true}}
		text := false
		fields := append(m.request.fields(ch.h.limits.Load()),
			jsonbody.Field{Name: "type", Required: true, Value: jsonbody.Matching(&m.kind, channelTypes, maxRef)},
			jsonbody.Field{Name: "ref", Value: jsonbody.Nullable(jsonbody.String(&m.ref, maxRef))},
			jsonbody.Field{Name: "text", Value: jsonbody.Nullable(func(raw jsontext.Value) []jsonbody.Error {
				text = true
				return jsonbody.String(&m.text, maxChannelText)(raw)
			})},
		)
		fields[0].Required = false // code, which only execute needs
		err = ch.socket.Decode(b, fields)
		switch {
		case err != nil:
		case m.kind == "execute":
			select {
			case requests <- m:
			case <-ctx.Done():
				return
			}
		case m.kind == "interrupt":
			err = ch.h.manager.Interrupt(ch.key)
		case m.kind == "input" && text:
			err = ch.input(&m.text)
		case m.kind == "input":
			err = ch.input(nil)
		default:
			err = daemon.Invalid(daemon.Wrong("missing", "Field required", "body", "type"))
		}
		if err != nil && ch.refuse(m.ref, err) != nil {
			return
		}
	}
}

func (ch *channel) refuse(ref string, err error) error {
	status, detail := daemon.Refusal(err)
	return ch.socket.Send(ChannelRefusal{Type: "refused", Ref: ref, Status: status, Detail: detail})
}

// input answers the execution that runs.
func (ch *channel) input(text *string) error {
	info, err := ch.h.manager.Session(ch.key)
	if err != nil {
		return err
	}
	x, err := ch.h.manager.Execution(ch.key.Owner, info.Running)
	if err != nil {
		return &daemon.Error{Status: http.StatusConflict, Detail: "nothing runs that could ask for input"}
	}
	return x.Input(text)
}

// execute queues executions in the order they came, and follows each.
func (ch *channel) execute(ctx context.Context, requests <-chan executeMessage) {
	for {
		var m executeMessage
		select {
		case m = <-requests:
		case <-ctx.Done():
			return
		}
		req := m.request.sandbox()
		req.Interactive = true
		x, err := ch.h.manager.Execute(ctx, ch.key, req)
		if err != nil {
			_ = ch.refuse(m.ref, err) // receive notices when the client has left
			continue
		}
		ch.followBackground(ctx)
		ch.wg.Go(func() {
			if ch.follow(ctx, x, x, m.ref) != nil && m.request.interruptsOnLeave() {
				_ = x.Interrupt() // a session that cannot be told is lost, and says so itself
			}
		})
	}
}

// followBackground begins to follow the session's background once there is a session.
func (ch *channel) followBackground(ctx context.Context) {
	feed, err := ch.h.manager.Background(ch.key)
	if err != nil {
		return
	}
	if !ch.background.CompareAndSwap(false, true) {
		return
	}
	ch.wg.Go(func() {
		defer ch.background.Store(false) // after a reset there is another to follow
		_ = ch.follow(ctx, feed, nil, "")
	})
}

// follow sends what a feed says until it ends. An error means that the client left, or the server gives up.
func (ch *channel) follow(ctx context.Context, feed sandbox.Feed, x *sandbox.Execution, ref string) error {
	var after uint64
	for {
		events, ended, err := feed.Next(ctx, after)
		if err != nil {
			return fmt.Errorf("follow: %w", err)
		}
		for _, ev := range events {
			if err := ch.socket.Send(ChannelEvent{EventMessage: newEventMessage(ev, x), Ref: ref}); err != nil {
				return err
			}
			after = ev.Seq
		}
		if ended {
			return nil
		}
	}
}
