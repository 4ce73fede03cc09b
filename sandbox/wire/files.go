package wire

import "github.com/go-json-experiment/json/jsontext"

// Operations of FileOpenMessage.
const (
	FileStat   = "stat"
	FileRead   = "read"
	FileWrite  = "write"
	FileList   = "list"
	FileRemove = "remove"
	FileMkdir  = "mkdir"
)

// FileOpenMessage begins a transfer.
type FileOpenMessage struct {
	Op          string     `json:"op"`
	Path        string     `json:"path"`
	Range       *FileRange `json:"range,omitzero"`
	Size        *int64     `json:"size,omitzero"`  // bytes, nil for unknown
	Mode        *uint32    `json:"mode,omitzero"`  // permission bits
	MTime       *int64     `json:"mtime,omitzero"` // nanoseconds since 1970
	IfMatch     []string   `json:"if_match,omitempty"`
	IfNoneMatch bool       `json:"if_none_match,omitzero"`
	Recursive   bool       `json:"recursive,omitzero"`
	After       string     `json:"after,omitempty"`
	Limit       int        `json:"limit,omitzero"`
}

// FileRange is first and last byte as in HTTP; either may be nil.
type FileRange [2]*int64

// File says what something in the working directory is.
type File struct {
	Type  string `json:"type"`
	Size  int64  `json:"size"`  // bytes
	MTime int64  `json:"mtime"` // nanoseconds since 1970
	Mode  uint32 `json:"mode"`
	Tag   string `json:"tag"`
}

// FileEntry is a line of a list.
type FileEntry struct {
	File
	Path string `json:"path"`
	Odd  bool   `json:"odd,omitzero"` // the name is not UTF-8, Path only stands for it
}

// FileInfoMessage comes before the bytes of a read.
type FileInfoMessage struct {
	File   File  `json:"file"`
	Start  int64 `json:"start"`
	Length int64 `json:"length"`
}

// FileDoneMessage ends a transfer.
type FileDoneMessage struct {
	Error   *FileError `json:"error,omitempty"`
	File    *File      `json:"file,omitempty"`
	Created bool       `json:"created,omitzero"`
	Next    *string    `json:"next,omitempty"`
}

// Codes of FileError.
const (
	FileInvalid      = "invalid"
	FileNotFound     = "not_found"
	FileConflict     = "conflict"
	FileNoSpace      = "no_space"
	FileTooLarge     = "too_large"
	FilePrecondition = "precondition"
	FileOutOfRange   = "range"
	FileBusy         = "busy"
	FileAborted      = "aborted"
	FileCancelled    = "cancelled"
)

// FileError is why a transfer failed.
type FileError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// FilesMessage says which files an execution changed. They are arrays of strings, not decoded further.
type FilesMessage struct {
	Created   jsontext.Value `json:"created"`
	Modified  jsontext.Value `json:"modified"`
	Deleted   jsontext.Value `json:"deleted"`
	Truncated bool           `json:"truncated"`
}
