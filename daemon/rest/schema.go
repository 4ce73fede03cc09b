package rest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/google/jsonschema-go/jsonschema"
)

// Schemas are for the types of the routes. They hold the bounds that requests are checked for now, so they are to be
// asked for again after SetLimits. test/contract tries each of these on the daemon.
func (h *Handler) Schemas() daemon.Schemas {
	l := h.limits.Load()
	return daemon.Schemas{
		reflect.TypeFor[ExecuteRequest]():    l.describeExecute,
		reflect.TypeFor[ResetRequest]():      describeReset,
		reflect.TypeFor[SessionRequest]():    l.describeSession,
		reflect.TypeFor[SessionPatch]():      l.describeLifetimes,
		reflect.TypeFor[CodeRequest]():       describeCode,
		reflect.TypeFor[CursorRequest]():     describeCursor,
		reflect.TypeFor[ExecuteResponse]():   describeResponse,
		reflect.TypeFor[Ending]():            describeLocals,
		reflect.TypeFor[EventMessage]():      describeEvent,
		reflect.TypeFor[ChannelRequest]():    describeChannelRequest,
		reflect.TypeFor[ChannelRefusal]():    describeRefusal,
		reflect.TypeFor[sandbox.Exception](): describeException,
		reflect.TypeFor[sandbox.Outcome]():   describeOutcome,
		reflect.TypeFor[IsCompleteResponse](): func(s *jsonschema.Schema) {
			s.Properties["status"].Enum = []any{sandbox.StatusComplete, sandbox.StatusIncomplete, sandbox.StatusInvalid}
		},
		reflect.TypeFor[sandbox.FileChanges](): describeChanges,
		reflect.TypeFor[sandbox.FileType]():    func(s *jsonschema.Schema) { s.Enum = anys(sandbox.FileTypes) },
		reflect.TypeFor[sandbox.State]():       func(s *jsonschema.Schema) { s.Enum = anys(sandbox.States) },
		reflect.TypeFor[sandbox.EventType]():   func(s *jsonschema.Schema) { s.Enum = anys(eventTypes()) },
	}
}

// describeExecute has the bounds of executeRequest.fields.
func (l *Limits) describeExecute(s *jsonschema.Schema) {
	p := s.Properties
	p["code"].MaxLength = jsonschema.Ptr(int(l.MaxCode))
	p["setup_code"].MaxLength = jsonschema.Ptr(int(l.MaxCode))
	p["context"].MaxLength = jsonschema.Ptr(int(l.MaxContext))
	p["stdin"].MaxLength = jsonschema.Ptr(int(l.MaxContext))
	p["session_id"].Pattern = sessionIDOrNone
	positive(p["timeout"], l.MaxTimeout.Seconds())
	positive(p["max_stdout"], float64(l.MaxStdout))
	positive(p["max_stderr"], float64(l.MaxStderr))
	positive(p["max_display"], float64(l.MaxDisplay))
	positive(p["max_locals"], float64(l.MaxLocals))
	positive(p["max_locals_value"], float64(l.MaxLocalsValue))
	positive(p["max_events"], float64(l.MaxEvents))
	p["on_disconnect"].Enum = []any{"interrupt", "continue", nil}
	p["figures"].Items.Enum = anys(sandbox.FigureFormats)

	p["create"].Default = []byte("true")
	p["return_locals"].Default = []byte("false")
	p["detach"].Default = []byte("false")
	p["on_disconnect"].Default = []byte(`"interrupt"`)
	p["figures"].Default = []byte(`["png"]`)
	if l.Timeout > 0 {
		p["timeout"].Default = fmt.Append(nil, l.Timeout.Seconds())
	}
}

// sessionIDOrNone is what a request may name: "" stands for none.
const sessionIDOrNone = "^$|" + sandbox.SessionIDPattern

func describeReset(s *jsonschema.Schema) { s.Properties["session_id"].Pattern = sessionIDOrNone }

// describeSession has the bounds of Handler.sessionRequest.
func (l *Limits) describeSession(s *jsonschema.Schema) {
	p := s.Properties
	p["session_id"].Pattern = sessionIDOrNone
	p["image"].Pattern = "^$|" + imagePattern
	positive(p["memory"], float64(l.Session.Memory))
	positive(p["cpus"], l.Session.CPUs)
	positive(p["pids"], float64(l.Session.Pids))
	positive(p["disk"], float64(l.Session.WorkDir))
	positive(p["timeout"], l.MaxTimeout.Seconds())
	p["setup_code"].MaxLength = jsonschema.Ptr(int(l.MaxCode))
	l.describeLifetimes(s)
}

// describeLifetimes has the bounds of lifetime.
func (l *Limits) describeLifetimes(s *jsonschema.Schema) {
	for name, most := range map[string]time.Duration{"ttl": l.MaxTTL, "idle_ttl": l.MaxIdleTTL} {
		if most > 0 {
			positive(s.Properties[name], most.Seconds())
			continue
		}
		s.Properties[name].Minimum, s.Properties[name].Maximum = jsonschema.Ptr(0.0), jsonschema.Ptr(float64(maxLifetime))
	}
}

