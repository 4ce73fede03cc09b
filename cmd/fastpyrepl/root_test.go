package main

import (
	"path/filepath"
	"regexp"
	"testing"
)

func TestRun_Version(t *testing.T) {
	want := regexp.MustCompile(`^fastpyrepl \S+ go1\.\S+ linux/\w+\n$`)
	for _, arg := range []string{"--version", "version"} {
		code, stdout, stderr := command(t, nil, arg)
		if code != 0 || stderr != "" || !want.MatchString(stdout) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", arg, code, stdout, stderr)
		}
	}
}

func TestRun_RefusesInOneLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	writeFile(t, bad, "server:\n  prot: 1\n")
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"an unknown flag", nil, []string{"--prot", "1"}, "unknown flag: --prot; see fastpyrepl --help"},
		{"an unknown command", nil, []string{"sevre"}, `unknown command "sevre"; see fastpyrepl --help`},
		{"an argument", nil, []string{"serve", "x"}, `unknown command "x"; see fastpyrepl --help`},
		{"a flag's value", nil, []string{"--port", "http"}, `--port: server.port: "http" is not a whole number`},
		{"a flag's range", nil, []string{"serve", "--port", "65536"}, "server.port: 65536 is out of range: allowed are 0 to 65535"},
		{"half a setting", nil, []string{"--set", "limits.memory"}, `--set: "limits.memory" is not key=value`},
		{"an unknown setting", nil, []string{"--set", "limits.mem0ry=1GiB"}, "--set: limits.mem0ry: unknown key; did you mean limits.memory?"},
		{"an open host", nil, []string{"--host", "0.0.0.0"}, "server.host: 0.0.0.0 can be reached from other machines, and whoever reaches it can run code: keep to 127.0.0.1, ask for keys with auth.keys, or allow it with server.insecure: true"},
		{"a variable", []string{"FASTPYREPL_LIMITS_MEMORY=1"}, nil, `FASTPYREPL_LIMITS_MEMORY: limits.memory: "1" is not a size: want a number with B, KiB, MiB, GiB or TiB, such as 512MiB`},
		{"a file", nil, []string{"--config", bad}, bad + ":2: server.prot: unknown key; did you mean server.port?"},
		{"a file from a variable", []string{"FASTPYREPL_CONFIG=" + bad}, nil, bad + ":2: server.prot: unknown key; did you mean server.port?"},
		{"a file that is not there", nil, []string{"health", "-c", "/none"}, "read the configuration: open /none: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := command(t, tt.env, tt.args...)
			if want := "fastpyrepl: " + tt.want + "\n"; code != exitUsage || stdout != "" || stderr != want {
				t.Errorf("exit code %d, stdout %q, stderr\n%s want\n%s", code, stdout, stderr, want)
			}
		})
	}
}
