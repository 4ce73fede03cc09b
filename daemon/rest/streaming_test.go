package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"
)

// maxTestList is how many entries a listing has at most.
const maxTestList = 20

// patience bounds what a test waits for.
const patience = 30 * time.Second

// settings of a streaming daemon.
type settings struct {
	sandbox sandbox.Config
	server  daemon.Config
	deps    daemon.Deps
	store   sandbox.Store // nil forgets
}

// stage is what the scripts of a test share with it.
type stage struct {
	begun   chan string   // the code of every "wait" that runs
	release chan struct{} // lets one of them go on
}

// serve starts a daemon whose sessions play scenes, and checks at the end that no goroutine is left.
func serve(t *testing.T, change func(*settings)) (*api, *stage) {
	t.Helper()
	st := &stage{begun: make(chan string, 64), release: make(chan struct{})}
	return serveOn(t, &sandboxtest.Runtime{Play: sandboxtest.Script(st.scenes())}, change), st
}

func serveOn(t *testing.T, rt sandbox.Runtime, change func(*settings)) *api {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	set := settings{
		sandbox: testConfig(),
		server: daemon.Config{
			MaxBody: 16 << 20, MaxInflightBody: 32 << 20, MaxUpload: testConfig().Files.MaxUpload, MaxHeader: 8 << 10, MaxJSONDepth: 64, MaxJSONKeys: 10_000,
			MaxConnections: 64, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		},
	}
	set.sandbox.ResultsKept, set.sandbox.MaxResults = time.Hour, 256<<20
	set.sandbox.Execution.Queue = 4
	if change != nil {
		change(&set)
	}
	log := slog.New(slog.DiscardHandler)
	x := set.sandbox.Execution
	a := &api{manager: sandbox.NewManager(rt, set.store, set.sandbox, log)}
	a.runtime, _ = rt.(*sandboxtest.Runtime)
	a.handler = rest.New(a.manager, rest.Limits{
		MaxCode: x.MaxCode, MaxContext: x.MaxContext, MaxTimeout: x.MaxTimeout,
		MaxStdout: x.MaxStdout, MaxStderr: x.MaxStderr, MaxDisplay: x.MaxDisplay, MaxLocals: x.MaxLocals,
		MaxLocalsValue: x.MaxLocalsValue, MaxEvents: x.MaxEvents,
		Session: set.sandbox.Ceilings(), MaxTTL: set.sandbox.MaxTTL, MaxIdleTTL: set.sandbox.MaxIdleTTL,
		MaxList: maxTestList,
	})
	set.deps.Log, set.deps.Routes = log, a.handler.Routes()
	a.server = daemon.New(set.server, set.deps)
	a.manager.OnResume(a.server.Resumed)
	if set.store != nil {
		if err := a.manager.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- a.server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.manager.Close(ctx); err != nil {
			t.Errorf("close the manager: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
		brief, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if err := a.server.Shutdown(brief); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if a.runtime == nil { // the engine's client keeps connections for a while
			return
		}
		goleak.VerifyNone(t, leaks,
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // one for ever
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")) // ends when its 10 s are over
	})
	return a
}

// scenes are what the first word of the code plays.
func (st *stage) scenes() map[string]func(*sandboxtest.Call) {
	return map[string]func(*sandboxtest.Call){
		"all": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte("one\ntwo\r\u2028é\x00\x1b[0m\xff"))
			c.Send(wire.Stderr, []byte("careful"))
			c.Send(wire.Display, []byte(`{"data":{"text/plain":"a\nb"},"metadata":{"text/plain":{"k":1}}}`))
			c.Send(wire.Result, []byte(`{"data":{"text/plain":"42"}}`))
			c.Send(wire.ErrorMessage, []byte(`{"type":"ValueError","message":"no","traceback":["ValueError: no"]}`))
			c.Send(wire.Locals, []byte(`{"values":{"a":1},"omitted":2}`))
			c.Done(wire.DoneMessage{Outcome: "error", StateKept: true, Duration: 0.5, Truncated: map[string]int64{"stdout": 7}})
		},
		"wait": func(c *sandboxtest.Call) { // prints, then waits
			c.Send(wire.Stdout, []byte("begun"))
			st.begun <- c.Message.Code
			select {
			case <-c.Interrupted:
				c.Done(wire.DoneMessage{Outcome: "interrupted", StateKept: true})
			case <-st.release:
				c.Send(wire.Stdout, []byte(" and done"))
				c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
			case <-c.Killed:
			}
		},
		"ask": func(c *sandboxtest.Call) { // input() until the end of file
			for i := 0; ; i++ {
				c.Send(wire.InputRequest, fmt.Appendf(nil, `{"prompt":"%d? ","password":%t}`, i, i == 1))
				select {
				case text := <-c.Input:
					if text != nil {
						c.Send(wire.Stdout, []byte(*text+";"))
						continue
					}
					c.Send(wire.Stdout, []byte("EOF"))
					c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
				case <-c.Interrupted:
					c.Done(wire.DoneMessage{Outcome: "interrupted", StateKept: true})
				case <-c.Killed:
				}
				return
			}
		},
		"flood": func(c *sandboxtest.Call) { // to the cap
			block := []byte(strings.Repeat("x", wire.MaxPayload))
			for left := c.Message.MaxStdout; left > 0; left -= int64(len(block)) {
				c.Send(wire.Stdout, block[:min(left, int64(len(block)))])
			}
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		},
		"floodwait": func(c *sandboxtest.Call) { // to the cap, then until it is interrupted
			block := []byte(strings.Repeat("x", wire.MaxPayload))
			for left := c.Message.MaxStdout; left > 0; left -= int64(len(block)) {
				c.Send(wire.Stdout, block[:min(left, int64(len(block)))])
			}
			select {
			case <-c.Interrupted:
				c.Done(wire.DoneMessage{Outcome: "interrupted", StateKept: true})
			case <-c.Killed:
			}
		},
		"leave": func(c *sandboxtest.Call) { // something behind that writes on
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
			c.Send(wire.BackgroundStdout, []byte("still "))
			c.Send(wire.BackgroundStderr, []byte("here"))
		},
		"raise": func(c *sandboxtest.Call) { c.Done(wire.DoneMessage{Outcome: "error", StateKept: true}) },
		"exit":  func(c *sandboxtest.Call) { c.Exit(3) },
	}
}

