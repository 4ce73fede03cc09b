package daemon

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
)

// Error is an answer other than the one that was asked for.
type Error struct {
	Status     int
	Code       sandbox.Code  // of Kinds; "" for the status's own
	Detail     any           // a sentence, or a list of jsonbody.Error; nil is the status's own text
	RetryAfter time.Duration // 0 for no header
	Written    []string      // what a request of several files had written before
	Err        error         // for the log
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return http.StatusText(e.Status)
}

func (e *Error) Unwrap() error { return e.Err }

// Invalid refuses a body for what is wrong with it.
func Invalid(wrong []jsonbody.Error) *Error {
	return &Error{Status: http.StatusUnprocessableEntity, Detail: wrong}
}

// Wrong is one thing wrong with a request; loc says where.
func Wrong(kind, msg string, loc ...any) []jsonbody.Error {
	return []jsonbody.Error{{Type: kind, Loc: loc, Msg: msg}}
}

// QueryFlag reads a query parameter that is true or false, false when it is not there.
func QueryFlag(c *fiber.Ctx, name string) (bool, error) {
	switch c.Query(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, Invalid(Wrong("bool_parsing", "Input should be 'true' or 'false'", "query", name))
}

// AfterWriting is err of a request that had written these files before.
func AfterWriting(err error, written []string) *Error {
	e := *asError(err)
	e.Written = written
	return &e
}

func refuse(status int, detail string) *Error { return &Error{Status: status, Detail: detail} }

// Refusal is what a dialect that has no HTTP status of its own to answer with says of err.
func Refusal(err error) (status int, code sandbox.Code, detail any) {
	e := asError(err)
	return e.Status, e.kind().Code, newFailure(e).Detail
}

// asError finds the answer for any error; one that nobody thought of is a 500 that tells nothing.
func asError(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var routing *fiber.Error
	if errors.As(err, &routing) {
		return &Error{Status: routing.Code, Err: err}
	}
	var failed *sandbox.Error
	if !errors.As(err, &failed) {
		return &Error{Status: http.StatusInternalServerError, Err: err}
	}
	if failed.Code == sandbox.CodeInvalid {
		return Invalid([]jsonbody.Error{{Type: "value_error", Loc: []any{"body"}, Msg: "Value error, " + failed.Message}})
	}
	e := &Error{Code: failed.Code, Detail: failed.Message, RetryAfter: failed.RetryAfter, Err: err}
	if e.Status = e.kind().Status; e.Status == 0 {
		return &Error{Status: http.StatusInternalServerError, Err: err}
	}
	if e.RetryAfter == 0 && (e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests) {
		e.RetryAfter = time.Second
	}
	return e
}

// refuseUnread answers what fasthttp itself could not read. It closes the connection.
func (s *Server) refuseUnread(c *fiber.Ctx, err error) error {
	newScope(s, c)
	return s.hangUp(c, err)
}

// hangUp answers a request of which the rest is not read, and closes the connection.
func (s *Server) hangUp(c *fiber.Ctx, err error) error {
	connOf(c).lingers()
	secure(c)
	werr := writeError(c, err)
	s.metrics.Request("", "", c.Response().StatusCode())
	s.log.Info("request that was not read", "status", c.Response().StatusCode(), "request", RequestID(c))
	return werr
}

// writeError is the only place where errors become responses.
func writeError(c *fiber.Ctx, err error) error {
	e := asError(err)
	c.Status(e.Status)
	if e.Status == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	if e.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if !HasProblems(c.Path()) {
		return WriteJSON(c, newFailure(e))
	}
	if err := WriteJSON(c, newProblem(e, RequestID(c))); err != nil {
		return err
	}
	c.Response().Header.SetContentType("application/problem+json")
	return nil
}

var jsonOptions = json.JoinOptions(json.FormatNilMapAsNull(true), json.Deterministic(true),
	jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// JSON encodes v on one line. Text that is not UTF-8, which only a broken driver sends, becomes U+FFFD.
func JSON(v any) ([]byte, error) {
	return json.Marshal(v, jsonOptions)
}

// WriteJSON answers with v.
func WriteJSON(c *fiber.Ctx, v any) error {
	b, err := JSON(v)
	if err != nil {
		return err
	}
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(b)
	return nil
}
