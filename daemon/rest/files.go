package rest

import (
	stdbytes "bytes" // this package has one of its own
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// FileEntry says what a file is.
type FileEntry struct {
	Name  string           `json:"name"`
	Path  *string          `json:"path" jsonschema:"below the working directory; null when the name is not UTF-8, which nothing can be asked by"`
	Type  sandbox.FileType `json:"type"`
	Size  int64            `json:"size" jsonschema:"bytes"`
	MTime time.Time        `json:"mtime"`
	Mode  string           `json:"mode" jsonschema:"permission bits, octal"`
	ETag  string           `json:"etag,omitempty" jsonschema:"of a file"`
}

// FileListing is what is in a directory.
type FileListing struct {
	Path      string      `json:"path"`
	Entries   []FileEntry `json:"entries" jsonschema:"in the order of their names, a directory before what is in it"`
	Truncated bool        `json:"truncated" jsonschema:"whether there is more"`
	Next      string      `json:"next,omitempty" jsonschema:"what after goes on with, when there is more"`
}

// newFileEntry renders what is at dir joined with the info's path.
func newFileEntry(dir string, info sandbox.FileInfo) FileEntry {
	full := path.Join(dir, info.Path)
	e := FileEntry{Name: path.Base(full), Path: &full, Type: info.Type, Size: info.Size, MTime: info.ModTime.UTC(), Mode: fmt.Sprintf("%04o", info.Mode&0o7777)}
	if full == "" {
		e.Name = ""
	}
	if info.Odd {
		e.Path = nil
	}
	if info.Type == sandbox.TypeFile {
		e.ETag = etag(info)
	}
	return e
}

// etag is strong: the tag changes with the content.
func etag(info sandbox.FileInfo) string { return `"` + info.Tag + `"` }

// target is what the request's path names.
type target struct {
	key       sandbox.Key
	path      string // below the working directory
	directory bool   // it ends in a slash, or is the working directory
}

// fileTarget reads the path as the client wrote it: escapes are undone once, in each component, and nothing is resolved.
func fileTarget(c *fiber.Ctx) (target, error) {
	key, err := sessionKey(c)
	if err != nil {
		return target{}, err
	}
	raw, slash := strings.CutSuffix(utils.CopyString(c.Params("*")), "/")
	if raw == "" && !slash {
		return target{key: key, directory: true}, nil
	}
	names := strings.Split(raw, "/")
	for i, name := range names {
		plain, err := url.PathUnescape(name)
		switch {
		case err != nil:
			return target{}, wrongPath("the path has an escape that is none: want %XX")
		case strings.Contains(plain, "/"):
			return target{}, wrongPath("a component of the path has a slash")
		}
		names[i] = plain
	}
	if raw == "" {
		return target{}, wrongPath("the path has an empty component: want names between single slashes")
	}
	t := target{key: key, path: strings.Join(names, "/"), directory: slash}
	if err := sandbox.CheckFilePath(t.path); err != nil {
		return target{}, wrongPath(err.Error())
	}
	return t, nil
}

func wrongPath(why string) error {
	return daemon.Invalid(daemon.Wrong("value_error", "Value error, "+why, "path", "path"))
}

// sessionFiles are the files of the target's session.
func (h *Handler) sessionFiles(c *fiber.Ctx, t target) (*sandbox.Files, error) {
	return h.manager.Files(daemon.Context(c), t.key)
}

// putFile writes a file of the body.
func (h *Handler) putFile(c *fiber.Ctx) error {
	t, err := fileTarget(c)
	if err != nil {
		return err
	}
	if t.directory {
		return wrongPath("it names a directory, not a file")
	}
	o, err := writeOptions(c)
	if err != nil {
		return err
	}
	files, err := h.sessionFiles(c, t)
	if err != nil {
		return err
	}
	body := daemon.ReadUpload(c)
	o.Size = body.Size()
	info, created, err := files.Write(daemon.Context(c), t.path, body, o)
	if err != nil {
		return err
	}
	if created {
		c.Status(http.StatusCreated)
	}
	c.Set(fiber.HeaderETag, etag(info))
	return daemon.WriteJSON(c, newFileEntry("", info))
}

// writeOptions are what the headers of a PUT say.
func writeOptions(c *fiber.Ctx) (o sandbox.WriteOptions, err error) {
	if c.Get(fiber.HeaderContentRange) != "" {
		return o, &daemon.Error{Status: http.StatusBadRequest, Detail: "Content-Range: a file is written whole"}
	}
	if o.IfMatch, err = ifMatch(c); err != nil {
		return o, err
	}
	switch c.Get(fiber.HeaderIfNoneMatch) {
	case "":
	case "*":
		o.IfNew = true
	default:
		return o, daemon.Invalid(daemon.Wrong("literal_error", "Input should be '*': the file may not be there", "header", "if-none-match"))
	}
	return o, nil
}

// ifMatch are the tags of the If-Match header, nil where there is none.
func ifMatch(c *fiber.Ctx) ([]string, error) {
	lines := c.Request().Header.PeekAll(fiber.HeaderIfMatch)
	if len(lines) == 0 {
		return nil, nil
	}
	tags := tagsOf(string(stdbytes.Join(lines, []byte(","))))
	if len(tags) == 0 { // none that could match, such as weak ones
		return nil, sandbox.Errorf(sandbox.CodePrecondition, "If-Match has no strong ETag")
	}
	return tags, nil
}

// maxTags is how many ETags of a header are looked at.
const maxTags = 100

// tagsOf are the strong ETags in a header, without their quotes, or "*".
func tagsOf(header string) []string {
	var tags []string
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag != "*" {
			if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
				continue
			}
			tag = tag[1 : len(tag)-1]
		}
		if tags = append(tags, utils.CopyString(tag)); len(tags) == maxTags {
			break
		}
	}
	return tags
}

