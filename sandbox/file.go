package sandbox

import (
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// FileType says what something in a session's working directory is.
type FileType string

const (
	TypeFile      FileType = "file"      // a regular one
	TypeDirectory FileType = "directory" //
	TypeLink      FileType = "link"      // which is never followed
	TypeOther     FileType = "other"     // a pipe, a socket
)

// FileTypes are all of them.
var FileTypes = []FileType{TypeFile, TypeDirectory, TypeLink, TypeOther}

// FileInfo says what a file is.
type FileInfo struct {
	Path    string // below the directory that was asked about; of what was asked for itself, that path
	Type    FileType
	Size    int64
	ModTime time.Time
	Mode    uint32 // permission bits
	// Tag changes with the content, as far as the clock of the file system tells two changes apart. Of letters, digits and
	// hyphens.
	Tag string
	// Odd marks a name that is not UTF-8: Path only stands for it, and nothing can be asked of it.
	Odd bool
}

// FileRange asks for a part of a file as HTTP does: from First to Last, both included, to the end where Last is nil, or the
// Last bytes where First is nil.
type FileRange struct {
	First, Last *int64
}

// WriteOptions say more about a file that is written.
type WriteOptions struct {
	Size    *int64     // announced, so that one that cannot fit is refused at once; nil for unknown
	Mode    *uint32    // permission bits; nil keeps those of the file that is replaced, else 0644
	ModTime *time.Time // nil is now
	// IfMatch are the Tags of which the file that is replaced must have one; "*" is any, and none asks for nothing.
	IfMatch []string
	// IfNew refuses to replace anything.
	IfNew bool
}

// ListOptions say what of a directory is listed.
type ListOptions struct {
	Recursive bool
	After     string // FileList.Next of the list that this one goes on from
	Limit     int    // entries; 0 is the most that may be
}

// FileList is a part of what is in a directory: in order, a directory before what is in it.
type FileList struct {
	Directory FileInfo
	Entries   []FileInfo
	Next      string // where to go on, "" at the end
}

// RemoveOptions say more about a file that is removed.
type RemoveOptions struct {
	Recursive bool     // a directory with all that is in it
	IfMatch   []string // as in WriteOptions
}

// FileReader reads a file, or a part of it. It must be closed; closing it early ends the transfer.
type FileReader struct {
	Info          FileInfo // of the whole file
	Start, Length int64    // of the part

	t *transfer
}

var _ io.ReadCloser = (*FileReader)(nil)

// Read returns io.EOF only after Length bytes. A file that became shorter meanwhile, a session that ended and a context that
// did are errors.
func (r *FileReader) Read(p []byte) (int, error) { return r.t.Read(p) }

// Abort ends a Read that is under way, and all later ones, with an error. It may be called while Read is.
func (r *FileReader) Abort() { r.t.abort() }

// Close ends the transfer.
func (r *FileReader) Close() error {
	r.t.close()
	return nil
}

const (
	// MaxFilePath is how long a path may be, and MaxFileName one of its components, in bytes.
	MaxFilePath = 4096
	MaxFileName = 255
	// MaxFileEntries is how many entries one list may have.
	MaxFileEntries = 10_000
	// ownFile is what the driver keeps in a working directory for itself.
	ownFile = ".fastpyrepl"
)

// sound tells whether a path of at most so many bytes stays below a directory when it is joined to that, whoever made it up.
func sound(path string, most int) bool {
	if path == "" || len(path) > most || strings.IndexByte(path, 0) >= 0 {
		return false
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return true
}

// CheckFilePath refuses, with CodeInvalid, what is not the path of a file below a working directory: components between
// slashes, none of them empty, "." or "..". "" is the directory itself.
func CheckFilePath(path string) error {
	if path == "" {
		return nil
	}
	switch {
	case len(path) > MaxFilePath:
		return Errorf(CodeInvalid, "the path has %d bytes, at most %d are allowed", len(path), MaxFilePath)
	case !utf8.ValidString(path):
		return Errorf(CodeInvalid, "the path is not UTF-8")
	case strings.IndexByte(path, 0) >= 0:
		return Errorf(CodeInvalid, "the path has a NUL")
	}
	first := true
	for name := range strings.SplitSeq(path, "/") {
		switch {
		case name == "":
			return Errorf(CodeInvalid, "the path has an empty component: want names between single slashes, none at the beginning or the end")
		case name == "." || name == "..":
			return Errorf(CodeInvalid, "the path has a component that is %q: paths lie below the working directory", name)
		case len(name) > MaxFileName:
			return Errorf(CodeInvalid, "the path has a component of %d bytes, at most %d are allowed", len(name), MaxFileName)
		case first && name == ownFile:
			return Errorf(CodeInvalid, "%s is the driver's own", ownFile)
		}
		first = false
	}
	return nil
}
