package playground

import (
	"bytes"
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
	"github.com/google/jsonschema-go/jsonschema"
)

//go:embed page codemirror/codemirror.js codemirror/LICENSES.txt
var files embed.FS

// Handler serves the page. It is safe for concurrent use.
type Handler struct {
	assets daemon.Assets
	pages  *template.Template // each gets a nonce
}

// New makes a Handler.
func New() (*Handler, error) {
	h := &Handler{assets: daemon.Assets{}}
	names, err := fs.Glob(files, "page/*.[cjs]*") // .css, .js and .svg
	if err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	for _, name := range append(names, "codemirror/codemirror.js", "codemirror/LICENSES.txt") {
		if err := h.assets.Add(files, name); err != nil {
			return nil, fmt.Errorf("the page: %w", err)
		}
	}
	if h.pages, err = template.ParseFS(files, "page/*.html"); err != nil {
		return nil, fmt.Errorf("the page: %w", err)
	}
	return h, nil
}

// Routes is the table. They ask for no key: the page does.
func (h *Handler) Routes() []daemon.Route {
	loaded := h.assets.Route("/playground/:file")
	loaded.Examples = []daemon.Example{
		{Name: "script", Params: map[string]string{"file": "main.js"}, Status: http.StatusOK},
		{Name: "script-again", Params: map[string]string{"file": "main.js", "If-None-Match": "*"}, Status: http.StatusNotModified},
		{Name: "no-script", Params: map[string]string{"file": "nothing.js"}, Status: http.StatusNotFound, Answer: `{"detail": "no file of that name"}`},
	}
	return []daemon.Route{
		{
			Method:   http.MethodGet,
			Path:     "/",
			Summary:  "A page to play in. It needs no internet",
			Answers:  []daemon.Answer{{Status: http.StatusOK, MediaType: "text/html"}},
			Open:     true,
			Examples: []daemon.Example{{Name: "page", Status: http.StatusOK}},
			Handler:  h.getPage,
		},
		{
			Method:  http.MethodGet,
			Path:    "/playground/output",
			Summary: "The frame in which the page shows HTML of user code",
			Params:  []daemon.Param{{In: "query", Name: "scripts", Meaning: "whether scripts in the HTML run", Schema: &jsonschema.Schema{Type: "boolean"}}},
			Answers: []daemon.Answer{{Status: http.StatusOK, MediaType: "text/html"}},
			Errors:  []int{http.StatusUnprocessableEntity},
			Open:    true,
			Examples: []daemon.Example{
				{Name: "output-frame", Status: http.StatusOK},
				{Name: "output-frame-scripts", Params: map[string]string{"scripts": "true"}, Status: http.StatusOK},
				{
					Name: "output-frame-maybe", Params: map[string]string{"scripts": "yes"}, Status: http.StatusUnprocessableEntity,
					Answer: `{"detail": [{"type": "bool_parsing", "loc": ["query", "scripts"], "msg": "Input should be 'true' or 'false'"}]}`,
				},
			},
			Handler: h.getOutput,
		},
		loaded,
	}
}

// getPage answers with the page. CodeMirror makes its stylesheets as it runs, which the policy lets it do by a nonce.
func (h *Handler) getPage(c *fiber.Ctx) error {
	nonce := rand.Text()
	daemon.SecurePage(c.Set, "script-src 'self'", "style-src 'self' 'nonce-"+nonce+"'", "img-src 'self' data:", "connect-src 'self'",
		"frame-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'")
	return h.send(c, "index.html", nonce)
}

// inFrame is what HTML of user code may do: nothing that reaches beyond the frame. A policy in a header, unlike the sandbox of
// the frame, holds wherever somebody opens the document.
const inFrame = "sandbox allow-scripts; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; " +
	"style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:; "

// getOutput answers with a document of no origin that shows what the page sends it. Scripts run in it where somebody wants
// them to. They cannot load anything, but policies of content do not reach all that scripts can say to the network: WebRTC, and
// the names that a browser looks up before it refuses to go there. Connection-Allowlist does, in the browsers that know it.
func (h *Handler) getOutput(c *fiber.Ctx) error {
	nonce := rand.Text()
	scripts := "script-src 'nonce-" + nonce + "'"
	live, err := daemon.QueryFlag(c, "scripts")
	if err != nil {
		return err
	}
	if live {
		scripts = "script-src 'unsafe-inline' 'unsafe-eval'"
	}
	c.Set(fiber.HeaderContentSecurityPolicy, inFrame+scripts)
	c.Set("Connection-Allowlist", "()")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderXDNSPrefetchControl, "off")
	return h.send(c, "output.html", nonce)
}

func (h *Handler) send(c *fiber.Ctx, name, nonce string) error {
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, name, nonce); err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	c.Response().SetBodyRaw(b.Bytes())
	return nil
}
