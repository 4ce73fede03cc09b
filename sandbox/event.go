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
	Data     jsontext.Value `json:"data"`               // an object, by MIME type; text as a JSON string, binary as base64 in one
	Metadata jsontext.Value `json:"metadata,omitempty"` // an object, by MIME type
}

// Exception is what user code raised.
type Exception struct {
	Type      string         `json:"type"`
	Message   string         `json:"message"`
	Traceback jsontext.Value `json:"traceback" jsonschema:"lines as CPython prints them, without line ends"` // an array
}

// Prompt is a program waiting in input().
type Prompt struct {
	Prompt   string `json:"prompt"`
	Password bool   `json:"password" jsonschema:"whether the answer should not be shown"`
}

// size is about what the values of an event take, in bytes. The text of an execution is its log's.
func (ev *Event) size() int64 {
	n := len(ev.Text)
	if d := ev.Display; d != nil {
		n += len(d.Data) + len(d.Metadata)
	}
	if x := ev.Exception; x != nil {
		n += len(x.Type) + len(x.Message) + len(x.Traceback)
	}
	if p := ev.Prompt; p != nil {
		n += len(p.Prompt)
	}
	if r := ev.Result; r != nil {
		n += len(r.Error)
		if r.Locals != nil {
			n += len(r.Locals.Values) + len(r.Locals.Inexact)
		}
		if r.Files != nil {
			n += r.Files.size()
		}
	}
	return int64(n)
}
