package rest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
	runnerimage "github.com/gjyotin305/fastpyrepl/runner-image"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// live starts a daemon over real containers.
func live(t *testing.T) *api {
	t.Helper()
	image := os.Getenv("FASTPYREPL_TEST_IMAGE")
	if image == "" {
		image = "fastpyrepl/runner:slim"
	}
	rt, err := docker.New(t.Context(), docker.Config{
		Owner: uuid.NewString(), UIDFirst: 40_000, UIDCount: 20_000,
		Images: map[string]docker.Image{"default": {Ref: image}}, DefaultImage: "default",
		SeccompProfile: configs.Seccomp(), Driver: runnerimage.DriverFiles(), DriverHash: runnerimage.DriverHash(),
		RequestTimeout: patience, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("this test needs a Docker Engine: %v", err)
	}
	t.Cleanup(func() {
		if left, err := rt.List(context.WithoutCancel(t.Context())); err != nil || len(left) > 0 {
			t.Errorf("%d containers are left behind, %v", len(left), err)
		}
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := rt.Prepare(t.Context(), io.Discard); err != nil {
		t.Fatalf("this test needs the image %s (make image): %v", image, err)
	}
	return serveOn(t, rt, func(s *settings) {
		s.sandbox.MaxSessions = 8
		s.sandbox.Limits = sandbox.Limits{
			Memory: 256 << 20, CPUs: 1, Pids: 64, WorkDir: 32 << 20, Tmp: 16 << 20, Shm: 16 << 20, Inodes: 120_000, NoFile: 128,
		}
	})
}

// body is that of an execute in session s.
func body(code, more string) string {
	return `{"session_id":"s","code":` + quoted(code) + more + `}`
}

func TestLive_StreamsOfRealContainers(t *testing.T) {
	a := live(t)
	for _, tc := range []struct {
		name string
		test func(*testing.T, *api)
	}{
		{"a print without a newline arrives while the code runs", printWithoutNewline},
		{"a client that leaves interrupts a loop and the variables stay", leaveALoop},
		{"stdin is read to its end", readStdin},
		{"input is asked for and answered", answerInput},
		{"the head and the tail of a flood are kept", floodStdout},
		{"no character is cut in two", cutCharacters},
		{"bytes that are no text are counted", printBytes},
		{"small writes to both streams in turn are joined", writeInTurn},
		{"more displays than are kept are counted", displayMany},
		{"what goes on behind a cell is background", printBehind},
		{"a channel reads its replies in order", channelInOrder},
		{"questions are answered while nothing runs", askQuestions},
		{"an image that is not configured is named, and those that are", askForAnImage},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, a) })
	}
}

func printWithoutNewline(t *testing.T, a *api) {
	e := a.events(t, "POST", "/execute", body("kept = 1\nprint('early', end='')\nwhile True: pass", ""))
	e.need(t, sandbox.EventStarted)
	if m := e.need(t, sandbox.EventStdout); m.Text != "early" {
		t.Errorf("got %q", m.Text)
	}
	if status, text := a.ask(t, "POST", "/v1/sessions/s/interrupt", ""); status != 204 { // only now it ends
		t.Fatalf("%d %s", status, text)
	}
	all := e.rest(t)
	if last := all[len(all)-1]; last.Ending == nil || last.Outcome != "interrupted" || !last.StateKept {
		t.Errorf("got %+v", last)
	}
}

func leaveALoop(t *testing.T, a *api) {
	e := a.events(t, "POST", "/execute", body("print('in', flush=True)\nwhile True: pass", ""))
	id := e.need(t, sandbox.EventStarted).ExecutionID
	e.need(t, sandbox.EventStdout)
	e.leave()
	if r := a.result(t, id); r.Outcome != "interrupted" || !r.StateKept {
		t.Errorf("got %+v", r)
	}
	if r := a.execute(t, body("print(kept)", "")); r.Stdout != "1\n" {
		t.Errorf("got %+v", r)
	}
}

func readStdin(t *testing.T, a *api) {
	code := "import sys\nfirst = input('? ')\nprint(repr((first, sys.stdin.read())))\ninput()"
	r := a.execute(t, body(code, `,"stdin":"naïve\n\u0000b\nc"`))
	if want := `? ('naïve', '\x00b\nc')` + "\n"; r.Stdout != want || r.Exception == nil || r.Exception.Type != "EOFError" {
		t.Errorf("got %q, %+v; want %q, EOFError", r.Stdout, r.Exception, want)
	}
	if r := a.execute(t, body("input()", "")); r.Exception == nil || r.Exception.Type != "EOFError" {
		t.Errorf("without stdin: %+v", r)
	}
	large := strings.Repeat("x", 4<<20)
	if r := a.execute(t, body("len(sys.stdin.read())", `,"stdin":"`+large+`"`)); string(r.Result) != `{"text/plain":"4194304"}` {
		t.Errorf("4 MiB: %+v", r)
	}
}

func answerInput(t *testing.T, a *api) {
	s := a.channel(t, "s")
	s.send(t, `{"type":"execute","ref":"1","code":"print(repr(input('name? ')))\ninput()"}`)
	if m, _ := s.need(t, "1", "input_request"); m.Input.Prompt != "name? " || m.Input.Password {
		t.Errorf("got %+v", m.Input)
	}
	s.send(t, `{"type":"input","text":"Zoë\u0000"}`)
	s.need(t, "1", "input_request")
	s.send(t, `{"type":"input","text":null}`)
	m, _ := s.need(t, "1", "error")
	if m.Exception.Type != "EOFError" {
		t.Errorf("got %+v", m.Exception)
	}
	m, _ = s.need(t, "1", "done")
	if r := a.result(t, m.ExecutionID); !strings.Contains(r.Stdout, `'Zoë\x00'`) {
		t.Errorf("got %q", r.Stdout)
	}
}

