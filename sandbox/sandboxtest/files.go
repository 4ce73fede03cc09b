package sandboxtest

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// FileCall is one FILE_OPEN that is served.
type FileCall struct {
	Message wire.FileOpenMessage
	// Gone is closed when the transfer was cancelled, its attachment has ended, or the instance was destroyed.
	Gone <-chan struct{}

	id     uuid.UUID
	driver *driver
	gone   chan struct{}
	once   sync.Once // closes gone
	data   chan []byte

	mu       sync.Mutex
	sent     int64         // guarded by mu
	consumed int64         // guarded by mu
	granted  chan struct{} // guarded by mu; closed when consumed rises
	taken    int64         // of the daemon's bytes; the player's alone
}

// Send sends a frame of the transfer.
func (c *FileCall) Send(t wire.Type, payload []byte) {
	c.driver.mu.Lock()
	defer c.driver.mu.Unlock()
	c.driver.write(wire.Frame{Type: t, Execution: c.id, Payload: payload})
}

// Bytes sends bytes as the window lets them through, and returns false when nobody wants them any more.
func (c *FileCall) Bytes(b []byte) bool {
	for len(b) > 0 {
		c.mu.Lock()
		n, granted := min(int64(len(b)), wire.MaxPayload, c.consumed+wire.FileWindow-c.sent), c.granted
		c.sent += n
		c.mu.Unlock()
		if n == 0 {
			select {
			case <-granted:
				continue
			case <-c.gone:
				return false
			}
		}
		c.Send(wire.FileBytes, b[:n])
		b = b[n:]
	}
	return true
}

// Next returns the next bytes of a write, nil at their end, and grants as many. It returns false when nobody wants the
// transfer any more.
func (c *FileCall) Next() ([]byte, bool) {
	b, ok := c.Take()
	if c.taken += int64(len(b)); ok {
		c.Send(wire.FileGrant, wire.Marshal(wire.WindowMessage{Consumed: c.taken}))
	}
	return b, ok
}

// Take is Next without a grant.
func (c *FileCall) Take() ([]byte, bool) {
	select {
	case b := <-c.data:
		return b, true
	case <-c.gone:
		return nil, false
	}
}

// Done ends the transfer.
func (c *FileCall) Done(m wire.FileDoneMessage) {
	c.driver.mu.Lock()
	delete(c.driver.transfers, c.id)
	c.driver.mu.Unlock()
	c.Send(wire.FileDone, wire.Marshal(m))
}

// Fail ends the transfer with an error.
func (c *FileCall) Fail(code, message string) {
	c.Done(wire.FileDoneMessage{Error: &wire.FileError{Code: code, Message: message}})
}

// takeFile handles a frame of a transfer.
func (d *driver) takeFile(f wire.Frame) {
	d.mu.Lock()
	c := d.transfers[f.Execution]
	d.mu.Unlock()
	switch {
	case f.Type == wire.FileOpen:
		c = &FileCall{id: f.Execution, driver: d, gone: make(chan struct{}), data: make(chan []byte, 64), granted: make(chan struct{})}
		c.Gone = c.gone
		if wire.Unmarshal(f.Payload, &c.Message) != nil {
			return
		}
		d.mu.Lock()
		d.transfers[c.id] = c
		d.mu.Unlock()
		d.plays.Go(func() { d.playFile(c) })
	case c == nil:
	case f.Type == wire.FileData:
		c.data <- slices.Clone(f.Payload)
	case f.Type == wire.FileEnd:
		c.data <- nil
	case f.Type == wire.FileCancel:
		d.dropFile(c)
	case f.Type == wire.FileTaken:
		var m wire.WindowMessage
		if wire.Unmarshal(f.Payload, &m) == nil {
			c.mu.Lock()
			c.consumed = m.Consumed
			close(c.granted)
			c.granted = make(chan struct{})
			c.mu.Unlock()
		}
	}
}

func (d *driver) dropFile(c *FileCall) {
	d.mu.Lock()
	delete(d.transfers, c.id)
	d.mu.Unlock()
	c.once.Do(func() { close(c.gone) })
}

// dropFiles ends all transfers: their attachment has ended.
func (d *driver) dropFiles() {
	d.mu.Lock()
	open := slices.Collect(maps.Values(d.transfers))
	d.mu.Unlock()
	for _, c := range open {
		d.dropFile(c)
	}
}

// Disk is a working directory in memory. It knows no links.
type Disk struct {
	mu    sync.Mutex
	files map[string][]byte // guarded by mu; by path, nil for a directory
	tags  map[string]int    // guarded by mu
	made  int               // guarded by mu
}

