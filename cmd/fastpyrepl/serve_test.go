package main

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/go-json-experiment/json"
)

func TestServe_RefusesWithoutAnEngine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "dead.sock")
	code, _, stderr := command(t, []string{"DOCKER_HOST=unix://" + socket}, "--port", "0")
	if code != exitFailure || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{socket, "code never runs without one", "apt-get install docker.io", "make up"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("the error does not say %q: %s", want, stderr)
		}
	}
}

func TestServe_RefusesATakenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr := command(t, nil, "--port", port)
	want := "fastpyrepl: server.port: " + ln.Addr().String() + " is in use: stop what listens there, or choose another with --port\n"
	if code != exitUsage || stderr != want {
		t.Errorf("exit code %d, stderr %q, want %q", code, stderr, want)
	}
}

func TestServe_RefusesABrokenSeccompProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profile.json")
	writeFile(t, path, "{")
	for file, want := range map[string]string{path: "not JSON", "/none": "no such file", "/dev/zero": "larger than 1MiB"} {
		code, _, stderr := command(t, nil, "--port", "0", "--set", "docker.seccomp="+file)
		if code == 0 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, stderr %q, want %q in it", file, code, stderr, want)
		}
	}
}

// entry is a line of the daemon's log.
type entry struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	URL   string `json:"url"`
	Key   string `json:"key"`
	Keys  string `json:"keys"`
	Err   string `json:"err"`

	Session   string `json:"session"`
	SessionID string `json:"session_id"`
	Execution string `json:"execution"`
	Trace     string `json:"trace"`
}

// served is a daemon on the real engine.
type served struct {
	t     *testing.T
	lines chan entry
}

// serve starts a daemon and, when the test ends, stops it as a signal would and looks at how it ended.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	image := cmp.Or(os.Getenv("FASTPYREPL_TEST_IMAGE"), "fastpyrepl/runner:slim")
	reader, writer := io.Pipe()
	p := &process{
		env: []string{"PATH=" + os.Getenv("PATH"), "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"), "HOME=" + t.TempDir(),
			"FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF=" + image,
			"FASTPYREPL_SESSIONS_ON_SHUTDOWN=remove"}, // nobody comes after it
		stdout: io.Discard,
		stderr: writer,
	}
	s := &served{t: t, lines: make(chan entry, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.lines)
		for scan := bufio.NewScanner(reader); scan.Scan(); {
			var e entry
			if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
				t.Errorf("the log has a line that is not JSON: %s", scan.Text())
			}
			s.lines <- e
		}
	}()
	start(t, func(ctx context.Context) {
		if code := p.run(ctx, append([]string{"--port", "0"}, args...)); code != 0 {
			t.Errorf("exit code %d", code)
		}
		writer.Close()
		<-done
	})
	return s
}

// await waits for a line of the log.
func (s *served) await(what string, is func(entry) bool) entry {
	s.t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("the daemon ended without %s", what)
			}
			if is(e) {
				return e
			}
		case <-timeout:
			s.t.Fatalf("the log does not tell %s", what)
		}
	}
}

func (s *served) ready() string {
	s.t.Helper()
	return s.await("that it is ready", func(e entry) bool { return e.Msg == "ready" }).URL
}

func TestServe_ServesReloadsAndStops(t *testing.T) {
	path, state := filepath.Join(t.TempDir(), "f.yaml"), t.TempDir()
	writeFile(t, path, "log: {format: json}")
	s := serve(t, "--config", path, "--reload", "--state-dir", state)
	url := s.ready()
	if code, _, stderr := command(t, nil, "health", "--url", url); code != 0 {
		t.Errorf("health: exit code %d, stderr %q", code, stderr)
	}

	code, _, stderr := command(t, nil, "--port", "0", "--state-dir", state)
	if code != exitFailure || !strings.Contains(stderr, "another fastpyrepl runs with "+state) {
		t.Errorf("a second daemon: exit code %d, stderr %q", code, stderr)
	}

	writeFile(t, path, "log: {level: debug}\ndocker: {uid_first: 41000}")
	s.await("what needs a restart", func(e entry) bool { return e.Key == "docker.uid_first" })
	s.await("what was applied", func(e entry) bool { return e.Keys == "log.level" })
	if code, _, _ := command(t, nil, "health", "--url", url); code != 0 {
		t.Error("it does not serve any more")
	}
	s.await("the request, now that its level is debug", func(e entry) bool { return e.Level == "DEBUG" && e.Msg == "request" })

	writeFile(t, path, "log: {level: loud}")
	s.await("what is wrong", func(e entry) bool { return strings.Contains(e.Err, `"loud" is not one of`) })
}

