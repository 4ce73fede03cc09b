package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// engine is the raw API of the container engine.
type engine struct {
	socket string
	http   *http.Client
}

func newEngine() (*engine, error) {
	socket := "/var/run/docker.sock"
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		path, ok := strings.CutPrefix(host, "unix://")
		if !ok {
			return nil, fmt.Errorf("DOCKER_HOST is %q: the benchmark needs a unix socket", host)
		}
		socket = path
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &engine{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: time.Minute}}, nil
}

// call makes one request and decodes the answer into out, unless that is nil.
func (e *engine) call(ctx context.Context, method, path string, body, out any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return &apiError{res.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(b))}
	}
	if out == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// apiError is a refusal of the engine's.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

// container is what the engine says of one, as it would be told to make it again.
type container struct {
	ID         string `json:"Id"`
	Config     map[string]any
	HostConfig map[string]any
}

// findSession returns the container of the only session there is of the daemon with this owner label.
func (e *engine) findSession(ctx context.Context, owner string) (container, error) {
	all, err := e.containers(ctx, owner)
	if err != nil {
		return container{}, err
	}
	if len(all) != 1 {
		return container{}, fmt.Errorf("%d containers of owner %s, want 1", len(all), owner)
	}
	return e.inspect(ctx, all[0])
}

// containers are the ids of those of a daemon's.
func (e *engine) containers(ctx context.Context, owner string) ([]string, error) {
	filters, err := json.Marshal(map[string][]string{"label": {"org.fastpyrepl.owner=" + owner}})
	if err != nil {
		return nil, err
	}
	var all []struct{ Id string }
	if err := e.call(ctx, "GET", "/containers/json?filters="+url.QueryEscape(string(filters)), nil, &all); err != nil {
		return nil, err
	}
	var ids []string
	for _, c := range all {
		ids = append(ids, c.Id)
	}
	return ids, nil
}

func (e *engine) inspect(ctx context.Context, id string) (container, error) {
	var c container
	return c, e.call(ctx, "GET", "/containers/"+id+"/json", nil, &c)
}

// create makes a container with c's options under labels of the benchmark's own.
func (e *engine) create(ctx context.Context, c container, cmd []string) (string, error) {
	body := map[string]any{}
	for k, v := range c.Config {
		body[k] = v
	}
	body["Labels"] = map[string]string{"org.fastpyrepl.bench": "1"}
	if cmd != nil {
		body["Entrypoint"], body["Cmd"] = cmd[:1], cmd[1:]
	}
	body["HostConfig"] = c.HostConfig
	var made struct{ Id string }
	err := e.call(ctx, "POST", "/containers/create", body, &made)
	return made.Id, err
}

func (e *engine) start(ctx context.Context, id string) error {
	return e.call(ctx, "POST", "/containers/"+id+"/start", nil, nil)
}

func (e *engine) remove(ctx context.Context, id string) error {
	err := e.call(ctx, "DELETE", "/containers/"+id+"?force=1&v=1", nil, nil)
	var refused *apiError
	if errors.As(err, &refused) && (refused.status == http.StatusNotFound || refused.status == http.StatusConflict) {
		return nil // it ended by itself, and the engine is removing it
	}
	return err
}

// memory is what a container uses, without what the kernel would give back, in bytes.
func (e *engine) memory(ctx context.Context, id string) (int64, error) {
	var stats struct {
		MemoryStats struct {
			Usage int64
			Stats map[string]int64
		} `json:"memory_stats"`
	}
	if err := e.call(ctx, "GET", "/containers/"+id+"/stats?stream=false&one-shot=true", nil, &stats); err != nil {
		return 0, err
	}
	m := stats.MemoryStats
	for _, name := range []string{"total_inactive_file", "inactive_file"} { // cgroup v1, v2
		if cached, ok := m.Stats[name]; ok {
			return m.Usage - cached, nil
		}
	}
	return m.Usage, nil
}

// attachment is a container's stdio.
type attachment struct {
	net.Conn
	r    *bufio.Reader
	left int // bytes of the current chunk
}

func (e *engine) attach(ctx context.Context, id string) (*attachment, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", e.socket)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "POST /containers/%s/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", id)
	if err != nil {
		conn.Close()
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 128<<10)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols && res.StatusCode != http.StatusOK {
		conn.Close()
		return nil, fmt.Errorf("attach: %s", res.Status)
	}
	return &attachment{Conn: conn, r: r}, nil
}

// Read takes the engine's 8-byte headers away.
func (a *attachment) Read(p []byte) (int, error) {
	for a.left == 0 {
		var head [8]byte
		if _, err := io.ReadFull(a.r, head[:]); err != nil {
			return 0, err
		}
		a.left = int(binary.BigEndian.Uint32(head[4:]))
	}
	n, err := a.r.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

// describe names the engine and what it runs containers with.
func (e *engine) describe(ctx context.Context) string {
	var v struct{ Version, KernelVersion string }
	if err := e.call(ctx, "GET", "/version", nil, &v); err != nil {
		return "unknown engine"
	}
	return fmt.Sprintf("engine %s, kernel %s", v.Version, v.KernelVersion)
}
