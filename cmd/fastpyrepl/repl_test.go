package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/client"
)

// typist starts a repl in a terminal, and waits for its first prompt.
func typist(t *testing.T, env []string, args ...string) *screen {
	t.Helper()
	s := open(t, spawn(t, append([]string{"NO_COLOR=1"}, env...), append([]string{"repl"}, args...)...))
	s.until("has a prompt", func(text string) bool { return strings.HasSuffix(text, "Ctrl-D to leave.\n>>>") })
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil { // it has not left
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			s.ends()
		}
	})
	return s
}

func TestRepl_InATerminal(t *testing.T) {
	env := serving(t)
	for name, test := range map[string]func(*testing.T, []string){
		"editing and history":           editsLines,
		"code of several lines":         typesBlocks,
		"a block that is pasted":        pastesBlocks,
		"completion":                    completes,
		"Ctrl-C":                        interruptsCells,
		"input":                         asksForInput,
		"pictures":                      printsPaths,
		"output as it comes":            printsWhileItRuns,
		"commands":                      runsCommands,
		"a session that is lost":        goesOnWithANewSession,
		"a session that stays":          usesANamedSession,
		"leaving":                       leavesAndRemoves,
		"colours":                       coloursTracebacks,
		"a process that dies":           tellsOfLostVariables,
		"text in any language":          typesUnicode,
		"a session with an environment": passesTheEnvironment,
	} {
		t.Run(name, func(t *testing.T) { test(t, env) })
	}
	if left := sessions(t, env); left != "" {
		t.Errorf("sessions are left: %s", left)
	}
}

func editsLines(t *testing.T, env []string) {
	home := "HOME=" + t.TempDir()
	s := typist(t, append(env, home))
	s.typing("6 * 8"+keyBack+"7"+keyEnter, ">>> 6 * 7\n42\n>>>")
	s.typing("rint(1, 2)"+ctrlA+"p"+ctrlE+keyLeft+" + 1"+keyEnter, ">>> print(1, 2 + 1)\n1 3\n>>>")
	s.typing(keyUp+keyUp, ">>> 6 * 7")
	s.typing(keyDown, ">>> print(1, 2 + 1)")
	s.typing(ctrlC, ">>> print(1, 2 + 1)\n>>>")
	s.typing(ctrlR+"6 *", "6 * 7")
	s.typing(keyEnter+keyEnter, ">>> 6 * 7\n42\n>>>")
	s.typing("  "+keyEnter, "42\n>>>\n>>>")
	s.keys(ctrlD)
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	path := filepath.Join(strings.TrimPrefix(home, "HOME="), ".local", "state", "fastpyrepl", "repl_history")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
	s = typist(t, append(env, home))
	s.typing(keyUp+keyUp, ">>> print(1, 2 + 1)")
	s.keys(ctrlC + ctrlD) // at once
	s.ends()
}

func typesBlocks(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("def double(n):"+keyEnter, ">>> def double(n):\n...")
	s.typing("if n:"+keyEnter, ">>> def double(n):\n│       if n:\n...")
	s.typing("return 2 * n"+keyEnter, "│       if n:\n│           return 2 * n\n...") // and one step back
	s.typing("return 'none'"+keyEnter, "│           return 2 * n\n│       return 'none'\n...")
	s.typing(keyEnter, "│       return 'none'\n...\n>>>")
	s.typing("double(21), double(0)"+keyEnter, ">>> double(21), double(0)\n(42, 'none')\n>>>")
	s.typing(keyUp+keyUp, ">>> def double(n):\n│       if n:\n│           return 2 * n\n...     return 'none'")
	s.typing(ctrlC, "return 'none'\n>>>")
	s.typing("[1,"+keyEnter+"2]"+keyEnter, ">>> [1,\n... 2]\n[1, 2]\n>>>")
	s.typing("if True:"+keyEnter+keyTab+"1"+keyEnter+keyEnter, "│           1\n...\n>>>") // Tab indents once more
	s.typing("1 +"+keyEnter, "SyntaxError: invalid syntax\n>>>")
}

func pastesBlocks(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("\x1b[200~def f(a):\r    b = a\r\r    return b\r\rprint(f(7))\x1b[201~", "│       return b\n│\n... print(f(7))")
	s.typing(keyEnter, "... print(f(7))\n7\n>>>")
}

func completes(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("value_one = value_two = 'text'; lonely = 1"+keyEnter, "lonely = 1\n>>>")
	s.typing("lon"+keyTab, ">>> lonely")
	s.typing(" + 1"+keyEnter, ">>> lonely + 1\n2\n>>>")
	s.typing("val"+keyTab, ">>> value_\nvalue_one  value_two")
	s.typing("t"+keyTab, ">>> value_two")
	s.typing(".upp"+keyTab, ">>> value_two.upper")
	s.typing("()"+keyEnter, ">>> value_two.upper()\n'TEXT'\n>>>")
	s.typing("nothing_like"+keyTab+"_it = 5"+keyEnter, ">>> nothing_like_it = 5\n>>>")
	s.typing("import js"+keyTab, ">>> import json")
	s.typing(keyEnter+"json.loa"+keyTab, ">>> import json\n>>> json.load\nload  loads")
	s.typing(ctrlC, "json.load\n>>>")
	s.typing("größe_a = größe_b = 1"+keyEnter+"gr"+keyTab, ">>> größe_\ngröße_a  größe_b")
	s.typing("a"+keyTab+keyEnter, ">>> größe_a\n1\n>>>")
	s.typing(":he"+keyTab, ">>> :help")
	s.typing(ctrlC, ">>> :help\n>>>")
}

