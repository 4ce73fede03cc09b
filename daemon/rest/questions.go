package rest

import (
	"net/http"
	"unicode/utf8"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

const questionDetails = "It is answered while nothing runs in the session. Else it is 409, as it is when the session's process does not answer within 3 s, " +
	"which costs no variable. "

// questions is the table of what a person who types at a session wants to know.
func (h *Handler) questions() []daemon.Route {
	errors := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	return []daemon.Route{
		{
			Method:   http.MethodPost,
			Path:     "/v1/sessions/:id/complete",
			Summary:  "What could be typed at the cursor",
			Details:  questionDetails + "No code of the session's is called: namespaces and classes are looked at, and properties not followed.",
			Params:   []daemon.Param{sessionIDParam},
			In:       CursorRequest{},
			Out:      CompleteResponse{},
			Errors:   errors,
			Examples: completeExamples,
			Handler:  h.complete,
		},
		{
			Method:   http.MethodPost,
			Path:     "/v1/sessions/:id/is_complete",
			Summary:  "Whether code is whole, or needs more lines",
			Details:  questionDetails + "A block of several lines is complete when an empty one ends it.",
			Params:   []daemon.Param{sessionIDParam},
			In:       CodeRequest{},
			Out:      IsCompleteResponse{},
			Errors:   errors,
			Examples: isCompleteExamples,
			Handler:  h.isComplete,
		},
		{
			Method:   http.MethodPost,
			Path:     "/v1/sessions/:id/inspect",
			Summary:  "What is known of the name at the cursor, or of the call whose arguments it is in",
			Details:  questionDetails,
			Params:   []daemon.Param{sessionIDParam},
			In:       CursorRequest{},
			Out:      InspectResponse{},
			Errors:   errors,
			Examples: inspectExamples,
			Handler:  h.inspect,
		},
		{
			Method:   http.MethodGet,
			Path:     "/v1/sessions/:id/variables",
			Summary:  "The session's variables, in the order they were made",
			Details:  questionDetails,
			Params:   []daemon.Param{sessionIDParam},
			Out:      VariableList{},
			Errors:   errors,
			Examples: variablesExamples,
			Handler:  h.variables,
		},
	}
}

// CodeRequest asks about code.
type CodeRequest struct {
	Code string `json:"code"`
}

// CursorRequest asks about a place in code.
type CursorRequest struct {
	Code   string `json:"code"`
	Cursor *int   `json:"cursor,omitzero" jsonschema:"in code points; null or none for the end"`
}

// CompleteResponse is what could stand in the place of code[start:end]; both count code points.
type CompleteResponse struct {
	Matches []string `json:"matches" jsonschema:"each may stand in the place of code[start:end]; sorted"`
	Start   int      `json:"start" jsonschema:"in code points"`
	End     int      `json:"end" jsonschema:"in code points"`
	Omitted int      `json:"omitted" jsonschema:"matches that did not fit"`
}

// IsCompleteResponse tells whether code is whole.
type IsCompleteResponse struct {
	Status string `json:"status"`
	Indent int    `json:"indent" jsonschema:"spaces that begin the next line of incomplete code"`
}

// InspectResponse is what is known of a name.
type InspectResponse struct {
	Found     bool   `json:"found"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Signature string `json:"signature" jsonschema:"of what can be called"`
	Doc       string `json:"doc"`
	Repr      string `json:"repr" jsonschema:"its beginning"`
}

// VariableList is the answer of GET /v1/sessions/{id}/variables.
type VariableList struct {
	Variables []VariableResponse `json:"variables"`
	Omitted   int                `json:"omitted" jsonschema:"variables that did not fit"`
}

// VariableResponse is one variable.
type VariableResponse struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Size  *int64  `json:"size,omitzero" jsonschema:"items, of what has a length"`
	Shape []int64 `json:"shape,omitzero" jsonschema:"of arrays and tables"`
	Repr  string  `json:"repr" jsonschema:"its beginning; empty where it took too long"`
}

// readQuestion reads a CursorRequest, or a CodeRequest.
func readQuestion(c *fiber.Ctx, hasCursor bool) (key sandbox.Key, code string, cursor int, err error) {
	if key, err = sessionKey(c); err != nil {
		return
	}
	body, err := daemon.ReadBody(c)
	if err != nil {
		return
	}
	defer body.Close()
	cursor = -1
	fields := []jsonbody.Field{{Name: "code", Required: true, Value: jsonbody.String(&code, sandbox.MaxQuestion)}}
	if hasCursor {
		fields = append(fields, jsonbody.Field{Name: "cursor", Value: jsonbody.Nullable(jsonbody.Index(&cursor, sandbox.MaxQuestion))})
	}
	err = body.Decode(fields)
	if last := utf8.RuneCountInString(code); cursor < 0 || cursor > last {
		cursor = last
	}
	return key, code, cursor, err
}

func (h *Handler) complete(c *fiber.Ctx) error {
	key, code, cursor, err := readQuestion(c, true)
	if err != nil {
		return err
	}
	found, err := h.manager.Complete(daemon.Context(c), key, code, cursor)
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, CompleteResponse(found))
}

func (h *Handler) isComplete(c *fiber.Ctx) error {
	key, code, _, err := readQuestion(c, false)
	if err != nil {
		return err
	}
	found, err := h.manager.IsComplete(daemon.Context(c), key, code)
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, IsCompleteResponse(found))
}

func (h *Handler) inspect(c *fiber.Ctx) error {
	key, code, cursor, err := readQuestion(c, true)
	if err != nil {
		return err
	}
	found, err := h.manager.Inspect(daemon.Context(c), key, code, cursor)
	if err != nil {
		return err
	}
	return daemon.WriteJSON(c, InspectResponse(found))
}

func (h *Handler) variables(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	found, err := h.manager.Variables(daemon.Context(c), key)
	if err != nil {
		return err
	}
	list := VariableList{Variables: make([]VariableResponse, len(found.Variables)), Omitted: found.Omitted}
	for i, v := range found.Variables {
		list.Variables[i] = VariableResponse(v)
	}
	return daemon.WriteJSON(c, list)
}
