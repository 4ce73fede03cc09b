package rest

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
)

// ExecuteRequest is the body of POST /execute. A pointer may be null or left out; what is not one may be left out alone.
// Its bounds are in Handler.Schemas.
type ExecuteRequest struct {
	Code         string    `json:"code" jsonschema:"Python. What it prints, raises and evaluates to is the answer"`
	Context      *string   `json:"context,omitzero" jsonschema:"the variable context, set before the code runs"`
	SetupCode    *string   `json:"setup_code,omitzero" jsonschema:"runs once, before the code, when this request creates the session"`
	SessionID    *string   `json:"session_id,omitzero" jsonschema:"none, or the empty string: a new session with a UUID"`
	ReturnLocals bool      `json:"return_locals,omitzero" jsonschema:"whether to answer with variables"`
	LocalsKeys   *[]string `json:"locals_keys,omitzero" jsonschema:"which variables; none, or none in it: all. At most 1 MiB of names"`
	Create       *bool     `json:"create,omitempty" jsonschema:"whether an unknown session is created. true said in so many words makes the id of a lost session usable again"`
	Timeout      *float64  `json:"timeout,omitzero" jsonschema:"seconds that the code may run; then an interrupt, a grace time and a kill"`

	Stdin        *string   `json:"stdin,omitzero" jsonschema:"what input() and sys.stdin read before the end of file"`
	Detach       bool      `json:"detach,omitzero" jsonschema:"whether to answer 202 with the execution's id when it is queued"`
	OnDisconnect *string   `json:"on_disconnect,omitzero" jsonschema:"what becomes of the execution when the client of its stream leaves"`
	Figures      *[]string `json:"figures,omitzero" jsonschema:"the forms that open matplotlib figures are shown in"`
	MaxStdout    *float64  `json:"max_stdout,omitzero" jsonschema:"bytes kept of stdout, if fewer than usual"`
	MaxStderr    *float64  `json:"max_stderr,omitzero" jsonschema:"bytes kept of stderr, if fewer than usual"`
	MaxDisplay   *float64  `json:"max_display,omitzero" jsonschema:"bytes kept of result and displays together, if fewer than usual"`
	MaxLocals    *float64  `json:"max_locals,omitzero" jsonschema:"bytes of variables answered, if fewer than usual"`

	MaxLocalsValue *float64 `json:"max_locals_value,omitzero" jsonschema:"bytes answered of one variable, if fewer than usual"`
	MaxEvents      *float64 `json:"max_events,omitzero" jsonschema:"events kept to be asked for again, if fewer than usual"`
}

var onDisconnect = regexp.MustCompile(`^(interrupt|continue)$`)

var sessionID = regexp.MustCompile(sandbox.SessionIDPattern)

const (
	maxSessionID  = 1 << 10 // bytes to look at; the pattern allows less
	maxFigures    = 256     // bytes of all names
	maxLocalsKeys = 1 << 20 // bytes of all names, which go to the driver in one message
)

// executeRequest is an ExecuteRequest as it is decoded: what may be large as bytes, what may be missing as its zero value.
type executeRequest struct {
	code, setup, session string
	context              []byte
	returnLocals, create bool
	localsKeys, figures  []string
	timeout              float64

	stdin, onDisconnect, idempotencyKey         string
	detach, anew                                bool
	maxStdout, maxStderr, maxDisplay, maxLocals float64
	maxLocalsValue, maxEvents                   float64
}

// interruptsOnLeave tells whether the execution ends when the client of its stream leaves.
func (r *executeRequest) interruptsOnLeave() bool { return r.onDisconnect != "continue" }

