package openapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/google/jsonschema-go/jsonschema"
)

// document is an OpenAPI 3.1 document, as far as it is used here.
type document struct {
	OpenAPI    string                       `json:"openapi"`
	Info       info                         `json:"info"`
	Servers    []server                     `json:"servers"`
	Security   []map[string][]string        `json:"security"`
	Paths      ordered[ordered[*operation]] `json:"paths"` // by path and method
	Components components                   `json:"components"`
}

type info struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

type server struct {
	URL string `json:"url"`
}

type components struct {
	Schemas         map[string]*jsonschema.Schema `json:"schemas"`
	Parameters      map[string]*parameter         `json:"parameters"`
	Headers         map[string]*header            `json:"headers"`
	SecuritySchemes map[string]map[string]string  `json:"securitySchemes"`
}

const about = "Runs Python for programs. Every session is a container of its own, without network, that keeps its variables between calls.\n\n" +
	"Bodies are JSON, decoded strictly. Lengths of strings are checked in bytes of UTF-8. Names that are not known are ignored in requests; " +
	"clients should ignore those that they do not know in answers.\n\n" +
	"Where the daemon has API keys, a request without one is 401. Sessions, executions and idempotency keys belong to the name of a key; those of " +
	"another name are answered as what is not there.\n\n" +
	"Errors are `{\"detail\": ...}`, and under `/v1` problem details (RFC 9457). So are those where no route answers: " +
	"404, and 405 with an `Allow` header. What cannot be read as HTTP, has too many bytes of headers, or a body that does not come, is answered " +
	"with the former, and 400, 431 or 408."

// security is how clients may say who they are. Where the daemon has no keys, nobody needs to; on open routes nobody can.
var (
	security = []map[string][]string{{}, {"bearer": {}}, {"apiKey": {}}}
	none     = []map[string][]string{{}}
	schemes  = map[string]map[string]string{
		"bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where the daemon has keys."},
		"apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in a header of its own."},
	}
)

// generate describes routes, as JSON.
func generate(version string, routes []daemon.Route, schemas daemon.Schemas) ([]byte, error) {
	maps.Copy(schemas, serverSchemas)
	r := newReflector(schemas)
	doc := document{
		OpenAPI:  "3.1.1",
		Info:     info{Title: "fastpyrepl", Description: about, Version: version},
		Servers:  []server{{URL: "/"}},
		Security: security,
		Components: components{
			Schemas:         r.components,
			Parameters:      commonParameters,
			Headers:         commonHeaders,
			SecuritySchemes: schemes,
		},
	}
	for _, route := range routes {
		op, err := r.operation(&route)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", route.Method, route.Path, err)
		}
		path := route.Template()
		methods := doc.Paths.values[path]
		methods.set(strings.ToLower(route.Method), op)
		doc.Paths.set(path, methods)
	}
	return json.Marshal(doc)
}
