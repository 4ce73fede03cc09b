package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
)

// get reads an answer as a client does that looks at how it ends.
func get(t *testing.T, addr string) (body string, length int64, err error) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", 0, err // cut off before its head has left
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), resp.ContentLength, err
}

func TestSend_IsWholeOrCutOff(t *testing.T) {
	failed := errors.New("the session is gone")
	part := strings.Repeat("x", 100_000)
	for name, tc := range map[string]struct {
		size  int64
		parts int
		err   error
		whole bool
	}{
		"of a known size":            {300_000, 3, nil, true},
		"of no known size":           {-1, 3, nil, true},
		"empty":                      {0, 0, nil, true},
		"empty, of no known size":    {-1, 0, nil, true},
		"shorter than it was said":   {300_000, 2, nil, false},
		"failing":                    {300_000, 2, failed, false},
		"failing at once":            {300_000, 0, failed, false},
		"failing at its very end":    {300_000, 3, failed, false},
		"failing, of no known size":  {-1, 2, failed, false},
		"failing at once, likewise":  {-1, 0, failed, false},
		"panicking after some parts": {-1, 1, errPanic, false},
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 2)
			addr, log, _ := streaming(t, func(c *fiber.Ctx) error {
				daemon.Send(c, tc.size, func(_ context.Context, w io.Writer) error {
					for range tc.parts {
						if _, err := io.WriteString(w, part); err != nil {
							return err
						}
					}
					if tc.err == errPanic {
						panic("SECRET")
					}
					return tc.err
				}, func() { closed <- struct{}{} })
				return nil
			})
			body, length, err := get(t, addr)
			if length != tc.size && tc.parts > 0 {
				t.Errorf("the length is said to be %d, want %d", length, tc.size)
			}
			// At its very end nothing is missing any more: with a known size the client has the whole.
			if whole := err == nil; whole != tc.whole && name != "failing at its very end" {
				t.Errorf("%d bytes came, and the end was told: %v, want %v", len(body), whole, tc.whole)
			}
			if tc.whole && len(body) != 100_000*tc.parts {
				t.Errorf("%d bytes came", len(body))
			}
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				t.Fatal("it was not closed")
			}
			select {
			case <-closed:
				t.Error("it was closed twice")
			default:
			}
			if strings.Contains(log.String(), "SECRET") || !tc.whole && !strings.Contains(log.String(), "download cut off") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

var errPanic = errors.New("panic")

func TestSend_EndsWithItsClientAndWithTheServer(t *testing.T) {
	for name, end := range map[string]func(conn net.Conn, server *daemon.Server){
		"client": func(conn net.Conn, _ *daemon.Server) { conn.Close() },
		"server": func(_ net.Conn, server *daemon.Server) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = server.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			begun, ended, closed := make(chan struct{}), make(chan error, 1), make(chan struct{})
			addr, _, server := streaming(t, func(c *fiber.Ctx) error {
				daemon.Send(c, 1000, func(ctx context.Context, w io.Writer) error {
					close(begun)
					<-ctx.Done() // nothing is written meanwhile
					ended <- context.Cause(ctx)
					return ctx.Err()
				}, func() { close(closed) })
				return nil
			})
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprint(conn, "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			<-begun
			end(conn, server)
			select {
			case err := <-ended:
				if (err == daemon.ErrClientLeft) != (name == "client") {
					t.Errorf("the cause is %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it goes on")
			}
			<-closed
		})
	}
}
