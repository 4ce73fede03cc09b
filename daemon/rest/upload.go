package rest

import (
	stdbytes "bytes" // this package has one of its own
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// FilesWritten is the answer of POST /v1/sessions/{id}/files.
type FilesWritten struct {
	Written []FileWritten `json:"written"`
}

// FileWritten is a file, or a directory, that was written.
type FileWritten struct {
	FileEntry
	Created bool `json:"created" jsonschema:"whether nothing was there before"`
}

// postFiles writes the files that the body brings, each whole or not at all.
func (h *Handler) postFiles(c *fiber.Ctx) error {
	key, err := sessionKey(c)
	if err != nil {
		return err
	}
	dir := strings.TrimSuffix(utils.CopyString(c.Query("path")), "/")
	if err := sandbox.CheckFilePath(dir); err != nil {
		return daemon.Invalid(daemon.Wrong("value_error", "Value error, "+err.Error(), "query", "path"))
	}
	kind, params, err := mime.ParseMediaType(string(c.Request().Header.ContentType()))
	if err != nil || kind == fiber.MIMEMultipartForm && params["boundary"] == "" {
		return &daemon.Error{Status: http.StatusUnsupportedMediaType, Detail: "the content type must be application/x-tar, or multipart/form-data with a boundary"}
	}
	files, err := h.manager.Files(daemon.Context(c), key)
	if err != nil {
		return err
	}
	body := daemon.ReadUpload(c)
	var written []sandbox.Written
	if kind == mediaTar {
		written, err = files.Unpack(daemon.Context(c), dir, body)
	} else {
		written, err = unpackForm(daemon.Context(c), files, dir, body, params["boundary"])
	}
	if err == nil {
		_, err = io.Copy(io.Discard, body) // what stands after the last part, or the end of an archive
	}
	if err != nil {
		var paths []string
		for _, w := range written {
			paths = append(paths, w.Path)
		}
		return daemon.AfterWriting(err, paths)
	}
	return daemon.WriteJSON(c, newFilesWritten(written))
}

func newFilesWritten(written []sandbox.Written) FilesWritten {
	answer := FilesWritten{Written: make([]FileWritten, len(written))}
	for i, w := range written {
		answer.Written[i] = FileWritten{FileEntry: newFileEntry("", w.FileInfo), Created: w.Created}
	}
	return answer
}

// maxPartHeader is how many bytes may stand before the data of a part, its headers and what precedes the first.
const maxPartHeader = 16 << 10

// unpackForm writes the files of a form, below dir, each under its filename.
func unpackForm(ctx context.Context, files *sandbox.Files, dir string, body io.Reader, boundary string) ([]sandbox.Written, error) {
	var made sandbox.Unpacked
	bounded := &headBound{r: body, last: []byte("--" + boundary + "--")}
	for form := multipart.NewReader(bounded, boundary); ; {
		bounded.begin()
		part, err := form.NextRawPart() // as it was sent, whatever its Content-Transfer-Encoding says
		switch {
		case bounded.err != nil:
			return made.Written, bounded.err
		case err == io.EOF && bounded.ended:
			return made.Written, nil
		case err != nil: // also io.EOF, by which the parser means headers without end, too
			return made.Written, wrongForm("the body is no proper multipart/form-data, or ends early")
		}
		bounded.end()
		name, err := partName(part, dir)
		if err == nil {
			err = made.Room(name)
		}
		if err != nil {
			return made.Written, err
		}
		info, created, err := files.Write(ctx, name, part, sandbox.WriteOptions{})
		if err != nil {
			return made.Written, partError(name, bounded, err)
		}
		made.Written = append(made.Written, sandbox.Written{FileInfo: info, Created: created})
	}
}

// partName is the path that a part is to be written to. (*multipart.Part).FileName would give the last component alone.
func partName(part *multipart.Part, dir string) (string, error) {
	_, params, err := mime.ParseMediaType(part.Header.Get(fiber.HeaderContentDisposition))
	name := params["filename"]
	if err != nil || name == "" {
		return "", wrongForm(fmt.Sprintf("part %.100q has no filename, which is the path that it is written to", params["name"]))
	}
	if dir != "" {
		name = dir + "/" + name
	}
	if err := sandbox.CheckFilePath(name); err != nil {
		return "", wrongForm(fmt.Sprintf("the filename %.200q: %s", params["filename"], err))
	}
	return name, nil
}

// partError says which part could not be written.
func partError(name string, bounded *headBound, err error) error {
	var failed *sandbox.Error
	switch {
	case bounded.err != nil:
		return bounded.err
	case errors.As(err, &failed):
		named := *failed
		named.Message = fmt.Sprintf("%.200q: %s", name, failed.Message)
		return &named
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wrongForm("the body ends before its last part does")
	}
	return err
}

func wrongForm(why string) error {
	return daemon.Invalid(daemon.Wrong("value_error", "Value error, "+why, "body"))
}

// headBound bounds what is read of a form before the data of a part begins, which the parser holds. It remembers the first
// failure of what it reads from, and whether the form came to its end.
type headBound struct {
	r     io.Reader
	head  bool
	left  int
	err   error
	last  []byte // what ends the form
	tail  []byte // what was read last, as far as it may begin with that
	ended bool
}

func (b *headBound) begin() { b.head, b.left = true, maxPartHeader }
func (b *headBound) end()   { b.head = false }

func (b *headBound) Read(p []byte) (int, error) {
	if b.head && len(p) > b.left {
		p = p[:b.left]
	}
	if b.head && b.left == 0 {
		b.err = wrongForm(fmt.Sprintf("more than %d bytes stand before the data of a part", maxPartHeader))
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if b.left -= n; err != nil && err != io.EOF {
		b.err = err
	}
	if !b.ended {
		b.tail = append(b.tail, p[:n]...)
		b.ended = stdbytes.Contains(b.tail, b.last)
		b.tail = append(b.tail[:0], b.tail[max(0, len(b.tail)-len(b.last)):]...)
	}
	return n, err
}
