package contract_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/openapi"
	"github.com/gjyotin305/fastpyrepl/daemon/ops"
	"github.com/gjyotin305/fastpyrepl/daemon/playground"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
)

// description is the daemon's OpenAPI document, read twice: by one library as a document, and by another for its schemas.
type description struct {
	doc *openapi3.T

	mu     sync.Mutex
	closed *jsonschema.Compiler // guarded by mu; of the document, where objects may hold nothing that is not described
}

// described is the document of the daemon.
var described = sync.OnceValues(func() (*description, error) {
	resp, err := instance.http.Get(instance.URL + "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	d := &description{closed: jsonschema.NewCompiler()}
	if d.doc, err = openapi3.NewLoader().LoadFromData(raw); err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	for _, s := range at(parsed, "components", "schemas").(map[string]any) {
		if s := s.(map[string]any); s["properties"] != nil {
			s["additionalProperties"] = false
		}
	}
	d.closed.DefaultDraft(jsonschema.Draft2020)
	d.closed.AssertFormat()
	d.closed.AssertContent()
	return d, d.closed.AddResource("document", parsed)
})

func describe(t *testing.T) *description {
	t.Helper()
	d, err := described()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at is a member of a member of parsed JSON.
func at(v any, path ...string) any {
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return v
}

// pointer escapes a path in the document.
func pointer(path ...string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}

// check validates JSON against a schema in the document.
func (d *description) check(text string, path ...string) error {
	d.mu.Lock()
	schema, err := d.closed.Compile("document#" + pointer(path...))
	d.mu.Unlock()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("%w: %.2000s", err, text)
	}
	return nil
}

// tables are those of all routes that the daemon serves.
func tables(t *testing.T) []daemon.Route {
	t.Helper()
	api, err := openapi.New("")
	if err != nil {
		t.Fatal(err)
	}
	page, err := playground.New()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(rest.New(nil, rest.Limits{}).Routes(), ops.Routes(nil, nil), api.Routes(), page.Routes())
}

func TestDocument_IsOpenAPI31(t *testing.T) {
	d := describe(t)
	if !strings.HasPrefix(d.doc.OpenAPI, "3.1.") {
		t.Errorf("openapi: %q", d.doc.OpenAPI)
	}
	// Every example of an answer, too, is checked against its schema.
	if err := d.doc.Validate(context.Background(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaDefaultsValidation(),
		openapi3.EnableSchemaFormatValidation(), openapi3.EnableMultiError()); err != nil {
		t.Error(err)
	}
}

// Nothing is served that is not described, and nothing is described that is not served.
func TestDocument_HasTheRoutesOfTheTables(t *testing.T) {
	var want, got []string
	for _, r := range tables(t) {
		want = append(want, r.Method+" "+r.Template())
	}
	ids := map[string]bool{}
	for path, item := range describe(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			got = append(got, method+" "+path)
			if ids[op.OperationID] || op.OperationID == "" {
				t.Errorf("%s %s: operation id %q is not one of its own", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("described: %q\nin the tables: %q", got, want)
	}
}

// momentary are answers of which a client cannot bring about that it gets them, by route.
var momentary = map[string]int{"PATCH /v1/sessions/:id": http.StatusConflict}

// What every route may answer is shown, but for what nobody can bring about.
func TestTables_HaveAnExampleOfEachAnswer(t *testing.T) {
	names := map[string]bool{}
	for _, r := range tables(t) {
		shown := map[int]bool{}
		for _, e := range r.Examples {
			shown[e.Status] = true
			if names[e.Name] {
				t.Errorf("two examples are called %s", e.Name)
			}
			names[e.Name] = true
		}
		want := slices.Clone(r.Errors)
		if r.Out != nil || r.Events != nil {
			want = append(want, http.StatusOK)
		}
		if r.In != nil {
			want = append(want, http.StatusUnprocessableEntity)
		}
		for _, a := range r.Answers {
			want = append(want, a.Status)
		}
		for _, status := range want {
			if !shown[status] && status != http.StatusServiceUnavailable && status != momentary[r.Method+" "+r.Path] {
				t.Errorf("%s %s: there is no example of %d", r.Method, r.Path, status)
			}
		}
	}
}

func TestDocumentation_HasEveryRouteAndCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range tables(t) {
		if want := "`" + r.Method + " " + r.Template() + "`"; !strings.Contains(string(text), want) {
			t.Errorf("docs/API.md does not have %s", want)
		}
	}
	page, err := instance.http.Get(instance.URL + daemon.KindsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	html, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range daemon.Kinds {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| %d \\| .*`%s`", k.Status, k.Code))
		if !row.Match(text) {
			t.Errorf("docs/API.md does not have the code %s", k.Code)
		}
		if !strings.Contains(string(html), fmt.Sprintf(`id="%s"`, k.Code)) {
			t.Errorf("%s does not have the code %s", daemon.KindsPath, k.Code)
		}
	}
}
