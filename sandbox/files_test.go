package sandbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

const maxTestUpload = 4 << 20

// newFiles makes a session and gives its files. play serves its transfers, nil plays a disk in memory.
func newFiles(t *testing.T, play func(*sandboxtest.FileCall)) (*sandbox.Files, *sandbox.Manager, *sandboxtest.Runtime) {
	t.Helper()
	cfg := testConfig()
	cfg.Files = sandbox.FilesConfig{MaxUpload: maxTestUpload, Transfers: 4}
	m, rt := newManager(t, cfg, nil)
	rt.PlayFile = play
	run(t, m, "a", "x")
	return filesOf(t, m), m, rt
}

func filesOf(t *testing.T, m *sandbox.Manager) *sandbox.Files {
	t.Helper()
	f, err := m.Files(t.Context(), key("a"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// write writes a file that must not be refused.
func write(t *testing.T, f *sandbox.Files, path, data string) sandbox.FileInfo {
	t.Helper()
	info, _, err := f.Write(t.Context(), path, strings.NewReader(data), sandbox.WriteOptions{})
	if err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	return info
}

func read(t *testing.T, f *sandbox.Files, path string, r *sandbox.FileRange) string {
	t.Helper()
	got, err := f.Open(t.Context(), path, r)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	defer got.Close()
	data, err := io.ReadAll(got)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return string(data)
}

func wantCode(t *testing.T, what string, err error, want sandbox.Code) {
	t.Helper()
	if got := sandbox.ErrorCode(err); got != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

func TestFiles_WhatIsWrittenIsReadListedAndRemoved(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	large := random(3 << 20) // much more than the windows
	info, created, err := f.Write(t.Context(), "d/large", iotest.HalfReader(bytes.NewReader(large)), sandbox.WriteOptions{})
	if err != nil || !created || info.Size != int64(len(large)) || info.Type != sandbox.TypeFile || info.Path != "d/large" || info.Tag == "" {
		t.Fatalf("write: %+v, %v, %v", info, created, err)
	}
	if got := read(t, f, "d/large", nil); got != string(large) {
		t.Errorf("read %d bytes, not those that were written", len(got))
	}
	write(t, f, "d/empty", "")
	if got := read(t, f, "d/empty", nil); got != "" {
		t.Errorf("the empty file has %q", got)
	}
	stat, err := f.Stat(t.Context(), "d/large")
	if err != nil || stat != info {
		t.Errorf("stat: %+v, %v, want %+v", stat, err, info)
	}
	if _, created, err := f.Write(t.Context(), "d/large", strings.NewReader("x"), sandbox.WriteOptions{}); created || err != nil {
		t.Errorf("replaced: %v, %v", created, err)
	}
	if info, created, err := f.MakeDir(t.Context(), "d/e"); err != nil || !created || info.Type != sandbox.TypeDirectory {
		t.Errorf("mkdir: %+v, %v, %v", info, created, err)
	}
	list, err := f.List(t.Context(), "", sandbox.ListOptions{Recursive: true})
	if err != nil || list.Directory.Type != sandbox.TypeDirectory || list.Next != "" {
		t.Fatalf("list: %+v, %v", list, err)
	}
	if got := paths(list.Entries); !slices.Equal(got, []string{"d", "d/e", "d/empty", "d/large"}) {
		t.Errorf("list: %q", got)
	}
	wantCode(t, "remove", f.Remove(t.Context(), "d", sandbox.RemoveOptions{}), sandbox.CodeConflict)
	if err := f.Remove(t.Context(), "d", sandbox.RemoveOptions{Recursive: true}); err != nil {
		t.Error(err)
	}
	_, err = f.Stat(t.Context(), "d/large")
	wantCode(t, "stat", err, sandbox.CodeNotFound)
}

func paths(entries []sandbox.FileInfo) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Path)
	}
	return all
}

func TestFiles_ListsGoOnWhereTheyEnded(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("%02d", i))
		write(t, f, want[i], "")
	}
	for _, limit := range []int{1, 7, 24, 25} {
		var got []string
		for after := ""; ; {
			list, err := f.List(t.Context(), "", sandbox.ListOptions{After: after, Limit: limit})
			if err != nil || len(list.Entries) > limit {
				t.Fatalf("%d entries of %d, %v", len(list.Entries), limit, err)
			}
			got = append(got, paths(list.Entries)...)
			if after = list.Next; after == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: %q", limit, got)
		}
	}
}

