package main

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

func TestDoctor_FindsNothingWrongHere(t *testing.T) {
	code, stdout, stderr := command(t, nil, "doctor", "--port", "0", "--state-dir", t.TempDir(), "--json")
	var found []docker.Finding
	if err := json.Unmarshal([]byte(stdout), &found); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	names := map[string]bool{}
	for _, f := range found {
		names[f.Name] = true
		if !f.OK || f.Remedy != "" || f.Detail == "" {
			t.Errorf("got %+v", f)
		}
	}
	for _, want := range []string{"configuration", "state directory", "port", "engine", "runtime", "image default", "default: capabilities", "default: seccomp", "default: swap"} {
		if !names[want] {
			t.Errorf("%s was not looked at", want)
		}
	}
	if code != 0 || !strings.Contains(stderr, "looking at image default") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestDoctor_SaysWhatIsWrongAndWhatToDo(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	for name, tt := range map[string]struct {
		args []string
		want []string
		env  []string
	}{
		"a setting":   {args: []string{"--set", "limits.pids=1"}, want: []string{"FAIL  configuration", "limits.pids: 1 is out of range", "-> mend"}},
		"no engine":   {args: []string{"--set", "docker.host=unix:///nowhere.sock"}, want: []string{"FAIL  engine", "/nowhere.sock", "-> start it"}},
		"a runtime":   {args: []string{"--runtime", "none-such"}, want: []string{"FAIL  runtime", `it has no runtime "none-such"`, "-> register it"}},
		"an image":    {env: []string{"FASTPYREPL_DOCKER_IMAGES_DEFAULT_REF=fastpyrepl/none-such:1"}, want: []string{"FAIL  image default", "fastpyrepl/none-such:1 is not here", "-> pull it"}},
		"a port":      {args: []string{"--port", taken}, want: []string{"FAIL  port", "is in use", "-> stop what listens there"}},
		"a directory": {args: []string{"--state-dir", "/proc/1/nowhere"}, want: []string{"FAIL  state directory", "-> let the daemon's user write there"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"doctor", "--port", "0", "--state-dir", t.TempDir()}, tt.args...)
			code, stdout, stderr := command(t, tt.env, args...)
			if code != exitFailure || !strings.Contains(stderr, errUnwell.Error()) {
				t.Errorf("exit code %d, stderr %q", code, stderr)
			}
			squeezed := strings.Join(strings.Fields(stdout), " ")
			for _, want := range tt.want {
				if !strings.Contains(squeezed, strings.Join(strings.Fields(want), " ")) {
					t.Errorf("no %q in\n%s", want, stdout)
				}
			}
		})
	}
}

func TestDoctor_IsAtHomeBesideADaemon(t *testing.T) {
	state := t.TempDir()
	s := serve(t, "--state-dir", state)
	url := s.ready()
	_, stdout, _ := command(t, nil, "doctor", "--state-dir", state, "--port", url[strings.LastIndex(url, ":")+1:])
	for _, want := range []string{"is served by fastpyrepl", "in use by a daemon that runs"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}
