package daemon

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/google/jsonschema-go/jsonschema"
)

// Assets are the files that pages load, by name. They never change, and are safe for concurrent use.
type Assets map[string]*asset

// asset is a file in two encodings. What a client does not take is made when the first one asks.
type asset struct {
	mediaType string
	etag      string
	plain     func() ([]byte, error)
	gzipped   func() ([]byte, error) // nothing where it would save nothing
}

// Add reads a file. Its name among the assets is without directories, and without .gz where it is compressed already.
func (all Assets) Add(files fs.FS, name string) error {
	body, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("asset: %w", err)
	}
	stored := func() ([]byte, error) { return body, nil }
	a := &asset{etag: fmt.Sprintf(`W/"%x"`, sha256.Sum256(body)), plain: stored, gzipped: stored} // a weak one fits both encodings
	served, compressed := strings.CutSuffix(path.Base(name), ".gz")
	if compressed {
		a.plain = func() ([]byte, error) { return inflate(body) } // few ask for it
	} else {
		a.gzipped = sync.OnceValues(func() ([]byte, error) { return deflate(body) })
	}
	a.mediaType = mime.TypeByExtension(path.Ext(served))
	all[served] = a
	return nil
}

// Route serves the assets at path, which names one of them as :file. The examples are the caller's to add: one of a file, one
// with the answer 404, and one with 304.
func (all Assets) Route(path string) Route {
	return Route{
		Method:  http.MethodGet,
		Path:    path,
		Summary: "What the page loads",
		Params: []Param{
			{In: "path", Name: "file", Schema: &jsonschema.Schema{Type: "string"}},
			{In: "header", Name: "If-None-Match", Meaning: "the ETag of what the client has", Schema: &jsonschema.Schema{Type: "string"}},
		},
		Answers: []Answer{
			{Status: http.StatusOK, MediaType: "*/*", Headers: map[string]string{"ETag": "changes with the file"}},
			{Status: http.StatusNotModified, Meaning: "The client has it."},
		},
		Errors: []int{http.StatusNotFound},
		Open:   true,
		Handler: func(c *fiber.Ctx) error {
			a := all[c.Params("file")]
			if a == nil {
				return refuse(http.StatusNotFound, "no file of that name")
			}
			return a.send(c)
		},
	}
}

// send answers with the asset, or with 304 to a client that has it. Caches ask each time, so that no page gets what belongs
// to that of another version.
func (a *asset) send(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-cache")
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	c.Set(fiber.HeaderETag, a.etag)
	if c.Fresh() {
		c.Status(http.StatusNotModified)
		return nil
	}
	c.Set(fiber.HeaderContentType, a.mediaType)
	var body []byte
	var err error
	if c.Request().Header.HasAcceptEncoding("gzip") {
		if body, err = a.gzipped(); len(body) > 0 {
			c.Set(fiber.HeaderContentEncoding, "gzip")
		}
	}
	if len(body) == 0 && err == nil {
		body, err = a.plain()
	}
	if err != nil {
		return err
	}
	c.Response().SetBodyRaw(body)
	return nil
}

// deflate compresses plain. It returns nothing where that does not make it shorter, as of a picture.
func deflate(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if b.Len() >= len(plain) {
		return nil, nil
	}
	return b.Bytes(), nil
}

func inflate(gzipped []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	return plain, nil
}