func TestFiles_RangesAndWhatIsBeyond(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	write(t, f, "f", "0123456789")
	at := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		r    sandbox.FileRange
		want string
	}{
		{sandbox.FileRange{First: at(3), Last: at(5)}, "345"},
		{sandbox.FileRange{First: at(8)}, "89"},
		{sandbox.FileRange{Last: at(2)}, "89"},
		{sandbox.FileRange{First: at(0), Last: at(100)}, "0123456789"},
	} {
		if got := read(t, f, "f", &tt.r); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	_, err := f.Open(t.Context(), "f", &sandbox.FileRange{First: at(10)})
	var e *sandbox.Error
	if !errors.As(err, &e) || e.Code != sandbox.CodeRange || e.File == nil || e.File.Size != 10 {
		t.Errorf("beyond: %v", err)
	}
	_, err = f.Open(t.Context(), "", nil)
	if !errors.As(err, &e) || e.Code != sandbox.CodeConflict || e.File == nil || e.File.Type != sandbox.TypeDirectory {
		t.Errorf("a directory: %v", err)
	}
}

func TestFiles_Conditions(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	tag := write(t, f, "f", "1").Tag
	for _, tt := range []struct {
		path string
		o    sandbox.WriteOptions
		want sandbox.Code
	}{
		{"f", sandbox.WriteOptions{IfMatch: []string{"other"}}, sandbox.CodePrecondition},
		{"f", sandbox.WriteOptions{IfNew: true}, sandbox.CodePrecondition},
		{"g", sandbox.WriteOptions{IfMatch: []string{"*"}}, sandbox.CodePrecondition},
		{"f", sandbox.WriteOptions{IfMatch: []string{"other", tag}}, ""},
		{"f", sandbox.WriteOptions{IfMatch: []string{tag}}, sandbox.CodePrecondition},
		{"g", sandbox.WriteOptions{IfNew: true}, ""},
	} {
		_, _, err := f.Write(t.Context(), tt.path, strings.NewReader("2"), tt.o)
		wantCode(t, fmt.Sprintf("write %s %+v", tt.path, tt.o), err, tt.want)
	}
	wantCode(t, "remove", f.Remove(t.Context(), "f", sandbox.RemoveOptions{IfMatch: []string{tag}}), sandbox.CodePrecondition)
	if got := read(t, f, "f", nil); got != "2" {
		t.Errorf("got %q", got)
	}
}

func TestFiles_PathsThatAreNone(t *testing.T) {
	f, _, _ := newFiles(t, func(c *sandboxtest.FileCall) { t.Errorf("%+v was sent", c.Message) })
	for _, path := range []string{
		"/", "/f", "f/", "a//b", ".", "..", "../f", "a/..", "a/./b", "a\x00", "\xff", "a/\xc3/b", strings.Repeat("n", 256), strings.Repeat("é", 128),
		strings.Repeat("a/", 2048) + "a", ".fastpyrepl", ".fastpyrepl/x",
	} {
		_, err := f.Stat(t.Context(), path)
		wantCode(t, fmt.Sprintf("stat %.20q", path), err, sandbox.CodeInvalid)
		_, _, err = f.Write(t.Context(), path, strings.NewReader(""), sandbox.WriteOptions{})
		wantCode(t, fmt.Sprintf("write %.20q", path), err, sandbox.CodeInvalid)
	}
	for _, path := range []string{"", "a", "a b/ü/日本", "...", "..a", "a..", "a/.fastpyrepl", "-rf *\n\x1b[0m", strings.Repeat("n", 255), strings.Repeat("a/", 2047) + "a"} {
		if err := sandbox.CheckFilePath(path); err != nil {
			t.Errorf("%.20q: %v", path, err)
		}
	}
}

func TestFiles_OfSessionsThatAreNotThere(t *testing.T) {
	_, m, _ := newFiles(t, nil)
	_, err := m.Files(t.Context(), key("nobody"))
	wantCode(t, "unknown", err, sandbox.CodeNotFound)
	_, err = m.Files(t.Context(), sandbox.Key{Owner: "ann", ID: "a"})
	wantCode(t, "somebody else's", err, sandbox.CodeNotFound)
}

