package openapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gjyotin305/fastpyrepl/daemon"
)

// example is a part of one of the route's: a parameter, the body, or the answer. All parts have its name.
type example struct {
	Summary string `json:"summary,omitempty"`
	Value   any    `json:"value"`
}

// illustrate puts the route's examples where they belong. Parameters that may be left out have none: Swagger UI would fill
// them in. Nor is what a schema forbids an example of a body.
func illustrate(op *operation, route *daemon.Route) error {
	for _, e := range route.Examples {
		for _, p := range op.Parameters {
			if value, ok := e.Params[p.Name]; ok && p.Required && e.Status < http.StatusBadRequest {
				p.Examples.set(e.Name, example{Summary: e.Summary, Value: value})
			}
		}
		if e.Body != "" && e.Type == "" && e.Status != http.StatusUnprocessableEntity {
			if op.RequestBody == nil {
				return fmt.Errorf("example %s: the route takes no body", e.Name)
			}
			if err := op.RequestBody.Content.values[jsonBody].illustrate(e, jsonBody, e.Body); err != nil {
				return err
			}
		}
		switch mediaType := cmp.Or(e.Accept, jsonBody); {
		case e.Answer == "":
		case e.Status == http.StatusSwitchingProtocols && op.Socket != nil:
			op.Socket.Examples.set(e.Name, example{Summary: e.Summary, Value: e.Answer})
		default:
			if e.Status >= http.StatusBadRequest {
				mediaType, _ = failureBody(route.Path)
			}
			answer := op.Responses[strconv.Itoa(e.Status)]
			if answer == nil || answer.Content.values[mediaType] == nil {
				return fmt.Errorf("example %s: the route is not said to answer %d with %s", e.Name, e.Status, mediaType)
			}
			if err := answer.Content.values[mediaType].illustrate(e, mediaType, e.Answer); err != nil {
				return err
			}
		}
	}
	return nil
}

// illustrate adds an example of a body: as it is if it is JSON, or else as text.
func (m *mediaType) illustrate(e daemon.Example, name, text string) error {
	value := any(text)
	if name == jsonBody || name == problemBody {
		if !json.Valid([]byte(text)) {
			return fmt.Errorf("example %s is no JSON: %s", e.Name, text)
		}
		value = json.RawMessage(text)
	}
	m.Examples.set(e.Name, example{Summary: e.Summary, Value: value})
	return nil
}
