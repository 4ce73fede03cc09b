package sandbox

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// EventType names what an Event says.
type EventType string

const (
	EventStarted      EventType = "started"
	EventStdout       EventType = "stdout"
	EventStderr       EventType = "stderr"
	EventDisplay      EventType = "display"
	EventResult       EventType = "result"
	EventError        EventType = "error"
	EventInputRequest EventType = "input_request"
	EventDone         EventType = "done"
)

// Event is one thing that an execution says. Every dialect is a rendering of these.
type Event struct {
	Seq       uint64    `json:"seq"` // from 1, within an execution, or within a session's background
	Type      EventType `json:"type"`
	Execution string    `json:"execution_id"`
	Time      time.Time `json:"time"`
	// Background marks output that a thread or child process of Execution wrote after its end.
	Background bool `json:"background,omitzero"`

	ExecutionCount int        `json:"execution_count,omitzero"` // started
	Text           string     `json:"text,omitempty"`           // stdout, stderr
	Display        *Display   `json:"display,omitempty"`        // display, result
	Exception      *Exception `json:"exception,omitempty"`      // error
	Prompt         *Prompt    `json:"input_request,omitempty"`  // input_request
	Result         *Result    `json:"result,omitempty"`         // done
}

// Display is a value in several forms.
type Display struct {
	Data     map[string]jsontext.Value `json:"data"`               // by MIME type; text as a JSON string, binary as base64 in one
	Metadata map[string]jsontext.Value `json:"metadata,omitempty"` // by MIME type
}

// Exception is what user code raised.
type Exception struct {
	Type      string   `json:"type"`
	Message   string   `json:"message"`
	Traceback []string `json:"traceback"` // lines as CPython prints them, without line ends
}

// Prompt is a program waiting in input().
type Prompt struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password"`
}

// size is about what the values of an event take, in bytes.
func (ev Event) size() int64 {
	var n int64
	if ev.Display != nil {
		for mime, value := range ev.Display.Data {
			n += int64(len(mime) + len(value))
		}
	}
	if ev.Exception != nil {
		for _, line := range ev.Exception.Traceback {
			n += int64(len(line))
		}
	}
	if ev.Result != nil && ev.Result.Locals != nil { // its text is the log's
		for name, value := range ev.Result.Locals.Values {
			n += int64(len(name) + len(value))
		}
	}
	return n
}