// What is larger than allowed is refused at once where it is announced, and as soon as it shows where it is not.
func TestFiles_UploadsAreBounded(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	size := int64(maxTestUpload + 1)
	never := iotest.ErrReader(errors.New("it was read"))
	_, _, err := f.Write(t.Context(), "f", never, sandbox.WriteOptions{Size: &size})
	wantCode(t, "announced", err, sandbox.CodeTooLarge)
	_, _, err = f.Write(t.Context(), "f", io.LimitReader(zeros{}, size), sandbox.WriteOptions{})
	wantCode(t, "not announced", err, sandbox.CodeTooLarge)
	if _, err := f.Stat(t.Context(), "f"); sandbox.ErrorCode(err) != sandbox.CodeNotFound {
		t.Errorf("half a file is there: %v", err)
	}
	if _, _, err := f.Write(t.Context(), "f", io.LimitReader(zeros{}, size-1), sandbox.WriteOptions{}); err != nil {
		t.Errorf("as large as may be: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestFiles_AFailureOfTheReaderIsReturnedAndNothingIsWritten(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	for _, left := range []error{errors.New("the client left"), io.ErrUnexpectedEOF} {
		for _, size := range []int{0, 1, wire.MaxPayload, 1 << 20} {
			_, _, err := f.Write(t.Context(), "f", io.MultiReader(bytes.NewReader(random(size)), iotest.ErrReader(left)), sandbox.WriteOptions{})
			if err != left {
				t.Errorf("got %v", err)
			}
			_, err = f.Stat(t.Context(), "f")
			wantCode(t, "half a file", err, sandbox.CodeNotFound)
		}
	}
}

// A driver that takes nothing is sent no more than the window, and one whose reader does not read sends no more.
func TestFiles_NoMoreIsUnderWayThanTheWindow(t *testing.T) {
	var mu sync.Mutex
	counted := int64(0)
	full := make(chan struct{})
	f, m, _ := newFiles(t, func(c *sandboxtest.FileCall) {
		if c.Message.Op != wire.FileWrite {
			c.Send(wire.FileInfo, wire.Marshal(wire.FileInfoMessage{File: wire.File{Type: "file", Size: 64 << 20, Tag: "t"}, Length: 64 << 20}))
			c.Bytes(make([]byte, 64<<20))
			return
		}
		for {
			b, ok := c.Take()
			if !ok {
				return
			}
			mu.Lock()
			if counted += int64(len(b)); counted == wire.FileWindow {
				close(full)
			}
			if counted > wire.FileWindow {
				t.Errorf("%d bytes were sent without a grant", counted)
			}
			mu.Unlock()
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("that is enough")
	written := make(chan error, 1)
	go func() {
		_, _, err := f.Write(ctx, "f", io.LimitReader(zeros{}, maxTestUpload), sandbox.WriteOptions{})
		written <- err
	}()
	<-full
	r, err := f.Open(t.Context(), "g", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // executions are not behind either
		if got := run(t, m, "a", "x"); got.Outcome != sandbox.OutcomeOK {
			t.Errorf("got %+v", got)
		}
	}
	cancel(stop)
	if err := <-written; err != stop {
		t.Errorf("got %v", err)
	}
	buf := make([]byte, 1<<20)
	if _, err := io.ReadFull(r, buf); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(buf); err == nil {
		t.Error("a closed reader reads")
	}
}

func TestFiles_AFewTransfersAtOnceOthersWaitAndThenAreBusy(t *testing.T) {
	begun := make(chan *sandboxtest.FileCall, 100)
	f, _, _ := newFiles(t, func(c *sandboxtest.FileCall) {
		begun <- c
	})
	answered := make(chan error, 100)
	stat := func(ctx context.Context) {
		_, err := f.Stat(ctx, "f")
		answered <- err
	}
	for range 4 {
		go stat(t.Context())
	}
	var inside []*sandboxtest.FileCall
	for range 4 {
		inside = append(inside, <-begun)
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 65 {
		go stat(ctx)
	}
	wantCode(t, "one more than may wait", <-answered, sandbox.CodeBusy)
	select {
	case c := <-begun:
		t.Errorf("a fifth began: %+v", c.Message)
	default:
	}
	done := wire.FileDoneMessage{File: &wire.File{Type: "file", Tag: "t"}}
	inside[0].Done(done)
	next := <-begun // one that waited
	cancel()
	for range 63 {
		if err := <-answered; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	for _, c := range append(inside[1:], next) {
		c.Done(done)
	}
	for range 5 {
		if err := <-answered; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	go stat(t.Context())
	(<-begun).Done(done)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// slow is a reader that gives a part, tells, and waits for the test.
type slow struct {
	part    []byte
	reached chan struct{}
	release chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.part) > 0 {
		n := copy(p, s.part)
		s.part = s.part[n:]
		return n, nil
	}
	close(s.reached)
	<-s.release
	return 0, io.EOF
}

func TestFiles_WhatEndsASessionOrItsConnectionEndsTransfers(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(m *sandbox.Manager, rt *sandboxtest.Runtime) error
		want sandbox.Code
		says string
	}{
		"a reset":             {func(m *sandbox.Manager, _ *sandboxtest.Runtime) error { return m.Reset(context.Background(), key("a")) }, sandbox.CodeConflict, "the session was reset"},
		"its container":       {func(_ *sandbox.Manager, rt *sandboxtest.Runtime) error { rt.Kill(instances(rt)[0], 3); return nil }, sandbox.CodeLost, "ended with status 3"},
		"a broken connection": {func(_ *sandbox.Manager, rt *sandboxtest.Runtime) error { rt.Break(); return nil }, sandbox.CodeAborted, "connection"},
		"a shutdown":          {func(m *sandbox.Manager, _ *sandboxtest.Runtime) error { return m.Leave(context.Background()) }, sandbox.CodeClosed, "shutting down"},
	} {
		t.Run(name, func(t *testing.T) {
			f, m, rt := newFiles(t, nil)
			write(t, f, "old", string(random(maxTestUpload)))
			r, err := f.Open(t.Context(), "old", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			s := &slow{part: random(maxTestUpload / 2), reached: make(chan struct{}), release: make(chan struct{})}
			written := make(chan error, 1)
			go func() {
				_, _, err := f.Write(context.Background(), "new", s, sandbox.WriteOptions{})
				written <- err
			}()
			<-s.reached
			if err := tt.end(m, rt); err != nil {
				t.Fatal(err)
			}
			close(s.release)
			for what, err := range map[string]error{"upload": <-written, "download": drain(r)} {
				if sandbox.ErrorCode(err) != tt.want && sandbox.ErrorCode(err) != sandbox.CodeAborted || name != "its container" && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s: got %v, want %s that says %s", what, err, tt.want, tt.says)
				}
			}
			if tt.want != sandbox.CodeAborted {
				if name == "a shutdown" {
					for _, i := range instances(rt) {
						_ = i.Destroy(context.Background())
					}
				}
				return
			}
			eventually(t, "the next transfer is served over the next connection", func() bool {
				_, err = f.Stat(t.Context(), "new")
				return sandbox.ErrorCode(err) == sandbox.CodeNotFound // half of it is not there
			})
			if got := read(t, f, "old", nil); len(got) != maxTestUpload {
				t.Errorf("after that %d bytes are read", len(got))
			}
		})
	}
}

func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func TestFiles_WhatEndsATransferInTheSessionIsTold(t *testing.T) {
	for code, want := range map[string]sandbox.Code{
		"invalid": sandbox.CodeInvalid, "not_found": sandbox.CodeNotFound, "conflict": sandbox.CodeConflict, "no_space": sandbox.CodeNoSpace,
		"too_large": sandbox.CodeTooLarge, "precondition": sandbox.CodePrecondition, "range": sandbox.CodeRange, "busy": sandbox.CodeBusy,
		"aborted": sandbox.CodeAborted, "failed": sandbox.CodeEngine, "cancelled": sandbox.CodeEngine, "of another kind": sandbox.CodeEngine,
	} {
		f, m, _ := newFiles(t, func(c *sandboxtest.FileCall) {
			if c.Message.Op == wire.FileRead {
				c.Send(wire.FileInfo, wire.Marshal(wire.FileInfoMessage{File: wire.File{Type: "file", Size: 10, Tag: "t"}, Length: 10}))
				c.Send(wire.FileBytes, []byte("12345"))
			}
			if c.Message.Op == wire.FileWrite {
				c.Next()
			}
			c.Fail(code, "because of that")
		})
		_, _, err := f.Write(t.Context(), "f", bytes.NewReader(random(2<<20)), sandbox.WriteOptions{})
		wantCode(t, code+" while it was written", err, want)
		r, err := f.Open(t.Context(), "f", nil)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		wantCode(t, code+" while it was read", err, want)
		if string(data) != "12345" || want != sandbox.CodeEngine && !strings.Contains(err.Error(), "because of that") {
			t.Errorf("%s: got %q, %v", code, data, err)
		}
		r.Close()
		if _, err := m.Session(key("a")); err != nil {
			t.Errorf("%s: the session is gone: %v", code, err)
		}
	}
}

// Everything from a container is hostile: one that breaks the protocol of files loses its session, and nothing else.
func TestFiles_HostileContainersLoseOnlyTheirSession(t *testing.T) {
	info := func(size, start, length int64) []byte {
		return wire.Marshal(wire.FileInfoMessage{File: wire.File{Type: "file", Size: size, Tag: "t"}, Start: start, Length: length})
	}
	head := func(c *sandboxtest.FileCall) { c.Send(wire.FileInfo, info(100, 0, 100)) }
	done := func(f wire.File) wire.FileDoneMessage { return wire.FileDoneMessage{File: &f} }
	entry := func(f wire.File, path string) string {
		return string(wire.Marshal(wire.FileEntry{File: f, Path: path})) + "\n"
	}
	good := wire.File{Type: "file", Tag: "t"}
	lines := func(text string) func(*sandboxtest.FileCall) {
		return func(c *sandboxtest.FileCall) {
			if c.Bytes([]byte(text)) {
				c.Done(done(wire.File{Type: "directory", Tag: "t"}))
			}
		}
	}
	next := func(text string) func(*sandboxtest.FileCall) {
		return func(c *sandboxtest.FileCall) {
			c.Done(wire.FileDoneMessage{File: &wire.File{Type: "directory", Tag: "t"}, Next: &text})
		}
	}
	for name, tt := range map[string]struct {
		op   string
		play func(c *sandboxtest.FileCall)
	}{
		"bytes beyond the window": {wire.FileRead, func(c *sandboxtest.FileCall) {
			c.Send(wire.FileInfo, info(1<<30, 0, 1<<30))
			for range 5 {
				c.Send(wire.FileBytes, make([]byte, wire.MaxPayload))
			}
		}},
		"bytes before the head":   {wire.FileRead, func(c *sandboxtest.FileCall) { c.Send(wire.FileBytes, []byte("x")) }},
		"bytes beyond the length": {wire.FileRead, func(c *sandboxtest.FileCall) { head(c); c.Send(wire.FileBytes, make([]byte, 101)) }},
		"an end before the bytes": {wire.FileRead, func(c *sandboxtest.FileCall) { head(c); c.Done(done(good)) }},
		"an end without a head":   {wire.FileRead, func(c *sandboxtest.FileCall) { c.Done(done(good)) }},
		"two heads":               {wire.FileRead, func(c *sandboxtest.FileCall) { head(c); head(c) }},
		"a head that is no JSON":  {wire.FileRead, func(c *sandboxtest.FileCall) { c.Send(wire.FileInfo, []byte("{")) }},
		"an extent beyond the file": {wire.FileRead, func(c *sandboxtest.FileCall) {
			c.Send(wire.FileInfo, info(100, 1, 100))
		}},
		"an extent of overflow": {wire.FileRead, func(c *sandboxtest.FileCall) { c.Send(wire.FileInfo, info(100, math.MaxInt64, 2)) }},
		"a negative extent":     {wire.FileRead, func(c *sandboxtest.FileCall) { c.Send(wire.FileInfo, info(-1, -1, -1)) }},
		"a tag for a header": {wire.FileRead, func(c *sandboxtest.FileCall) {
			c.Send(wire.FileInfo, wire.Marshal(wire.FileInfoMessage{File: wire.File{Type: "file", Tag: "a\r\nSet-Cookie: x"}}))
			c.Done(done(good))
		}},
		"a file of an odd type":     {wire.FileStat, func(c *sandboxtest.FileCall) { c.Done(done(wire.File{Type: "door", Tag: "t"})) }},
		"a file of a negative size": {wire.FileStat, func(c *sandboxtest.FileCall) { c.Done(done(wire.File{Type: "file", Size: -1, Tag: "t"})) }},
		"a file of an odd mode":     {wire.FileStat, func(c *sandboxtest.FileCall) { c.Done(done(wire.File{Type: "file", Mode: 1 << 31, Tag: "t"})) }},
		"a file without a tag":      {wire.FileStat, func(c *sandboxtest.FileCall) { c.Done(done(wire.File{Type: "file"})) }},
		"no file":                   {wire.FileStat, func(c *sandboxtest.FileCall) { c.Done(wire.FileDoneMessage{}) }},
		"an end that is no JSON":    {wire.FileStat, func(c *sandboxtest.FileCall) { c.Send(wire.FileDone, []byte("[]")) }},
		"two ends":                  {wire.FileStat, func(c *sandboxtest.FileCall) { c.Send(wire.FileDone, []byte("{")); c.Done(done(good)) }},
		"bytes of nothing":          {wire.FileStat, func(c *sandboxtest.FileCall) { c.Send(wire.FileBytes, []byte("x")) }},
		"a frame only daemons send": {wire.FileStat, func(c *sandboxtest.FileCall) { c.Send(wire.FileData, []byte("x")) }},
		"a type kept for later":     {wire.FileStat, func(c *sandboxtest.FileCall) { c.Send(wire.FileDone+1, []byte("x")) }},
		"a grant of what nobody sent": {wire.FileWrite, func(c *sandboxtest.FileCall) {
			c.Send(wire.FileGrant, []byte(`{"consumed":1000000000}`))
			for ok := true; ok; {
				_, ok = c.Take()
			}
		}},
		"a grant that falls": {wire.FileWrite, func(c *sandboxtest.FileCall) {
			c.Send(wire.FileGrant, []byte(`{"consumed":-1}`))
		}},
		"bytes of an upload":          {wire.FileWrite, func(c *sandboxtest.FileCall) { c.Send(wire.FileBytes, []byte("x")) }},
		"an entry that climbs":        {wire.FileList, lines(entry(good, "../etc/passwd"))},
		"an entry from the root":      {wire.FileList, lines(entry(good, "/etc/passwd"))},
		"an entry with a NUL":         {wire.FileList, lines(entry(good, "a\x00b"))},
		"an entry without name":       {wire.FileList, lines(entry(good, ""))},
		"an entry of dots":            {wire.FileList, lines(entry(good, "a/./b"))},
		"an entry that is long":       {wire.FileList, lines(entry(good, strings.Repeat("a/", 3000)+"a"))},
		"an entry that is not JSON":   {wire.FileList, lines("{\n")},
		"an odd name of no end":       {wire.FileList, lines(`{"path":"` + strings.Repeat("\ufffd", sandbox.MaxFilePath+257) + `","odd":true,"type":"file","tag":"t"}` + "\n")},
		"an entry of an odd type":     {wire.FileList, lines(entry(wire.File{Type: "door", Tag: "t"}, "a"))},
		"a line cut off":              {wire.FileList, lines(strings.TrimSuffix(entry(good, "a"), "\n"))},
		"a line without end":          {wire.FileList, lines(strings.Repeat("x", 200<<10))},
		"more entries than asked":     {wire.FileList, lines(strings.Repeat(entry(good, "a"), 4))},
		"a list that goes on nowhere": {wire.FileList, next("../x")},
		"a list that goes on far":     {wire.FileList, next(strings.Repeat("61", 5000))},
	} {
		t.Run(name, func(t *testing.T) {
			f, m, _ := newFiles(t, tt.play)
			run(t, m, "b", "x")
			var err error
			switch tt.op {
			case wire.FileRead:
				var r *sandbox.FileReader
				if r, err = f.Open(t.Context(), "f", nil); err == nil {
					for _, err = m.Session(key("a")); err == nil && name == "bytes beyond the window"; { // nothing is read before
						_, err = m.Session(key("a"))
					}
					err = drain(r)
					r.Close()
				}
			case wire.FileStat:
				_, err = f.Stat(t.Context(), "f")
			case wire.FileWrite:
				_, _, err = f.Write(t.Context(), "f", bytes.NewReader(random(1<<20)), sandbox.WriteOptions{})
			case wire.FileList:
				_, err = f.List(t.Context(), "", sandbox.ListOptions{Limit: 3})
			}
			if code := sandbox.ErrorCode(err); code != sandbox.CodeLost && code != sandbox.CodeAborted {
				t.Errorf("got %v", err)
			}
			eventually(t, "the session is lost", func() bool {
				_, err := m.Session(key("a"))
				return sandbox.ErrorCode(err) == sandbox.CodeLost
			})
			run(t, m, "b", "x")
		})
	}
}

// A list may fail in the middle of a line, by no fault of its driver's.
func TestFiles_AListThatFailsOnItsWayIsAnError(t *testing.T) {
	f, m, _ := newFiles(t, func(c *sandboxtest.FileCall) {
		c.Bytes([]byte(string(wire.Marshal(wire.FileEntry{File: wire.File{Type: "file", Tag: "t"}, Path: "a"})) + "\n" + `{"type":"fi`))
		c.Fail(wire.FileConflict, "directories are nested too deeply")
	})
	_, err := f.List(t.Context(), "", sandbox.ListOptions{})
	wantCode(t, "list", err, sandbox.CodeConflict)
	run(t, m, "a", "x")
}

func TestFiles_FramesOfTransfersThatAreNotOpenAreDropped(t *testing.T) {
	first := make(chan *sandboxtest.FileCall, 1)
	f, m, _ := newFiles(t, func(c *sandboxtest.FileCall) {
		select {
		case first <- c:
			<-c.Gone
			return
		default:
		}
		late := <-first
		late.Send(wire.FileBytes, make([]byte, wire.MaxPayload))
		late.Done(wire.FileDoneMessage{})
		c.Done(wire.FileDoneMessage{File: &wire.File{Type: "file", Tag: "t"}})
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Stat(ctx, "f"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := f.Stat(t.Context(), "f"); err != nil {
		t.Error(err)
	}
	run(t, m, "a", "x")
}

func TestFiles_ASessionWithATransferIsNotIdle(t *testing.T) {
	release := make(chan struct{})
	cfg := testConfig()
	cfg.Files = sandbox.FilesConfig{MaxUpload: maxTestUpload, Transfers: 4}
	m, rt := newManager(t, cfg, nil)
	rt.PlayFile = func(c *sandboxtest.FileCall) {
		<-release
		c.Done(wire.FileDoneMessage{File: &wire.File{Type: "file", Tag: "t"}})
	}
	if _, err := m.Create(t.Context(), key("a"), lasting(0, 30*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	f := filesOf(t, m)
	answered := make(chan error, 1)
	go func() {
		_, err := f.Stat(context.Background(), "f")
		answered <- err
	}()
	for i := range 5 { // each a time in which another one has expired
		other := key(fmt.Sprint("other-", i))
		if _, err := m.Create(t.Context(), other, lasting(0, 30*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another session has expired", func() bool {
			_, err := m.Session(other)
			return sandbox.ErrorCode(err) == sandbox.CodeExpired
		})
		if _, err := m.Session(key("a")); err != nil {
			t.Fatalf("during the transfer: %v", err)
		}
	}
	close(release)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has expired", func() bool {
		_, err := m.Session(key("a"))
		return sandbox.ErrorCode(err) == sandbox.CodeExpired
	})
}

func TestFiles_ArchivesGoInAndOut(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	var in bytes.Buffer
	w := tar.NewWriter(&in)
	add := func(h tar.Header, data string) {
		if h.Typeflag != tar.TypeXGlobalHeader {
			h.Size, h.Mode = int64(len(data)), 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("n", 255)
	add(tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, "")
	add(tar.Header{Name: "./", Typeflag: tar.TypeDir}, "")
	add(tar.Header{Name: "./a", Typeflag: tar.TypeReg}, "1")
	add(tar.Header{Name: "b c/日本/" + long, Typeflag: tar.TypeReg}, string(random(1<<20)))
	add(tar.Header{Name: "empty/", Typeflag: tar.TypeDir}, "")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	written, err := f.Unpack(t.Context(), "base", bytes.NewReader(in.Bytes()))
	if err != nil || len(written) != 3 || written[1].Path != "base/b c/日本/"+long || written[1].Size != 1<<20 || !written[2].Created || written[2].Type != sandbox.TypeDirectory {
		t.Fatalf("unpacked %+v, %v", written, err)
	}
	var out bytes.Buffer
	if err := f.Archive(t.Context(), "base", &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		data, err := io.ReadAll(r)
		if err != nil || strings.HasSuffix(h.Name, long) && len(data) != 1<<20 {
			t.Errorf("%s: %d bytes, %v", h.Name, len(data), err)
		}
	}
	if want := []string{"a", "b c/", "b c/日本/", "b c/日本/" + long, "empty/"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestFiles_ArchivesAreNotTrusted(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	whole := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range append([]tar.Header{{Name: "first", Typeflag: tar.TypeReg}}, headers...) {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, tt := range map[string]struct {
		archive []byte
		want    sandbox.Code
	}{
		"climbs":         {whole(tar.Header{Name: "../x", Typeflag: tar.TypeReg}), sandbox.CodeInvalid},
		"climbs within":  {whole(tar.Header{Name: "a/../../x", Typeflag: tar.TypeReg}), sandbox.CodeInvalid},
		"from the root":  {whole(tar.Header{Name: "/etc/passwd", Typeflag: tar.TypeReg}), sandbox.CodeInvalid},
		"link":           {whole(tar.Header{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), sandbox.CodeInvalid},
		"hard link":      {whole(tar.Header{Name: "l", Linkname: "first", Typeflag: tar.TypeLink}), sandbox.CodeInvalid},
		"device":         {whole(tar.Header{Name: "d", Typeflag: tar.TypeBlock}), sandbox.CodeInvalid},
		"pipe":           {whole(tar.Header{Name: "p", Typeflag: tar.TypeFifo}), sandbox.CodeInvalid},
		"driver's own":   {whole(tar.Header{Name: ".fastpyrepl/x", Typeflag: tar.TypeReg}), sandbox.CodeInvalid},
		"directory's":    {whole(tar.Header{Name: "first/x", Typeflag: tar.TypeReg}), ""}, // a disk in memory knows no such conflict
		"cut off":        {whole(tar.Header{Name: "half", Size: 100_000, Typeflag: tar.TypeReg})[:50_000], sandbox.CodeInvalid},
		"garbage":        {append(whole()[:1024], bytes.Repeat([]byte("garbage!"), 128)...), sandbox.CodeInvalid},
		"too large":      {whole(tar.Header{Name: "x", Size: maxTestUpload, Typeflag: tar.TypeReg}, tar.Header{Name: "y", Size: 1, Typeflag: tar.TypeReg}), sandbox.CodeTooLarge},
		"other's device": {whole(tar.Header{Name: "c", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}), sandbox.CodeInvalid},
	} {
		written, err := f.Unpack(t.Context(), "", bytes.NewReader(tt.archive))
		wantCode(t, name, err, tt.want)
		if name == "cut off" {
			_, err := f.Stat(t.Context(), "half")
			wantCode(t, "half a file", err, sandbox.CodeNotFound)
		}
		if len(written) == 0 || written[0].Path != "first" {
			t.Errorf("%s: what was written before is not told: %+v", name, written)
		}
	}
	left := errors.New("the client left")
	_, err := f.Unpack(t.Context(), "", io.MultiReader(bytes.NewReader(whole()[:700]), iotest.ErrReader(left)))
	if err != left {
		t.Errorf("got %v", err)
	}
}

// What one archive brings is bounded, in number and in what is kept of it.
func TestFiles_ArchivesAreBounded(t *testing.T) {
	f, _, _ := newFiles(t, nil)
	for what, name := range map[string]func(i int) string{
		"too many":       func(i int) string { return fmt.Sprint(i) },
		"paths too long": func(int) string { return strings.Repeat(strings.Repeat("n", 200)+"/", 20) },
	} {
		out, in := io.Pipe()
		go func() { // without end
			w := tar.NewWriter(in)
			for i := 0; ; i++ {
				if err := w.WriteHeader(&tar.Header{Name: name(i), Typeflag: tar.TypeDir}); err != nil {
					return
				}
			}
		}()
		written, err := f.Unpack(t.Context(), "", out)
		out.Close()
		wantCode(t, what, err, sandbox.CodeTooLarge)
		paths := 0
		for _, w := range written {
			paths += len(w.Path)
		}
		if len(written) > sandbox.MaxUnpacked || paths > sandbox.MaxUnpackedPaths || len(written) < sandbox.MaxUnpacked && paths < sandbox.MaxUnpackedPaths*9/10 {
			t.Errorf("%s: %d are written, with %d bytes of paths", what, len(written), paths)
		}
	}
}

func TestExecution_TellsWhichFilesChanged(t *testing.T) {
	say := func(payload string) func(*sandboxtest.Call) {
		return func(c *sandboxtest.Call) {
			c.Send(wire.Files, []byte(payload))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true})
		}
	}
	m, _ := newManager(t, testConfig(), sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"change": say(`{"created":["a b/\u00fc"],"modified":[],"deleted":["c"],"truncated":true}`),
		"climb":  say(`{"created":["../x"],"modified":[],"deleted":[]}`),
		"root":   say(`{"created":[],"modified":["/x"],"deleted":[]}`),
		"number": say(`{"created":[],"modified":[],"deleted":[1]}`),
		"half":   say(`{"created":[]}`),
		"broken": say(`{`),
		"die": func(c *sandboxtest.Call) {
			c.Done(wire.DoneMessage{Outcome: "crashed", Cause: &wire.Cause{Kind: "exit", Message: "it exited"}})
		},
	}))
	r := run(t, m, "a", "change")
	if f := r.Files; f == nil || string(f.Created) != `["a b/\u00fc"]` || string(f.Modified) != `[]` || string(f.Deleted) != `["c"]` || !f.Truncated {
		t.Errorf("got %+v", r.Files)
	}
	if f := run(t, m, "a", "nothing").Files; f == nil || string(f.Created) != `[]` || string(f.Modified) != `[]` || string(f.Deleted) != `[]` || f.Truncated {
		t.Errorf("of nothing: %+v", f)
	}
	for _, code := range []string{"climb", "root", "number", "half", "broken"} {
		if r := run(t, m, "a", code); r.Files != nil || r.Truncated["files"] == 0 || r.Outcome != sandbox.OutcomeOK {
			t.Errorf("%s: got %+v, %v", code, r.Files, r.Truncated)
		}
	}
	if r := run(t, m, "a", "die"); r.Files != nil {
		t.Errorf("of a worker that died: %+v", r.Files)
	}
}
