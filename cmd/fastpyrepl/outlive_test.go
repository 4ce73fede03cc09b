package main

import (
	"io"
	"net"
	"strings"
	"testing"
)

func TestRepl_CtrlCGivesUpOnADaemonThatIsGone(t *testing.T) {
	state := t.TempDir()
	var s *screen
	t.Run("the daemon", func(first *testing.T) {
		url := serve(first, "--state-dir", state, "--set", "sessions.on_shutdown=keep").ready()
		s = typist(t, []string{"FASTPYREPL_URL=" + url}, "--session", "typed")
		s.typing("input('in ')"+keyEnter, "\nin")
	})
	s.until("gives up", func(text string) bool {
		if strings.HasSuffix(text, "\nin") || strings.HasSuffix(strings.ReplaceAll(text, "\n", ""), "^C") { // so many that lines wrap
			s.keys(ctrlC) // at every one that is shown: those that come at once are one
		}
		return strings.Contains(text, errAbandoned.Error()+"\n>>>")
	})
	s.keys(":quit" + keyEnter) // behind a Ctrl-C that it did not take; a Ctrl-D that comes before its prompt is no end to a terminal
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	serve(t, "--state-dir", state).ready() // which removes the session at its end
}

// What people run goes on while the daemon is exchanged for another, and they see all of it.
func TestClients_GoOnWithTheNextDaemon(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	args := []string{"--port", port, "--state-dir", t.TempDir()}
	env := []string{"FASTPYREPL_URL=http://127.0.0.1:" + port}
	var piped, streamed *program
	var typed *screen
	t.Run("the first daemon", func(first *testing.T) {
		serve(first, append(args, "--set", "sessions.on_shutdown=keep")...).ready()
		piped = begin(t, env, "exec", "--session", "piped", "print('one'); print(input()); 'three'")
		piped.expect("one\n")
		streamed = begin(t, env, "exec", "--session", "streamed", "--stdin", "/dev/null", "import time; print('one'); time.sleep(2); print('two'); 'three'")
		streamed.expect("one\n")
		typed = typist(t, env, "--session", "typed")
		typed.typing("kept = 7; input('go? ')"+keyEnter, "\ngo?")
	}) // at whose end it is stopped
	serve(t, args...).ready()
	if _, err := io.WriteString(piped.stdin, "two\n"); err != nil {
		t.Fatalf("%v: exit code %d, stderr %q", err, piped.wait(), piped.stderr.String())
	}
	for name, p := range map[string]*program{"piped": piped, "streamed": streamed} {
		p.expect("two\n'three'\n")
		if code := p.wait(); code != 0 || p.stderr.String() != "" {
			t.Errorf("%s: exit code %d, stderr %q", name, code, p.stderr.String())
		}
	}
	typed.typing("yes"+keyEnter, "go? yes\n'yes'\n>>>")
	typed.typing("kept"+keyEnter, ">>> kept\n7\n>>>")
	if code, _, stderr := command(t, env, "reset", "--all"); code != 0 {
		t.Errorf("reset: %s", stderr)
	}
}
