package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// Completion is what could stand in the place of the characters from Start to End of the code. They are Unicode code
// points, as len([]rune(code)) counts them.
type Completion struct {
	Matches    []string `json:"matches"`
	Start, End int
	Omitted    int `json:"omitted"` // matches that did not fit
}

// Completeness tells whether code is whole.
type Completeness struct {
	Status string `json:"status"` // complete, incomplete or invalid
	Indent int    `json:"indent"` // spaces that the next line should begin with, of incomplete code
}

// Values of Completeness.Status.
const (
	Complete   = "complete"
	Incomplete = "incomplete"
	Invalid    = "invalid" // no more lines can mend it
)

// Variable is one in a session's namespace.
type Variable struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Size  *int64  `json:"size"`  // items, of what has a length; nil for others
	Shape []int64 `json:"shape"` // of arrays and tables
	Repr  string  `json:"repr"`  // the beginning of it; "" where it took too long
}

// Variables are those of a session, in the order they were made.
type Variables struct {
	Variables []Variable `json:"variables"`
	Omitted   int        `json:"omitted"` // variables that did not fit

	Raw json.RawMessage `json:"-"` // the answer as it came
}

func (v *Variables) keep(text json.RawMessage) { v.Raw = text }

// Inspection is what is known of a name.
type Inspection struct {
	Found     bool   `json:"found"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Signature string `json:"signature"` // of what can be called
	Doc       string `json:"doc"`
	Repr      string `json:"repr"`
}

// The questions below are answered while nothing runs in the session; else they are a Problem with Status 409.

// Complete says what could be typed at the cursor, which counts Unicode code points.
func (c *Client) Complete(ctx context.Context, sessionID, code string, cursor int) (*Completion, error) {
	return answer[Completion](c, ctx, sessionID, "/complete", map[string]any{"code": code, "cursor": cursor})
}

// IsComplete tells whether code is whole, or needs more lines.
func (c *Client) IsComplete(ctx context.Context, sessionID, code string) (*Completeness, error) {
	return answer[Completeness](c, ctx, sessionID, "/is_complete", map[string]any{"code": code})
}

// Inspect says what is known of the name at the cursor, which counts Unicode code points.
func (c *Client) Inspect(ctx context.Context, sessionID, code string, cursor int) (*Inspection, error) {
	return answer[Inspection](c, ctx, sessionID, "/inspect", map[string]any{"code": code, "cursor": cursor})
}

// Variables lists a session's variables.
func (c *Client) Variables(ctx context.Context, sessionID string) (*Variables, error) {
	v := new(Variables)
	if err := c.ask(ctx, call{method: http.MethodGet, path: sessionPath(sessionID) + "/variables", again: true}, v); err != nil {
		return nil, err
	}
	return v, nil
}

// answer asks a question that changes nothing, and so may be sent again.
func answer[T any](c *Client, ctx context.Context, sessionID, path string, body any) (*T, error) {
	out := new(T)
	if err := c.ask(ctx, call{method: http.MethodPost, path: sessionPath(sessionID) + path, body: body, again: true}, out); err != nil {
		return nil, err
	}
	return out, nil
}
