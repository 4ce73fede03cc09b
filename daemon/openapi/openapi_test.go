package openapi_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/openapi"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

type inner struct {
	Always string `json:"always"`
}

type choice string

// sample has a member of every kind that a schema tells apart.
type sample struct {
	Text     string           `json:"text" jsonschema:"what it says"`
	Nullable *string          `json:"nullable"`
	Optional *string          `json:"optional,omitempty"`
	Either   *float64         `json:"either,omitzero"`
	Count    uint64           `json:"count,omitzero"`
	At       time.Time        `json:"at"`
	Choice   choice           `json:"choice"`
	One      *another         `json:"one"`
	Many     []another        `json:"many"`
	ByName   map[string]int64 `json:"by_name"`
	Hidden   string           `json:"-"`
	*inner
}

type another struct {
	Flag bool `json:"flag"`
}

var schemas = daemon.Schemas{
	reflect.TypeFor[choice]():  func(s *jsonschema.Schema) { s.Enum = []any{"a", "b"} },
	reflect.TypeFor[another](): func(s *jsonschema.Schema) { s.Title = "Renamed" },
}

func TestDescribe_SchemasOfTypes(t *testing.T) {
	doc := describe(t, []daemon.Route{{Method: "GET", Path: "/x", Out: sample{}}})
	const want = `{"type":"object","properties":{` +
		`"text":{"type":"string","description":"what it says"},` +
		`"nullable":{"type":["string","null"]},` +
		`"optional":{"type":"string"},` +
		`"either":{"type":["number","null"]},` +
		`"count":{"type":"integer","minimum":0},` +
		`"at":{"type":"string","format":"date-time"},` +
		`"choice":{"$ref":"#/components/schemas/choice"},` +
		`"one":{"anyOf":[{"$ref":"#/components/schemas/Renamed"},{"type":"null"}]},` +
		`"many":{"type":"array","items":{"$ref":"#/components/schemas/Renamed"}},` +
		`"by_name":{"type":"object","additionalProperties":{"type":"integer"}},` +
		`"always":{"type":"string"}},` +
		`"required":["text","nullable","at","choice","one","many","by_name"]}`
	if got := compact(t, doc.Components.Schemas["sample"]); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got, want := compact(t, doc.Components.Schemas["choice"]), `{"type":"string","enum":["a","b"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDescribe_OpenRoutesAskForNoKey(t *testing.T) {
	doc := describe(t, []daemon.Route{{Method: "GET", Path: "/x", Out: another{}, Open: true}, {Method: "GET", Path: "/y", Out: another{}}})
	if got, want := compact(t, doc.Security), `[{},{"bearer":[]},{"apiKey":[]}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for path, open := range map[string]bool{"/x": true, "/y": false} {
		op := doc.Paths[path]["get"]
		if got := string(op.Security); (got == "[{}]") != open || (got == "") == open {
			t.Errorf("%s: security %s", path, got)
		}
		for _, status := range []string{"401", "429"} {
			if _, ok := op.Responses[status]; ok == open {
				t.Errorf("%s: described %s: %t", path, status, ok)
			}
		}
	}
}

func TestDescribe_RefusesWhatItCannotDescribe(t *testing.T) {
	type raw struct {
		Anything jsontext.Value `json:"anything"`
	}
	h := handler(t)
	for want, r := range map[string]daemon.Route{
		"holds anything, and nothing says what": {Method: "GET", Path: "/x", Out: raw{}},
		"chan int has no schema":                {Method: "GET", Path: "/x", Out: make(chan int)},
		"{id} is not described":                 {Method: "GET", Path: "/x/:id"},
		"{path} is not described":               {Method: "GET", Path: "/x/*"},
		"the route takes no body":               {Method: "POST", Path: "/x", Examples: []daemon.Example{{Name: "e", Body: "{}", Status: 200}}},
		"is not said to answer 201":             {Method: "POST", Path: "/x", Examples: []daemon.Example{{Name: "e", Status: 201, Answer: "{}"}}},
		"example e is no JSON":                  {Method: "GET", Path: "/x", Out: another{}, Examples: []daemon.Example{{Name: "e", Status: 200, Answer: "{"}}},
	} {
		if err := h.Describe([]daemon.Route{r}, schemas); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	both := daemon.Schemas{reflect.TypeFor[another](): func(s *jsonschema.Schema) { s.Title = "inner" }}
	routes := []daemon.Route{{Method: "GET", Path: "/x", Out: another{}}, {Method: "GET", Path: "/y", Out: inner{}}}
	if err := h.Describe(routes, both); err == nil || !strings.Contains(err.Error(), "have one name in the document") {
		t.Errorf("two types of one name: %v", err)
	}
}

// A page of another daemon, and all that it loads, could be anywhere: it says nothing of a host.
func TestPages_LoadOnlyWhatIsServedHere(t *testing.T) {
	base := serve(t)
	header, page := get(t, base+"/docs")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(header.Get("Content-Security-Policy"), want) {
			t.Errorf("the policy %q does not have %s", header.Get("Content-Security-Policy"), want)
		}
	}
	if strings.Contains(header.Get("Content-Security-Policy"), "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %v", header)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 4 {
		t.Fatalf("the page loads %q", links)
	}
	for _, link := range links {
		if header, text := get(t, base+"/"+link[1]); text == "" || header.Get("Content-Type") == "" {
			t.Errorf("%s: %v", link[1], header)
		}
	}
	_, script := get(t, base+"/docs/start.js")
	for name, text := range map[string]string{"/docs": page, "/docs/start.js": script} {
		if regexp.MustCompile(`https?:|<script>|style=`).MatchString(text) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestPages_AssetsComeInflatedToThoseThatCannot(t *testing.T) {
	base := serve(t)
	_, inflated := get(t, base+"/docs/swagger-ui.css") // Go's client asks for gzip, and inflates
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/docs/swagger-ui.css", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	plain, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Encoding") != "" || string(plain) != inflated || len(plain) < 10_000 {
		t.Errorf("%d bytes, %v; inflated by the client %d", len(plain), resp.Header, len(inflated))
	}
}

// document is what the tests look at.
type document struct {
	Security jsontext.Value `json:"security"`
	Paths    map[string]map[string]struct {
		Security  jsontext.Value            `json:"security"`
		Responses map[string]jsontext.Value `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]jsontext.Value `json:"schemas"`
	} `json:"components"`
}

func handler(t *testing.T) *openapi.Handler {
	t.Helper()
	h, err := openapi.New("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve starts a server that has only the routes of this package, and returns its address.
func serve(t *testing.T, more ...daemon.Route) string {
	t.Helper()
	h := handler(t)
	if err := h.Describe(append(more, h.Routes()...), schemas); err != nil {
		t.Fatal(err)
	}
	server := daemon.New(daemon.Config{
		MaxBody: 1 << 10, MaxInflightBody: 1 << 10, MaxHeader: 8 << 10,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}, daemon.Deps{Log: slog.New(slog.DiscardHandler), Routes: h.Routes()})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

func get(t *testing.T, url string) (http.Header, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	return resp.Header, string(text)
}

// describe is the document of routes.
func describe(t *testing.T, routes []daemon.Route) document {
	t.Helper()
	_, text := get(t, serve(t, routes...)+"/openapi.json")
	var doc document
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func compact(t *testing.T, v jsontext.Value) string {
	t.Helper()
	if err := v.Compact(); err != nil {
		t.Fatal(err)
	}
	return string(v)
}