func interruptsCells(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("kept = 7"+keyEnter, ">>> kept = 7\n>>>")
	s.typing(`exec("print('in')\nwhile True: pass")`+keyEnter, "\nin")
	s.typing(ctrlC, "KeyboardInterrupt\n>>>")
	s.typing("kept"+keyEnter, ">>> kept\n7\n>>>")
}

func asksForInput(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("name = input('name? ')"+keyEnter, "\nname?")
	s.typing("Zoë"+keyEnter, "name? Zoë\n>>>")
	s.typing("name"+keyEnter, ">>> name\n'Zoë'\n>>>")
	s.typing("import getpass; len(getpass.getpass('key? '))"+keyEnter, "\nkey?")
	s.typing("hunter2"+keyEnter, "key?\n7\n>>>")
	s.typing("sum(int(input('n? ')) for _ in range(2))"+keyEnter, "\nn?")
	s.typing("1"+keyEnter, "n? 1\nn?")
	s.typing("2"+keyEnter, "n? 2\n3\n>>>")
	s.typing("input('end? ')"+keyEnter, "\nend?")
	s.typing(ctrlD, "EOFError: EOF when reading a line\n>>>")
	s.typing("input('stop? ')"+keyEnter, "\nstop?")
	s.typing(ctrlC, "KeyboardInterrupt\n>>>")
	s.typing("name"+keyEnter, ">>> name\n'Zoë'\n>>>") // the terminal is the editor's again
	s.keys(ctrlD)
	s.ends()
	s.reading.Wait()
	if strings.Contains(s.wrote.String(), "hunter2") {
		t.Error("what was to be hidden was shown")
	}
}

func printsPaths(t *testing.T, env []string) {
	dir := t.TempDir()
	s := typist(t, env, "--figures-dir", dir)
	path := filepath.Join(dir, "figure-1.png")
	s.typing("display({'image/png': b'PNG', 'text/plain': 'no'}, raw=True); 1"+keyEnter, path+"\n1\n>>>")
	if got, err := os.ReadFile(path); err != nil || string(got) != "PNG" {
		t.Errorf("got %q, %v", got, err)
	}
}

func printsWhileItRuns(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("print('one'); input(); print('two', end='')"+keyEnter, "\none")
	s.typing(keyEnter, "one\n\ntwo\n>>>")
	s.typing("import threading; go = threading.Event(); t = threading.Thread(target=lambda: (go.wait(), print('behind')))"+keyEnter+"t.start()"+keyEnter, "t.start()\n>>>")
	const behind = "\nbehind\n>>>" // before a prompt, as soon as it is known here
	s.keys("go.set(); t.join()" + keyEnter)
	s.until("has a prompt again", func(text string) bool {
		return strings.HasSuffix(text, "t.join()\n>>>") || strings.HasSuffix(text, behind)
	})
	for n := 0; !strings.Contains(s.text(), behind); n++ {
		if n == 1000 {
			t.Fatalf("what is behind is not shown; the screen shows\n%s", s.text())
		}
		number := fmt.Sprint(n)
		s.keys(number + keyEnter)
		s.until("has run "+number, func(text string) bool {
			return strings.HasSuffix(text, "\n"+number+"\n>>>") || strings.HasSuffix(text, behind)
		})
	}
}

