package main

import (
	"regexp"
	"strings"
)

// Styles of a terminal.
const (
	styleEnd   = "\x1b[0m"
	styleNote  = "\x1b[2m"    // what is not the code's word
	styleFrame = "\x1b[36m"   // where a traceback has been
	styleMarks = "\x1b[31m"   // what it points at
	styleError = "\x1b[1;31m" // what was raised
)

var (
	tracebackFrame = regexp.MustCompile(`^\s*File ".*", line \d+`)
	tracebackMarks = regexp.MustCompile(`^\s+[~^]+\s*$`)
	// raisedLine is the line that says what was raised, behind a traceback: NAME, or NAME: message.
	raisedLine = regexp.MustCompile(`^[A-Za-z_][\w.]*(: .*)?$`)
)

// tracebackStyler colours the tracebacks in what is written to stderr, line by line.
type tracebackStyler struct {
	within bool // a traceback has begun
}

func (s *tracebackStyler) style(text string) string {
	var styled strings.Builder
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\n")
		style := ""
		switch {
		case strings.HasPrefix(bare, "Traceback (most recent call last)"):
			s.within, style = true, styleNote
		case tracebackFrame.MatchString(bare):
			s.within, style = true, styleFrame
		case s.within && tracebackMarks.MatchString(bare):
			style = styleMarks
		case s.within && raisedLine.MatchString(bare):
			s.within, style = false, styleError
		}
		if style == "" {
			styled.WriteString(line)
			continue
		}
		styled.WriteString(style + bare + styleEnd + line[len(bare):])
	}
	return styled.String()
}
