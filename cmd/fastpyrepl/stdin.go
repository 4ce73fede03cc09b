package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

const (
	// maxRead bounds a file of code or of input, in bytes. What the daemon takes, it says itself.
	maxRead = 256 << 20
	// maxChunk bounds a line of live input, in bytes: as JSON it may be six times as long.
	maxChunk = 512 << 10
)

// readText reads a file, or standard input for "-", that holds text.
func (p *process) readText(path string) (string, error) {
	r := p.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, maxRead+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", path, err)
	case len(text) > maxRead:
		return "", fmt.Errorf("%s: larger than %d MiB", path, maxRead>>20)
	case !utf8.Valid(text):
		return "", fmt.Errorf("%s: not text in UTF-8", path)
	}
	return string(bytes.TrimPrefix(text, []byte("\ufeff"))), nil
}

// programInput is what code reads as its stdin: text that is known already, or what comes while it runs; nil for none.
func (p *process) programInput(path string) (text string, live *feed, err error) {
	if path != "" && path != "-" {
		text, err = p.readText(path)
		return text, nil, err
	}
	f, ok := p.stdin.(*os.File)
	if !ok {
		return "", newFeed(p.stdin, -1), nil
	}
	if info, err := f.Stat(); err != nil {
		return "", nil, nil // it is closed
	} else if info.Mode().IsRegular() {
		text, err = p.readText("-")
		return text, nil, err
	}
	if isTerminal(f) {
		return "", newFeed(f, int(f.Fd())), nil
	}
	if device, err := os.Stat(os.DevNull); err == nil {
		if info, err := f.Stat(); err == nil && os.SameFile(device, info) {
			return "", nil, nil
		}
	}
	return "", newFeed(f, -1), nil
}

// feed gives a program the lines of what is read while it runs, as it asks for them.
type feed struct {
	r        *bufio.Reader
	terminal int // its descriptor, -1 for none
}

func newFeed(r io.Reader, terminal int) *feed {
	return &feed{r: bufio.NewReaderSize(r, maxChunk), terminal: terminal}
}

// next reads a line, without its end, and what other whole lines have come with it; nil is the end.
func (f *feed) next(hidden bool) (*string, error) {
	if hidden && f.terminal >= 0 {
		show, err := hideTyping(f.terminal)
		if err != nil {
			return nil, err
		}
		defer show()
	}
	line, err := f.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("a line of standard input is longer than %d KiB: name a file with --stdin", maxChunk>>10)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read standard input: %w", err)
	case len(line) == 0:
		return nil, nil
	}
	text := string(line)
	more, _ := f.r.Peek(min(f.r.Buffered(), maxChunk-len(text))) // which is there
	more = more[:bytes.LastIndexByte(more, '\n')+1]
	text += string(more)
	_, _ = f.r.Discard(len(more))
	if !utf8.ValidString(text) {
		return nil, errors.New("standard input is not text in UTF-8")
	}
	if text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	return &text, nil
}
