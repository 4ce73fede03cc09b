package rest

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"sync"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
)

// ChannelRequest is a message of a channel's client.
type ChannelRequest struct {
	Type string  `json:"type"`
	Ref  *string `json:"ref,omitzero" jsonschema:"comes back with every event of the execution, and with a refusal"`

	// ExecuteRequest's fields but session_id and detach go with execute.
	ExecuteRequest

	Text *string `json:"text,omitzero" jsonschema:"the answer to input(), null for the end of file"`
}

// ChannelEvent is an EventMessage with the ref of the request that it answers.
type ChannelEvent struct {
	EventMessage
	Ref string `json:"ref,omitempty"`
}

// ChannelRefusal answers a message that could not be served. Status, code and detail are those of an HTTP answer.
type ChannelRefusal struct {
	Type   string       `json:"type"`
	Ref    string       `json:"ref,omitempty"`
	Status int          `json:"status"`
	Code   sandbox.Code `json:"code"`
	Detail any          `json:"detail" jsonschema:"a sentence, or with 422 all that is wrong"`
}

var channelTypes = regexp.MustCompile(`^(execute|interrupt|input)$`)

const (
	maxRef         = 256     // bytes
	maxChannelText = 1 << 20 // bytes of an answer to input()
	// maxChannelQueue is how many execute messages may wait while the session starts; one more is refused.
	maxChannelQueue = 16
)

// channel is one WebSocket on one session.
type channel struct {
	h          *Handler
	caller     *daemon.Caller
	key        sandbox.Key
	socket     *daemon.Socket
	background sandbox.Feed   // the one that is followed; execute's alone
	wg         sync.WaitGroup // execute, and the followers of executions and of the background
}

// openChannel serves a session over a WebSocket: code in, events out. When the client leaves, the executions that it
// began are interrupted, unless they said otherwise.
func (h *Handler) openChannel(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	caller := daemon.CallerOf(c)
	return daemon.UpgradeSocket(c, func(ctx context.Context, s *daemon.Socket) {
		ch := &channel{h: h, caller: caller, key: key, socket: s}
		ctx, cancel := context.WithCancel(ctx)
		requests := make(chan *channelExecute, maxChannelQueue)
		ch.wg.Go(func() { ch.execute(ctx, requests) })
		ch.receive(requests)
		cancel()
		ch.wg.Wait()
		for len(requests) > 0 {
			(<-requests).body.Close()
		}
	})
}

// channelExecute is an execute message. It is done with its body when its execution has ended.
type channelExecute struct {
	executeRequest
	ref  string
	body *daemon.Body
}

// receive takes messages until the client leaves.
func (ch *channel) receive(requests chan<- *channelExecute) {
	for {
		body, err := ch.socket.Receive()
		if err != nil {
			return
		}
		var kind, ref string
		err = body.Decode([]jsonbody.Field{
			{Name: "type", Required: true, Value: jsonbody.Matching(&kind, channelTypes, maxRef)},
			{Name: "ref", Value: jsonbody.Nullable(jsonbody.String(&ref, maxRef))},
		})
		if err == nil && kind == "execute" {
			err = ch.take(body, ref, requests)
		} else {
			if err == nil {
				err = ch.control(kind, body)
			}
			body.Close()
		}
		if err != nil && ch.refuse(ref, err) != nil {
			return
		}
	}
}

// take queues an execute message, and never waits: the interrupt behind it may be what ends the wait.
func (ch *channel) take(body *daemon.Body, ref string, requests chan<- *channelExecute) error {
	m := &channelExecute{executeRequest: executeRequest{create: true}, ref: ref, body: body}
	err := ch.caller.Allow()
	if err == nil {
		err = body.Decode(m.fields(ch.h.limits.Load()))
	}
	if err != nil {
		body.Close()
		return err
	}
	body.Drop(m.held())
	select {
	case requests <- m:
		return nil
	default:
		body.Close()
		return &daemon.Error{Status: http.StatusTooManyRequests, Detail: "too many executions wait for the session to start"}
	}
}

// control serves a message about the execution that runs.
func (ch *channel) control(kind string, body *daemon.Body) error {
	switch kind {
	case "interrupt":
		return ch.caller.Interrupt(ch.h.manager, ch.key.ID)
	case "input":
		text := new(string)
		err := body.Decode([]jsonbody.Field{{Name: "text", Required: true, Value: func(raw jsontext.Value) []jsonbody.Error {
			if raw.Kind() == 'n' {
				text = nil
				return nil
			}
			return jsonbody.String(text, maxChannelText)(raw)
		}}})
		if err != nil {
			return err
		}
		return ch.input(text)
	default: // "", which Matching lets pass
		return daemon.Invalid(daemon.Wrong("missing", "Field required", "body", "type"))
	}
}

func (ch *channel) refuse(ref string, err error) error {
	status, code, detail := daemon.Refusal(err)
	return ch.socket.Send(ChannelRefusal{Type: "refused", Ref: ref, Status: status, Code: code, Detail: detail})
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
func (ch *channel) execute(ctx context.Context, requests <-chan *channelExecute) {
	ch.followBackground(ctx)
	for {
		var m *channelExecute
		select {
		case m = <-requests:
		case <-ctx.Done():
			return
		}
		req := m.sandbox()
		req.Interactive = true
		x, err := ch.caller.Execute(ctx, ch.h.manager, ch.key.ID, req)
		if err != nil {
			m.body.Close()
			_ = ch.refuse(m.ref, err) // receive notices when the client has left
			continue
		}
		x.OnEnd(m.body.Close)
		ch.followBackground(ctx)
		ch.wg.Go(func() {
			if ch.follow(ctx, x, x, m.ref) != nil && m.interruptsOnLeave() && !closing(ctx) {
				_ = x.Interrupt() // a session that cannot be told is lost, and says so itself
			}
		})
	}
}

// followBackground follows the session's background, once there is a session, and anew after a reset.
func (ch *channel) followBackground(ctx context.Context) {
	feed, err := ch.h.manager.Background(ch.key)
	if err != nil || feed == ch.background {
		return
	}
	ch.background = feed
	ch.wg.Go(func() { _ = ch.follow(ctx, feed, nil, "") })
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
			if x != nil {
				x.Delivered()
			}
			return nil
		}
	}
}
