package wire

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// HelloMessage begins an attachment.
type HelloMessage struct {
	Protocol int     `json:"protocol"`
	Nonce    string  `json:"nonce"`  // 32 hex digits
	Lease    float64 `json:"lease"`  // seconds, 0 is never
	Memory   int64   `json:"memory"` // bytes
}

// ReadyMessage answers HelloMessage.
type ReadyMessage struct {
	Protocol       int    `json:"protocol"`
	Nonce          string `json:"nonce"`
	Driver         string `json:"driver"`
	Python         string `json:"python"`
	ExecutionCount int    `json:"execution_count"`
	Running        string `json:"running"` // UUID, "" for none
	Worker         int    `json:"worker"`
	// StateLostAt is the execution at which the worker died, if none has begun since, whose DONE tells it; else 0.
	StateLostAt int `json:"state_lost_at"`
	// Executions are those that the supervisor keeps, the oldest first. Their messages follow READY, from the first on.
	Executions []KeptExecution `json:"executions"`
}

// KeptExecution is an execution that no daemon has acknowledged yet: it runs, or ended and may not be known of.
type KeptExecution struct {
	ID      string  `json:"id"`      // UUID
	Meta    string  `json:"meta"`    // of its EXECUTE
	Count   int     `json:"count"`   // in its name, 0 for none
	Age     float64 `json:"age"`     // seconds since it was read
	Running bool    `json:"running"` // its DONE is to come
	Missing int64   `json:"missing"` // bytes of its messages that are not kept: there was no room
}

// ExecuteMessage asks for an execution. Its payload is JSON but for the code, which follows it; see MarshalExecute.
type ExecuteMessage struct {
	Code       string         `json:"-"`
	Name       string         `json:"name,omitempty"`
	Context    *Blob          `json:"context,omitempty"`
	Stdin      *Blob          `json:"stdin,omitempty"`
	Input      bool           `json:"input,omitempty"`
	Locals     *LocalsRequest `json:"locals,omitempty"`
	Figures    []string       `json:"figures,omitempty"`
	Timeout    float64        `json:"timeout"` // seconds
	Grace      float64        `json:"grace"`   // seconds
	MaxStdout  int64          `json:"max_stdout"`
	MaxStderr  int64          `json:"max_stderr"`
	MaxDisplay int64          `json:"max_display"`
	// Meta is the daemon's own, to be given back in KeptExecution. At most MaxMeta bytes.
	Meta string `json:"meta,omitempty"`
}

// MarshalExecute encodes m.
func MarshalExecute(m ExecuteMessage) []byte {
	head := Marshal(m) // has no line end, since JSON escapes those of its strings
	return append(append(head, '\n'), m.Code...)
}

// UnmarshalExecute decodes what MarshalExecute encodes.
func UnmarshalExecute(payload []byte) (m ExecuteMessage, err error) {
	head, code, ok := bytes.Cut(payload, []byte("\n"))
	if !ok || !utf8.Valid(code) {
		return m, fmt.Errorf("no code in an EXECUTE: %w", BadMessage)
	}
	err = Unmarshal(head, &m)
	m.Code = string(code)
	return m, err
}

// Kinds of a context blob.
const (
	BlobText = "text"
	BlobJSON = "json"
)

// Blob announces bytes that follow in DATA frames.
type Blob struct {
	Kind string `json:"kind,omitempty"`
	Size int64  `json:"size"`
}

// LocalsRequest asks for variables; all of them when Keys is nil.
type LocalsRequest struct {
	Keys     []string `json:"keys"`
	MaxValue int64    `json:"max_value"` // bytes
	MaxTotal int64    `json:"max_total"` // bytes
}

// InterruptMessage ends an execution.
type InterruptMessage struct {
	Reason string `json:"reason"`
}

// InputMessage answers an InputRequestMessage; nil is end of file.
type InputMessage struct {
	Text *string `json:"text"`
}

// LimitsMessage follows a live update.
type LimitsMessage struct {
	Memory int64   `json:"memory"` // bytes
	CPUs   float64 `json:"cpus"`   // cores; 0 leaves what libraries take for theirs as it is
}

// DisplayMessage is a value in several forms.
type DisplayMessage struct {
	Data     jsontext.Value `json:"data"`     // an object; not decoded further, for many small members take far more than their bytes
	Metadata jsontext.Value `json:"metadata"` // likewise
}

// ExceptionMessage is what user code raised.
type ExceptionMessage struct {
	Type      string         `json:"type"`
	Message   string         `json:"message"`
	Traceback jsontext.Value `json:"traceback"` // an array of strings
}