// Play serves a transfer.
func (d *Disk) Play(c *FileCall) {
	m := c.Message
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files == nil {
		d.files, d.tags = map[string][]byte{"": nil}, map[string]int{}
	}
	data, there := d.files[m.Path]
	info := d.info(m.Path)
	switch {
	case m.Op == wire.FileWrite:
		d.write(c)
	case m.Op == wire.FileMkdir:
		d.make(m.Path)
		c.Done(wire.FileDoneMessage{File: d.info(m.Path), Created: !there})
	case !there:
		c.Fail(wire.FileNotFound, "no such file or directory")
	case m.Op == wire.FileStat:
		c.Done(wire.FileDoneMessage{File: info})
	case m.Op == wire.FileRead && data == nil, m.Op == wire.FileList && data != nil:
		c.Done(wire.FileDoneMessage{Error: &wire.FileError{Code: wire.FileConflict, Message: "it is no file, or no directory"}, File: info})
	case m.Op == wire.FileRead:
		d.read(c, data, info)
	case m.Op == wire.FileList:
		d.list(c, info)
	case len(m.IfMatch) > 0 && !slices.Contains(m.IfMatch, "*") && !slices.Contains(m.IfMatch, info.Tag):
		c.Fail(wire.FilePrecondition, "the file is another one by now")
	default:
		d.remove(c)
	}
}

// The following need mu.

func (d *Disk) info(path string) *wire.File {
	f := &wire.File{Type: "file", Size: int64(len(d.files[path])), MTime: 1e18 + int64(d.tags[path]), Mode: 0o644, Tag: fmt.Sprintf("t-%d", d.tags[path])}
	if d.files[path] == nil {
		f.Type, f.Mode = "directory", 0o755
	}
	return f
}

func (d *Disk) make(path string) {
	for at := range strings.SplitSeq(path, "/") {
		prefix := path[:strings.Index(path+"/", at+"/")+len(at)]
		if _, there := d.files[prefix]; !there {
			d.files[prefix] = nil
		}
	}
}

func (d *Disk) write(c *FileCall) {
	m := c.Message
	data, there := d.files[m.Path]
	switch {
	case there && data == nil:
		c.Fail(wire.FileConflict, "a directory is there")
		return
	case m.IfNoneMatch && there, len(m.IfMatch) > 0 && (!there || !slices.Contains(m.IfMatch, "*") && !slices.Contains(m.IfMatch, d.info(m.Path).Tag)):
		c.Fail(wire.FilePrecondition, "the file is another one by now")
		return
	}
	written := []byte{}
	for {
		d.mu.Unlock()
		b, ok := c.Next()
		d.mu.Lock()
		if !ok {
			return
		}
		if b == nil {
			break
		}
		written = append(written, b...)
	}
	if i := strings.LastIndexByte(m.Path, '/'); i >= 0 {
		d.make(m.Path[:i])
	}
	d.made++
	d.files[m.Path], d.tags[m.Path] = written, d.made
	c.Done(wire.FileDoneMessage{File: d.info(m.Path), Created: !there})
}

func (d *Disk) read(c *FileCall, data []byte, info *wire.File) {
	start, end := int64(0), int64(len(data))
	if r := c.Message.Range; r != nil {
		switch {
		case r[0] == nil:
			start = max(0, end-*r[1])
		case r[1] == nil:
			start = *r[0]
		default:
			start, end = *r[0], min(end, *r[1]+1)
		}
		if start >= end {
			c.Done(wire.FileDoneMessage{Error: &wire.FileError{Code: wire.FileOutOfRange, Message: "beyond the file"}, File: info})
			return
		}
	}
	c.Send(wire.FileInfo, wire.Marshal(wire.FileInfoMessage{File: *info, Start: start, Length: end - start}))
	d.mu.Unlock()
	defer d.mu.Lock()
	if c.Bytes(data[start:end]) {
		c.Done(wire.FileDoneMessage{File: info})
	}
}

func (d *Disk) list(c *FileCall, info *wire.File) {
	m := c.Message
	prefix := ""
	if m.Path != "" {
		prefix = m.Path + "/"
	}
	after, _ := hex.DecodeString(m.After)
	var lines []byte
	var next *string
	count, last := 0, ""
	paths := slices.SortedFunc(maps.Keys(d.files), func(a, b string) int {
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	for _, path := range paths {
		name, below := strings.CutPrefix(path, prefix)
		if !below || name == "" || !m.Recursive && strings.Contains(name, "/") ||
			len(after) > 0 && slices.Compare(strings.Split(name, "/"), strings.Split(string(after), "/")) <= 0 {
			continue
		}
		if count == m.Limit {
			text := hex.EncodeToString([]byte(last))
			next = &text
			break
		}
		count, last = count+1, name
		lines = append(append(lines, wire.Marshal(wire.FileEntry{File: *d.info(path), Path: name})...), '\n')
	}
	d.mu.Unlock()
	defer d.mu.Lock()
	if c.Bytes(lines) {
		c.Done(wire.FileDoneMessage{File: info, Next: next})
	}
}

func (d *Disk) remove(c *FileCall) {
	path := c.Message.Path
	below := func(other string) bool { return strings.HasPrefix(other, path+"/") }
	if !c.Message.Recursive && slices.ContainsFunc(slices.Collect(maps.Keys(d.files)), below) {
		c.Fail(wire.FileConflict, "the directory is not empty")
		return
	}
	maps.DeleteFunc(d.files, func(other string, _ []byte) bool { return other == path || below(other) })
	c.Done(wire.FileDoneMessage{})
}
