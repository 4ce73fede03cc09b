package client

import (
	"encoding/json"
	"time"
)

// Types of an Event.
const (
	EventStarted      = "started"       // its turn has come
	EventStdout       = "stdout"        // Text
	EventStderr       = "stderr"        // Text
	EventDisplay      = "display"       // Data
	EventResult       = "result"        // Data, the value of the last expression
	EventError        = "error"         // Exception
	EventInputRequest = "input_request" // Input: the code waits in input()
	EventDone         = "done"          // Ending; the last one
)

// Event is one thing that an execution says, or that goes on behind one. Which fields it has depends on its type.
type Event struct {
	Seq         uint64    `json:"seq"` // grows, with gaps
	Type        string    `json:"type"`
	ExecutionID string    `json:"execution_id"`
	Time        time.Time `json:"time"`
	Background  bool      `json:"background"` // written after the end of its execution

	Text      string                     `json:"text"`
	Data      MIMEBundle                 `json:"data"`
	Metadata  map[string]json.RawMessage `json:"metadata"`
	Exception *Exception                 `json:"exception"`
	Input     *InputRequest              `json:"input_request"`

	SessionID      string `json:"session_id"`
	SessionCreated bool   `json:"session_created"`
	ExecutionCount int    `json:"execution_count"`

	Ending

	Raw json.RawMessage `json:"-"` // the event as it came, on one line
}

// InputRequest is a program that waits in input(), or in getpass.
type InputRequest struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"` // what is typed is to be hidden
}
