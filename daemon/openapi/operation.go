package openapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/google/jsonschema-go/jsonschema"
)

type operation struct {
	OperationID string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	Parameters  []*parameter          `json:"parameters"`
	RequestBody *requestBody          `json:"requestBody,omitempty"`
	Responses   map[string]*response  `json:"responses"`          // by status
	Security    []map[string][]string `json:"security,omitempty"` // where it is not the document's
	Socket      *socket               `json:"x-websocket,omitempty"`
}

type parameter struct {
	Ref         string             `json:"$ref,omitempty"`
	In          string             `json:"in,omitempty"`
	Name        string             `json:"name,omitempty"`
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Schema      *jsonschema.Schema `json:"schema,omitempty"`
	Examples    ordered[example]   `json:"examples,omitzero"`
}

type requestBody struct {
	Required bool                `json:"required"`
	Content  ordered[*mediaType] `json:"content"`
}

type response struct {
	Description string              `json:"description"`
	Headers     map[string]*header  `json:"headers"`
	Content     ordered[*mediaType] `json:"content,omitzero"` // by media type
}

type header struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Schema      *jsonschema.Schema `json:"schema,omitempty"`
}

type mediaType struct {
	Schema *jsonschema.Schema `json:"schema"`
	// Item is the schema of one event of a stream: what itemSchema is from OpenAPI 3.2 on.
	Item     *jsonschema.Schema `json:"x-itemSchema,omitempty"`
	Examples ordered[example]   `json:"examples,omitzero"`
}

// socket is what a WebSocket carries, which OpenAPI has no words for.
type socket struct {
	Client   *jsonschema.Schema `json:"client"` // the schema of a message of the client
	Server   *jsonschema.Schema `json:"server"`
	Examples ordered[example]   `json:"examples,omitzero"`
}

const (
	jsonBody    = "application/json"
	problemBody = "application/problem+json"
	eventStream = "text/event-stream"
	eventLines  = "application/x-ndjson"
)

var pathParam = regexp.MustCompile(`{(\w+)}`)

// operation describes a route.
func (r *reflector) operation(route *daemon.Route) (*operation, error) {
	op := &operation{
		OperationID: operationID(route),
		Tags:        []string{tag(route.Path)},
		Summary:     route.Summary,
		Description: route.Details,
		Parameters:  []*parameter{},
		Responses:   map[string]*response{},
	}
	err := errors.Join(r.request(op, route), r.answers(op, route), r.failures(op, route), r.socket(op, route), illustrate(op, route))
	op.addCommon(route)
	return op, err
}

func (r *reflector) request(op *operation, route *daemon.Route) error {
	described := map[string]bool{}
	for _, p := range route.Params {
		described[p.Name] = p.In == "path"
		op.Parameters = append(op.Parameters, &parameter{
			In: p.In, Name: p.Name, Description: p.Meaning, Required: p.In == "path", Schema: p.Schema,
		})
	}
	for _, found := range pathParam.FindAllStringSubmatch(route.Template(), -1) {
		if !described[found[1]] {
			return fmt.Errorf("%s is not described", found[0])
		}
	}
	if route.Takes != nil {
		op.RequestBody = &requestBody{Required: true}
		for _, form := range route.Takes {
			op.RequestBody.Content.set(form.Type, &mediaType{Schema: form.Schema})
		}
		return nil
	}
	if route.In == nil {
		return nil
	}
	s, err := r.of(reflect.TypeOf(route.In))
	op.RequestBody = &requestBody{Required: true}
	op.RequestBody.Content.set(jsonBody, &mediaType{Schema: s})
	return err
}

