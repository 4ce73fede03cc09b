package openapi

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gofiber/fiber/v2"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed page
var page embed.FS

// asset is a file of the pages.
type asset struct {
	mediaType string
	body      []byte
	gzipped   bool
}

// assets are what the page loads, by name: Swagger UI's from its module, and ours.
func assets() (map[string]asset, error) {
	all := map[string]asset{}
	for _, name := range []string{"swagger-ui-bundle.js.gz", "swagger-ui.css.gz", "favicon-32x32.png"} {
		if err := addAsset(all, static.FS, name); err != nil {
			return nil, err
		}
	}
	return all, addAsset(all, page, "page/start.js")
}

func addAsset(all map[string]asset, files fs.FS, name string) error {
	body, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("documentation: %w", err)
	}
	served, gzipped := strings.CutSuffix(path.Base(name), ".gz")
	all[served] = asset{mediaType: mime.TypeByExtension(path.Ext(served)), body: body, gzipped: gzipped}
	return nil
}

// send answers with the asset, inflated for a client that cannot do it.
func (a asset) send(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, a.mediaType)
	c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	body := a.body
	if a.gzipped {
		c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		if c.Request().Header.HasAcceptEncoding("gzip") {
			c.Set(fiber.HeaderContentEncoding, "gzip")
		} else {
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				return fmt.Errorf("inflate: %w", err)
			}
			if body, err = io.ReadAll(r); err != nil {
				return fmt.Errorf("inflate: %w", err)
			}
		}
	}
	c.Response().SetBodyRaw(body)
	return nil
}

// html answers with a page, which may load what this daemon serves and ask nothing of anybody else. The pictures in Swagger
// UI's stylesheet are data.
func html(c *fiber.Ctx, text []byte) error {
	c.Set(fiber.HeaderContentType, "text/html; charset=utf-8")
	daemon.SecurePage(c, "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'")
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