// fields are those of ExecuteRequest.
func (r *executeRequest) fields(l *Limits) []jsonbody.Field {
	return []jsonbody.Field{
		{Name: "code", Required: true, Value: jsonbody.String(&r.code, l.MaxCode)},
		{Name: "context", Value: jsonbody.Nullable(jsonbody.Bytes(&r.context, l.MaxContext))},
		{Name: "setup_code", Value: jsonbody.Nullable(jsonbody.String(&r.setup, l.MaxCode))},
		{Name: "session_id", Value: jsonbody.Nullable(jsonbody.Matching(&r.session, sessionID, maxSessionID))},
		{Name: "return_locals", Value: jsonbody.Bool(&r.returnLocals)},
		{Name: "locals_keys", Value: jsonbody.Nullable(jsonbody.Strings(&r.localsKeys, maxLocalsKeys))},
		{Name: "create", Value: func(raw jsontext.Value) []jsonbody.Error {
			wrong := jsonbody.Bool(&r.create)(raw)
			r.anew = r.create // asked for in so many words
			return wrong
		}},
		{Name: "timeout", Value: jsonbody.Nullable(jsonbody.Positive(&r.timeout, l.MaxTimeout.Seconds()))},
		{Name: "stdin", Value: jsonbody.Nullable(jsonbody.String(&r.stdin, l.MaxContext))},
		{Name: "detach", Value: jsonbody.Bool(&r.detach)},
		{Name: "on_disconnect", Value: jsonbody.Nullable(jsonbody.Matching(&r.onDisconnect, onDisconnect, maxSessionID))},
		{Name: "figures", Value: jsonbody.Nullable(figures(&r.figures))},
		{Name: "max_stdout", Value: jsonbody.Nullable(jsonbody.Positive(&r.maxStdout, float64(l.MaxStdout)))},
		{Name: "max_stderr", Value: jsonbody.Nullable(jsonbody.Positive(&r.maxStderr, float64(l.MaxStderr)))},
		{Name: "max_display", Value: jsonbody.Nullable(jsonbody.Positive(&r.maxDisplay, float64(l.MaxDisplay)))},
		{Name: "max_locals", Value: jsonbody.Nullable(jsonbody.Positive(&r.maxLocals, float64(l.MaxLocals)))},
		{Name: "max_locals_value", Value: jsonbody.Nullable(jsonbody.Positive(&r.maxLocalsValue, float64(l.MaxLocalsValue)))},
		{Name: "max_events", Value: jsonbody.Nullable(jsonbody.Positive(&r.maxEvents, float64(l.MaxEvents)))},
	}
}

// held is about how many bytes r holds.
func (r *executeRequest) held() int64 {
	n := len(r.code) + len(r.setup) + len(r.context) + len(r.stdin)
	for _, k := range r.localsKeys {
		n += len(k)
	}
	return int64(n)
}

func (r *executeRequest) sandbox() sandbox.Request {
	req := sandbox.Request{
		Code:      r.code,
		SetupCode: r.setup,
		NoCreate:  !r.create,
		Anew:      r.anew,
		Timeout:   seconds(r.timeout),
		Stdin:     r.stdin,
		Figures:   r.figures,

		MaxStdout:  whole(r.maxStdout),
		MaxStderr:  whole(r.maxStderr),
		MaxDisplay: whole(r.maxDisplay),
		MaxLocals:  whole(r.maxLocals),

		MaxLocalsValue: whole(r.maxLocalsValue),
		MaxEvents:      whole(r.maxEvents),

		IdempotencyKey: r.idempotencyKey,
	}
	if r.context != nil {
		req.Context = &sandbox.Blob{Data: r.context}
	}
	if r.returnLocals {
		req.Locals = &sandbox.LocalsRequest{}
		if len(r.localsKeys) > 0 {
			req.Locals.Keys = r.localsKeys
		}
	}
	return req
}

// whole converts a number that a client asked for. It rounds up, so that what is above 0 stays above it.
func whole(n float64) int64 { return int64(math.Ceil(n)) }

// figures decodes a list of the forms that figures may be shown in.
func figures(dst *[]string) jsonbody.Decoder {
	return func(raw jsontext.Value) []jsonbody.Error {
		wrong := jsonbody.Strings(dst, maxFigures)(raw)
		for i, format := range *dst {
			if !slices.Contains(sandbox.FigureFormats, format) {
				allowed := "'" + strings.Join(sandbox.FigureFormats, "' or '") + "'"
				wrong = append(wrong, jsonbody.Error{Type: "literal_error", Loc: []any{i}, Msg: "Input should be " + allowed})
			}
		}
		return wrong
	}
}
