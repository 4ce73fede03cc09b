package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FASTPYREPL_TEST_UPDATE=1 writes the files that the help is compared with.
func TestRun_Help(t *testing.T) {
	for _, name := range []string{"", "health", "run", "exec", "repl", "sessions", "sessions create", "files", "files ls", "files get", "files put", "reset", "config", "config show", "completion"} {
		t.Run("fastpyrepl "+name, func(t *testing.T) {
			code, stdout, stderr := command(t, nil, append(strings.Fields(name), "--help")...)
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, stderr %q", code, stderr)
			}
			golden := filepath.Join("testdata", strings.Join(append([]string{"help"}, strings.Fields(name)...), "-")+".txt")
			if os.Getenv("FASTPYREPL_TEST_UPDATE") != "" {
				writeFile(t, golden, stdout)
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if stdout != string(want) {
				t.Errorf("got:\n%s\nwant, from %s:\n%s", stdout, golden, want)
			}
		})
	}
}
