package sandbox

import (
	"bytes"
	"fmt"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/go-json-experiment/json/jsontext"
)

// FileChanges are the regular files below the working directory that changed while an execution ran, by whoever: as its worker
// saw it. Each is an array of paths, in order.
type FileChanges struct {
	Created   jsontext.Value `json:"created"`
	Modified  jsontext.Value `json:"modified"`
	Deleted   jsontext.Value `json:"deleted"`
	Truncated bool           `json:"truncated,omitzero" jsonschema:"there may be others"`
}

// noChanges is what an execution says that changed nothing.
var noChanges = &FileChanges{Created: jsontext.Value("[]"), Modified: jsontext.Value("[]"), Deleted: jsontext.Value("[]")}

// maxChanges is the length of a FILES, in bytes of its payload.
const maxChanges = 1 << 20

// size is what c takes, in bytes.
func (c *FileChanges) size() int { return len(c.Created) + len(c.Modified) + len(c.Deleted) }

// changed takes a FILES.
func (e *Execution) changed(f wire.Frame) error {
	if e.files != nil || len(f.Payload) > maxChanges {
		return fmt.Errorf("a second FILES, or one of %d bytes: %w", len(f.Payload), wire.BadMessage)
	}
	var m wire.FilesMessage
	if wire.Unmarshal(f.Payload, &m) != nil || !arePaths(m.Created) || !arePaths(m.Modified) || !arePaths(m.Deleted) {
		e.leaveOut("files", int64(len(f.Payload)))
		return nil
	}
	c := FileChanges(m)
	e.files = &c
	return nil
}

// changes needs mu. It is what the execution changed, nil where nobody knows.
func (e *Execution) changes(m wire.DoneMessage) *FileChanges {
	if e.files == nil && m.Cause == nil && e.truncated["files"] == 0 && e.truncated["replay"] == 0 {
		return noChanges
	}
	return e.files
}

// arePaths tells whether v is an array of paths below a directory: a client may join them to another one.
func arePaths(v jsontext.Value) bool {
	if !wire.IsStrings(v) {
		return false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	for dec.PeekKind() == '"' {
		path, err := dec.ReadToken()
		if err != nil || !sound(path.String(), MaxFilePath) {
			return false
		}
	}
	return true
}
