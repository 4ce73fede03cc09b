package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"
	"github.com/rivo/uniseg"
	"golang.org/x/term"

	"github.com/gjyotin305/fastpyrepl/client"
)

const (
	firstPrompt = ">>> "
	morePrompt  = "... "
	tabWidth    = 4
	// typingTime is how long whoever types may be kept waiting for an answer to what they typed.
	typingTime = 3 * time.Second
)

var (
	errCleared = errors.New("the line was given up") // with Ctrl-C
	errLeft    = io.EOF                              // with Ctrl-D
)

// asker answers what the editor wants to know of the session.
type asker interface {
	Complete(ctx context.Context, code string, cursor int) (*client.Completion, error)
	IsComplete(ctx context.Context, code string) (*client.Completeness, error)
}

// editor reads code from the terminal, as many lines as it has.
type editor struct {
	shell *readline.Shell
	ask   asker
	ctx   context.Context // of what is asked; ends with the program

	out      io.Writer
	terminal int // its descriptor

	listed readline.Completions // what the library's menu shows
}

// newEditor makes one on the terminal that is the process's standard input and output.
func newEditor(ctx context.Context, ask asker, past readline.History) *editor {
	shell := readline.NewShell(inputrc.WithApp("fastpyrepl"))
	e := &editor{shell: shell, ask: ask, ctx: ctx, out: os.Stdout, terminal: int(os.Stdout.Fd())}
	shell.Prompt.Primary(func() string { return firstPrompt })
	shell.Prompt.Secondary(func() string { return morePrompt })
	for name, value := range map[string]any{
		"enable-bracketed-paste": true,
		"blink-matching-paren":   false,
		"input-meta":             true, // UTF-8, whatever the locale says
		"output-meta":            true,
		"convert-meta":           false,
		"multiline-column":       true, // marks the lines between the first and the last
		// The library would ask the terminal at every key where its cursor is, and lose what is typed meanwhile. What it
		// needs to know, whether there is a row below, reserve sees to.
		"cursor-position-probe": false,
	} {
		_ = shell.Config.Set(name, value)
	}
	shell.History.Add("history", past)
	shell.SyntaxHighlighter = e.shown
	shell.Completer = func([]rune, int) readline.Completions { return e.listed }
	shell.Keymap.Register(map[string]func(){"python-enter": e.enter, "python-tab": e.tab, "python-clear": e.clear})
	for _, keymap := range []string{"emacs", "emacs-standard", "vi-insert"} {
		for key, command := range map[string]string{`\C-m`: "python-enter", `\C-j`: "python-enter", `\C-i`: "python-tab", `\C-c`: "python-clear"} {
			shell.Config.Binds[keymap][inputrc.Unescape(key)] = inputrc.Bind{Action: command}
		}
	}
	return e
}

// read returns code that was typed. Its error is errCleared, errLeft, or that of reading.
func (e *editor) read() (string, error) {
	text, err := e.shell.Readline()
	switch {
	case errors.Is(err, readline.ErrInterrupt):
		return "", errCleared
	case errors.Is(err, io.EOF):
		return "", errLeft
	}
	return strings.TrimRight(text, " \t\n"), err
}

// shown is called before line is shown anew, with the cursor where it was in the last one.
func (e *editor) shown(line []rune) string {
	text := string(line)
	e.reserve(text)
	return text
}

// reserve scrolls the terminal as far as text needs rows below the cursor, and one more: the library moves to it and back.
func (e *editor) reserve(text string) {
	width, height, err := term.GetSize(e.terminal)
	if err != nil || width <= 0 {
		return
	}
	need := 1
	for line := range strings.SplitSeq(text, "\n") {
		need += 1 + (len(firstPrompt)+uniseg.StringWidth(line))/width
	}
	need = min(need, height-1)
	fmt.Fprint(e.out, strings.Repeat("\x1bD", need), "\x1b[", need, "A") // down, scrolling at the end, and up
}

// wake has read return errCleared, from another goroutine.
func (e *editor) wake() {
	e.shell.Keys.Feed(true, 3, 3, 3) // Ctrl-C, of which a menu and a search may each take one
	e.shell.Keys.RequestRefresh()
}

