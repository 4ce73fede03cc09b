package openapi

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed page
var page embed.FS

// assets are what the page loads: Swagger UI's from its module, and ours.
func assets() (daemon.Assets, error) {
	all := daemon.Assets{}
	for _, name := range []string{"swagger-ui-bundle.js.gz", "swagger-ui.css.gz", "favicon-32x32.png"} {
		if err := all.Add(static.FS, name); err != nil {
			return nil, err
		}
	}
	return all, all.Add(page, "page/start.js")
}

// html answers with a page, which may load what this daemon serves and ask nothing of anybody else. The pictures in Swagger
// UI's stylesheet are data.
func html(c *fiber.Ctx, text []byte) error {
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	daemon.SecurePage(c.Set, "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'")
	c.Response().SetBodyRaw(text)
	return nil
}

// errorsPage explains every daemon.Kind.
func errorsPage() ([]byte, error) {
	t, err := template.ParseFS(page, "page/errors.html")
	if err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, daemon.Kinds); err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	return b.Bytes(), nil
}
