package sandbox

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of error that a caller can act on.
type Code string

const (
	CodeInvalid     Code = "invalid"           // the request is wrong; Message says how
	CodeNotFound    Code = "not_found"         // no such session, execution or file
	CodeLost        Code = "lost"              // the session is gone with its variables; Message is the cause
	CodeExpired     Code = "expired"           // the session's time was over; Message says which
	CodeBusy        Code = "busy"              // the session's queue is full; RetryAfter says when to come back
	CodeSessions    Code = "too_many_sessions" // the owner has as many as it may; RetryAfter says when to come back
	CodeCapacity    Code = "capacity"          // no room for another session; RetryAfter says when to come back
	CodeImage       Code = "image"             // the image cannot serve
	CodeUnsupported Code = "unsupported"       // the runtime cannot do this
	CodeEngine      Code = "engine"            // the container engine failed or did not answer in time
	CodeState       Code = "state"             // what a later daemon must know of the session cannot be saved
	CodeClosed      Code = "closed"            // the daemon is shutting down
	CodeConflict    Code = "conflict"          // the id, or the idempotency key, is in use for something else; a file is not what it must be
	// Of files alone.
	CodeNoSpace      Code = "no_space"     // the session's disk is full
	CodeTooLarge     Code = "too_large"    // the file is larger than one may be
	CodePrecondition Code = "precondition" // the file is another one than the request said
	CodeRange        Code = "range"        // the part asked for is beyond the file
	CodeAborted      Code = "aborted"      // the transfer was ended from inside the session, or its connection broke
)

// Error is an error whose Message may be shown to a caller. Err, which may name hosts, paths and ids, is for the log.
type Error struct {
	Code       Code
	Message    string
	RetryAfter time.Duration // 0 where coming back makes no sense
	File       *FileInfo     // what is there, where that tells more; nil for nothing
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error without a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode returns the code of err, "" where it has none.
func ErrorCode(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