// enter ends the code, or begins another line of it.
func (e *editor) enter() {
	line, cursor := e.shell.Line(), e.shell.Cursor()
	code := string(*line)
	atEnd := strings.TrimSpace(string((*line)[cursor.Pos():])) == ""
	indent, more := 0, false
	switch {
	case strings.TrimSpace(code) == "" || strings.HasPrefix(code, commandMark):
	case !atEnd && strings.Contains(code, "\n"): // in the midst of several lines
		more, indent = true, indentOf(string((*line)[:cursor.Pos()]))
	default:
		more, indent = e.wantsMore(code)
	}
	if !more {
		e.shell.Keymap.Commands()["accept-line"]()
		return
	}
	text := []rune("\n" + strings.Repeat(" ", indent))
	line.Insert(cursor.Pos(), text...)
	cursor.Move(len(text))
}

// clear gives the line up. The library's own command looks at the next key, too, and does nothing when there is one.
func (e *editor) clear() {
	e.shell.Display.AcceptLine()
	e.shell.History.Accept(false, false, readline.ErrInterrupt)
}

// wantsMore tells whether code needs another line, and how far that is indented. When nobody answers, it does not: the
// code is sent, and the session says what is wrong with it.
func (e *editor) wantsMore(code string) (bool, int) {
	ctx, cancel := context.WithTimeout(e.ctx, typingTime)
	defer cancel()
	whole, err := e.ask.IsComplete(ctx, code)
	if err != nil || whole.Status != client.Incomplete {
		return false, 0
	}
	return true, whole.Indent
}

// indentOf is how far the last line of text is indented.
func indentOf(text string) int {
	last := text[strings.LastIndexByte(text, '\n')+1:]
	return len(last) - len(strings.TrimLeft(last, " "))
}

// tab indents where nothing stands before it, and completes elsewhere.
func (e *editor) tab() {
	line, cursor := e.shell.Line(), e.shell.Cursor()
	before := string((*line)[:cursor.Pos()])
	if before = before[strings.LastIndexByte(before, '\n')+1:]; strings.TrimSpace(before) == "" {
		text := []rune(strings.Repeat(" ", tabWidth-len(before)%tabWidth))
		line.Insert(cursor.Pos(), text...)
		cursor.Move(len(text))
		return
	}
	e.extend()
}

// extend completes the name before the cursor as far as all matches agree, and lists them where there are several.
func (e *editor) extend() {
	line, cursor := e.shell.Line(), e.shell.Cursor()
	matches, start := e.matches(*line, cursor.Pos())
	typed := string((*line)[start:cursor.Pos()])
	if common := commonPrefix(matches); len(common) > len(typed) && strings.HasPrefix(common, typed) {
		rest := []rune(common[len(typed):])
		line.Insert(cursor.Pos(), rest...)
		cursor.Move(len(rest))
		typed = common
	}
	if len(matches) < 2 {
		matches = nil
	}
	if typed == "" || strings.ContainsFunc(typed, func(r rune) bool { return r > '~' }) {
		e.shell.Hint.SetTemporary(summary(matches)) // the library's menu counts bytes, and finds a prefix of its own where there is none
		matches = nil
	}
	e.listed = readline.CompleteValues(matches...)
	e.listed.PREFIX = typed
	e.shell.Keymap.Commands()["possible-completions"]() // with none, an earlier list is no longer shown
}

// matches is what may stand in the place of line[start:cursor].
func (e *editor) matches(line []rune, cursor int) (matches []string, start int) {
	if strings.HasPrefix(string(line), commandMark) {
		typed := string(line[:cursor])
		return slices.DeleteFunc(commandNames(), func(name string) bool { return !strings.HasPrefix(name, typed) }), 0
	}
	ctx, cancel := context.WithTimeout(e.ctx, typingTime)
	defer cancel()
	found, err := e.ask.Complete(ctx, string(line), cursor)
	if err != nil || found.Start < 0 || found.Start > cursor {
		return nil, cursor
	}
	return slices.DeleteFunc(found.Matches, unprintable), found.Start
}

// unprintable tells whether a text would do something to a terminal: code may have taken its session apart.
func unprintable(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// commonPrefix is what all of texts begin with.
func commonPrefix(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	prefix := texts[0]
	for _, text := range texts[1:] {
		for !strings.HasPrefix(text, prefix) {
			_, size := utf8.DecodeLastRuneInString(prefix)
			prefix = prefix[:len(prefix)-size]
		}
	}
	return prefix
}

// maxSummary is how many matches a summary has.
const maxSummary = 20

// summary lists matches on a line.
func summary(matches []string) string {
	text := strings.Join(matches[:min(len(matches), maxSummary)], "  ")
	if more := len(matches) - maxSummary; more > 0 {
		text += fmt.Sprintf("  and %d more", more)
	}
	return text
}
