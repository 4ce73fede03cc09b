package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// fasthttp leaves two kinds of goroutine behind: its clock, which is one for good, and the sweeper of a server's workers,
// which looks every ten seconds whether the server is still there.
func TestMain(m *testing.M) {
	os.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // spans come when they are waited for
	if os.Getenv(asCommand) != "" {            // see spawn
		main()
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// asCommand has the test binary be the program, so that a test can send it signals and give it a terminal.
const asCommand = "FASTPYREPL_TEST_COMMAND"

// spawn prepares the program as a process of its own, with a home of its own.
func spawn(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, args...) // cleanups end it as people do
	cmd.Env = append([]string{asCommand + "=1", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TERM=xterm"}, env...)
	return cmd
}

// command runs the program as a shell would, with a home of its own.
func command(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return commandWith(t, "", env, args...)
}

// commandWith is command with something on standard input.
func commandWith(t *testing.T, stdin string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &process{env: append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, env...), stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs}
	code = p.run(t.Context(), args)
	return code, out.String(), errs.String()
}

// writeFile replaces the content of a file in place, and makes it where it is not there.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs f until the test ends, and waits for it.
func start(t *testing.T, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}
