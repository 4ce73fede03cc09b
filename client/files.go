package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrDirectory is returned by GetFile for what is a directory.
var ErrDirectory = errors.New("it is a directory")

// Types of what is in a directory.
const (
	TypeFile      = "file"
	TypeDirectory = "directory"
	TypeLink      = "link"
	TypeOther     = "other" // a pipe, a socket
)

// File says what is in a session's working directory. Paths lie below that, with slashes.
type File struct {
	Name  string    `json:"name"`
	Path  *string   `json:"path"` // nil when the name is not UTF-8, which nothing can be asked by
	Type  string    `json:"type"`
	Size  int64     `json:"size"` // bytes
	MTime time.Time `json:"mtime"`
	Mode  string    `json:"mode"`           // permission bits, octal
	ETag  string    `json:"etag,omitempty"` // of a file; changes with the content
}

// FileList is what is in a directory, in the order of the names, a directory before what is in it.
type FileList struct {
	Path      string `json:"path"`
	Entries   []File `json:"entries"`
	Truncated bool   `json:"truncated"`      // there is more
	Next      string `json:"next,omitempty"` // After of what goes on, when there is more

	Raw json.RawMessage `json:"-"` // the answer as it came
}

func (l *FileList) keep(text json.RawMessage) { l.Raw = text }

// ListOptions choose what a listing has.
type ListOptions struct {
	Recursive bool   // what is in the directories below, too
	Limit     int    // entries; 0 is as many as the daemon allows
	After     string // Next of the listing that this one goes on from
}

// FileChanges are the regular files that changed while code ran, whoever changed them.
type FileChanges struct {
	Created   []string `json:"created"`
	Modified  []string `json:"modified"`
	Deleted   []string `json:"deleted"`
	Truncated bool     `json:"truncated"` // there may be others
}

// ListFiles says what is in a directory; "" is the working directory.
func (c *Client) ListFiles(ctx context.Context, sessionID, dir string, o ListOptions) (*FileList, error) {
	query := url.Values{"recursive": {strconv.FormatBool(o.Recursive)}}
	if o.Limit > 0 {
		query.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.After != "" {
		query.Set("after", o.After)
	}
	at := filePath(sessionID, dir)
	if dir != "" {
		at += "/" // a directory, or a refusal
	}
	l := new(FileList)
	if err := c.ask(ctx, call{method: http.MethodGet, path: at, query: query, again: true}, l); err != nil {
		return nil, err
	}
	return l, nil
}

// FileReader reads a file as it was when it was opened. A read of one that became shorter meanwhile, or whose connection
// broke, is io.ErrUnexpectedEOF.
type FileReader struct {
	io.ReadCloser
	Size int64
	ETag string
}

// GetFile opens a file. The caller closes it; it is read as long as ctx lasts. A directory is ErrDirectory, a link a Problem
// with Status 409.
func (c *Client) GetFile(ctx context.Context, sessionID, path string) (*FileReader, error) {
	resp, err := c.send(ctx, call{method: http.MethodGet, path: filePath(sessionID, path), again: true})
	if err != nil {
		return nil, err
	}
	f := &FileReader{ReadCloser: resp.Body, Size: resp.ContentLength, ETag: resp.Header.Get("ETag")}
	if f.ETag == "" { // which every file has, and no listing
		f.Close()
		return nil, ErrDirectory
	}
	return f, nil
}

// PutFile writes a file whole, and the directories on its way. Of r, size bytes are sent, and that there are fewer is an
// error; when size is negative, all of it. When there is an error nothing has changed, unless the answer was lost. It is sent once, as
// r cannot be read again. r is closed at the end, if it can be; one that cannot keeps a call whose ctx has ended waiting for a Read.
func (c *Client) PutFile(ctx context.Context, sessionID, path string, r io.Reader, size int64) (*File, error) {
	f := new(File)
	if err := c.ask(ctx, call{method: http.MethodPut, path: filePath(sessionID, path), upload: newUpload(r, size, "application/octet-stream")}, f); err != nil {
		return nil, err
	}
	return f, nil
}

// DeleteFile removes a file, a link itself, an empty directory, or with recursive any.
func (c *Client) DeleteFile(ctx context.Context, sessionID, path string, recursive bool) error {
	query := url.Values{"recursive": {strconv.FormatBool(recursive)}}
	return c.ask(ctx, call{method: http.MethodDelete, path: filePath(sessionID, path), query: query}, nil)
}

// GetTar opens a tar of the files and directories in a directory, without links; "" is the working directory. The caller closes
// it. Its names are relative to dir.
func (c *Client) GetTar(ctx context.Context, sessionID, dir string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, call{method: http.MethodGet, path: filePath(sessionID, dir), query: url.Values{"format": {"tar"}}, again: true})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// PutTar writes the files and directories of a tar below dir, and returns them. Each appears whole; when there is an error, a
// Problem says in Written which were there before it. It is sent once, as by PutFile.
func (c *Client) PutTar(ctx context.Context, sessionID, dir string, r io.Reader) ([]File, error) {
	var query url.Values
	if dir != "" {
		query = url.Values{"path": {dir}}
	}
	var out struct {
		Written []File `json:"written"`
	}
	err := c.ask(ctx, call{method: http.MethodPost, path: filePath(sessionID, ""), query: query, upload: newUpload(r, -1, "application/x-tar")}, &out)
	return out.Written, err
}

// filePath is the route of a file. What is no path, the daemon refuses: a dot is escaped where it would be taken for a step
// to another route on the way there.
func filePath(sessionID, path string) string {
	at := sessionPath(sessionID) + "/files"
	if path == "" {
		return at
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "." || name == ".." {
			name = strings.ReplaceAll(name, ".", "%2E")
		} else {
			name = url.PathEscape(name)
		}
		at += "/" + name
	}
	return at
}
