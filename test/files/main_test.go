package files_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/test/process"
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
	if binary, err = process.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// daemon is one that a test has.
type daemon struct {
	*process.Daemon
	t *testing.T
}

// start starts one on a state directory, and ends it with the test, and its sessions if it is the last.
func start(t *testing.T, state string) *daemon {
	t.Helper()
	d, err := process.Start(context.WithoutCancel(t.Context()), binary, "FASTPYREPL_SERVER_PORT=0", "FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove",
		"FASTPYREPL_POOL_SIZE_MIN=0", "FASTPYREPL_POOL_SIZE_MAX=0", // so that nothing else happens while memory is measured
		"FASTPYREPL_STATE_DIR="+state, "FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF="+process.Image())
	if err != nil {
		t.Fatalf("this test needs a Docker Engine and the image %s (make image): %v", process.Image(), err)
	}
	t.Cleanup(func() {
		if d.Cmd.ProcessState != nil { // it was killed
			return
		}
		if err := d.Stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	return &daemon{d, t}
}

// do sends a request, of which the answer must have this status.
func (d *daemon) do(method, path, contentType string, body io.Reader, status int) *http.Response {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.t.Context()), patience)
	d.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, d.URL+path, body)
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
func (d *daemon) execute(code string) string {
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