// answers describes those of when all goes well.
func (r *reflector) answers(op *operation, route *daemon.Route) error {
	if route.Out != nil {
		s, err := r.of(reflect.TypeOf(route.Out))
		if err != nil {
			return err
		}
		op.response(http.StatusOK, "").content(jsonBody, s)
	}
	if route.Events != nil {
		item, err := r.of(reflect.TypeOf(route.Events))
		if err != nil {
			return err
		}
		text := &jsonschema.Schema{Type: "string"}
		ok := op.response(http.StatusOK, "")
		ok.content(eventStream, text).Item = &jsonschema.Schema{
			Type:     "object",
			Required: []string{"id", "event", "data"},
			Properties: map[string]*jsonschema.Schema{
				"id":    {Type: "string", Description: "The event's seq."},
				"event": {Type: "string", Description: "The event's type."},
				"data":  {Type: "string", ContentMediaType: jsonBody, ContentSchema: item},
			},
		}
		ok.content(eventLines, text).Item = item
	}
	for _, a := range route.Answers {
		response := op.response(a.Status, a.Meaning)
		for name, meaning := range a.Headers {
			response.Headers[name] = &header{Description: meaning, Required: true, Schema: &jsonschema.Schema{Type: "string"}}
		}
		if a.MediaType != "" {
			response.content(a.MediaType, &jsonschema.Schema{Type: "string"})
		}
		if a.Body != nil {
			s, err := r.of(reflect.TypeOf(a.Body))
			if err != nil {
				return err
			}
			response.content(jsonBody, s)
		}
	}
	return nil
}

// failures describes the errors.
func (r *reflector) failures(op *operation, route *daemon.Route) error {
	mediaType, body := failureBody(route.Path)
	s, err := r.of(reflect.TypeOf(body))
	if err != nil {
		return err
	}
	for _, status := range route.Statuses() {
		var meanings []string
		for _, k := range daemon.Kinds {
			if k.Status == status {
				meanings = append(meanings, "`"+string(k.Code)+"`: "+k.Meaning)
			}
		}
		response := op.response(status, strings.Join(meanings, "\n\n"))
		if route.Method == http.MethodHead {
			continue
		}
		response.content(mediaType, s)
		if mediaType == problemBody && (route.In != nil || route.Takes != nil) && slices.Contains(unread, status) {
			failure, err := r.of(reflect.TypeFor[daemon.Failure]())
			if err != nil {
				return err
			}
			response.content(jsonBody, failure)
		}
	}
	return nil
}

// unread are the statuses of a body that does not come, or not as HTTP. While the server still waits for its first bytes, it
// answers without regard to the path.
var unread = []int{http.StatusBadRequest, http.StatusRequestTimeout}

// failureBody is what errors below path look like.
func failureBody(path string) (mediaType string, body any) {
	if daemon.HasProblems(path) {
		return problemBody, daemon.Problem{}
	}
	return jsonBody, daemon.Failure{}
}

func (r *reflector) socket(op *operation, route *daemon.Route) (err error) {
	if route.Socket == nil {
		return nil
	}
	op.Socket = &socket{}
	if op.Socket.Client, err = r.oneOf(route.Socket.Client); err != nil {
		return err
	}
	op.Socket.Server, err = r.oneOf(route.Socket.Server)
	return err
}

func (r *reflector) oneOf(values []any) (*jsonschema.Schema, error) {
	all := &jsonschema.Schema{}
	for _, v := range values {
		s, err := r.of(reflect.TypeOf(v))
		if err != nil {
			return nil, err
		}
		all.OneOf = append(all.OneOf, s)
	}
	return all, nil
}

// response finds the one of a status, or makes it.
func (op *operation) response(status int, meaning string) *response {
	key := strconv.Itoa(status)
	if op.Responses[key] == nil {
		op.Responses[key] = &response{
			Description: cmp.Or(meaning, http.StatusText(status)),
			Headers:     map[string]*header{},
		}
	}
	return op.Responses[key]
}

// content adds a form of the body.
func (a *response) content(name string, s *jsonschema.Schema) *mediaType {
	m := &mediaType{Schema: s}
	a.Content.set(name, m)
	return m
}

// operationID is method and path as one word.
func operationID(route *daemon.Route) string {
	id := strings.ToLower(route.Method)
	for word := range strings.FieldsFuncSeq(strings.TrimPrefix(route.Template(), "/v1/"), func(r rune) bool { return strings.ContainsRune("/{}.", r) }) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// tag groups the routes: those under /v1 by what they are about.
func tag(path string) string {
	if rest, ok := strings.CutPrefix(path, "/v1/"); ok {
		what, _, _ := strings.Cut(rest, "/")
		return what
	}
	return "general"
}
