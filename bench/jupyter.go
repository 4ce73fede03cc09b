package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/google/uuid"
)

// jupyterProgram is Debian's jupyter-server, which runs kernels on this machine without any confinement.
const jupyterProgram = "/usr/bin/jupyter-server"

// jupyter is a server of the benchmark's own.
type jupyter struct {
	cmd   *exec.Cmd
	host  string
	token string
	http  *http.Client
}

// startJupyter starts a server in dir and waits until it answers.
func startJupyter(ctx context.Context, dir string) (*jupyter, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	j := &jupyter{host: fmt.Sprintf("127.0.0.1:%d", port), token: uuid.NewString(), http: &http.Client{Timeout: time.Minute}}
	j.cmd = exec.CommandContext(ctx, jupyterProgram, "--no-browser", "--allow-root", fmt.Sprint("--port=", port), "--ServerApp.ip=127.0.0.1",
		"--ServerApp.token="+j.token, "--ServerApp.root_dir="+dir, "--ServerApp.log_level=ERROR")
	j.cmd.Env = append(os.Environ(), "HOME="+dir, "PATH=/usr/bin:/bin", "JUPYTER_RUNTIME_DIR="+dir)
	j.cmd.Cancel = func() error { return j.cmd.Process.Signal(syscall.SIGTERM) }
	if err := j.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // nothing tells when a port begins to listen
		err := j.call(ctx, "GET", "/api", nil)
		if err == nil {
			return j, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("jupyter-server did not come up: %w", err), j.stop())
		}
	}
}

func (j *jupyter) stop() error {
	if err := j.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = j.cmd.Wait() // it says that a signal ended it
	return nil
}

func (j *jupyter) call(ctx context.Context, method, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+j.host+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+j.token)
	res, err := j.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %.200s", method, path, res.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// kernel is one with an open channel.
type kernel struct {
	id string
	ws *websocket.Conn
}

func (j *jupyter) startKernel(ctx context.Context) (*kernel, error) {
	var made struct{ ID string }
	if err := j.call(ctx, "POST", "/api/kernels", &made); err != nil {
		return nil, err
	}
	header := http.Header{"Authorization": {"token " + j.token}}
	ws, res, err := websocket.DefaultDialer.DialContext(ctx, fmt.Sprintf("ws://%s/api/kernels/%s/channels?session_id=%s", j.host, made.ID, uuid.NewString()), header)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	return &kernel{id: made.ID, ws: ws}, nil
}

func (j *jupyter) endKernel(ctx context.Context, k *kernel) error {
	return errors.Join(k.ws.Close(), j.call(ctx, "DELETE", "/api/kernels/"+k.id, nil))
}

// message is what this benchmark looks at of one.
type message struct {
	Header  struct{ Msg_type string }
	Content struct{ Text, Execution_state, Status string }
}

// ask sends a request and hands over what answers it, until done.
func (k *kernel) ask(kind, content string, done func(m message) (bool, error)) error {
	id := uuid.NewString()
	request := fmt.Sprintf(`{"channel":"shell","header":{"msg_id":%q,"msg_type":%q,"username":"","session":"bench","date":"","version":"5.3"},`+
		`"parent_header":{},"metadata":{},"content":%s,"buffers":[]}`, id, kind, content)
	if err := k.ws.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := k.ws.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
		return err
	}
	for {
		_, text, err := k.ws.ReadMessage()
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte(id)) { // of another request
			continue
		}
		var m message
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		if ended, err := done(m); ended || err != nil {
			return err
		}
	}
}

// meet waits until the kernel answers, on both of its channels, as its clients do: what it prints before that may be lost.
func (k *kernel) meet() error {
	replied, idle := false, false
	return k.ask("kernel_info_request", "{}", func(m message) (bool, error) {
		replied = replied || m.Header.Msg_type == "kernel_info_reply"
		idle = idle || m.Content.Execution_state == "idle"
		return replied && idle, nil
	})
}

// execute runs the cell of the benchmark and waits for what it prints and for its end.
func (k *kernel) execute() error {
	content := fmt.Sprintf(`{"code":%q,"silent":false,"store_history":true,"user_expressions":{},"allow_stdin":false,"stop_on_error":true}`, code)
	heard := false
	return k.ask("execute_request", content, func(m message) (bool, error) {
		switch {
		case m.Header.Msg_type == "stream":
			heard = heard || strings.Contains(m.Content.Text, strings.TrimSpace(printed))
		case m.Content.Status == "error":
			return false, fmt.Errorf("kernel %s failed", k.id)
		case m.Content.Execution_state == "idle" && !heard:
			return false, fmt.Errorf("kernel %s did not print", k.id)
		}
		return m.Content.Execution_state == "idle", nil
	})
}

// peers measures what users of Jupyter know against a session: from nothing to the first result, and one execution.
func (b *bench) peers(ctx context.Context, rounds, calls int) (first, warm pair, err error) {
	dir, err := os.MkdirTemp("", "fastpyrepl-jupyter-")
	if err != nil {
		return first, warm, err
	}
	defer os.RemoveAll(dir)
	j, err := startJupyter(ctx, dir)
	if err != nil {
		return first, warm, err
	}
	defer func() { err = errors.Join(err, j.stop()) }()
	for i := range rounds {
		began := time.Now()
		k, err := j.startKernel(ctx)
		if err == nil {
			err = k.meet()
		}
		if err == nil {
			err = k.execute()
		}
		if err != nil {
			return first, warm, fmt.Errorf("kernel %d: %w", i, err)
		}
		first.raw = append(first.raw, time.Since(began))
		if err := j.endKernel(ctx, k); err != nil {
			return first, warm, err
		}
		if err := b.daemon.awaitWarm(ctx, pool); err != nil {
			return first, warm, err
		}
		took, err := b.fresh(ctx, fmt.Sprint("peer-", i))
		if err != nil {
			return first, warm, err
		}
		first.ours = append(first.ours, took)
	}
	k, err := j.startKernel(ctx)
	if err != nil {
		return first, warm, err
	}
	defer func() { err = errors.Join(err, j.endKernel(ctx, k)) }()
	if err := k.meet(); err != nil {
		return first, warm, err
	}
	if err := k.execute(); err != nil {
		return first, warm, err
	}
	c, err := b.daemon.dial(ctx)
	if err != nil {
		return first, warm, err
	}
	defer c.Close()
	defer b.daemon.reset(context.WithoutCancel(ctx), "peer")
	if err := c.execute("peer"); err != nil {
		return first, warm, err
	}
	const turns = 10
	for range turns {
		raw, err := together(1, calls/turns, func(int) error { return k.execute() })
		if err != nil {
			return first, warm, err
		}
		ours, err := together(1, calls/turns, func(int) error { return c.execute("peer") })
		if err != nil {
			return first, warm, err
		}
		warm.raw, warm.ours = append(warm.raw, raw...), append(warm.ours, ours...)
	}
	return first, warm, nil
}
