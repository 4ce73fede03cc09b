package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// FilesConfig bounds what is done with the files of a session.
type FilesConfig struct {
	MaxUpload int64 // bytes of one file
	Transfers int   // at once in one session, at most MaxTransfers; a few more wait
}

const (
	// MaxTransfers is the most that FilesConfig.Transfers may be: half of what a driver serves, for some may still be ending.
	MaxTransfers = wire.MaxTransfers / 2
	// maxWaitingTransfers is how many may wait in one session; one more is CodeBusy.
	maxWaitingTransfers = 64
)

// Files is the working directory of a session. Paths are relative to it, see CheckFilePath. Operations run beside executions,
// and beside each other. They return an Error with CodeInvalid, CodeNotFound, CodeConflict (what is there does not allow it),
// CodeNoSpace, CodeTooLarge, CodePrecondition, CodeBusy, CodeAborted (a transfer was ended from inside the session, or its
// connection broke: it may be tried again), CodeEngine, CodeLost or CodeClosed, or the cause of ctx. It is safe for concurrent
// use.
type Files struct {
	m   *Manager
	s   *Session
	cfg FilesConfig
}

// Files finds the working directory of a session, once that has started. An unknown one is CodeNotFound, one that is gone
// CodeLost or CodeExpired.
func (m *Manager) Files(ctx context.Context, key Key) (*Files, error) {
	s, err := m.find(key)
	if err != nil {
		return nil, err
	}
	select {
	case <-s.started:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if s.startErr != nil {
		return nil, s.startErr
	}
	if s.setup != nil {
		return nil, Errorf(CodeNotFound, "no session %s: its set-up failed", key.ID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Files{m: m, s: s, cfg: m.cfg.Files}, nil
}

// Stat says what is at path. A link is not followed.
func (f *Files) Stat(ctx context.Context, path string) (FileInfo, error) {
	done, err := f.do(ctx, wire.FileOpenMessage{Op: wire.FileStat, Path: path})
	if err != nil {
		return FileInfo{}, err
	}
	return f.info(path, done.File)
}

// Open reads a regular file, or the part of it that r asks for; nil is all. A part that is beyond the file is CodeRange.
// Where the error's File is set, that is what is there. The caller closes what it returns.
func (f *Files) Open(ctx context.Context, path string, r *FileRange) (*FileReader, error) {
	m := wire.FileOpenMessage{Op: wire.FileRead, Path: path}
	if r != nil {
		m.Range = &wire.FileRange{r.First, r.Last}
	}
	t, err := f.begin(ctx, m)
	if err != nil {
		return nil, err
	}
	var head *wire.FileInfoMessage
	done, err := t.await(func() bool { head = t.info; return head != nil })
	if err == nil && head == nil {
		err = t.failure(done)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	info, err := f.info(path, &head.File)
	if err != nil {
		t.close()
		return nil, err
	}
	return &FileReader{Info: info, Start: head.Start, Length: head.Length, t: t}, nil
}

// Write makes a file of all that r has, and the directories on the way. The file appears whole, in the place of what has its
// path, unless that is a directory; on error nothing has changed. A failure of r is returned as it is. created tells that
// nothing was there before.
func (f *Files) Write(ctx context.Context, path string, r io.Reader, o WriteOptions) (info FileInfo, created bool, err error) {
	m := wire.FileOpenMessage{Op: wire.FileWrite, Path: path, Size: o.Size, Mode: o.Mode, IfMatch: o.IfMatch, IfNoneMatch: o.IfNew}
	if o.Size != nil && *o.Size > f.cfg.MaxUpload {
		return FileInfo{}, false, f.tooLarge()
	}
	if o.ModTime != nil {
		ns := max(0, o.ModTime.UnixNano())
		m.MTime = &ns
	}
	t, err := f.begin(ctx, m)
	if err != nil {
		return FileInfo{}, false, err
	}
	defer t.close()
	if err := t.upload(&bounded{r: r, left: f.cfg.MaxUpload, err: f.tooLarge()}); err != nil && err != errEnded {
		return FileInfo{}, false, err
	}
	done, err := t.finish()
	if err != nil {
		return FileInfo{}, false, err
	}
	info, err = f.info(path, done.File)
	return info, done.Created, err
}

func (f *Files) tooLarge() error {
	return Errorf(CodeTooLarge, "the file is larger than %d bytes", f.cfg.MaxUpload)
}

// MakeDir makes a directory, and those on the way. One that is there is no error.
func (f *Files) MakeDir(ctx context.Context, path string) (info FileInfo, created bool, err error) {
	done, err := f.do(ctx, wire.FileOpenMessage{Op: wire.FileMkdir, Path: path})
	if err != nil {
		return FileInfo{}, false, err
	}
	info, err = f.info(path, done.File)
	return info, done.Created, err
}

// Remove removes a file, a link itself, an empty directory or, where o says so, a directory with all that is in it.
func (f *Files) Remove(ctx context.Context, path string, o RemoveOptions) error {
	_, err := f.do(ctx, wire.FileOpenMessage{Op: wire.FileRemove, Path: path, Recursive: o.Recursive, IfMatch: o.IfMatch})
	return err
}

// List says what is in a directory, up to a number of entries. What comes and goes meanwhile may be missed.
func (f *Files) List(ctx context.Context, path string, o ListOptions) (*FileList, error) {
	if o.Limit <= 0 || o.Limit > MaxFileEntries {
		o.Limit = MaxFileEntries
	}
	t, err := f.begin(ctx, wire.FileOpenMessage{Op: wire.FileList, Path: path, Recursive: o.Recursive, After: o.After, Limit: o.Limit})
	if err != nil {
		return nil, err
	}
	defer t.close()
	list := &FileList{}
	for lines := bufio.NewReaderSize(t, maxEntryLine); ; {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err == io.EOF || errors.Is(err, bufio.ErrBufferFull) {
			return nil, f.failed(fmt.Errorf("an entry without an end, or of more than %d bytes: %w", maxEntryLine, wire.BadMessage))
		}
		if err != nil {
			return nil, err
		}
		info, err := newEntry(line)
		if err == nil && len(list.Entries) == o.Limit {
			err = fmt.Errorf("more than %d entries: %w", o.Limit, wire.BadMessage)
		}
		if err != nil {
			return nil, f.failed(err)
		}
		list.Entries = append(list.Entries, info)
	}
	done, err := t.finish()
	if err != nil {
		return nil, err
	}
	if done.Next != nil {
		list.Next = *done.Next
	}
	list.Directory, err = f.info(path, done.File)
	if err == nil && (len(list.Next) > 2*maxEntryPath || !cursor.MatchString(list.Next)) {
		err = f.failed(fmt.Errorf("next is %.100q: %w", list.Next, wire.BadMessage))
	}
	return list, err
}

// do runs an operation that has no bytes.
func (f *Files) do(ctx context.Context, m wire.FileOpenMessage) (*wire.FileDoneMessage, error) {
	t, err := f.begin(ctx, m)
	if err != nil {
		return nil, err
	}
	defer t.close()
	return t.finish()
}

// begin begins a transfer when its turn has come. The session is not idle until it is closed.
func (f *Files) begin(ctx context.Context, m wire.FileOpenMessage) (*transfer, error) {
	if err := CheckFilePath(m.Path); err != nil {
		return nil, err
	}
	let, err := f.s.gate.enter(ctx, f.cfg.Transfers, maxWaitingTransfers)
	if err != nil {
		return nil, err
	}
	if !let {
		return nil, &Error{
			Code:       CodeBusy,
			Message:    fmt.Sprintf("the session has %d transfers of files waiting, which is the most that may", maxWaitingTransfers),
			RetryAfter: time.Second,
		}
	}
	f.s.use(1)
	return f.s.container.begin(ctx, m, f.failed, func(t *transfer) {
		if in, out := t.moved(); in+out > 0 {
			f.s.observer.FilesMoved(in, out)
		}
		f.s.use(-1)
		f.s.gate.leave(f.cfg.Transfers)
	})
}

// failed says to the caller what ended a transfer. A container that broke the protocol loses its session.
func (f *Files) failed(err error) error {
	if wire.IsBadFrame(err) {
		f.s.lose("its container broke the protocol", err)
	} else if err != errBroken {
		return err
	}
	f.m.mu.Lock()
	closed := f.m.closed
	f.m.mu.Unlock()
	if closed {
		return errClosed
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.over {
		return f.s.overError()
	}
	return err
}

// info converts what the driver says of a file.
func (f *Files) info(path string, file *wire.File) (FileInfo, error) {
	if file == nil {
		return FileInfo{}, f.failed(fmt.Errorf("nothing is said of a file: %w", wire.BadMessage))
	}
	info, err := newFileInfo(path, *file)
	if err != nil {
		return FileInfo{}, f.failed(err)
	}
	return info, nil
}

// What a driver may say of files. It keeps well below these.
const (
	maxEntryLine = 64 << 10 // bytes of an entry, most of it the path
	maxEntryPath = MaxFilePath + MaxFileName + 1
)

var (
	fileTag = regexp.MustCompile(`^[0-9a-z-]{1,128}$`)
	cursor  = regexp.MustCompile(`^[0-9a-f]*$`)
)

func newFileInfo(path string, file wire.File) (FileInfo, error) {
	info := FileInfo{
		Path: path, Type: FileType(file.Type), Size: file.Size, ModTime: time.Unix(0, file.MTime), Mode: file.Mode, Tag: file.Tag,
	}
	switch info.Type {
	case TypeFile, TypeDirectory, TypeLink, TypeOther:
	default:
		return FileInfo{}, fmt.Errorf("a file of type %.20q: %w", file.Type, wire.BadMessage)
	}
	if file.Size < 0 || file.Mode > 0o7777 || !fileTag.MatchString(file.Tag) {
		return FileInfo{}, fmt.Errorf("a file of %d bytes, mode %o and tag %.100q: %w", file.Size, file.Mode, file.Tag, wire.BadMessage)
	}
	return info, nil
}

// newEntry decodes a line of a list.
func newEntry(line []byte) (FileInfo, error) {
	var e wire.FileEntry
	if err := wire.Unmarshal(line, &e); err != nil {
		return FileInfo{}, err
	}
	info, err := newFileInfo(e.Path, e.File)
	if err != nil {
		return FileInfo{}, err
	}
	longest := maxEntryPath
	if info.Odd = e.Odd; e.Odd { // each byte that is not UTF-8 is told as U+FFFD
		longest *= utf8.RuneLen(utf8.RuneError)
	}
	if !sound(e.Path, longest) {
		return FileInfo{}, fmt.Errorf("an entry of the name %.100q: %w", e.Path, wire.BadMessage)
	}
	return info, nil
}

// bounded returns err when r has more than left bytes.
type bounded struct {
	r    io.Reader
	left int64
	err  error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.err
	}
	return n, err
}
