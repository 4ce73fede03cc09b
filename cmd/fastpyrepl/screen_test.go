package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
)

const (
	columns, rows = 100, 40
	// screenPatience is for what comes at once, on a machine that is busy.
	screenPatience = 30 * time.Second
)

// screen is a terminal in which the program runs, and somebody types.
type screen struct {
	t        *testing.T
	cmd      *exec.Cmd
	terminal *os.File
	shown    vt10x.Terminal
	changed  chan struct{} // holds one when something was shown since the last look; closed at the end
	reading  sync.WaitGroup
	wrote    strings.Builder // all that the program wrote; the reader's, until reading is done
}

// open runs the program in a terminal of its own.
func open(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	opened, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(opened.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true) // else a read would keep it open after Close
	}
	if err != nil {
		t.Fatal(err)
	}
	opened.Close()
	terminal := os.NewFile(uintptr(fd), "terminal")
	s := &screen{t: t, cmd: cmd, terminal: terminal, changed: make(chan struct{}, 1)}
	s.shown = vt10x.New(vt10x.WithWriter(terminal), vt10x.WithSize(columns, rows))
	s.reading.Go(s.read)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		terminal.Close()
		s.reading.Wait()
	})
	return s
}

func (s *screen) read() {
	defer close(s.changed)
	buf := make([]byte, 4096)
	for {
		n, err := s.terminal.Read(buf)
		s.wrote.Write(buf[:n])
		_, _ = s.shown.Write(buf[:n])
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// text is what the screen shows, without what is empty at the ends of lines and of the whole.
func (s *screen) text() string {
	lines := strings.Split(s.shown.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \x00")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// await waits until the screen ends with want.
func (s *screen) await(want string) {
	s.t.Helper()
	s.until("ends with\n"+want, func(text string) bool { return strings.HasSuffix(text, want) })
}

func (s *screen) until(what string, is func(string) bool) {
	s.t.Helper()
	timeout := time.After(screenPatience)
	for !is(s.text()) {
		select {
		case _, open := <-s.changed:
			if !open && !is(s.text()) {
				s.t.Fatalf("the program ended before the screen %s\nIt shows\n%s", what, s.text())
			}
		case <-timeout:
			s.t.Fatalf("the screen never %s\nIt shows\n%s", what, s.text())
		}
	}
}

// typing sends keys, and waits until the screen ends with what they bring about.
func (s *screen) typing(keys, want string) {
	s.t.Helper()
	s.keys(keys)
	s.await(want)
}

func (s *screen) keys(keys string) {
	s.t.Helper()
	if _, err := s.terminal.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the program's end, and returns its exit code.
func (s *screen) ends() int {
	s.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.t.Fatal(err)
		}
	case <-time.After(screenPatience):
		text := s.text()
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // which prints what it is at
		s.reading.Wait()
		<-ended
		s.t.Fatalf("the program does not end; the screen shows\n%s\nIt wrote\n%s", text, s.wrote.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// Keys as terminals send them.
const (
	keyEnter = "\r"
	keyTab   = "\t"
	keyUp    = "\x1b[A"
	keyDown  = "\x1b[B"
	keyLeft  = "\x1b[D"
	keyBack  = "\x7f"
	ctrlA    = "\x01"
	ctrlC    = "\x03"
	ctrlD    = "\x04"
	ctrlE    = "\x05"
	ctrlR    = "\x12"
)