func runsCommands(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("items = [1, 2]; text = 'x' * 100"+keyEnter, "100\n>>>")
	s.typing(":vars"+keyEnter, "items  list  2    [1, 2]\ntext   str   100  '"+strings.Repeat("x", 56)+"...\n>>>")
	s.typing(":doc len"+keyEnter, "len(obj, /)\nReturn the number of items in a container.\n<built-in function len>\n>>>")
	s.typing(":doc nobody"+keyEnter, "nobody stands for nothing\n>>>")
	s.typing(":vars now"+keyEnter, "want :vars\n>>>")
	s.typing(":doc"+keyEnter, "want :doc NAME\n>>>")
	s.typing(":nothing"+keyEnter, "there is no :nothing; :help lists what there is\n>>>")
	s.typing(":help"+keyEnter, "Ctrl-D      leaves\n>>>")
	s.keys(":time len(items)" + keyEnter)
	s.until("tells a time", regexp.MustCompile(`\n2\n0\.\d{6} s\n>>>$`).MatchString)
	s.keys(":reset" + keyEnter)
	s.until("tells of the reset", regexp.MustCompile(`session \S+ has begun anew\n>>>$`).MatchString)
	s.typing("items"+keyEnter, "NameError: name 'items' is not defined. Did you mean: 'iter'?\n>>>")
	s.keys(":quit" + keyEnter)
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// endSession ends a session as one that is lost, or has expired, does: its id answers 410.
func endSession(t *testing.T, env []string, id string) {
	t.Helper()
	c, err := client.New(strings.TrimPrefix(env[0], "FASTPYREPL_URL="))
	if err != nil {
		t.Fatal(err)
	}
	soon := 50 * time.Millisecond
	if _, err := c.ExtendSession(t.Context(), id, &soon, nil); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.SessionEvents(t.Context(), id, 0) { // which end with it
		if err != nil && client.Status(err) != 410 {
			t.Fatal(err)
		}
	}
}

func goesOnWithANewSession(t *testing.T, env []string) {
	s := typist(t, env, "--session", "fragile")
	s.typing("x = 1"+keyEnter, ">>> x = 1\n>>>")
	endSession(t, env, "fragile")
	s.typing("x"+keyEnter, "Go on with a new one, without its variables? [Y/n]")
	s.typing(keyEnter, ">>>")
	s.typing("x"+keyEnter, "NameError: name 'x' is not defined\n>>>")
	endSession(t, env, "fragile")
	s.typing("x"+keyEnter, "Go on with a new one, without its variables? [Y/n]")
	s.keys("n" + keyEnter)
	if code := s.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	command(t, env, "reset", "fragile")
}

func usesANamedSession(t *testing.T, env []string) {
	s := typist(t, env, "--session", "named")
	s.typing("x = 'kept'"+keyEnter, ">>> x = 'kept'\n>>>")
	s.keys(ctrlD)
	s.ends()
	if code, stdout, stderr := command(t, env, "exec", "--session", "named", "x"); code != 0 || stdout != "'kept'\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	p := open(t, spawn(t, env, "repl", "--session", "named", "--image", "default"))
	p.until("refuses", func(text string) bool { return strings.Contains(text, "session named is there already") })
	if code := p.ends(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	command(t, env, "reset", "named")
}

func leavesAndRemoves(t *testing.T, env []string) {
	for name, leave := range map[string]func(*screen){
		"Ctrl-D":               func(s *screen) { s.keys(ctrlD) },
		"SIGTERM":              func(s *screen) { _ = s.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGTERM in a menu":    func(s *screen) { s.typing("pri"+keyTab, ">>> print"); _ = s.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGTERM in a cell":    func(s *screen) { s.typing("input('in ')"+keyEnter, "\nin"); _ = s.cmd.Process.Signal(syscall.SIGTERM) },
		"the terminal's end":   func(s *screen) { s.terminal.Close() },
		"its end during input": func(s *screen) { s.typing("input('in ')"+keyEnter, "\nin"); s.terminal.Close() },
	} {
		s := typist(t, env)
		id := regexp.MustCompile(`session (\S+) at`).FindStringSubmatch(s.text()) // now: who is told to leave while a menu is drawn may take it away
		if id == nil {
			t.Fatalf("%s: no session in\n%s", name, s.text())
		}
		leave(s)
		want := 143
		if name == "Ctrl-D" {
			want = 0
		}
		if code := s.ends(); code != want && !strings.Contains(name, "end") {
			t.Errorf("%s: exit code %d, want %d", name, code, want)
		}
		if strings.Contains(sessions(t, env), id[1]) {
			t.Errorf("%s: its session is left", name)
		}
	}
	code, stdout, stderr := command(t, env, "repl")
	if code != exitUsage || stdout != "" || stderr != "fastpyrepl: repl: this is no terminal; `fastpyrepl run -` runs what comes on stdin\n" {
		t.Errorf("without a terminal: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func coloursTracebacks(t *testing.T, env []string) {
	s := open(t, spawn(t, env, "repl"))
	s.until("has a prompt", func(text string) bool { return strings.HasSuffix(text, ">>>") })
	s.typing("1 / 0"+keyEnter, "ZeroDivisionError: division by zero\n>>>")
	s.keys(ctrlD)
	s.ends()
	s.reading.Wait()
	if want := styleError + "ZeroDivisionError: division by zero" + styleEnd; !strings.Contains(s.wrote.String(), want) {
		t.Errorf("no %q in %q", want, s.wrote.String())
	}
}

func tellsOfLostVariables(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("x = 1"+keyEnter+"import os; os._exit(3)"+keyEnter, "crashed: the worker exited with status 3; the session's variables are lost\n>>>")
	s.typing("2"+keyEnter, ">>> 2\n2\n>>>")
	s.typing("x"+keyEnter, "NameError: name 'x' is not defined\n>>>")
}

func typesUnicode(t *testing.T, env []string) {
	s := typist(t, env)
	s.typing("'ä' + '漢字' + '€'"+keyEnter, "'ä漢字€'\n>>>")
}

func passesTheEnvironment(t *testing.T, env []string) {
	s := typist(t, env, "--env", "STAGE=test", "--timeout", "300ms")
	s.typing("import os; os.environ['STAGE']"+keyEnter, "'test'\n>>>")
	s.typing("while True: pass"+keyEnter, "timeout: the execution was interrupted after 300ms\n>>>")
}
