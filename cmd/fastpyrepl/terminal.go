package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// isTerminal tells whether what is read or written is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hideTyping has a terminal not show what is typed, until the function it returns is called, which ends the line.
func hideTyping(fd int) (show func(), err error) {
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("hide what is typed: %w", err)
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	hidden.Lflag |= unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &hidden); err != nil {
		return nil, fmt.Errorf("hide what is typed: %w", err)
	}
	return func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before)
		_, _ = unix.Write(fd, []byte("\n")) // in the place of the one that was typed
	}, nil
}

// console is the terminal that a person sits at, to read lines from beside the editor.
type console struct {
	file *os.File
	fd   int // of file, whose Fd would make reads of it wait for ever
}

func openConsole() (*console, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0) // anew: reads of it can be given up, those of standard input cannot
	if err != nil {
		return nil, fmt.Errorf("open the terminal: %w", err)
	}
	c := &console{file: f}
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { c.fd = int(fd) })
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the terminal: %w", err)
	}
	return c, nil
}

func (c *console) close() { c.file.Close() }

// maxTyped is how long a line may be that is typed, in bytes. A terminal passes on less.
const maxTyped = 64 << 10

// ask shows a prompt and reads a line; nil is the end of file, Ctrl-D. It is given up when ctx ends, which its error says.
func (c *console) ask(ctx context.Context, prompt string, hidden bool) (*string, error) {
	if hidden {
		show, err := hideTyping(c.fd)
		if err != nil {
			return nil, err
		}
		defer show()
	}
	if _, err := c.file.WriteString(prompt); err != nil { // now that nothing shows
		return nil, fmt.Errorf("write to the terminal: %w", err)
	}
	if err := c.file.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("read the terminal: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line := make([]byte, maxTyped)
	n, err := c.file.Read(line) // a terminal gives a line at a time
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, io.EOF), err == nil && n == 0:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the terminal: %w", err)
	}
	text := strings.ToValidUTF8(strings.TrimSuffix(string(line[:n]), "\n"), "\ufffd")
	return &text, nil
}
