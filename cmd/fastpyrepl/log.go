package main

import (
	"bytes"
	"io"
	"log/slog"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// newLog makes the daemon's logger. Its level may be changed while it is used. progress takes what engines and builds
// print while an image is made ready: as it is for people, a line an entry for machines.
func newLog(w io.Writer, c configs.Log) (log *slog.Logger, level *slog.LevelVar, progress io.Writer) {
	level = new(slog.LevelVar)
	level.Set(logLevel(c))
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" || c.Format == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options)), level, w
	}
	log = slog.New(slog.NewJSONHandler(w, options))
	return log, level, &lineLogger{log: log}
}

// logLevel reads a level that configs has validated.
func logLevel(c configs.Log) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		panic("log.level was not validated: " + err.Error())
	}
	return level
}

// lineLogger logs every line that is written to it.
type lineLogger struct {
	log     *slog.Logger
	pending []byte
}

// maxLine bounds a line, in bytes; a longer one is logged in parts.
const maxLine = 4096

func (l *lineLogger) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || b == '\r' {
			l.flush()
			continue
		}
		if len(l.pending) == maxLine {
			l.flush()
		}
		l.pending = append(l.pending, b)
	}
	return len(p), nil
}

func (l *lineLogger) flush() {
	if line := bytes.TrimSpace(l.pending); len(line) > 0 {
		l.log.Info("image", "line", string(line))
	}
	l.pending = l.pending[:0]
}
