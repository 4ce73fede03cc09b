//go:build e2e

package e2e

import (
	"archive/tar"
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
	"strings"
	"testing"
	"time"
)

// deployment is a compose project of its own.
type deployment struct {
	project string
	url     string
	env     []string
}

// newDeployment names a project and takes a free port for it. Whatever is started in it is gone when the test ends.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	d := &deployment{project: fmt.Sprintf("fastpyrepl-e2e-%d", os.Getpid()), url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	d.env = append(os.Environ(), "FASTPYREPL_PROJECT="+d.project, fmt.Sprintf("FASTPYREPL_PORT=%d", port))
	t.Cleanup(func() {
		if out, err := d.script(context.WithoutCancel(t.Context()), "down.sh", "--volumes"); err != nil {
			t.Errorf("clean up: %v\n%s", err, out)
		}
	})
	return d
}

// script runs one of ../../scripts as a user without a terminal does.
func (d *deployment) script(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../scripts/"+name, args...)
	cmd.Env = d.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// container is what the engine knows of one, as far as this test asks.
type container struct {
	ID     string `json:"Id"`
	Config struct {
		User   string
		Labels map[string]string
	}
	HostConfig struct {
		ReadonlyRootfs bool
		Privileged     bool
		NetworkMode    string
		CapAdd         []string
		CapDrop        []string
		SecurityOpt    []string
		Memory         int64
		MemorySwap     int64
		PidsLimit      int64
		PortBindings   map[string][]struct{ HostIP, HostPort string }
	}
	Mounts []struct{ Type, Destination string }
	State  struct{ Health struct{ Status string } }
}

// containers are those with every label, running or not.
func containers(t *testing.T, labels ...string) []container {
	t.Helper()
	list := []string{"ps", "--all", "--quiet"}
	for _, label := range labels {
		list = append(list, "--filter", "label="+label)
	}
	ids := strings.Fields(docker(t, list...))
	if len(ids) == 0 {
		return nil
	}
	var found []container
	if err := json.Unmarshal([]byte(docker(t, append([]string{"inspect"}, ids...)...)), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// daemon is the deployment's one daemon.
func (d *deployment) daemon(t *testing.T) container {
	t.Helper()
	found := containers(t, "com.docker.compose.project="+d.project, "com.docker.compose.service=fastpyrepl")
	if len(found) != 1 {
		t.Fatalf("%d daemons, want 1", len(found))
	}
	return found[0]
}

// await waits until the daemon answers.
func (d *deployment) await(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // nothing tells when a port begins to listen
		resp, err := http.Get(d.url + "/health")
		if err == nil {
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the daemon does not come up: %v", err)
		}
	}
}

// sessions are the ids of all sessions there are.
func (d *deployment) sessions(t *testing.T) []string {
	t.Helper()
	resp, err := http.Get(d.url + "/v1/sessions")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Sessions []struct {
			ID string `json:"session_id"`
		} `json:"sessions"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range list.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// owner is the identity that the daemon keeps in its state volume, and that its sessions' containers carry.
func (d *deployment) owner(t *testing.T) string {
	t.Helper()
	archive := tar.NewReader(strings.NewReader(docker(t, "cp", d.daemon(t).ID+":/var/lib/fastpyrepl/owner", "-")))
	if _, err := archive.Next(); err != nil {
		t.Fatal(err)
	}
	id, err := io.ReadAll(io.LimitReader(archive, 64))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(id))
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return string(out)
}

// answer is the fixed part of an answer to /execute.
type answer struct {
	Stdout         string         `json:"stdout"`
	Stderr         string         `json:"stderr"`
	Locals         map[string]any `json:"locals"`
	SessionID      string         `json:"session_id"`
	SessionCreated bool           `json:"session_created"`
	Error          *string        `json:"error"`
}

// post sends a JSON body and decodes the answer, which has to have the status.
func (d *deployment) post(t *testing.T, path string, body any, status int, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("POST %s %s: status %d, want %d: %s", path, text, resp.StatusCode, status, got)
	}
	if err := json.Unmarshal(got, into); err != nil {
		t.Fatalf("POST %s: %v: %s", path, err, got)
	}
}

func (d *deployment) execute(t *testing.T, body map[string]any) answer {
	t.Helper()
	var a answer
	d.post(t, "/execute", body, http.StatusOK, &a)
	if a.Error != nil {
		t.Fatalf("execute %v: error %s\n%s", body, *a.Error, a.Stderr)
	}
	return a
}