// wait returns when a "wait" has begun.
func (st *stage) wait(t *testing.T) {
	t.Helper()
	select {
	case <-st.begun:
	case <-time.After(patience):
		t.Fatal("the code did not begin")
	}
}

// do sends a request.
func (a *api) do(t testing.TB, ctx context.Context, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// ask sends a request and returns status and body.
func (a *api) ask(t testing.TB, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	resp := a.do(t, t.Context(), method, path, body, headers...)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// result waits for an execution's end.
func (a *api) result(t testing.TB, id string) rest.ExecuteResponse {
	t.Helper()
	x, err := a.manager.Execution("", id)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := x.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	status, text := a.ask(t, "GET", "/v1/executions/"+id, "")
	var r rest.ExecuteResponse
	if err := json.Unmarshal([]byte(text), &r); status != 200 || err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return r
}

// detached begins an execution that nobody waits for.
func (a *api) detached(t testing.TB, body string) rest.PendingResponse {
	t.Helper()
	status, text := a.ask(t, "POST", "/execute", body)
	var p rest.PendingResponse
	if err := json.Unmarshal([]byte(text), &p); status != 202 || err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	return p
}

// events is a stream of SSE that is being read.
type events struct {
	*http.Response
	lines *bufio.Reader
	leave context.CancelFunc // closes the connection
}

func (a *api) events(t testing.TB, method, path, body string, headers ...string) *events {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	resp := a.do(t, ctx, method, path, body, append([]string{"Accept", "text/event-stream"}, headers...)...)
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %d %s", path, resp.StatusCode, text)
	}
	return &events{Response: resp, lines: bufio.NewReader(resp.Body), leave: cancel}
}

// next reads one event; it returns io.EOF after the last.
func (e *events) next() (rest.EventMessage, error) {
	var m rest.EventMessage
	head := ""
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return m, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id", "event":
			head += value + " "
		case "data":
			if err := json.Unmarshal([]byte(value), &m); err != nil {
				return m, err
			}
			if want := fmt.Sprintf("%d %s ", m.Seq, m.Type); head != want {
				return m, fmt.Errorf("id and event are %q, want %q", head, want)
			}
		case "":
			if m.Seq > 0 {
				return m, nil
			}
		}
	}
}

// need is next, which must not fail and be of this type.
func (e *events) need(t testing.TB, want sandbox.EventType) rest.EventMessage {
	t.Helper()
	m, err := e.next()
	if err != nil || m.Type != want {
		t.Fatalf("got %+v, %v; want %s", m, err, want)
	}
	return m
}

// rest reads all that is left.
func (e *events) rest(t testing.TB) []rest.EventMessage {
	t.Helper()
	var all []rest.EventMessage
	for {
		m, err := e.next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		all = append(all, m)
	}
}

// text joins the output of one stream.
func text(all []rest.EventMessage, of sandbox.EventType) string {
	var s strings.Builder
	for _, m := range all {
		if m.Type == of {
			s.WriteString(m.Text)
		}
	}
	return s.String()
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
