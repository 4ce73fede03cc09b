package openapi

import (
	"net/http"
	"strconv"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/google/jsonschema-go/jsonschema"
)

// What many routes have, by the name of its component.
var (
	commonParameters = map[string]*parameter{
		"RequestID": {
			In: "header", Name: "X-Request-ID",
			Description: "Comes back, and is in the log. One that is not of this form is replaced.",
			Schema:      &jsonschema.Schema{Type: "string"},
		},
		"Owner": {
			In: "query", Name: "owner",
			Description: "The name of the key whose sessions and executions the request is about. Only an administrator may name one. " +
				"The empty name owns what was begun before the daemon had keys.",
			Schema: &jsonschema.Schema{Type: "string", Pattern: "^$|" + sandbox.SessionIDPattern},
		},
	}
	commonHeaders = map[string]*header{
		"RequestID": {
			Description: "The request's X-Request-ID, or a new one.",
			Required:    true,
			Schema:      &jsonschema.Schema{Type: "string", Pattern: `^[A-Za-z0-9._-]{1,128}$`},
		},
		"RetryAfter": {
			Description: "Seconds after which to come back.",
			Required:    true,
			Schema:      &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(1.0)},
		},
		"Authenticate": {
			Description: "How to say who one is.",
			Required:    true,
			Schema:      &jsonschema.Schema{Type: "string", Const: jsonschema.Ptr[any]("Bearer")},
		},
		"RateLimit": {
			Description: "How many requests the key may send at once, where it has a rate.",
			Schema:      &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(1.0)},
		},
		"RateLimitRemaining": {
			Description: "How many of these it may send now.",
			Schema:      &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)},
		},
		"RateLimitReset": {
			Description: "Seconds until it may send all of them.",
			Schema:      &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)},
		},
	}
)

// addCommon adds what does not depend on the route, but on whether it is open.
func (op *operation) addCommon(route *daemon.Route) {
	if route.Open {
		op.Security = none
	} else {
		op.Parameters = append(op.Parameters, &parameter{Ref: "#/components/parameters/Owner"})
	}
	op.Parameters = append(op.Parameters, &parameter{Ref: "#/components/parameters/RequestID"})
	for key, a := range op.Responses {
		status, _ := strconv.Atoi(key)
		a.refer("X-Request-ID", "RequestID")
		if status == http.StatusUnauthorized {
			a.refer("WWW-Authenticate", "Authenticate")
		}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			a.refer("Retry-After", "RetryAfter")
		}
		if !route.Open && (status < http.StatusBadRequest || status == http.StatusTooManyRequests) {
			a.refer("RateLimit-Limit", "RateLimit")
			a.refer("RateLimit-Remaining", "RateLimitRemaining")
			a.refer("RateLimit-Reset", "RateLimitReset")
		}
	}
}

// refer adds a header that is a component.
func (a *response) refer(name, component string) {
	a.Headers[name] = &header{Ref: "#/components/headers/" + component}
}