func TestServe_ReloadsOnHangup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	writeFile(t, path, "")
	s := serve(t, "--config", path)
	url := s.ready()
	writeFile(t, path, "execution: {timeout: 5s, max_timeout: 7s}")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.await("what was applied", func(e entry) bool { return strings.Contains(e.Keys, "execution.max_timeout") })
	resp, err := http.Get(url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"default":5,"maximum":7`) {
		t.Error("the document has the bounds of before")
	}
	http.DefaultClient.CloseIdleConnections()
}

// Keys come from a file that is read again when it changes, without --reload; the audit log names them.
func TestServe_AsksForKeys(t *testing.T) {
	dir := t.TempDir()
	path, keys, log := filepath.Join(dir, "f.yaml"), filepath.Join(dir, "keys.yaml"), filepath.Join(dir, "audit.jsonl")
	secret := auth.New()
	hash, err := auth.HashOf(secret)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, keys, "# nobody yet\n")
	writeFile(t, path, "auth: {keys_file: "+keys+"}\naudit: {file: "+log+"}\nlog: {level: debug}")
	t.Run("daemon", func(t *testing.T) {
		s := serve(t, "--config", path, "--set", "server.host=0.0.0.0") // without --insecure
		url := s.ready()
		if code, _, stderr := command(t, nil, "health", "--url", url); code != 0 {
			t.Errorf("health: exit code %d, stderr %q", code, stderr)
		}
		execute := func() int {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), "POST", url+"/execute", strings.NewReader(`{"code":"print(1)"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+secret)
			req.Close = true
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode
		}
		if status := execute(); status != 401 {
			t.Errorf("with a file of no keys: %d", status)
		}
		writeFile(t, keys, "ann: {hash: '"+hash.String()+"'}\n")
		s.await("that the key is taken", func(e entry) bool { return e.Msg == "API keys: applied" })
		if status := execute(); status != 200 {
			t.Errorf("with the key: %d", status)
		}
		writeFile(t, keys, "ann: {hash: '"+secret+"'}\n")
		wrong := s.await("what is wrong", func(e entry) bool { return e.Level == "ERROR" })
		if !strings.Contains(wrong.Err, "this is the key itself") || strings.Contains(wrong.Err, secret) {
			t.Errorf("got %q", wrong.Err)
		}
		if status := execute(); status != 200 {
			t.Errorf("after a file that is wrong: %d", status)
		}
		writeFile(t, keys, "# nobody any more\n")
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.await("that the key is gone", func(e entry) bool { return e.Msg == "API keys: applied" })
		if status := execute(); status != 401 {
			t.Errorf("with a key that was withdrawn: %d", status)
		}
	})
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); strings.Count(got, `"event":"execution","key":"ann"`) != 2 || strings.Count(got, `"event":"refused"`) < 1 ||
		strings.Contains(got, secret) || strings.Contains(got, "print") {
		t.Errorf("the audit log has\n%s", got)
	}
}

func TestServe_StopsOnASignal(t *testing.T) {
	s := serve(t)
	s.ready()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.await("that it stops", func(e entry) bool { return e.Msg == "shutting down" })
	for range s.lines { // until it has ended
	}
}

func TestServe_WarnsOfAnOpenHost(t *testing.T) {
	s := serve(t, "--host", "127.0.0.1", "--set", "server.host=0.0.0.0", "--insecure")
	e := s.await("a warning", func(e entry) bool { return e.Level == "WARN" })
	if !strings.Contains(e.Msg, "insecure: ") {
		t.Errorf("got %q", e.Msg)
	}
}
