package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// caller is an HTTP connection that is used by one goroutine and does no more than it must, as the raw side's is: net/http
// hands every call over to two goroutines of its own, and what that costs is not the daemon's.
type caller struct {
	net.Conn
	host   string
	r      *bufio.Reader
	answer []byte
}

func (d *daemon) dial(ctx context.Context) (*caller, error) {
	host := strings.TrimPrefix(d.url, "http://")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return &caller{Conn: conn, host: host, r: bufio.NewReader(conn)}, nil
}

// execute runs the cell of the benchmark, and checks that it printed.
func (c *caller) execute(session string) error {
	body, err := json.Marshal(map[string]string{"code": code, "session_id": session})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "POST /execute HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", c.host, len(body), body)
	if err != nil {
		return err
	}
	status, length := "", 0
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if status == "" {
			status = string(line)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	c.answer = append(c.answer[:0], make([]byte, length)...)
	if _, err := io.ReadFull(c.r, c.answer); err != nil {
		return err
	}
	want := fmt.Appendf(nil, `{"stdout":%q,"stderr":"","locals":null,`, printed)
	if status != "HTTP/1.1 200 OK" || !bytes.HasPrefix(c.answer, want) || !bytes.Contains(c.answer, []byte(`"error":null`)) {
		return fmt.Errorf("%s: %.500s", status, c.answer)
	}
	return nil
}
