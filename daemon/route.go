package daemon

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/jsonschema-go/jsonschema"
)

// Route is one operation. The tables of routes are all there is: nothing else answers, and what documents them is
// generated from them (daemon/openapi). All but Method, Path, Open, Admin, Early and Handler is for the document.
type Route struct {
	Method   string
	Path     string // as Fiber takes it
	Summary  string // one line
	Details  string // what more there is to say, in Markdown
	Params   []Param
	In       any       // zero value of the body's type; nil when there is none
	Takes    []Media   // forms of a body that the handler takes as it comes, with ReadUpload; none when it takes JSON, or no body
	Out      any       // zero value of the type of a 200's JSON
	Events   any       // zero value of the type of an event, where a 200 is a stream of them, or can be asked to be one
	Socket   *Messages // of a WebSocket
	Answers  []Answer  // others when all goes well
	Errors   []int     // statuses other than those that the server gives on every route
	Open     bool      // asks for no API key
	Admin    bool      // asks for an administrator's key, where there are keys
	Early    bool      // answers while the daemon is still starting
	Examples []Example
	Handler  fiber.Handler
}

// WithHead is r, a GET that answers with JSON and has no parameters, and beside it the same for HEAD, as load balancers ask: all that
// GET would answer but the body.
func WithHead(r Route) []Route {
	head := r
	head.Method, head.Summary, head.Details, head.Out = http.MethodHead, "What GET would say, without its body", "", nil
	head.Answers = []Answer{{Status: http.StatusOK, Meaning: r.Summary + "."}}
	for _, a := range r.Answers {
		a.Body = nil
		head.Answers = append(head.Answers, a)
	}
	head.Examples = nil
	for _, e := range r.Examples {
		e.Name, e.Answer = "head-"+e.Name, ""
		head.Examples = append(head.Examples, e)
	}
	return []Route{r, head}
}

// Media is a form of a body that is passed on, and not looked into.
type Media struct {
	Type   string // "*/*" is any
	Schema *jsonschema.Schema
}

// Param is a part of the request beside the body. What Fiber's path names is required.
type Param struct {
	In, Name string // path, query or header
	Meaning  string
	Schema   *jsonschema.Schema
}

// Answer is one that is neither Out, Events nor an error.
type Answer struct {
	Status    int
	Meaning   string
	Body      any               // zero value of the JSON's type; nil for none
	MediaType string            // of a body that is no JSON
	Headers   map[string]string // meaning, by name
}

// Messages are the JSON objects that a WebSocket carries.
type Messages struct {
	Client []any // zero values of the types of what the client sends
	Server []any // and of what it receives
}

// Example is a request that works as it stands, in a daemon without sessions, and what it is answered with. test/contract
// sends it, and compares.
type Example struct {
	Name    string // one word; no other example has it
	Summary string
	After   []string          // what happens before: names of examples, or of what test/contract can bring about
	Params  map[string]string // by name
	Accept  string            // the header
	Body    string            // JSON, or else of Type
	Type    string            // of a body that is no JSON
	Status  int
	// Answer is the body, where that is JSON; of a WebSocket, what is said, where a line begins with "> " or "< ". UUIDs, times and measures
	// stand for others; the same UUID is the same one.
	Answer string
}

// Schemas add to the schemas of types what reflection cannot see: bounds, choices, what raw JSON holds. That of an
// embedded type is applied to what embeds it. A title that one sets names the type in the document.
type Schemas map[reflect.Type]func(*jsonschema.Schema)

// Template is the path with its parameters in braces, as OpenAPI and people write it. What a wildcard stands for is {path}.
func (r *Route) Template() string {
	return params.ReplaceAllStringFunc(r.Path, func(p string) string {
		if p[0] == ':' {
			return "{" + p[1:] + "}"
		}
		return "{path}"
	})
}

var params = regexp.MustCompile(`:\w+|[*+]$`)

// matches tells whether the request's path is that of the route, before it is routed.
func (s *Server) matches(c *fiber.Ctx, r Route) bool {
	i := strings.IndexAny(r.Path, ":*")
	if i < 0 {
		return r.Path == c.Path()
	}
	return strings.HasPrefix(c.Path(), strings.TrimSuffix(r.Path[:i], "/")) && fiber.RoutePatternMatch(c.Path(), r.Path, s.app.Config())
}

// Statuses are those of all errors that a client may meet on the route, in order. A 422 of a route without a body or
// parameters is about an administrator's owner.
func (r *Route) Statuses() []int {
	all := slices.Concat(r.Errors, []int{
		http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusMisdirectedRequest, http.StatusInternalServerError,
	})
	if !r.Early {
		all = append(all, http.StatusServiceUnavailable)
	}
	if !r.Open {
		all = append(all, http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusTooManyRequests)
	}
	if r.In != nil || r.Takes != nil {
		all = append(all, http.StatusRequestTimeout, http.StatusUnprocessableEntity)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
