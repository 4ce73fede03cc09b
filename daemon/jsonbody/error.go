package jsonbody

import (
	"fmt"
	"strconv"
)

// Error is one thing wrong with a body, shaped as FastAPI shapes it: Type and Msg are pydantic's where it has one.
type Error struct {
	Type string         `json:"type"`
	Loc  []any          `json:"loc"` // "body", then names and indexes
	Msg  string         `json:"msg"`
	Ctx  map[string]any `json:"ctx,omitempty"` // what Msg is made from
}

func (e Error) Error() string { return fmt.Sprintf("%v: %s", e.Loc, e.Msg) }

// at puts a value's error where the value is.
func (e Error) at(path ...any) Error {
	e.Loc = append([]any{"body"}, path...)
	return e
}

func missing(path ...any) Error {
	return Error{Type: "missing", Msg: "Field required"}.at(path...)
}

// invalid is for a body that is no JSON, or more of it than is allowed.
func invalid(offset int, why string) Error {
	return Error{Type: "json_invalid", Msg: "JSON decode error", Ctx: map[string]any{"error": why}}.at(offset)
}

func wrongType(kind, noun string) *Error {
	return &Error{Type: kind, Msg: "Input should be a valid " + noun}
}

func tooLong(limit int64) *Error {
	return &Error{
		Type: "string_too_long",
		Msg:  "String should have at most " + strconv.FormatInt(limit, 10) + " bytes of UTF-8",
		Ctx:  map[string]any{"max_length": limit},
	}
}

func tooManyBytes(limit int64) *Error {
	return &Error{
		Type: "too_long",
		Msg:  "List should have at most " + strconv.FormatInt(limit, 10) + " bytes in all",
		Ctx:  map[string]any{"max_length": limit},
	}
}

func wrongCase(name, want string) Error {
	return Error{Type: "extra_forbidden", Msg: "Names are case-sensitive: use " + want}.at(name)
}
