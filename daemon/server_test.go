package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gofiber/fiber/v2"
	"go.uber.org/goleak"
)

// server is a Server under test, on loopback.
type server struct {
	*daemon.Server
	addr    string
	log     *syncBuffer
	entered chan struct{} // POST /wait and /hold send one when they run
	release chan struct{} // they return when it is closed
	served  chan error    // what Serve returned
}

func testConfig() daemon.Config {
	return daemon.Config{
		MaxBody:         1 << 20,
		MaxInflightBody: 2 << 20,
		MaxHeader:       8 << 10,
		MaxJSONDepth:    8,
		MaxJSONKeys:     64,
		MaxConnections:  64,
		ReadTimeout:     5 * time.Second,
		WriteTimeout:    5 * time.Second,
		IdleTimeout:     5 * time.Second,
	}
}

// serve starts a server with a few routes, and more, and shuts it down at the end.
func serve(t *testing.T, cfg daemon.Config, more ...daemon.Route) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, cfg, ln, more...)
}

func serveOn(t *testing.T, cfg daemon.Config, ln net.Listener, more ...daemon.Route) *server {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	s := &server{
		log:     &syncBuffer{},
		entered: make(chan struct{}, 8),
		release: make(chan struct{}),
		served:  make(chan error, 1),
	}
	s.Server = daemon.New(cfg, daemon.Deps{
		Log:    slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Routes: append(s.testRoutes(), more...),
	})
	s.addr = ln.Addr().String()
	go func() { s.served <- s.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-s.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		goleak.VerifyNone(t, leaks,
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // one for ever
			goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")) // ends when its 10 s are over
	})
	return s
}

func (s *server) testRoutes() []daemon.Route {
	return []daemon.Route{
		{Method: http.MethodGet, Path: "/hello", Handler: func(c *fiber.Ctx) error {
			return daemon.WriteJSON(c, map[string]string{"hello": daemon.RequestID(c)})
		}},
		{Method: http.MethodPost, Path: "/echo", Handler: func(c *fiber.Ctx) error {
			body, err := daemon.ReadBody(c)
			if err != nil {
				return err
			}
			defer body.Close()
			var text string
			err = body.Decode([]jsonbody.Field{{Name: "text", Required: true, Value: jsonbody.String(&text, 1<<20)}})
			if err != nil {
				return err
			}
			return daemon.WriteJSON(c, map[string]string{"text": text})
		}},
		{Method: http.MethodPut, Path: "/files/*", Takes: []daemon.Media{{Type: "*/*"}}, Handler: swallow},
		{Method: http.MethodPost, Path: "/files", Takes: []daemon.Media{{Type: "multipart/form-data"}, {Type: "application/x-tar"}}, Handler: swallow},
		{Method: http.MethodPut, Path: "/begun", Takes: []daemon.Media{{Type: "*/*"}}, Handler: func(c *fiber.Ctx) error {
			body := daemon.ReadUpload(c)
			if _, err := body.Read(make([]byte, 1)); err != nil {
				return err
			}
			s.entered <- struct{}{}
			_, err := io.Copy(io.Discard, body)
			return err
		}},
		{Method: http.MethodPost, Path: "/hold", Handler: func(c *fiber.Ctx) error {
			body, err := daemon.ReadBody(c)
			if err != nil {
				return err
			}
			defer body.Close()
			s.entered <- struct{}{}
			<-s.release
			return daemon.WriteJSON(c, "released")
		}},
		{Method: http.MethodPost, Path: "/wait", Handler: func(c *fiber.Ctx) error {
			s.entered <- struct{}{}
			select {
			case <-s.release:
				return daemon.WriteJSON(c, "released")
			case <-daemon.Context(c).Done():
				return context.Cause(daemon.Context(c))
			}
		}},
		{Method: http.MethodPost, Path: "/panic", Handler: func(c *fiber.Ctx) error {
			body, err := daemon.ReadBody(c)
			if err != nil {
				return err
			}
			body.Close()
			panic("SECRET " + string(c.Request().Header.Peek("X-Secret")))
		}},
		{Method: http.MethodGet, Path: "/who", Handler: func(c *fiber.Ctx) error {
			return daemon.WriteJSON(c, daemon.CallerOf(c).Owner())
		}},
		{Method: http.MethodGet, Path: "/reach", Handler: func(c *fiber.Ctx) error {
			caller := daemon.CallerOf(c)
			return daemon.WriteJSON(c, fmt.Sprint(caller.Key("x").Owner, " ", caller.Reaches("bob")))
		}},
		{Method: http.MethodGet, Path: "/free", Open: true, Handler: func(c *fiber.Ctx) error { return daemon.WriteJSON(c, "free") }},
		{Method: http.MethodGet, Path: "/pages/*", Open: true, Handler: func(c *fiber.Ctx) error { return daemon.WriteJSON(c, "free") }},
		{Method: http.MethodGet, Path: "/page", Handler: func(c *fiber.Ctx) error {
			daemon.SecurePage(c.Set, "script-src 'self'", "connect-src 'self'")
			c.Set(fiber.HeaderCacheControl, "no-cache")
			return c.SendString("<!doctype html>")
		}},
		{Method: http.MethodGet, Path: "/socket", Handler: func(c *fiber.Ctx) error {
			return daemon.UpgradeSocket(c, func(context.Context, *daemon.Socket) {})
		}},
		{Method: http.MethodPost, Path: "/fail", Handler: fail},
		{Method: http.MethodPost, Path: "/v1/fail", Handler: fail},
	}
}

func fail(c *fiber.Ctx) error { return failures[c.Query("error")] }

var failures = map[string]error{"unknown": errors.New("SECRET /var/run/docker.sock")}

// raw sends bytes over one connection and returns everything that comes back until the server closes it.
func (s *server) raw(t *testing.T, request string) []*http.Response {
	t.Helper()
	conn := s.dial(t)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return responses(t, conn)
}

func (s *server) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// responses reads what comes until the other side closes, bodies included.
func responses(t *testing.T, conn net.Conn) []*http.Response {
	t.Helper()
	var all []*http.Response
	r := bufio.NewReader(conn)
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatalf("after %d responses: %v", len(all), err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("response %d: %v", len(all), err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("response %d: %v", len(all), err)
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		all = append(all, resp)
	}
}

// one sends a request on a connection of its own, which it asks to close, and returns the status and body.
func (s *server) one(t *testing.T, method, path string, headers []string, body string) (int, string, http.Header) {
	t.Helper()
	var b strings.Builder
	b.WriteString(method + " " + path + " HTTP/1.1\r\nConnection: close\r\n")
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n" + body)
	got := s.raw(t, b.String())
	if len(got) != 1 {
		t.Fatalf("%s %s: %d responses, want 1", method, path, len(got))
	}
	text, _ := io.ReadAll(got[0].Body)
	return got[0].StatusCode, string(text), got[0].Header
}

// post sends JSON as an ordinary client.
func (s *server) post(t *testing.T, path, body string) (int, string) {
	t.Helper()
	resp, err := http.Post("http://"+s.addr+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// syncBuffer is a buffer that the server's goroutines write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
