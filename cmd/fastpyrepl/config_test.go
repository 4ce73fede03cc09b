package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestConfig_Show(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	writeFile(t, path, "limits:\n  pids: 100\n")
	code, stdout, stderr := command(t, []string{"FASTPYREPL_LOG_LEVEL=debug"}, "config", "show", "-c", path, "--port", "1", "--set", "limits.cpus=2")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{"  port: 1 # --port\n", "  pids: 100 # " + path + ":2\n", "  cpus: 2 # --set\n", "  level: debug # FASTPYREPL_LOG_LEVEL\n", "  host: 127.0.0.1 # default\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no line %q in\n%s", want, stdout)
		}
	}
}

func TestConfig_CheckAndDefault(t *testing.T) {
	code, stdout, stderr := command(t, nil, "config", "default")
	if code != 0 || stderr != "" || stdout != configs.DefaultYAML() {
		t.Errorf("default: exit code %d, stderr %q", code, stderr)
	}
	path := filepath.Join(t.TempDir(), "f.yaml")
	writeFile(t, path, stdout)
	if code, stdout, stderr := command(t, []string{"FASTPYREPL_SERVER_PORT=none"}, "config", "check", path); code != 0 || stdout != path+": ok\n" || stderr != "" {
		t.Errorf("check: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	writeFile(t, path, "server:\n  prot: 1\nlimits:\n  memory: 1\n")
	code, stdout, stderr = command(t, nil, "config", "check", path)
	want := "fastpyrepl: " + path + ":2: server.prot: unknown key; did you mean server.port?\n"
	if code != exitUsage || stdout != "" || stderr != want {
		t.Errorf("check: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	writeFile(t, path, "auth:\n  keys_file: /none\n")
	if code, _, stderr = command(t, nil, "config", "check", path); code != exitUsage || !strings.Contains(stderr, "/none") {
		t.Errorf("check of a file of keys: exit code %d, stderr %q", code, stderr)
	}
}

func TestCompletion_PrintsAScript(t *testing.T) {
	for shell, want := range map[string]string{"bash": "# bash completion V2 for fastpyrepl", "zsh": "#compdef fastpyrepl", "fish": "# fish completion for fastpyrepl"} {
		code, stdout, stderr := command(t, nil, "completion", shell)
		if code != 0 || stderr != "" || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: exit code %d, stderr %q, %.80q", shell, code, stderr, stdout)
		}
	}
}