// deleteFile removes what the path names.
func (h *Handler) deleteFile(c *fiber.Ctx) error {
	t, err := fileTarget(c)
	if err != nil {
		return err
	}
	if t.path == "" {
		return wrongPath("the working directory itself stays; reset the session to empty it")
	}
	var o sandbox.RemoveOptions
	if o.Recursive, err = daemon.QueryFlag(c, "recursive"); err != nil {
		return err
	}
	if o.IfMatch, err = ifMatch(c); err != nil {
		return err
	}
	files, err := h.sessionFiles(c, t)
	if err != nil {
		return err
	}
	if t.directory {
		info, err := files.Stat(daemon.Context(c), t.path)
		if err != nil {
			return err
		}
		if info.Type != sandbox.TypeDirectory {
			return sandbox.Errorf(sandbox.CodeConflict, "it is a %s, not a directory", info.Type)
		}
	}
	if err := files.Remove(daemon.Context(c), t.path, o); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

// listOptions are what the query says of a listing.
func (h *Handler) listOptions(c *fiber.Ctx) (o sandbox.ListOptions, err error) {
	o = sandbox.ListOptions{After: utils.CopyString(c.Query("after")), Limit: h.limits.Load().MaxList}
	if o.Recursive, err = daemon.QueryFlag(c, "recursive"); err != nil {
		return o, err
	}
	if _, err := hex.DecodeString(o.After); err != nil {
		return o, daemon.Invalid(daemon.Wrong("value_error", "Value error, it is not what a listing gave as next", "query", "after"))
	}
	if text := c.Query("limit"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return o, daemon.Invalid(daemon.Wrong("int_parsing", "Input should be a valid integer of 0 or more", "query", "limit"))
		}
		if n > 0 {
			o.Limit = min(o.Limit, int(n))
		}
	}
	return o, nil
}

// listFiles answers with what is in a directory.
func (h *Handler) listFiles(c *fiber.Ctx, files *sandbox.Files, dir string, o sandbox.ListOptions) error {
	list, err := files.List(daemon.Context(c), dir, o)
	if err != nil {
		return err
	}
	listing := FileListing{Path: dir, Entries: make([]FileEntry, len(list.Entries)), Truncated: list.Next != "", Next: list.Next}
	for i, e := range list.Entries {
		listing.Entries[i] = newFileEntry(dir, e)
	}
	return daemon.WriteJSON(c, listing)
}
