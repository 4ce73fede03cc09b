package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxEvent is the longest event that is read, in bytes: a display may be one, and so may all variables.
	maxEvent = 128 << 20
	// patience is how many attempts in a row to go on with a stream may come to nothing: about a minute and a half of
	// them, in which a daemon restarts.
	patience = 20
)

const ndjson = "application/x-ndjson"

// errCut is a stream that ended before its execution did.
var errCut = errors.New("the stream broke off")

// Stream runs code and yields its events as they come; the last is done. A connection that breaks is made anew, also
// when another daemon is there by then, and the stream goes on where it was; before the first event it can only do so
// with an IdempotencyKey. What the execution does meanwhile, req.OnDisconnect says. To leave the loop, or to end ctx, is
// to leave the stream. An error is yielded last.
func (c *Client) Stream(ctx context.Context, req ExecuteRequest) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		resp, err := c.send(ctx, req.call(ndjson, false))
		if err != nil {
			yield(Event{}, err)
			return
		}
		f := follower{client: c, yield: yield}
		f.follow(ctx, resp.Body)
		for retry := (backoff{most: patience}); f.cut != nil && f.id == "" && req.IdempotencyKey != ""; {
			if !retry.wait(ctx, &Unreachable{Err: f.cut}) {
				break
			}
			if resp, err = c.send(ctx, req.call(ndjson, false)); err != nil {
				yield(Event{}, err)
				return
			}
			f.follow(ctx, resp.Body)
		}
		f.resume(ctx)
	}
}

// Events yields the events of an execution above after, those there are and then those to come; the last is done. It
// goes on as Stream does. To leave the loop has no effect on the execution.
func (c *Client) Events(ctx context.Context, executionID string, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{client: c, yield: yield, id: executionID, after: after, cut: errCut}
		f.resume(ctx)
	}
}

// SessionEvents yields what threads and child processes of a session write after the end of their execution, those
// events above after, until the session ends. It goes on over connections that break, and with another daemon.
func (c *Client) SessionEvents(ctx context.Context, sessionID string, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for connected := false; ; connected = true {
			resp, err := c.send(ctx, eventsCall(sessionPath(sessionID), after))
			if status := Status(err); connected && (status == http.StatusNotFound || status == http.StatusGone) {
				return
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
			if !passOn(ctx, resp.Body, &after, yield) {
				return
			}
			c.http.CloseIdleConnections() // one that is left may lead to a daemon that is about to end
		}
	}
}

// passOn passes on what comes over one connection, closes it, and notes the last event. It returns false when there is nothing
// more to do.
func passOn(ctx context.Context, body io.ReadCloser, last *uint64, yield func(Event, error) bool) bool {
	defer body.Close()
	for ev, err := range readEvents(ctx, body) {
		if errors.Is(err, errCut) {
			return true
		}
		if !yield(ev, err) || err != nil {
			return false
		}
		*last = max(*last, ev.Seq)
	}
	return false
}

func eventsCall(of string, after uint64) call {
	return call{
		method: http.MethodGet, path: of + "/events", again: true,
		query:  url.Values{"after": {strconv.FormatUint(after, 10)}},
		header: http.Header{"Accept": {ndjson}},
	}
}

// follower passes on the events of one execution, over as many connections as that takes.
type follower struct {
	client *Client
	yield  func(Event, error) bool
	id     string  // of the execution, once an event has said it
	after  uint64  // the last event that was passed on
	cut    error   // why the last connection broke before done; nil when there is nothing more to do
	result *Result // of the execution, where a connection had no event of it; nil while it runs
}

// follow passes on what comes over one connection, and closes it.
func (f *follower) follow(ctx context.Context, body io.ReadCloser) {
	defer body.Close()
	for ev, err := range readEvents(ctx, body) {
		if f.cut = err; err != nil {
			return
		}
		if !f.take(ev) {
			return
		}
	}
}

// take passes an event on. It returns false when there is nothing more to do.
func (f *follower) take(ev Event) bool {
	f.id, f.after = ev.ExecutionID, max(f.after, ev.Seq)
	return f.yield(ev, nil) && ev.Type != EventDone
}

// resume goes on with the execution until it has ended.
func (f *follower) resume(ctx context.Context) {
	retry := backoff{most: patience}
	for f.cut != nil {
		if ctx.Err() != nil {
			f.yield(Event{}, context.Cause(ctx))
			return
		}
		if f.id == "" {
			f.yield(Event{}, fmt.Errorf("%w before the first event; whether the code runs is not known", f.cut))
			return
		}
		f.client.http.CloseIdleConnections() // one that is left may lead to a daemon that is about to end
		before := f.after
		resp, err := f.client.once(ctx, eventsCall("/v1/executions/"+url.PathEscape(f.id), f.after), nil)
		if err == nil {
			f.follow(ctx, resp.Body)
			err = &Unreachable{Err: f.cut}
		}
		switch {
		case f.after > before:
			retry.made = 0
		case f.cut == errCut && f.result != nil:
			f.over()
			return
		case f.cut == errCut: // a whole answer, with no event in it
			f.result, _ = f.client.Result(ctx, f.id)
		}
		if f.cut != nil && !retry.wait(ctx, err) {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			f.yield(Event{}, err)
			return
		}
	}
}

// over passes on the end of an execution as its result has it. Where a daemon had to give the execution up, its last event
// may have a number that has been passed.
func (f *follower) over() {
	said := struct {
		Seq         uint64 `json:"seq"`
		Type        string `json:"type"`
		ExecutionID string `json:"execution_id"`
		Ending
	}{f.after + 1, EventDone, f.id, f.result.Ending}
	ev := Event{Seq: said.Seq, Type: said.Type, ExecutionID: said.ExecutionID, Time: time.Now(), Ending: said.Ending}
	ev.Raw, _ = json.Marshal(said) // of what was decoded
	f.cut = nil
	f.take(ev)
}

// readEvents yields the events of one connection, and, when it ends without done, why: errCut, or the end of ctx.
func readEvents(ctx context.Context, body io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			ev, err := parseEvent(lines.Bytes())
			if !yield(ev, err) || err != nil {
				return
			}
		}
		err := lines.Err()
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case err == nil:
			err = errCut
		default:
			err = fmt.Errorf("%w: %w", errCut, err)
		}
		yield(Event{}, err)
	}
}

func parseEvent(line []byte) (Event, error) {
	var ev Event
	if err := json.Unmarshal(line, &ev); err != nil {
		return Event{}, fmt.Errorf("%w: an event is not what a daemon says: %w", errCut, err)
	}
	ev.Raw = append(json.RawMessage(nil), line...)
	return ev, nil
}
