package rest

import (
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
)

// EventMessage is one event of a stream. Which fields it has depends on its type: Handler.Schemas says how.
type EventMessage struct {
	Seq         uint64            `json:"seq" jsonschema:"grows within an execution or a session's background, with gaps; the place to resume from"`
	Type        sandbox.EventType `json:"type"`
	ExecutionID string            `json:"execution_id"`
	Time        time.Time         `json:"time"`
	Background  bool              `json:"background,omitzero" jsonschema:"written by a thread or a child process after the end of the execution"`

	Text       string             `json:"text,omitempty" jsonschema:"what was written"`
	Data       jsontext.Value     `json:"data,omitempty" jsonschema:"the value by MIME type"`
	Metadata   jsontext.Value     `json:"metadata,omitempty" jsonschema:"by MIME type"`
	Exception  *sandbox.Exception `json:"exception,omitempty"`
	Input      *sandbox.Prompt    `json:"input_request,omitempty"`
	*Beginning                    // started
	*Ending                       // done
}

// append appends m as JSON of one line. The text of an event is the last of its fields, and by far the longest.
func (m EventMessage) append(dst []byte) ([]byte, error) {
	text := m.Text
	m.Text = ""
	b, err := daemon.JSON(m)
	dst = append(dst, b...)
	if err != nil || text == "" {
		return dst, err
	}
	dst = append(dst[:len(dst)-1], `,"text":`...)
	return append(appendQuoted(dst, text), '}'), nil
}

// Beginning is what started says.
type Beginning struct {
	SessionID      string `json:"session_id"`
	SessionCreated bool   `json:"session_created" jsonschema:"whether the request created the session"`
	ExecutionCount int    `json:"execution_count" jsonschema:"the n of Cell [n] in tracebacks"`
}

// Ending is what done says: the answer of a blocking request but for what the events before it have said.
type Ending struct {
	Outcome       sandbox.Outcome        `json:"outcome"`
	StateKept     bool                   `json:"state_kept" jsonschema:"whether the session's variables survived"`
	Error         *string                `json:"error" jsonschema:"null when all went well; else type and message of the exception, or what ended the code"`
	ExecutionTime float64                `json:"execution_time" jsonschema:"seconds that the code ran"`
	Locals        jsontext.Value         `json:"locals" jsonschema:"variables by name, null when not asked for"`
	LocalsInexact jsontext.Value         `json:"locals_inexact,omitempty" jsonschema:"the variables of which locals has a repr"`
	LocalsOmitted int                    `json:"locals_omitted,omitzero" jsonschema:"how many variables were left out at the cap"`
	Truncated     map[string]int64       `json:"truncated" jsonschema:"bytes left out, by part"`
	InvalidUTF8   map[string]int64       `json:"invalid_utf8" jsonschema:"bytes that were not UTF-8 and became U+FFFD, by stream"`
	Usage         sandbox.ExecutionUsage `json:"usage"`
	Files         *sandbox.FileChanges   `json:"files" jsonschema:"that changed while the code ran, null where nobody knows"`
	StateLostAt   int                    `json:"state_lost_at,omitzero" jsonschema:"said once: the earlier execution at which the variables were lost"`
}

// newEventMessage renders an event of x, or of a session's background where x is nil.
func newEventMessage(ev sandbox.Event, x *sandbox.Execution) EventMessage {
	m := EventMessage{
		Seq:         ev.Seq,
		Type:        ev.Type,
		ExecutionID: ev.Execution,
		Time:        ev.Time.UTC(),
		Background:  ev.Background,
		Text:        ev.Text,
		Exception:   ev.Exception,
		Input:       ev.Prompt,
	}
	if ev.Display != nil {
		m.Data, m.Metadata = ev.Display.Data, ev.Display.Metadata
	}
	if ev.Type == sandbox.EventStarted {
		m.Beginning = &Beginning{SessionID: x.Session(), SessionCreated: x.Created(), ExecutionCount: ev.ExecutionCount}
	}
	if ev.Result != nil {
		whole := newExecuteResponse(ev.Result, x.Created())
		m.Ending = &Ending{
			Outcome:       whole.Outcome,
			StateKept:     whole.StateKept,
			Error:         whole.Error,
			ExecutionTime: whole.ExecutionTime,
			Locals:        whole.Locals,
			LocalsInexact: whole.LocalsInexact,
			LocalsOmitted: whole.LocalsOmitted,
			Truncated:     whole.Truncated,
			InvalidUTF8:   whole.InvalidUTF8,
			Usage:         whole.Usage,
			Files:         whole.Files,
			StateLostAt:   whole.StateLostAt,
		}
	}
	return m
}
