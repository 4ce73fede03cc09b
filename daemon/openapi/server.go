package openapi

import (
	"reflect"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/jsonbody"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/google/jsonschema-go/jsonschema"
)

// serverSchemas are for what every route may answer with.
var serverSchemas = daemon.Schemas{
	reflect.TypeFor[daemon.Failure](): func(s *jsonschema.Schema) {
		s.Properties["detail"] = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string"},
			{Type: "array", Items: &jsonschema.Schema{Ref: "#/components/schemas/ValidationError"}, Description: "With 422: all that is wrong."},
		}}
	},
	reflect.TypeFor[sandbox.Code](): func(s *jsonschema.Schema) {
		s.Title = "ErrorCode"
		s.Description = "More may come."
		for _, k := range daemon.Kinds {
			s.Enum = append(s.Enum, string(k.Code))
		}
	},
	reflect.TypeFor[jsonbody.Error](): func(s *jsonschema.Schema) {
		s.Title = "ValidationError"
		s.Description = "One thing that is wrong with a request, as FastAPI shapes it."
		s.Properties["loc"].Items = &jsonschema.Schema{Types: []string{"string", "integer"}}
	},
}
