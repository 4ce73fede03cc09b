package rest

import (
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json/jsontext"
)

// EventMessage is one event of a stream. Which fields it has depends on its type.
type EventMessage struct {
	Seq         uint64            `json:"seq"` // from 1; the place to resume from
	Type        sandbox.EventType `json:"type"`
	ExecutionID string            `json:"execution_id"`
	Time        time.Time         `json:"time"`
	Background  bool              `json:"background,omitzero"` // written after the end of its execution

	Text       string             `json:"text,omitempty"`          // stdout, stderr
	Data       jsontext.Value     `json:"data,omitempty"`          // display, result: an object, by MIME type
	Metadata   jsontext.Value     `json:"metadata,omitempty"`      // display, result: an object
	Exception  *sandbox.Exception `json:"exception,omitempty"`     // error
	Input      *sandbox.Prompt    `json:"input_request,omitempty"` // input_request
	*Beginning                    // started
	*Ending                       // done
}

// Beginning is what started says.
type Beginning struct {
	SessionID      string `json:"session_id"`
	SessionCreated bool   `json:"session_created"`
	ExecutionCount int    `json:"execution_count"`
}

// Ending is what done says: the answer of a blocking request but for what the events before it have said.
type Ending struct {
	Outcome       sandbox.Outcome        `json:"outcome"`
	StateKept     bool                   `json:"state_kept"`
	Error         *string                `json:"error"`
	ExecutionTime float64                `json:"execution_time"` // seconds
	Locals        jsontext.Value         `json:"locals"`
	LocalsInexact jsontext.Value         `json:"locals_inexact,omitempty"`
	LocalsOmitted int                    `json:"locals_omitted,omitzero"`
	Truncated     map[string]int64       `json:"truncated"`
	InvalidUTF8   map[string]int64       `json:"invalid_utf8"`
	Usage         sandbox.ExecutionUsage `json:"usage"`
	StateLostAt   int                    `json:"state_lost_at,omitzero"`
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
			StateLostAt:   whole.StateLostAt,
		}
	}
	return m
}
