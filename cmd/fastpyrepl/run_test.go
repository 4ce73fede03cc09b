package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/client"
)

// serving starts a daemon on the real engine, and returns the environment in which commands find it.
func serving(t *testing.T, args ...string) []string {
	t.Helper()
	return []string{"FASTPYREPL_URL=" + serve(t, append([]string{"--state-dir", t.TempDir()}, args...)...).ready()}
}

// sessions lists the ids of those that are there.
func sessions(t *testing.T, env []string) string {
	t.Helper()
	code, stdout, stderr := command(t, env, "sessions", "--json")
	var list struct {
		Sessions []struct {
			ID string `json:"session_id"`
		} `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(stdout), &list); code != 0 || err != nil {
		t.Fatalf("sessions: exit code %d, %v, %s", code, err, stderr)
	}
	var ids []string
	for _, s := range list.Sessions {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, " ")
}

func TestRunAndExec_OnARealDaemon(t *testing.T) {
	env := serving(t)
	for name, test := range map[string]func(*testing.T, []string){
		"exit codes":                    exitCodesOfOutcomes,
		"a line comes while code runs":  streams,
		"Ctrl-C":                        interrupts,
		"a second Ctrl-C":               leaves,
		"SIGTERM":                       terminates,
		"a terminal that closes":        hangsUp,
		"stdin in every form":           readsStdin,
		"JSON and events":               printsJSON,
		"pictures are files":            savesPictures,
		"more output than is kept":      tellsWhatWasLeftOut,
		"sessions kept and environment": keepsSessions,
	} {
		t.Run(name, func(t *testing.T) { test(t, env) })
	}
	if left := sessions(t, env); left != "" {
		t.Errorf("sessions are left: %s", left)
	}
}

func exitCodesOfOutcomes(t *testing.T, env []string) {
	for _, tt := range []struct {
		code   string
		args   []string
		exit   int
		stdout string
		stderr string // is in it
	}{
		{"print('out'); 40 + 2", nil, 0, "out\n42\n", ""},
		{"None", nil, 0, "", ""},
		{"exit()", nil, 0, "", ""},
		{"1 / 0", nil, 1, "", "ZeroDivisionError: division by zero\n"},
		{"1 +", nil, 1, "", "SyntaxError: invalid syntax\n"},
		{"exit(7)", nil, 7, "", ""},
		{"exit(-1)", nil, 255, "", ""},
		{"exit('told why')", nil, 1, "", "told why\n"},
		{"while True: pass", []string{"--timeout", "300ms"}, 124, "", "fastpyrepl: timeout: the execution was interrupted after 300ms\n"},
		{"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", []string{"--timeout", "300ms"}, 124, "",
			"fastpyrepl: timeout: the execution was interrupted after 300ms; it did not end within 2 s more, and was killed; the session's variables are lost\n"},
		{"import os; os.abort()", nil, 134, "", "fastpyrepl: crashed: "},
		{"import mmap\nm = mmap.mmap(-1, 4 << 30)\nfor i in range(0, 4 << 30, 4096): m[i] = 1", nil, 137, "", "fastpyrepl: oom: "},
		{"x", []string{"--image", "none"}, 125, "", `image "none" is not configured`},
		{"x", []string{"--session", "a/b"}, 125, "", "String should match pattern"},
		{"x", []string{"--timeout", "2h"}, 125, "", "timeout"},
	} {
		code, stdout, stderr := command(t, env, append([]string{"exec", tt.code}, tt.args...)...)
		if code != tt.exit || stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d, %q, %q", tt.code, code, stdout, stderr, tt.exit, tt.stdout, tt.stderr)
		}
	}
	p := begin(t, env, "exec", "--session", "ended", "print('in')\nwhile True: pass")
	p.expect("in\n")
	if code, _, stderr := command(t, env, "reset", "ended"); code != 0 {
		t.Errorf("reset: %d, %s", code, stderr)
	}
	if code := p.wait(); code != 143 || !strings.Contains(p.stderr.String(), "cancelled") {
		t.Errorf("its session was ended: exit code %d, stderr %q", code, p.stderr.String())
	}
}

func tellsWhatWasLeftOut(t *testing.T, env []string) {
	code, stdout, stderr := command(t, env, "exec", "print('x' * (2 << 20)); import sys; print('y' * (1 << 20), end='', file=sys.stderr)")
	if want := "fastpyrepl: 1048577 bytes of stdout were left out, which the daemon's execution.max_stdout bounds\n"; code != 0 ||
		!strings.HasSuffix(stderr, "y"+want) || !strings.Contains(stdout, "[... 1048577 bytes left out ...]") {
		t.Errorf("exit code %d, %d bytes, stderr ends in %q; want %q", code, len(stdout), stderr[max(0, len(stderr)-200):], want)
	}
}

// program is the program as a process, with pipes.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr strings.Builder
}

func begin(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: spawn(t, env, args...)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// expect reads so much of stdout, and nothing more.
func (p *program) expect(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(p.stdout, got); err != nil || string(got) != want {
		p.t.Fatalf("got %q, %v; want %q; exit code %d, stderr %q", got[:n], err, want, p.wait(), p.stderr.String())
	}
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait reads the rest of stdout, which must be empty, and returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	if rest, err := io.ReadAll(p.stdout); err != nil || len(rest) > 0 {
		p.t.Errorf("more on stdout: %q, %v", rest, err)
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func streams(t *testing.T, env []string) {
	p := begin(t, env, "exec", "print('one')\nprint('two', end='')\nprint(input('? '))")
	p.expect("one\ntwo? ") // and the code waits now
	if _, err := io.WriteString(p.stdin, "three\n"); err != nil {
		t.Fatal(err)
	}
	p.expect("three\n")
	if code := p.wait(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, p.stderr.String())
	}
}

func interrupts(t *testing.T, env []string) {
	p := begin(t, env, "exec", "try:\n  print('in')\n  while True: pass\nfinally:\n  print('cleaned up')")
	p.expect("in\n")
	p.signal(syscall.SIGINT)
	p.expect("cleaned up\n")
	if code := p.wait(); code != 130 || !strings.Contains(p.stderr.String(), "KeyboardInterrupt\nfastpyrepl: interrupted: ") {
		t.Errorf("exit code %d, stderr %q", code, p.stderr.String())
	}
	p = begin(t, env, "exec", "input('? ')") // with a stdin that says nothing
	p.expect("? ")
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 130 {
		t.Errorf("within input(): exit code %d, stderr %q", code, p.stderr.String())
	}
}

func leaves(t *testing.T, env []string) {
	p := begin(t, env, "exec", "print('in')\nwhile True:\n  try:\n    while True: pass\n  except BaseException:\n    print('no')")
	p.expect("in\n")
	p.signal(syscall.SIGINT)
	p.expect("no\n")
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 130 || p.stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, p.stderr.String())
	}
}

func terminates(t *testing.T, env []string) {
	p := begin(t, env, "exec", "print('in')\nwhile True: pass")
	p.expect("in\n")
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 143 {
		t.Errorf("exit code %d, stderr %q", code, p.stderr.String())
	}
}

// hangsUp: the shell sends a SIGHUP, and the kernel another. That the session is gone all the same, all tests here check at their end.
func hangsUp(t *testing.T, env []string) {
	p := begin(t, env, "exec", "print('in')\nwhile True: pass")
	p.expect("in\n")
	p.signal(syscall.SIGHUP)
	p.signal(syscall.SIGHUP)
	if code := p.wait(); code != 129 {
		t.Errorf("exit code %d, stderr %q", code, p.stderr.String())
	}
}

func readsStdin(t *testing.T, env []string) {
	const sum = "import sys; sum(map(int, sys.stdin))"
	var numbers strings.Builder
	for range 200_000 {
		numbers.WriteString("12345678\n")
	}
	path := filepath.Join(t.TempDir(), "numbers")
	writeFile(t, path, numbers.String())
	want := "2469135600000\n"
	for _, tt := range []struct{ name, stdin, code, want string }{
		{"many lines", numbers.String(), sum, want},
		{"no line end", "a", "repr(input())", `"'a'"` + "\n"},
		{"nothing", "", "import sys; sys.stdin.read()", "''\n"},
		{"empty lines", "\n\nä\n", "import sys; sys.stdin.read()", `'\n\nä\n'` + "\n"},
	} {
		if code, stdout, stderr := commandWith(t, tt.stdin, env, "exec", tt.code); code != 0 || stdout != tt.want {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", tt.name, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := command(t, env, "exec", sum, "--stdin", path); code != 0 || stdout != want {
		t.Errorf("--stdin: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	for name, want := range map[string]string{path: want, os.DevNull: "0\n"} {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := spawn(t, env, "exec", sum)
		cmd.Stdin = file
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s: %v, %q", name, err, out)
		}
		file.Close()
	}
	code, stdout, _ := commandWith(t, "import sys\nprint('from stdin', repr(sys.stdin.read()))\n'not shown'", env, "run", "-")
	if code != 0 || stdout != "from stdin ''\n" {
		t.Errorf("run -: exit code %d, %q", code, stdout)
	}
	for stdin, want := range map[string]string{
		strings.Repeat("x", maxChunk+1):    "a line of standard input is longer than 512 KiB: name a file with --stdin",
		"\xff\n":                           "standard input is not text in UTF-8",
		strings.Repeat("\x01", maxChunk-1): "",
	} {
		code, _, stderr := commandWith(t, stdin, env, "exec", "len(input())")
		if want == "" && code != 0 || want != "" && (code != exitFailure || stderr != "fastpyrepl: "+want+"\n") {
			t.Errorf("%.5q: exit code %d, stderr %q", stdin, code, stderr)
		}
	}
	script := filepath.Join(t.TempDir(), "s.py")
	writeFile(t, script, "\ufeff#!/usr/bin/env python3\nprint(input())")
	if code, stdout, stderr := commandWith(t, "a\n", env, "run", script); code != 0 || stdout != "a\n" {
		t.Errorf("run FILE: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func printsJSON(t *testing.T, env []string) {
	const code = "import sys; a = 1; print('out'); print('err', file=sys.stderr); input(); 1 / 0"
	exit, stdout, stderr := commandWith(t, "x\n", env, "exec", code, "--json", "--locals")
	var r client.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	if exit != 1 || stderr != "" || strings.Count(stdout, "\n") != 1 || r.Stdout != "out\n" || !strings.HasPrefix(r.Stderr, "err\nTraceback") ||
		string(r.Locals["a"]) != "1" || r.Exception.Type != "ZeroDivisionError" {
		t.Errorf("--json: exit code %d, stdout %s, stderr %q", exit, stdout, stderr)
	}
	exit, stdout, stderr = commandWith(t, "x\n", env, "exec", code, "--events")
	var types []string
	for line := range strings.Lines(stdout) {
		var ev client.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		types = append(types, ev.Type)
	}
	got := strings.Join(types, " ")
	before, after, _ := strings.Cut(got, " input_request ") // two streams have no order between them
	if exit != 1 || stderr != "" || !strings.HasPrefix(before, "started ") || !strings.Contains(before, " stdout") || !strings.Contains(before, " stderr") || !strings.HasSuffix(after, "error done") {
		t.Errorf("--events: exit code %d, %s, stderr %q", exit, got, stderr)
	}
}

func savesPictures(t *testing.T, env []string) {
	const code = "display({'image/png': b'PNG', 'text/plain': 'no'}, raw=True)\ndisplay({'text/plain': 'text'}, raw=True)\n" +
		"class P:\n  def _repr_svg_(self): return '<svg/>'\nP()"
	dir := filepath.Join(t.TempDir(), "new")
	exit, stdout, stderr := command(t, env, "exec", code, "--figures-dir", dir)
	first, second := filepath.Join(dir, "figure-1.png"), filepath.Join(dir, "figure-2.svg")
	if exit != 0 || stdout != "text\n" || stderr != first+"\n"+second+"\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", exit, stdout, stderr)
	}
	for path, want := range map[string]string{first: "PNG", second: "<svg/>"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if _, _, stderr = command(t, env, "exec", code, "--figures-dir", dir); !strings.HasPrefix(stderr, filepath.Join(dir, "figure-2.png")) {
		t.Errorf("a second time: %q", stderr)
	}
	if _, _, stderr = command(t, append(env, "TMPDIR="+dir), "exec", code); !strings.Contains(stderr, "fastpyrepl-figures-") {
		t.Errorf("without a directory: %q", stderr)
	}
}

func keepsSessions(t *testing.T, env []string) {
	exit, _, stderr := command(t, env, "exec", "x = 1", "--keep")
	id, ok := strings.CutPrefix(strings.TrimSpace(stderr), "session ")
	if exit != 0 || !ok || sessions(t, env) != id {
		t.Fatalf("--keep: exit code %d, stderr %q, sessions %s", exit, stderr, sessions(t, env))
	}
	if exit, stdout, stderr := command(t, env, "exec", "x", "--session", id); exit != 0 || stdout != "1\n" {
		t.Errorf("in it: exit code %d, stdout %q, stderr %q", exit, stdout, stderr)
	}
	if exit, stdout, stderr := command(t, append(env, "HERE=there"), "exec", "import os; os.environ['A'], os.environ['HERE']", "--session", "fresh", "--env", "A=b=c", "--env", "HERE"); exit != 0 || stdout != "('b=c', 'there')\n" {
		t.Errorf("--env: exit code %d, stdout %q, stderr %q", exit, stdout, stderr)
	}
	if exit, _, stderr := command(t, env, "exec", "1", "--session", "fresh", "--env", "A=b"); exit != exitUsage || !strings.Contains(stderr, "session fresh is there already") {
		t.Errorf("--env for an old one: exit code %d, stderr %q", exit, stderr)
	}
	if exit, stdout, stderr := command(t, env, "sessions"); exit != 0 || !strings.HasPrefix(stdout, "SESSION ") || !strings.Contains(stdout, "\nfresh ") || strings.Count(stdout, "\n") != 3 {
		t.Errorf("sessions: exit code %d, stderr %q, stdout\n%s", exit, stderr, stdout)
	}
	if exit, stdout, stderr := command(t, env, "sessions", "create", "made", "--memory", "1GiB", "--idle-ttl", "1h", "--cpus", "0.5"); exit != 0 || stdout != "made\n" {
		t.Errorf("sessions create: exit code %d, stdout %q, stderr %q", exit, stdout, stderr)
	}
	if exit, _, stderr := command(t, env, "sessions", "create", "made"); exit != exitTrouble || !strings.Contains(stderr, "made") {
		t.Errorf("again: exit code %d, stderr %q", exit, stderr)
	}
	if exit, _, stderr := command(t, env, "sessions", "rm", "fresh", "nobody"); exit != exitTrouble || stderr != "fastpyrepl: no session nobody\n" {
		t.Errorf("sessions rm: exit code %d, stderr %q", exit, stderr)
	}
	if got := sessions(t, env); got != id+" made" {
		t.Errorf("left are %s", got)
	}
	if exit, stdout, stderr := command(t, env, "reset", "--all"); exit != 0 || stdout != "" || stderr != "" {
		t.Errorf("reset --all: exit code %d, stdout %q, stderr %q", exit, stdout, stderr)
	}
}
