package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
)

// mediaTar is the type of an archive.
const mediaTar = "application/x-tar"

// getFile answers with a file, a part of it, or what is in a directory.
func (h *Handler) getFile(c *fiber.Ctx) error {
	t, err := fileTarget(c)
	if err != nil {
		return err
	}
	archive, err := wantsTar(c)
	if err != nil {
		return err
	}
	o, err := h.listOptions(c)
	if err != nil {
		return err
	}
	files, err := h.sessionFiles(c, t)
	if err != nil {
		return err
	}
	switch {
	case archive:
		return sendTar(c, files, t.path)
	case t.directory:
		return h.listFiles(c, files, t.path, o)
	}
	r, err := openFile(c, files, t.path)
	if isDirectory(err) {
		return h.listFiles(c, files, t.path, o)
	}
	info := opened(r, err)
	if info == nil {
		return err
	}
	if answered, perr := checkFile(c, *info); answered || perr != nil { // which comes before the part that is wanted
		if r != nil {
			_ = r.Close()
		}
		return perr
	}
	if err != nil {
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", info.Size))
		return err
	}
	setFileHeaders(c, *info)
	if r.Length != r.Info.Size {
		c.Status(http.StatusPartialContent)
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", r.Start, r.Start+r.Length-1, r.Info.Size))
	}
	daemon.Send(c, r.Length, func(ctx context.Context, w io.Writer) error {
		stop := context.AfterFunc(ctx, r.Abort)
		defer stop()
		_, err := io.CopyBuffer(w, r, make([]byte, copyBuffer))
		return err
	}, func() { _ = r.Close() })
	return nil
}

// copyBuffer is how many bytes of a file are sent at a time.
const copyBuffer = 64 << 10

// headFile answers as getFile does, without the bytes.
func (h *Handler) headFile(c *fiber.Ctx) error {
	t, err := fileTarget(c)
	if err != nil {
		return err
	}
	files, err := h.sessionFiles(c, t)
	if err != nil {
		return err
	}
	info, err := files.Stat(daemon.Context(c), t.path)
	switch {
	case err != nil:
		return err
	case info.Type == sandbox.TypeDirectory:
		c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
		return nil
	case t.directory || info.Type != sandbox.TypeFile:
		return sandbox.Errorf(sandbox.CodeConflict, "it is a %s", info.Type)
	}
	if answered, err := checkFile(c, info); answered || err != nil {
		return err
	}
	setFileHeaders(c, info)
	c.Response().SkipBody = true
	c.Response().Header.SetContentLength(int(info.Size))
	return nil
}

// isDirectory tells whether a file was not opened because it is a directory.
func isDirectory(err error) bool {
	var e *sandbox.Error
	return errors.As(err, &e) && e.File != nil && e.File.Type == sandbox.TypeDirectory
}

// openFile opens a file, or the part of it that the client wants. A part of what the client has not got the rest of, by its
// If-Range, is no use to it.
func openFile(c *fiber.Ctx, files *sandbox.Files, name string) (*sandbox.FileReader, error) {
	part := parseRange(c.Get(fiber.HeaderRange))
	r, err := files.Open(daemon.Context(c), name, part)
	condition, info := c.Get(fiber.HeaderIfRange), opened(r, err)
	if part == nil || condition == "" || info == nil || condition == etag(*info) {
		return r, err
	}
	if r != nil {
		_ = r.Close()
	}
	return files.Open(daemon.Context(c), name, nil)
}

// opened is the file that was opened, or that has no such part; nil for none.
func opened(r *sandbox.FileReader, err error) *sandbox.FileInfo {
	var e *sandbox.Error
	switch {
	case err == nil:
		return &r.Info
	case errors.As(err, &e) && e.Code == sandbox.CodeRange:
		return e.File
	}
	return nil
}

// parseRange reads a Range header of one part. What is none, or of several, is nil: then the whole file is the answer.
func parseRange(header string) *sandbox.FileRange {
	spec, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || first == "" && last == "" {
		return nil
	}
	r := &sandbox.FileRange{}
	for _, edge := range []struct {
		text string
		into **int64
	}{{first, &r.First}, {last, &r.Last}} {
		if edge.text == "" {
			continue
		}
		n, err := strconv.ParseUint(edge.text, 10, 62)
		if err != nil {
			return nil
		}
		value := int64(n)
		*edge.into = &value
	}
	if r.First != nil && r.Last != nil && *r.Last < *r.First {
		return nil
	}
	return r
}

// checkFile says which version of a file there is. A request that does not want it is refused, and one whose client has it is
// answered with that.
func checkFile(c *fiber.Ctx, info sandbox.FileInfo) (answered bool, err error) {
	wanted, err := ifMatch(c)
	if err != nil {
		return false, err
	}
	if wanted != nil && !slices.Contains(wanted, "*") && !slices.Contains(wanted, info.Tag) {
		return false, sandbox.Errorf(sandbox.CodePrecondition, "the file is another one by now")
	}
	c.Set(fiber.HeaderETag, etag(info))
	c.Set(fiber.HeaderLastModified, info.ModTime.UTC().Format(http.TimeFormat))
	// Weak comparison: a cache on the way may have made a tag weak.
	has := tagsOf(strings.ReplaceAll(c.Get(fiber.HeaderIfNoneMatch), "W/", ""))
	if slices.Contains(has, "*") || slices.Contains(has, info.Tag) {
		c.Status(http.StatusNotModified)
		return true, nil
	}
	return false, nil
}

// setFileHeaders says what the file is that is sent, and keeps a browser from showing it as a page of the daemon's.
func setFileHeaders(c *fiber.Ctx, info sandbox.FileInfo) {
	kind := mime.TypeByExtension(path.Ext(info.Path))
	if kind == "" {
		kind = fiber.MIMEOctetStream
	}
	c.Response().Header.SetContentType(kind)
	c.Set(fiber.HeaderAcceptRanges, "bytes")
	setDownload(c, path.Base(info.Path))
}

// setDownload makes the answer one that a browser saves, whatever it is.
func setDownload(c *fiber.Ctx, name string) {
	daemon.SecurePage(c.Set, "sandbox")
	c.Set(fiber.HeaderContentDisposition, "attachment; filename*=UTF-8''"+url.PathEscape(name))
}

// wantsTar tells whether the client asks for an archive.
func wantsTar(c *fiber.Ctx) (bool, error) {
	switch c.Query("format") {
	case "tar":
		return true, nil
	case "":
		return daemon.Accepts(c, mediaTar), nil
	}
	return false, daemon.Invalid(daemon.Wrong("literal_error", "Input should be 'tar'", "query", "format"))
}

// sendTar answers with a directory as a tar.
func sendTar(c *fiber.Ctx, files *sandbox.Files, dir string) error {
	info, err := files.Stat(daemon.Context(c), dir)
	if err != nil {
		return err
	}
	if info.Type != sandbox.TypeDirectory {
		return sandbox.Errorf(sandbox.CodeConflict, "it is not a directory")
	}
	name := path.Base(dir)
	if dir == "" {
		name = "files"
	}
	c.Response().Header.SetContentType(mediaTar)
	setDownload(c, name+".tar")
	daemon.Send(c, -1, func(ctx context.Context, w io.Writer) error {
		return files.Archive(ctx, dir, w)
	}, func() {})
	return nil
}