func cutCharacters(t *testing.T, a *api) {
	for _, tc := range []struct{ cap, head, tail, out int }{{40, 15, 4, 1962}, {41, 15, 5, 1960}} {
		want := strings.Repeat("é", tc.head) + fmt.Sprintf("\n[... %d bytes left out ...]\n", tc.out) + strings.Repeat("é", tc.tail) + "\n"
		r := a.execute(t, body("print('é' * 1000)", fmt.Sprintf(`,"max_stdout":%d`, tc.cap)))
		if r.Stdout != want || r.Truncated["stdout"] != int64(tc.out) || len(r.InvalidUTF8) != 0 {
			t.Errorf("%d: got %q, %v, %v; want %q", tc.cap, r.Stdout, r.Truncated, r.InvalidUTF8, want)
		}
	}
}

func floodStdout(t *testing.T, a *api) {
	var whole strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&whole, "%07d\n", i)
	}
	want := whole.String()[:3000] + "\n[... 76000 bytes left out ...]\n" + whole.String()[79000:]
	r := a.execute(t, body("for i in range(10000): print(f'{i:07d}')", `,"max_stdout":4000`))
	if r.Stdout != want || r.Truncated["stdout"] != 76000 || r.Outcome != "ok" {
		t.Errorf("got %d bytes, %v, ending in %q", len(r.Stdout), r.Truncated, r.Stdout[max(0, len(r.Stdout)-40):])
	}
}

func printBytes(t *testing.T, a *api) {
	r := a.execute(t, body(`import os; n = os.write(1, b"\xff\x00\x1b[1m\xe2\x82"); n = os.write(2, b"\xc3"); n = os.write(2, b"\xa9")`, ""))
	if r.Stdout != "\ufffd\x00\x1b[1m\ufffd\ufffd" || r.Stderr != "é" || r.InvalidUTF8["stdout"] != 3 || len(r.InvalidUTF8) != 1 {
		t.Errorf("got %q, %q, %v", r.Stdout, r.Stderr, r.InvalidUTF8)
	}
}

func writeInTurn(t *testing.T, a *api) {
	e := a.events(t, "POST", "/execute", body("for i in range(100_000):\n  n = os.write(1, b'o'); n = os.write(2, b'e')", ""))
	all := e.rest(t)
	for _, of := range []sandbox.EventType{sandbox.EventStdout, sandbox.EventStderr} {
		if got := text(all, of); len(got) != 100_000 || strings.Trim(got, string(of[3:4])+"oe") != "" {
			t.Errorf("%s: %d bytes", of, len(got))
		}
	}
	if last := all[len(all)-1]; last.Ending == nil || last.Outcome != "ok" || len(all) > 50_000 {
		t.Errorf("%d events, the last of them %+v", len(all), last)
	}
}

func displayMany(t *testing.T, a *api) {
	r := a.execute(t, body("for i in range(5000): display(i)", ""))
	if len(r.Displays) != 4096 || r.Truncated["display"] == 0 || r.Outcome != "ok" {
		t.Errorf("%d displays, %v, %s", len(r.Displays), r.Truncated, r.Outcome)
	}
}

func printBehind(t *testing.T, a *api) {
	e := a.events(t, "GET", "/v1/sessions/s/events", "")
	code := "import threading\ngo = threading.Event()\ndef behind():\n  go.wait()\n  print('behind', flush=True)\nthreading.Thread(target=behind).start()"
	id := a.execute(t, body(code, "")).ExecutionID
	if r := a.execute(t, body("go.set()", "")); r.Stdout != "" {
		t.Errorf("counted for the next: %q", r.Stdout)
	}
	printed := ""
	for printed != "behind\n" {
		m := e.need(t, sandbox.EventStdout)
		if printed += m.Text; !m.Background || m.ExecutionID != id || len(printed) > 10 {
			t.Fatalf("got %q, %+v", printed, m)
		}
	}
}

func channelInOrder(t *testing.T, a *api) {
	s := a.channel(t, "s")
	for i := range 4 {
		message, err := json.Marshal(map[string]any{"type": "execute", "ref": fmt.Sprint(i), "code": fmt.Sprintf("print(%d); last = %d", i, i)})
		if err != nil {
			t.Fatal(err)
		}
		s.send(t, string(message))
	}
	for ref, got := range s.ended(t, 4) {
		printed := "" // in one event or two
		for _, m := range got {
			printed += m.Text
		}
		if last := got[len(got)-1]; printed != ref+"\n" || last.Outcome != "ok" {
			t.Errorf("%s: got %+v", ref, got)
		}
	}
	if r := a.execute(t, body("print(last)", "")); r.Stdout != "3\n" {
		t.Errorf("the last was not the last: %q", r.Stdout)
	}
}

func askForAnImage(t *testing.T, a *api) {
	status, text := a.ask(t, "POST", "/v1/sessions", `{"session_id":"pictured","image":"nope"}`)
	if want := `image \"nope\" is not configured: it must be one of default"`; status != 422 || !strings.Contains(text, want) {
		t.Errorf("%d %s, want 422 and %s", status, text, want)
	}
	if status, text := a.ask(t, "POST", "/v1/sessions", `{"session_id":"pictured","image":"default"}`); status != 201 {
		t.Errorf("the same id again: %d %s", status, text)
	}
}
