package rest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// encoding is how a stream writes its events.
type encoding struct {
	mediaType string
	event     func(dst []byte, m EventMessage) ([]byte, error) // appends it
	silence   []byte                                           // sent now and then while there is no event; nil for nothing
}

var (
	sse    = encoding{mediaType: "text/event-stream", event: encodeSSE, silence: []byte(": keep-alive\n\n")}
	ndjson = encoding{mediaType: "application/x-ndjson", event: encodeNDJSON}
)

// encodingOf is what the client asks for, nil for one whole answer.
func encodingOf(c *fiber.Ctx) *encoding {
	for _, e := range []*encoding{&sse, &ndjson} {
		if daemon.Accepts(c, e.mediaType) {
			return e
		}
	}
	return nil
}

func encodeSSE(dst []byte, m EventMessage) ([]byte, error) {
	dst = fmt.Appendf(dst, "id: %d\nevent: %s\ndata: ", m.Seq, m.Type)
	dst, err := m.append(dst) // of one line
	return append(dst, "\n\n"...), err
}

func encodeNDJSON(dst []byte, m EventMessage) ([]byte, error) {
	dst, err := m.append(dst)
	return append(dst, '\n'), err
}

// stream answers with the events of a feed above after, as they come. x is the execution they belong to; nil for a
// session's background. onLeave, where there is one, runs when the client left before the end.
func (e *encoding) stream(c *fiber.Ctx, feed sandbox.Feed, x *sandbox.Execution, after uint64, onLeave func()) {
	daemon.Stream(c, e.mediaType, func(ctx context.Context, s *daemon.StreamWriter) {
		err := e.write(ctx, s, feed, x, after)
		if err != nil && onLeave != nil && !closing(ctx) {
			onLeave()
		}
	})
}

// closing tells whether ctx ended because the daemon shuts down: then it was not the client who left.
func closing(ctx context.Context) bool {
	return sandbox.ErrorCode(context.Cause(ctx)) == sandbox.CodeClosed
}

// write sends events until the feed ends. An error means that the client left, or the server gives up.
func (e *encoding) write(ctx context.Context, s *daemon.StreamWriter, feed sandbox.Feed, x *sandbox.Execution, after uint64) error {
	var part []byte
	for {
		events, ended, err := next(ctx, feed, after, s.Heartbeat())
		if errors.Is(err, errSilence) {
			err = s.Send(e.silence)
		}
		if err != nil {
			return err
		}
		if part = part[:0]; cap(part) > maxReused {
			part = nil
		}
		for _, ev := range events {
			if part, err = e.event(part, newEventMessage(ev, x)); err != nil {
				return err
			}
			after = ev.Seq
		}
		if len(part) > 0 {
			if err := s.Send(part); err != nil {
				return err
			}
		}
		if ended {
			if x != nil {
				x.Delivered()
			}
			return nil
		}
	}
}

// maxReused is how large a buffer for events is kept for those that follow, in bytes: one large display must not hold its
// memory for as long as its stream goes on.
const maxReused = 1 << 20

var errSilence = errors.New("nothing was said for a while")

// next waits for events; errSilence tells that there was none for so long.
func next(ctx context.Context, feed sandbox.Feed, after uint64, silence time.Duration) ([]sandbox.Event, bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, silence, errSilence)
	defer cancel()
	return feed.Next(ctx, after)
}

// resumeAfter is where the client wants to go on: the Last-Event-ID header, with which a browser comes back to the same
// address, or else the query's after.
func resumeAfter(c *fiber.Ctx) (uint64, error) {
	where, text := []any{"header", "last-event-id"}, c.Get("Last-Event-ID")
	if text == "" {
		where, text = []any{"query", "after"}, c.Query("after")
	}
	if text == "" {
		return 0, nil
	}
	after, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, daemon.Invalid(daemon.Wrong("int_parsing", "Input should be a valid integer of 0 or more", where...))
	}
	return after, nil
}
