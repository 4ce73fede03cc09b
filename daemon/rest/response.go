package rest

import (
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
)

// ExecuteResponse is the answer of POST /execute. The order of the first six fields is part of the contract.
type ExecuteResponse struct {
	Stdout        string         `json:"stdout"`
	Stderr        string         `json:"stderr" jsonschema:"ends with the traceback, if the code raised"`
	Locals        jsontext.Value `json:"locals" jsonschema:"variables by name, null when not asked for"`
	ExecutionTime float64        `json:"execution_time" jsonschema:"seconds that the code ran"`
	SessionID     string         `json:"session_id"`
	Error         *string        `json:"error" jsonschema:"null when all went well; else type and message of the exception, or what ended the code"`

	SessionCreated bool                   `json:"session_created" jsonschema:"whether this request created the session"`
	ExecutionID    string                 `json:"execution_id"`
	ExecutionCount int                    `json:"execution_count" jsonschema:"the n of Cell [n] in tracebacks"`
	Outcome        sandbox.Outcome        `json:"outcome"`
	StateKept      bool                   `json:"state_kept" jsonschema:"whether the session's variables survived"`
	Exception      *sandbox.Exception     `json:"exception"`
	Result         MIMEBundle             `json:"result" jsonschema:"the value of the last expression by MIME type, null for none"`
	Displays       []MIMEBundle           `json:"displays" jsonschema:"what display() and figures showed, in order"`
	Truncated      map[string]int64       `json:"truncated" jsonschema:"bytes left out, by part"`
	InvalidUTF8    map[string]int64       `json:"invalid_utf8" jsonschema:"bytes that were not UTF-8 and became U+FFFD, by stream"`
	Usage          sandbox.ExecutionUsage `json:"usage"`
	Files          *sandbox.FileChanges   `json:"files" jsonschema:"that changed while the code ran, null where nobody knows"`
	LocalsInexact  jsontext.Value         `json:"locals_inexact,omitempty" jsonschema:"the variables of which locals has a repr"`
	LocalsOmitted  int                    `json:"locals_omitted,omitzero" jsonschema:"how many variables were left out at the cap"`
	StateLostAt    int                    `json:"state_lost_at,omitzero" jsonschema:"said once: the earlier execution at which the variables were lost"`
}

// MIMEBundle is a value in several forms, by MIME type: text as a string, binary as base64 in one, JSON as it is.
type MIMEBundle = jsontext.Value

func newExecuteResponse(r *sandbox.Result, created bool) ExecuteResponse {
	resp := ExecuteResponse{
		Stdout:         r.Stdout,
		Stderr:         r.Stderr,
		ExecutionTime:  r.Duration.Seconds(),
		SessionID:      r.SessionID,
		SessionCreated: created,
		ExecutionID:    r.ExecutionID,
		ExecutionCount: r.ExecutionCount,
		Outcome:        r.Outcome,
		StateKept:      r.StateKept,
		Exception:      r.Exception,
		Displays:       make([]MIMEBundle, 0, len(r.Displays)),
		Truncated:      counts(r.Truncated),
		InvalidUTF8:    counts(r.InvalidUTF8),
		Usage:          r.Usage,
		Files:          r.Files,
		StateLostAt:    r.StateLostAt,
	}
	if r.Result != nil {
		resp.Result = r.Result.Data
	}
	for _, d := range r.Displays {
		resp.Displays = append(resp.Displays, d.Data)
	}
	if r.Error != "" {
		resp.Error = &r.Error
	}
	if l := r.Locals; l != nil {
		resp.Locals, resp.LocalsInexact, resp.LocalsOmitted = l.Values, l.Inexact, l.Omitted
	}
	return resp
}

// counts is m, but never nil: null would say that it is not known.
func counts(m map[string]int64) map[string]int64 {
	if m == nil {
		return map[string]int64{}
	}
	return m
}
