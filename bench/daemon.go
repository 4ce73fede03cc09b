package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is a fastpyrepl of the benchmark's own, on a free port.
type daemon struct {
	dir   string // its state
	cmd   *exec.Cmd
	url   string
	admin string // the URL of its admin listener
	owner string
	http  *http.Client
}

// startDaemon runs binary with the default configuration, but for env, and waits until it is healthy.
func startDaemon(ctx context.Context, binary string, env ...string) (_ *daemon, err error) {
	dir, err := os.MkdirTemp("", "fastpyrepl-bench-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	adminPort, err := freePort()
	if err != nil {
		return nil, err
	}
	d := &daemon{
		dir:   dir,
		cmd:   exec.CommandContext(ctx, binary, "serve"),
		url:   fmt.Sprintf("http://127.0.0.1:%d", port),
		admin: fmt.Sprintf("http://127.0.0.1:%d", adminPort),
		http:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute},
	}
	d.cmd.Env = append(os.Environ(),
		fmt.Sprintf("FASTPYREPL_SERVER_PORT=%d", port), "FASTPYREPL_STATE_DIR="+dir, "FASTPYREPL_LOG_LEVEL=warn",
		fmt.Sprintf("FASTPYREPL_ADMIN_LISTEN=127.0.0.1:%d", adminPort), "FASTPYREPL_ADMIN_PPROF=true",
		"FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove", fmt.Sprintf("FASTPYREPL_EXECUTION_MAX_STDOUT=%dB", 2*flood))
	d.cmd.Env = append(d.cmd.Env, env...)
	d.cmd.Stderr = os.Stderr
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(5 * time.Minute); ; {
		res, err := d.http.Get(d.url + "/health")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
			err = fmt.Errorf("it answers %s", res.Status) // while it makes its images ready
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("the daemon did not come up: %w", err), d.stop())
		}
		time.Sleep(20 * time.Millisecond) // nothing tells when it serves
	}
	owner, err := os.ReadFile(filepath.Join(dir, "owner"))
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	d.owner = strings.TrimSpace(string(owner))
	return d, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// stop ends the daemon, and its sessions with it.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := d.cmd.Wait()
	if d.cmd.ProcessState.Success() {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// awaitWarm waits until so many containers wait for a session.
func (d *daemon) awaitWarm(ctx context.Context, n int) error {
	want := []byte("fastpyrepl_pool_containers{state=\"ready\"} ")
	for ctx.Err() == nil {
		res, err := d.http.Get(d.url + "/metrics")
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return err
		}
		_, rest, ok := bytes.Cut(text, want)
		if !ok {
			return errors.New("the daemon does not tell of its pool")
		}
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		if ready, err := strconv.Atoi(string(line)); err != nil || ready >= n {
			return err
		}
		time.Sleep(5 * time.Millisecond) // nothing tells when one becomes ready
	}
	return ctx.Err()
}

// rss is the daemon's resident memory in bytes.
func (d *daemon) rss() (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// resting is the daemon's resident memory after a garbage collection, and five seconds in which nothing is asked of it: by then it has
// given back what it does not need.
func (d *daemon) resting(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.admin+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return 0, err
	}
	res, err := d.http.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		return 0, errors.Join(fmt.Errorf("collect garbage: %s", res.Status), err)
	}
	select {
	case <-time.After(5 * time.Second):
		return d.rss()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// execute runs code and checks that it printed want.
func (d *daemon) execute(ctx context.Context, session, code, want string) error {
	var answer struct {
		Stdout string  `json:"stdout"`
		Error  *string `json:"error"`
	}
	body := map[string]any{"code": code, "session_id": session}
	if err := d.post(ctx, "/execute", body, &answer); err != nil {
		return err
	}
	if answer.Stdout != want || answer.Error != nil {
		return fmt.Errorf("execute printed %q, error %v", answer.Stdout, answer.Error)
	}
	return nil
}

func (d *daemon) reset(ctx context.Context, session string) error {
	var answer struct{ Status string }
	return d.post(ctx, "/reset", map[string]any{"session_id": session}, &answer)
}

func (d *daemon) post(ctx context.Context, path string, body, out any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", d.url+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.200s", path, res.Status, answer)
	}
	return json.Unmarshal(answer, out)
}

// stream runs code and gives each piece of its output to heard as it comes.
func (d *daemon) stream(ctx context.Context, session, code string, heard func(text string)) error {
	body, err := d.openStream(ctx, session, code)
	if err != nil {
		return err
	}
	defer body.Close()
	for dec := json.NewDecoder(body); ; {
		var ev struct{ Type, Text, Outcome string }
		if err := dec.Decode(&ev); err != nil {
			return err
		}
		switch {
		case ev.Type == "stdout":
			heard(ev.Text)
		case ev.Type == "done" && ev.Outcome != "ok":
			return fmt.Errorf("the stream's execution ended as %s", ev.Outcome)
		case ev.Type == "done":
			return nil
		}
	}
}

// drain runs code and counts the bytes of the stream it answers with, of which the last are returned.
func (d *daemon) drain(ctx context.Context, session, code string) (n int64, last []byte, err error) {
	body, err := d.openStream(ctx, session, code)
	if err != nil {
		return 0, nil, err
	}
	defer body.Close()
	buf := make([]byte, 256<<10)
	for {
		got, err := body.Read(buf)
		if n += int64(got); got > 0 {
			last = append(last, buf[max(0, got-1024):got]...)
			last = last[max(0, len(last)-1024):]
		}
		if errors.Is(err, io.EOF) {
			return n, last, nil
		}
		if err != nil {
			return n, last, err
		}
	}
}

func (d *daemon) openStream(ctx context.Context, session, code string) (io.ReadCloser, error) {
	b, err := json.Marshal(map[string]any{"code": code, "session_id": session})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", d.url+"/execute", bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/x-ndjson")
	res, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}
