package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/client"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// asking is a script that asks for a line until there is none, and says each.
func asking(c *sandboxtest.Call) {
	for {
		c.Send(wire.InputRequest, []byte(`{"prompt":"? ","password":true}`))
		select {
		case text := <-c.Input:
			if text == nil {
				done(c, "ok")
				return
			}
			stdout(c, *text+"\n")
		case <-c.Interrupted:
			done(c, "interrupted")
			return
		case <-c.Killed:
			return
		}
	}
}

func interact(t *testing.T, c *client.Client, req client.ExecuteRequest) *client.Interactive {
	t.Helper()
	x, err := c.Interact(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// answer gives the program the lines in turn, and then the end of file.
func answer(t *testing.T, x *client.Interactive, lines ...string) func(client.Event) {
	return func(ev client.Event) {
		if ev.Type != client.EventInputRequest {
			return
		}
		if *ev.Input != (client.InputRequest{Prompt: "? ", Password: true}) {
			t.Errorf("got %+v", ev.Input)
		}
		var line *string
		if len(lines) > 0 {
			line, lines = &lines[0], lines[1:]
		}
		if err := x.Input(t.Context(), line); err != nil {
			t.Error(err)
		}
	}
}

func TestInteract_AnswersInput(t *testing.T) {
	c := start(t, asking)
	x := interact(t, c, client.ExecuteRequest{Code: "x", SessionID: "s"})
	text, outcome := follow(t, x.Events(t.Context()), answer(t, x, "a", "", "ü"))
	if text != "a\n\nü\n" || outcome != "ok" {
		t.Errorf("got %q, %s", text, outcome)
	}
}

func TestInteract_GoesOnOverAnotherConnection(t *testing.T) {
	p := newProxy(t, serve(t, asking))
	x := interact(t, connect(t, p.url), client.ExecuteRequest{Code: "x", SessionID: "s", OnDisconnect: client.Continue})
	give := answer(t, x, "a", "b")
	text, outcome := follow(t, x.Events(t.Context()), func(ev client.Event) {
		if ev.Type == client.EventInputRequest {
			p.cut(1)
		}
		for err := error(&client.Unreachable{}); ev.Type == client.EventInputRequest && err != nil; {
			_, err = connect(t, p.url).Session(t.Context(), "s") // until the network is there again
		}
		give(ev)
	})
	if text != "a\nb\n" || outcome != "ok" {
		t.Errorf("got %q, %s", text, outcome)
	}
}

func TestInteract_Interrupt(t *testing.T) {
	x := interact(t, start(t, asking), client.ExecuteRequest{Code: "x", SessionID: "s"})
	_, outcome := follow(t, x.Events(t.Context()), func(ev client.Event) {
		if ev.Type == client.EventInputRequest {
			if err := x.Interrupt(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	if outcome != "interrupted" {
		t.Errorf("got %s", outcome)
	}
}

func TestInteract_CloseLeavesAndSoInterrupts(t *testing.T) {
	c := start(t, asking)
	x := interact(t, c, client.ExecuteRequest{Code: "x", SessionID: "s"})
	var id string
	for ev, err := range x.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if id = ev.ExecutionID; ev.Type == client.EventInputRequest {
			x.Close()
			break
		}
	}
	if r, err := c.Wait(t.Context(), id); err != nil || r.Outcome != "interrupted" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestInteract_Refusals(t *testing.T) {
	c := start(t, asking)
	if _, err := c.Interact(t.Context(), client.ExecuteRequest{Code: "x"}); err == nil {
		t.Error("it needs no session")
	}
	if _, err := c.Interact(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "a b"}); client.Status(err) != 422 {
		t.Errorf("a bad id: %v", err)
	}
	var u *client.Unreachable
	if _, err := connect(t, "http://127.0.0.1:1").Interact(t.Context(), client.ExecuteRequest{Code: "x", SessionID: "s"}); !errors.As(err, &u) {
		t.Errorf("no daemon: %v", err)
	}
	x := interact(t, c, client.ExecuteRequest{Code: "x", SessionID: "none", NoCreate: true})
	for _, err := range x.Events(t.Context()) {
		if client.Status(err) != 404 || !strings.Contains(err.Error(), "none") {
			t.Errorf("got %v", err)
		}
	}
	x = interact(t, c, client.ExecuteRequest{Code: "x", SessionID: "s"})
	long := strings.Repeat("x", 1<<20+1)
	if err := x.Input(t.Context(), &long); err == nil || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("too long: %v", err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	for ev, err := range x.Events(ctx) {
		if ev.Type == client.EventInputRequest {
			cancel(cause)
		} else if err != nil && !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	}
}
