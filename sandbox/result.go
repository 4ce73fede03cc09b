package sandbox

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Outcome says how an execution ended.
type Outcome string

const (
	OutcomeOK          Outcome = "ok"
	OutcomeError       Outcome = "error"       // the code raised
	OutcomeTimeout     Outcome = "timeout"     // its deadline passed
	OutcomeInterrupted Outcome = "interrupted" // somebody asked for it
	OutcomeOOM         Outcome = "oom"         // the kernel killed the worker at the memory limit
	OutcomeCrashed     Outcome = "crashed"     // the worker died of something else
	OutcomeCancelled   Outcome = "cancelled"   // its session was reset, or lost before it had begun, or the daemon stopped
)

// Outcomes are all of them.
var Outcomes = []Outcome{
	OutcomeOK, OutcomeError, OutcomeTimeout, OutcomeInterrupted, OutcomeOOM, OutcomeCrashed, OutcomeCancelled,
}

// Result is the truth about an execution that ended.
type Result struct {
	ExecutionID    string  `json:"execution_id"`
	SessionID      string  `json:"session_id"`
	ExecutionCount int     `json:"execution_count"`
	Outcome        Outcome `json:"outcome"`
	StateKept      bool    `json:"state_kept"`
	// Error is a line for people: type and message of the exception, or what ended the execution; "" when it went well.
	Error     string     `json:"error,omitempty"`
	Exception *Exception `json:"exception,omitempty"`

	Stdout   string    `json:"stdout"`
	Stderr   string    `json:"stderr"`
	Result   *Display  `json:"result,omitempty"`
	Displays []Display `json:"displays,omitempty"`
	Locals   *Locals   `json:"locals,omitempty"`
	// Files are those that changed; nil where nobody knows, for the process that ran the code died.
	Files *FileChanges `json:"files,omitempty"`

	Duration  time.Duration    `json:"-"` // that the user's code ran
	Usage     ExecutionUsage   `json:"usage"`
	Truncated map[string]int64 `json:"truncated,omitempty"` // bytes left out, by part
	// InvalidUTF8 counts the bytes of stdout and stderr that were not UTF-8 and became U+FFFD.
	InvalidUTF8 map[string]int64 `json:"invalid_utf8,omitempty"`
	// StateLostAt is the count of the earlier execution at which the session's variables were lost, said once, by the
	// execution after it.
	StateLostAt int `json:"state_lost_at,omitzero"`
}

// Locals are variables of a session as JSON.
type Locals struct {
	Values  jsontext.Value `json:"values"`            // an object, by name
	Inexact jsontext.Value `json:"inexact,omitempty"` // an array of the names of which Values has a bounded repr; nil for none
	Omitted int            `json:"omitted,omitzero"`  // how many were left out at the cap
}

// ExecutionUsage is what one execution used, as the driver saw it.
type ExecutionUsage struct {
	CPUTime    float64 `json:"cpu_time" jsonschema:"seconds"`
	WallTime   float64 `json:"wall_time" jsonschema:"seconds"`
	MemoryPeak int64   `json:"memory_peak" jsonschema:"bytes, of the process that ran the code"`
}