// describeCode and describeCursor have the bounds of readQuestion.
func describeCode(s *jsonschema.Schema) {
	s.Properties["code"].MaxLength = jsonschema.Ptr(sandbox.MaxQuestion)
}

func describeCursor(s *jsonschema.Schema) {
	describeCode(s)
	s.Properties["cursor"].Minimum, s.Properties["cursor"].Maximum = jsonschema.Ptr(0.0), jsonschema.Ptr(float64(sandbox.MaxQuestion))
}

// positive has the bounds of jsonbody.Positive, and Whole.
func positive(s *jsonschema.Schema, limit float64) {
	s.ExclusiveMinimum, s.Maximum = jsonschema.Ptr(0.0), jsonschema.Ptr(limit)
}

func describeResponse(s *jsonschema.Schema) {
	describeLocals(s)
	s.Properties["result"].Types = []string{"object", "null"}
	s.Properties["result"].AdditionalProperties = &jsonschema.Schema{}
	s.Properties["displays"].Items = mimeBundle("")
}

// describeLocals is for variables in an answer.
func describeLocals(s *jsonschema.Schema) {
	s.Properties["locals"].Types = []string{"object", "null"}
	s.Properties["locals"].AdditionalProperties = &jsonschema.Schema{}
	s.Properties["locals_inexact"].Type = "array"
	s.Properties["locals_inexact"].Items = &jsonschema.Schema{Type: "string"}
}

// mimeBundle is a value in several forms.
func mimeBundle(description string) *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:                 "object",
		Description:          description,
		AdditionalProperties: &jsonschema.Schema{Description: "Text as a string, binary as base64 in one, JSON as it is."},
	}
}

func describeException(s *jsonschema.Schema) {
	s.Description = "What the code raised."
	s.Properties["traceback"].Type = "array"
	s.Properties["traceback"].Items = &jsonschema.Schema{Type: "string"}
}

func describeChanges(s *jsonschema.Schema) {
	s.Description = "Regular files below the working directory that changed while the code ran, whoever changed them."
	for _, name := range []string{"created", "modified", "deleted"} {
		s.Properties[name].Type = "array"
		s.Properties[name].Items = &jsonschema.Schema{Type: "string"}
	}
}

func describeOutcome(s *jsonschema.Schema) {
	s.Enum = anys(sandbox.Outcomes)
	s.Description = "How the code ended: well; it raised; its time was up; somebody interrupted it; it was killed at the memory limit; " +
		"its process died of something else; its session was reset."
}

// eventFields says which fields an event has besides those that all have, by its type.
var eventFields = []struct {
	kind   sandbox.EventType
	fields []string
}{
	{sandbox.EventStarted, []string{"session_id", "session_created", "execution_count"}},
	{sandbox.EventStdout, []string{"text"}},
	{sandbox.EventStderr, []string{"text"}},
	{sandbox.EventDisplay, []string{"data"}},
	{sandbox.EventResult, []string{"data"}},
	{sandbox.EventError, []string{"exception"}},
	{sandbox.EventInputRequest, []string{"input_request"}},
	{sandbox.EventDone, []string{"outcome", "state_kept", "error", "execution_time", "locals", "truncated", "invalid_utf8", "usage", "files"}},
}

func eventTypes() []sandbox.EventType {
	var all []sandbox.EventType
	for _, e := range eventFields {
		all = append(all, e.kind)
	}
	return all
}

func describeEvent(s *jsonschema.Schema) {
	s.Properties["data"] = mimeBundle("the value by MIME type")
	s.Properties["metadata"].Type = "object"
	s.Properties["metadata"].AdditionalProperties = &jsonschema.Schema{}
	for _, e := range eventFields {
		s.OneOf = append(s.OneOf, variant(string(e.kind), e.fields...))
	}
}

// variant is the form of an object that a value of its type has.
func variant(kind string, required ...string) *jsonschema.Schema {
	return &jsonschema.Schema{
		Title:      kind,
		Properties: map[string]*jsonschema.Schema{"type": {Const: jsonschema.Ptr[any](kind)}},
		Required:   required,
	}
}

func describeChannelRequest(s *jsonschema.Schema) {
	for _, name := range []string{"session_id", "detach"} { // they mean nothing here
		delete(s.Properties, name)
		s.PropertyOrder = slices.DeleteFunc(s.PropertyOrder, func(n string) bool { return n == name })
	}
	s.Properties["type"].Enum = []any{"execute", "interrupt", "input"}
	s.Properties["ref"].MaxLength = jsonschema.Ptr(maxRef)
	s.Properties["text"].MaxLength = jsonschema.Ptr(maxChannelText)
	s.Required = []string{"type"}
	s.OneOf = []*jsonschema.Schema{variant("execute", "code"), variant("interrupt"), variant("input", "text")}
}

func describeRefusal(s *jsonschema.Schema) {
	s.Properties["type"].Const = jsonschema.Ptr[any]("refused")
	s.Properties["detail"].AnyOf = []*jsonschema.Schema{
		{Type: "string"},
		{Type: "array", Items: &jsonschema.Schema{Ref: "#/components/schemas/ValidationError"}},
	}
}

func anys[T ~string](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}
