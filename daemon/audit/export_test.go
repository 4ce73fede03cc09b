package audit

import (
	"io"
	"log/slog"
)

// NewLog is Open for any file, without a journal.
func NewLog(cfg Config, file io.WriteCloser, log *slog.Logger) *Log {
	return NewLogWith(cfg, file, nil, log)
}

// NewLogWith is Open for any file, with an empty journal.
func NewLogWith(cfg Config, file io.WriteCloser, journal Journal, log *slog.Logger) *Log {
	l := newLog(cfg, file, log)
	l.journal = journal
	go l.run()
	return l
}

// MaxQueue and MaxText are the bounds that tests reach.
const (
	MaxQueue  = maxQueue
	MaxQueued = maxQueued
	MaxText   = maxText
)
