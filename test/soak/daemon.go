package main

import (
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
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// host starts daemons that share a state directory: each takes over what the one before left, and removes it.
type host struct{ binary, dir string }

// daemon is a fastpyrepl of the soak's own, on a free port.
type daemon struct {
	cmd    *exec.Cmd
	url    string
	stderr bytes.Buffer
	http   *http.Client
}

// hang is how long an answer may take.
const hang = time.Minute

func (h host) start(ctx context.Context, env ...string) (*daemon, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	d := &daemon{
		cmd:  exec.CommandContext(ctx, h.binary, "serve"),
		url:  fmt.Sprintf("http://127.0.0.1:%d", port),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: hang},
	}
	image := os.Getenv("FASTPYREPL_TEST_IMAGE")
	if image == "" {
		image = "fastpyrepl/runner:slim"
	}
	d.cmd.Env = append(os.Environ(),
		fmt.Sprintf("FASTPYREPL_SERVER_PORT=%d", port), "FASTPYREPL_STATE_DIR="+h.dir, "FASTPYREPL_LOG_LEVEL=warn",
		"FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF="+image, "FASTPYREPL_LIMITS_MEMORY=256MiB",
		"FASTPYREPL_LIMITS_WORKDIR=32MiB", "FASTPYREPL_LIMITS_TMP=32MiB", "FASTPYREPL_LIMITS_SHM=32MiB", "FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove")
	d.cmd.Env = append(d.cmd.Env, env...)
	d.cmd.Stderr = &d.stderr
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(hang); ; {
		res, err := d.http.Get(d.url + "/health")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return d, d.reset(ctx, "")
			}
			err = fmt.Errorf("it answers %s", res.Status) // while it makes its images ready
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("the daemon did not come up: %w", err), d.stop())
		}
		time.Sleep(20 * time.Millisecond) // nothing tells when it serves
	}
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
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, d.stderr.String())
	}
	return nil
}

var goroutine = regexp.MustCompile(`(?m)^created by (\S+)`)

// quit kills the daemon and counts the goroutines that it had, by what began them. Its sessions stay behind.
func (d *daemon) quit() (map[string]int, error) {
	if err := d.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return nil, err
	}
	_ = d.cmd.Wait() // always an error
	counts := map[string]int{}
	for _, found := range goroutine.FindAllStringSubmatch(d.stderr.String(), -1) {
		counts[found[1]]++
	}
	if len(counts) == 0 {
		return nil, fmt.Errorf("no goroutine in %q", d.stderr.String())
	}
	return counts, nil
}

// files counts the daemon's open files.
func (d *daemon) files() (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	return len(entries), err
}

// memory is what the daemon has resident now, and at most so far, in bytes.
func (d *daemon) memory() (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	return now, peak, nil
}

// answer is what a test looks at.
type answer struct {
	Stdout         string           `json:"stdout"`
	Stderr         string           `json:"stderr"`
	SessionID      string           `json:"session_id"`
	ExecutionCount int              `json:"execution_count"`
	Outcome        string           `json:"outcome"`
	Truncated      map[string]int64 `json:"truncated"`
}

// event is one of a stream.
type event struct {
	Type string `json:"type"`
	Text string `json:"text"`
	answer
}

// reset ends a session, or with "" all.
func (d *daemon) reset(ctx context.Context, id string) error {
	body := []byte("{}")
	if id != "" {
		body = fmt.Appendf(nil, `{"session_id":%q}`, id)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/reset", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("reset: %s %s", res.Status, text)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// execute runs code; accept says how it is answered.
func (d *daemon) execute(ctx context.Context, accept string, body map[string]any) (answer, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+"/execute", bytes.NewReader(b))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	res, err := d.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return answer{}, fmt.Errorf("%s %s", res.Status, text)
	}
	if accept == "application/json" {
		var a answer
		return a, json.NewDecoder(res.Body).Decode(&a)
	}
	return joined(res.Body)
}

// joined puts the events of NDJSON together.
func joined(r io.Reader) (answer, error) {
	var whole answer
	var stdout, stderr strings.Builder
	for dec := json.NewDecoder(r); ; {
		var e event
		if err := dec.Decode(&e); err != nil {
			return whole, fmt.Errorf("the stream ended without done: %w", err)
		}
		switch e.Type {
		case "started":
			whole.SessionID, whole.ExecutionCount = e.SessionID, e.ExecutionCount
		case "stdout":
			stdout.WriteString(e.Text)
		case "stderr":
			stderr.WriteString(e.Text)
		case "done":
			whole.Outcome, whole.Truncated = e.Outcome, e.Truncated
			whole.Stdout, whole.Stderr = stdout.String(), stderr.String()
			return whole, nil
		}
	}
}
