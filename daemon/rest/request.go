package rest

import (
	"regexp"

	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// ExecuteRequest is the body of POST /execute. A pointer may be null or left out.
type ExecuteRequest struct {
	Code         string    `json:"code"`
	Context      *string   `json:"context"`       // the variable context, set before the code runs
	SetupCode    *string   `json:"setup_code"`    // runs once, when the session is created
	SessionID    *string   `json:"session_id"`    // none, or "", for a new one
	ReturnLocals bool      `json:"return_locals"` // whether to answer with variables
	LocalsKeys   *[]string `json:"locals_keys"`   // which; none, or none in it, for all
	Create       bool      `json:"create"`        // whether an unknown session is created; true if left out
	Timeout      *float64  `json:"timeout"`       // seconds
}

var sessionID = regexp.MustCompile(sandbox.SessionIDPattern)

const (
	maxSessionID  = 1 << 10 // bytes to look at; the pattern allows less
	maxLocalsKeys = 1 << 20 // bytes of all names, which go to the driver in one message
)

// executeRequest is an ExecuteRequest as it is decoded: what may be large as bytes, what may be missing as its zero value.
type executeRequest struct {
	code, setup, session string
	context              []byte
	returnLocals, create bool
	localsKeys           []string
	timeout              float64
}

// fields are those of ExecuteRequest.
func (r *executeRequest) fields(l *Limits) []jsonbody.Field {
	return []jsonbody.Field{
		{Name: "code", Required: true, Value: jsonbody.String(&r.code, l.MaxCode)},
		{Name: "context", Value: jsonbody.Nullable(jsonbody.Bytes(&r.context, l.MaxContext))},
		{Name: "setup_code", Value: jsonbody.Nullable(jsonbody.String(&r.setup, l.MaxCode))},
		{Name: "session_id", Value: jsonbody.Nullable(jsonbody.Matching(&r.session, sessionID, maxSessionID))},
		{Name: "return_locals", Value: jsonbody.Bool(&r.returnLocals)},
		{Name: "locals_keys", Value: jsonbody.Nullable(jsonbody.Strings(&r.localsKeys, maxLocalsKeys))},
		{Name: "create", Value: jsonbody.Bool(&r.create)},
		{Name: "timeout", Value: jsonbody.Nullable(jsonbody.Positive(&r.timeout, l.MaxTimeout.Seconds()))},
	}
}

// held is about how many bytes r holds.
func (r *executeRequest) held() int64 {
	n := len(r.code) + len(r.setup) + len(r.context)
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
		Timeout:   seconds(r.timeout),
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
