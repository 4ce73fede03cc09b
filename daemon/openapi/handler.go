package openapi

import (
	"maps"
	"net/http"
	"sync/atomic"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
)

// Handler serves the document and the pages. It is safe for concurrent use.
type Handler struct {
	version  string
	document atomic.Pointer[[]byte]
	assets   daemon.Assets
	index    []byte
	errors   []byte
}

// New makes a Handler of a daemon of that version. It has no document before Describe.
func New(version string) (*Handler, error) {
	h := &Handler{version: version}
	var err error
	if h.assets, err = assets(); err != nil {
		return nil, err
	}
	if h.index, err = page.ReadFile("page/index.html"); err != nil {
		return nil, err
	}
	h.errors, err = errorsPage()
	return h, err
}

// Describe makes the document of routes, which has to be done again when the bounds in schemas have changed.
func (h *Handler) Describe(routes []daemon.Route, schemas ...daemon.Schemas) error {
	all := daemon.Schemas{}
	for _, s := range schemas {
		maps.Copy(all, s)
	}
	b, err := generate(h.version, routes, all)
	if err != nil {
		return err
	}
	h.document.Store(&b)
	return nil
}

// Routes is the table. They ask for no key: what they tell is no secret, and a browser that shows a page sends none.
func (h *Handler) Routes() []daemon.Route {
	return []daemon.Route{
		{
			Method:  http.MethodGet,
			Path:    "/openapi.json",
			Summary: "This document",
			Out:     map[string]any{},
			Open:    true,
			Examples: []daemon.Example{
				{Name: "document", Status: http.StatusOK},
			},
			Handler: h.getDocument,
		},
		{
			Method:  http.MethodGet,
			Path:    "/docs",
			Summary: "A page that shows the document and sends requests. It needs no internet",
			Answers: []daemon.Answer{{Status: http.StatusOK, MediaType: "text/html"}},
			Open:    true,
			Examples: []daemon.Example{
				{Name: "docs", Status: http.StatusOK},
			},
			Handler: func(c *fiber.Ctx) error { return html(c, h.index) },
		},
		{
			Method:  http.MethodGet,
			Path:    daemon.KindsPath,
			Summary: "What the codes of errors mean",
			Answers: []daemon.Answer{{Status: http.StatusOK, MediaType: "text/html"}},
			Open:    true,
			Examples: []daemon.Example{
				{Name: "errors", Status: http.StatusOK},
			},
			Handler: func(c *fiber.Ctx) error { return html(c, h.errors) },
		},
		h.files(),
	}
}

// files is the route of what the page loads.
func (h *Handler) files() daemon.Route {
	r := h.assets.Route("/docs/:file")
	r.Examples = []daemon.Example{
		{Name: "stylesheet", Params: map[string]string{"file": "swagger-ui.css"}, Status: http.StatusOK},
		{Name: "stylesheet-again", Params: map[string]string{"file": "swagger-ui.css", "If-None-Match": "*"}, Status: http.StatusNotModified},
		{Name: "no-file", Params: map[string]string{"file": "nothing.js"}, Status: http.StatusNotFound, Answer: `{"detail": "no file of that name"}`},
	}
	return r
}

func (h *Handler) getDocument(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, jsonBody)
	c.Response().SetBodyRaw(*h.document.Load())
	return nil
}