// LocalsMessage carries variables.
type LocalsMessage struct {
	Values  jsontext.Value `json:"values"`  // an object
	Inexact jsontext.Value `json:"inexact"` // an array of strings
	Omitted int            `json:"omitted"`
}

// InputRequestMessage says that the program waits in input().
type InputRequestMessage struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"`
}

// DoneMessage ends an execution.
type DoneMessage struct {
	Outcome        string           `json:"outcome"`
	StateKept      bool             `json:"state_kept"`
	ExecutionCount int              `json:"execution_count"`
	Duration       float64          `json:"duration"` // seconds
	Cause          *Cause           `json:"cause"`
	Usage          UsageMessage     `json:"usage"`
	Truncated      map[string]int64 `json:"truncated"`
	// StateLostAt is the earlier execution at which the variables were lost that this one did not find; 0 when they were there.
	StateLostAt int `json:"state_lost_at,omitzero"`
}

// Cause is why a worker died.
type Cause struct {
	Kind    string `json:"kind"`
	Signal  int    `json:"signal"`
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// UsageMessage is what an execution used.
type UsageMessage struct {
	CPUTime    float64 `json:"cpu_time"`
	WallTime   float64 `json:"wall_time"`
	MemoryPeak int64   `json:"memory_peak"`
}

// Codes of RejectMessage.
const (
	RejectBusy      = "busy"      // another execution runs
	RejectDuplicate = "duplicate" // this one was run already, or runs
	RejectLate      = "late"      // the question took too long
)

// RejectMessage says that an EXECUTE was not run, or a question not answered.
type RejectMessage struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// WindowMessage grants room for more blob bytes.
type WindowMessage struct {
	Consumed int64 `json:"consumed"`
}

// StateMessage says that an idle worker died.
type StateMessage struct {
	Cause Cause `json:"cause"`
}

// FaultMessage says that the driver skipped bytes.
type FaultMessage struct {
	Message string `json:"message"`
}

// CutMessage stands where output was left out.
type CutMessage struct {
	Stream string `json:"stream"`
	Bytes  int64  `json:"bytes"`
}

// QuestionMessage asks about the session's namespace. VARIABLES uses neither field, IS_COMPLETE only Code.
type QuestionMessage struct {
	Code   string `json:"code"`
	Cursor int    `json:"cursor"` // in code points
}

// VariablesMessage answers VARIABLES.
type VariablesMessage struct {
	Variables []VariableMessage `json:"variables"`
	Omitted   int               `json:"omitted"`
}

// VariableMessage is one variable.
type VariableMessage struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Size  *int64  `json:"size"`  // items; nil for what has no length
	Shape []int64 `json:"shape"` // nil for what has none
	Repr  string  `json:"repr"`  // "" where it took too long
}

// CompleteMessage answers COMPLETE.
type CompleteMessage struct {
	Matches []string `json:"matches"`
	Start   int      `json:"start"` // in code points
	End     int      `json:"end"`
	Omitted int      `json:"omitted"`
}

// IsCompleteMessage answers IS_COMPLETE.
type IsCompleteMessage struct {
	Status string `json:"status"` // complete, incomplete or invalid
	Indent int    `json:"indent"` // spaces
}

// InspectMessage answers INSPECT.
type InspectMessage struct {
	Found     bool   `json:"found"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Signature string `json:"signature"`
	Doc       string `json:"doc"`
	Repr      string `json:"repr"`
}

// Unmarshal decodes a payload strictly: one value, valid UTF-8, no duplicate names. What a value may hold is for the
// caller to bound.
func Unmarshal(payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, BadMessage)
	}
	return nil
}

// IsObject tells whether v, which is valid JSON, is an object.
func IsObject(v jsontext.Value) bool { return v.Kind() == '{' }

// IsStrings tells whether v, which is valid JSON, is an array of strings.
func IsStrings(v jsontext.Value) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if begin, err := dec.ReadToken(); err != nil || begin.Kind() != '[' {
		return false
	}
	for dec.PeekKind() == '"' {
		if dec.SkipValue() != nil {
			return false
		}
	}
	return dec.PeekKind() == ']'
}

// Marshal encodes a message. Its values are the daemon's own, so failure is a bug.
func Marshal(v any) []byte {
	b, err := json.Marshal(v, json.FormatNilSliceAsNull(true))
	if err != nil {
		panic(fmt.Sprintf("wire: encode %T: %v", v, err))
	}
	return b
}
