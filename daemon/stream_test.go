package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
)

// streaming serves one route and shuts down at the end.
func streaming(t *testing.T, handler fiber.Handler) (url string, log *syncBuffer, server *daemon.Server) {
	t.Helper()
	log = &syncBuffer{}
	server = daemon.New(testConfig(), daemon.Deps{
		Log:    slog.New(slog.NewTextHandler(log, nil)),
		Routes: []daemon.Route{{Method: http.MethodGet, Path: "/stream", Handler: handler}},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String(), log, server
}

func TestStream_PartsLeaveAtOnceAndTheConnectionIsUsedAgain(t *testing.T) {
	read := make(chan struct{})
	addr, _, _ := streaming(t, func(c *fiber.Ctx) error {
		daemon.Stream(c, "text/plain", func(_ context.Context, s *daemon.StreamWriter) {
			for range 3 {
				if err := s.Send([]byte("part")); err != nil {
					t.Error(err)
				}
				<-read // the client has it
			}
		})
		return nil
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for range 2 {
		if _, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 4)
		for range 3 {
			if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != "part" {
				t.Fatalf("got %q, %v", part, err)
			}
			read <- struct{}{}
		}
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
			t.Errorf("got %q, %v", rest, err)
		}
	}
}

func TestStream_TheContextSaysWhyItEnded(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"closed":      func(c net.Conn) { c.Close() },
		"half closed": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
		"reset":       func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			begun, cause := make(chan struct{}), make(chan error, 1)
			addr, _, _ := streaming(t, func(c *fiber.Ctx) error {
				daemon.Stream(c, "text/plain", func(ctx context.Context, s *daemon.StreamWriter) {
					close(begun)
					<-ctx.Done()
					cause <- context.Cause(ctx)
				})
				return nil
			})
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
			<-begun
			leave(conn)
			if err := <-cause; !errors.Is(err, daemon.ErrClientLeft) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What runs after a handler is beyond what recovers handlers: a panic there would end the daemon.
func TestStream_APanicEndsOnlyItself(t *testing.T) {
	addr, log, _ := streaming(t, func(c *fiber.Ctx) error {
		if c.Get("Upgrade") != "" {
			return daemon.UpgradeSocket(c, func(context.Context, *daemon.Socket) { panic("SECRET") })
		}
		daemon.Stream(c, "text/plain", func(context.Context, *daemon.StreamWriter) { panic("SECRET") })
		return nil
	})
	for range 2 {
		resp, err := http.Get("http://" + addr + "/stream")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || len(body) != 0 {
			t.Errorf("got %q, %v", body, err)
		}
		ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr+"/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.ReadMessage(); err == nil {
			t.Error("the socket is still open")
		}
		ws.Close()
	}
	if got := log.String(); strings.Count(got, "panic: string") != 4 || strings.Contains(got, "SECRET") {
		t.Errorf("the log says %s", got)
	}
}
