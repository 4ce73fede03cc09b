package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/metrics"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

const (
	walkBody   = 64 << 10               // server.max_body, and files.max_upload
	walkHeader = 4 << 10                // server.max_header
	walkRead   = 500 * time.Millisecond // server.read_timeout
	walkOrigin = "https://app.example"  // of server.cors_origins
	walkSecret = "SECRET of ann"
)

// walk is a daemon as the command assembles it, over containers that are played. Ann runs something in it, bob nothing.
type walk struct {
	*running
	addr      string
	ann, bob  string // their keys
	root      string // an administrator's
	hash      string // of ann's
	session   string // ann's
	execution string // that runs in it, and has printed walkSecret
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	cfg := configs.Default()
	cfg.Server.CORSOrigins = []string{walkOrigin}
	cfg.Server.MaxBody, cfg.Server.MaxInflightBody, cfg.Server.MaxHeader = walkBody, 16*walkBody, walkHeader
	cfg.Files.MaxUpload = walkBody
	cfg.Server.ReadTimeout, cfg.Server.IdleTimeout = walkRead, walkRead
	w := &walk{running: &running{cfg: cfg, log: slog.New(slog.DiscardHandler), level: new(slog.LevelVar), metrics: metrics.New("test")}, session: "ann-is-working"}
	keys := auth.Config{Required: true}
	for name, secret := range map[string]*string{"ann": &w.ann, "bob": &w.bob, "root": &w.root} {
		*secret = auth.New()
		hash, err := auth.HashOf(*secret)
		if err != nil {
			t.Fatal(err)
		}
		if name == "ann" {
			w.hash = hash.String()
		}
		role := auth.User
		if name == "root" {
			role = auth.Admin
		}
		keys.Keys = append(keys.Keys, auth.Key{Name: name, Hashes: []auth.Hash{hash}, Role: role})
	}
	begun := make(chan struct{})
	err := w.assemble(&sandboxtest.Runtime{Play: sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"work": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte(walkSecret))
			close(begun)
			select {
			case <-c.Interrupted:
				c.Done(wire.DoneMessage{Outcome: "interrupted", StateKept: true})
			case <-c.Killed:
			}
		},
	}), Answer: func(wire.Type, wire.QuestionMessage) (wire.Type, []byte) {
		return wire.Answer, []byte(`{"status":"complete"}`) // what others answer may be left out
	}}, nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := w.manager.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := w.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	x, err := w.manager.Execute(t.Context(), sandbox.Key{Owner: "ann", ID: w.session}, sandbox.Request{Code: "work"})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	w.execution = x.ID()
	return w
}

// routes are those of the table, and what is not in it.
func (w *walk) routes() []daemon.Route {
	return append(w.server.Routes(),
		daemon.Route{Method: http.MethodGet, Path: "/nowhere"},
		daemon.Route{Method: http.MethodPost, Path: "/v1/nowhere", In: struct{}{}},
		daemon.Route{Method: http.MethodOptions, Path: "/execute"},
		daemon.Route{Method: http.MethodTrace, Path: "/v1/sessions"},
		daemon.Route{Method: "BREW", Path: "/execute"})
}

// request is one that is written by hand.
type request struct {
	method, path string
	headers      []string
	body         string
}

var parameter = regexp.MustCompile(`:[a-z_]+`)

// to is a request for a route, about a session and an execution, that has all it needs but a key.
func to(r daemon.Route, session, execution string) request {
	path := strings.ReplaceAll(r.Path, "/executions/:id", "/executions/"+execution)
	if strings.Contains(path, ":file") {
		path = strings.ReplaceAll(path, ":file", r.Examples[0].Params["file"])
	}
	path = strings.ReplaceAll(parameter.ReplaceAllString(path, session), "*", "x")
	q := request{method: r.Method, path: path, headers: []string{"Host: localhost"}}
	switch {
	case r.Takes != nil && r.Method == http.MethodPost:
		q = q.with("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n1\r\n--b--\r\n").
			add("Content-Type: multipart/form-data; boundary=b")
	case r.Method == http.MethodPatch: // which takes no more than it can change
		q = q.with(`{"ttl":3600}`)
	case r.In != nil && r.Method != http.MethodGet:
		q = q.with(fmt.Sprintf(`{"code":"x","session_id":%q}`, session))
	}
	return q
}

// with gives the request a body.
func (q request) with(body string) request {
	q.body = body
	return q.add("Content-Type: application/json", fmt.Sprint("Content-Length: ", len(body)))
}

// add adds headers; one that is there already is replaced.
func (q request) add(headers ...string) request {
	kept := []string{}
	for _, old := range q.headers {
		name, _, _ := strings.Cut(old, ":")
		replaced := false
		for _, header := range headers {
			replaced = replaced || strings.HasPrefix(header, name+":")
		}
		if !replaced {
			kept = append(kept, old)
		}
	}
	q.headers = append(kept, headers...)
	return q
}

// upgraded asks for a WebSocket instead.
func (q request) upgraded() request {
	return q.add("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
}

// answer is what came back until the server closed the connection.
type answer struct {
	status int // 0 for none
	body   string
	header http.Header
}

// walkPatience is how long an answer, and the end of the connection, may take.
const walkPatience = walkRead + 5*time.Second

// send sends a request over a connection of its own. That the server neither answers nor closes is an error.
func (w *walk) send(t *testing.T, q request) answer {
	t.Helper()
	conn := w.dial(t)
	defer conn.Close()
	upgrade := strings.Contains(strings.Join(q.headers, "\n"), "Upgrade: websocket")
	text := q.method + " " + q.path + " HTTP/1.1\r\n" + strings.Join(q.headers, "\r\n") + "\r\n"
	if !upgrade {
		text += "Connection: close\r\n"
	}
	go func() { _, _ = io.WriteString(conn, text+"\r\n"+q.body) }() // the server need not read it all
	return receive(t, conn, q.method, !upgrade)
}

func (w *walk) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(walkPatience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// receive reads an answer, and the end of the connection where it is to end.
func receive(t *testing.T, conn net.Conn, method string, ends bool) answer {
	t.Helper()
	r := bufio.NewReader(conn)
	if _, err := r.Peek(1); err == io.EOF {
		return answer{}
	}
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return a
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && method == http.MethodHead && (resp.StatusCode == 408 || resp.StatusCode == 431) {
		body, err = io.ReadAll(r) // the server does not know the method of what it could not read
	}
	if err != nil {
		t.Fatalf("after %d: %v", resp.StatusCode, err)
	}
	a.body = string(body)
	if !ends {
		return a
	}
	if _, err := r.Peek(1); err != io.EOF {
		t.Errorf("after %d %s the connection goes on: %v", a.status, a.body, err)
	}
	return a
}

// intact fails when anything of ann's was touched.
func (w *walk) intact(t *testing.T) {
	t.Helper()
	info, err := w.manager.Session(sandbox.Key{Owner: "ann", ID: w.session})
	if err != nil || info.Running != w.execution || info.Queued != 0 {
		t.Fatalf("ann's session was touched: %+v, %v", info, err)
	}
	if n := len(w.manager.Sessions(func(owner string) bool { return owner != "ann" && owner != "bob" })); n != 0 {
		t.Errorf("%d sessions are nobody's", n)
	}
}
