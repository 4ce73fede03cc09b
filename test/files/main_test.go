package files_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything here may take.
const patience = 2 * time.Minute

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fastpyrepl-files-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "fastpyrepl")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/fastpyrepl").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

// process is a fastpyrepl in a process of its own.
type process struct {
	t     *testing.T
	state string
	url   string
	cmd   *exec.Cmd
	ended chan string // the end of its log
}

// start starts one on a state directory, and ends it with the test, and its sessions if it is the last.
func start(t *testing.T, state string) *process {
	t.Helper()
	image := os.Getenv("FASTPYREPL_TEST_IMAGE")
	if image == "" {
		image = "fastpyrepl/runner:slim"
	}
	d := &process{t: t, state: state, ended: make(chan string, 1), cmd: exec.Command(binary, "serve")}
	d.cmd.Env = append(os.Environ(), "FASTPYREPL_SERVER_PORT=0", "FASTPYREPL_LOG_FORMAT=json", "FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove",
		"FASTPYREPL_POOL_SIZE_MIN=0", "FASTPYREPL_POOL_SIZE_MAX=0", // so that nothing else happens while memory is measured
		"FASTPYREPL_STATE_DIR="+state, "FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF="+image)
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.end(syscall.SIGTERM) })
	ready := make(chan string, 1)
	go d.read(stderr, ready)
	select {
	case d.url = <-ready:
	case log := <-d.ended:
		d.ended <- log
		t.Fatalf("this test needs a Docker Engine and the image %s (make image): %s", image, log)
	}
	return d
}

// read tells where the daemon listens, and keeps the end of its log.
func (d *process) read(log io.Reader, ready chan<- string) {
	tail := ""
	for lines := bufio.NewScanner(log); lines.Scan(); {
		tail = lines.Text()
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			ready <- line.URL
		}
	}
	d.ended <- tail
}

// end ends the process. It may be called again.
func (d *process) end(s syscall.Signal) {
	if d.cmd.ProcessState != nil {
		return
	}
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Error(err)
	}
	log := <-d.ended
	if err := d.cmd.Wait(); err != nil && s != syscall.SIGKILL {
		d.t.Errorf("the daemon ended with %v: %s", err, log)
	}
}

// do sends a request, of which the answer must have this status.
func (d *process) do(method, path, contentType string, body io.Reader, status int) *http.Response {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), patience)
	d.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, d.url+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	d.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != status {
		text, _ := io.ReadAll(resp.Body)
		d.t.Fatalf("%s %s: %s %s, want %d", method, path, resp.Status, text, status)
	}
	return resp
}

// execute runs code in session s, and returns what it printed.
func (d *process) execute(code string) string {
	d.t.Helper()
	body, err := json.Marshal(map[string]string{"session_id": "s", "code": code})
	if err != nil {
		d.t.Fatal(err)
	}
	var answer struct{ Stdout, Stderr, Outcome string }
	if err := json.NewDecoder(d.do("POST", "/execute", "application/json", strings.NewReader(string(body)), 200).Body).Decode(&answer); err != nil {
		d.t.Fatal(err)
	}
	if answer.Outcome != "ok" {
		d.t.Fatalf("%s: %+v", code, answer)
	}
	return answer.Stdout
}
