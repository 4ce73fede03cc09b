package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is one, as anybody's program reads it.
type line map[string]any

// logged is an audit log under test, its lines and what it told the daemon's log.
type logged struct {
	*audit.Log
	path string
	said *bytes.Buffer // read it after close
}

func open(t *testing.T, change func(*audit.Config)) *logged {
	t.Helper()
	cfg := audit.Config{File: filepath.Join(t.TempDir(), "audit.jsonl"), MaxSize: 1 << 20, Keep: 2}
	if change != nil {
		change(&cfg)
	}
	l := &logged{path: cfg.File, said: &bytes.Buffer{}}
	var err error
	if l.Log, err = audit.Open(cfg, nil, slog.New(slog.NewTextHandler(l.said, nil))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.close(t) })
	return l
}

func (l *logged) close(t *testing.T) {
	t.Helper()
	if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// lines closes the log and reads what is in its file.
func (l *logged) lines(t *testing.T) []line {
	t.Helper()
	l.close(t)
	return read(t, l.path)
}

func read(t *testing.T, path string) []line {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

func parse(t *testing.T, text string) []line {
	t.Helper()
	var all []line
	for one := range strings.Lines(text) {
		var l line
		if err := json.Unmarshal([]byte(one), &l); err != nil {
			t.Fatalf("%.200q: %v", one, err)
		}
		if at, err := time.Parse(time.RFC3339Nano, l["time"].(string)); err != nil || time.Since(at) > time.Minute {
			t.Errorf("time: %v, %v", l["time"], err)
		}
		all = append(all, l)
	}
	return all
}

func manager(t *testing.T) *sandbox.Manager {
	t.Helper()
	plays := sandboxtest.Script(map[string]func(*sandboxtest.Call){
		"print": func(c *sandboxtest.Call) {
			c.Send(wire.Stdout, []byte("OUTPUT"))
			c.Send(wire.Stderr, []byte("é"))
			c.Done(wire.DoneMessage{Outcome: "ok", StateKept: true, Duration: 0.25})
		},
		"fail": func(c *sandboxtest.Call) { c.Done(wire.DoneMessage{Outcome: "error", StateKept: true}) },
		"exit": func(c *sandboxtest.Call) { c.Exit(3) },
		"hang": func(c *sandboxtest.Call) { <-c.Killed },
	})
	m := sandbox.NewManager(&sandboxtest.Runtime{Play: plays}, nil, sandbox.Config{
		MaxSessions: 8, MaxStarting: 2, StartQueue: 8, StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second,
		Execution: sandbox.ExecutionConfig{Timeout: time.Minute, MaxTimeout: time.Minute, Queue: 4,
			MaxCode: 1 << 20, MaxContext: 1 << 20, MaxStdout: 1 << 20, MaxStderr: 1 << 20},
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return m
}

// begin asks for an execution and has it followed.
func (l *logged) begin(t *testing.T, m *sandbox.Manager, who audit.Who, id string, req sandbox.Request) *sandbox.Execution {
	t.Helper()
	asked := l.Asked(req)
	req.Began = func(x *sandbox.Execution) { l.Began(who, asked, x) }
	x, err := m.Execute(t.Context(), sandbox.Key{Owner: who.Key, ID: id}, req)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// run is begin, and waits until the line is queued.
func (l *logged) run(t *testing.T, m *sandbox.Manager, id string, req sandbox.Request) {
	t.Helper()
	x := l.begin(t, m, audit.Who{Key: "ann"}, id, req)
	queued := make(chan struct{})
	if _, err := x.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.OnEnd(func() { close(queued) })
	<-queued
}

func TestLog_SaysWhoRanWhatAndHowItEnded(t *testing.T) {
	m, l := manager(t), open(t, nil)
	who := audit.Who{Key: "root", Role: "admin", Owner: "ann", Remote: "192.0.2.1", Request: "r-1"}
	req := sandbox.Request{Code: "print SECRET", Stdin: "in", Context: &sandbox.Blob{Data: []byte("book")}}
	x := l.begin(t, m, who, "s", req)
	if _, err := x.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil { // which waits for what follows an execution's end
		t.Fatal(err)
	}
	lines := l.lines(t)
	if len(lines) != 2 {
		t.Fatalf("got %v", lines)
	}
	for _, got := range lines {
		delete(got, "time")
	}
	if want := (line{"event": "session_created", "key": "root", "role": "admin", "owner": "ann", "remote": "192.0.2.1",
		"request": "r-1", "session": "s"}); !maps.Equal(lines[0], want) {
		t.Errorf("got  %v\nwant %v", lines[0], want)
	}
	if at, err := time.Parse(time.RFC3339Nano, lines[1]["accepted"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("accepted: %v", lines[1]["accepted"])
	}
	delete(lines[1], "accepted")
	if want := (line{"event": "execution", "key": "root", "role": "admin", "owner": "ann", "remote": "192.0.2.1",
		"request": "r-1", "session": "s", "execution": x.ID(), "outcome": "ok", "state_kept": true, "duration": 0.25,
		"code_size": 12.0, "code_sha256": "81aceaa90e7125e6ab463665c8edac0742a54a7801949997291476004978709d",
		"context_size": 4.0, "stdin_size": 2.0, "stdout_size": 6.0, "stderr_size": 2.0}); !maps.Equal(lines[1], want) {
		t.Errorf("got  %v\nwant %v", lines[1], want)
	}
	text, err := os.ReadFile(l.path)
	if err != nil || bytes.Contains(text, []byte("SECRET")) || bytes.Contains(text, []byte("OUTPUT")) || bytes.Contains(text, []byte("book")) {
		t.Errorf("%v, code, output or context in %s", err, text)
	}
}

func TestLog_HasEveryEnding(t *testing.T) {
	m, l := manager(t), open(t, nil)
	l.run(t, m, "a", sandbox.Request{Code: "fail"})
	l.run(t, m, "setup", sandbox.Request{Code: "print", SetupCode: "fail set-up"})
	l.run(t, m, "lost", sandbox.Request{Code: "exit"})
	hung := l.begin(t, m, audit.Who{Key: "ann"}, "b", sandbox.Request{Code: "hang"})
	waiting := l.begin(t, m, audit.Who{Key: "ann"}, "b", sandbox.Request{Code: "waits"})
	if err := waiting.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if err := m.Reset(t.Context(), sandbox.Key{Owner: "ann", ID: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := hung.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Reset(audit.Who{Key: "ann"}, "b")
	l.Reset(audit.Who{Key: "root"}, "")
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range l.lines(t) {
		what := one["event"].(string)
		if id, ok := one["session"].(string); ok {
			what += " " + id
		}
		if outcome, ok := one["outcome"].(string); ok {
			what += " " + outcome
		}
		if one["setup_sha256"] != nil {
			what += " set-up"
		}
		got = append(got, what)
	}
	slices.Sort(got)
	want := []string{"execution a error", "execution b cancelled", "execution b interrupted", "execution lost crashed",
		"execution setup error set-up", "session_created a", "session_created b", "session_created lost", "session_reset b", "sessions_reset"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLog_HasCodeAndOutputWhereAskedFor(t *testing.T) {
	long := "print " + strings.Repeat("é", audit.MaxText)
	for _, tt := range []struct {
		name         string
		code, output bool
	}{{"neither", false, false}, {"code", true, false}, {"output", false, true}, {"both", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			m, l := manager(t), open(t, func(c *audit.Config) { c.Code, c.Output = tt.code, tt.output })
			l.run(t, m, "s", sandbox.Request{Code: "print 1", SetupCode: "first"})
			l.run(t, m, "s", sandbox.Request{Code: long})
			l.run(t, m, "s", sandbox.Request{Code: strings.Repeat("x", audit.MaxText+1)})
			var lines []line // of executions; the set-up is the first
			for _, one := range l.lines(t) {
				if one["event"] == "execution" {
					lines = append(lines, one)
				}
			}
			want := func(l line, key, text string, has bool) {
				t.Helper()
				if got, ok := l[key].(string); ok != has || has && got != text {
					t.Errorf("%s: got %.20q, %d bytes; want %.20q, %d bytes, %t", key, got, len(got), text, len(text), has)
				}
			}
			want(lines[0], "setup_code", "first", tt.code)
			want(lines[0], "code", "", false)
			want(lines[1], "code", "print 1", tt.code)
			want(lines[1], "setup_code", "", false)
			want(lines[1], "stdout", "OUTPUT", tt.output)
			want(lines[1], "stderr", "é", tt.output)
			want(lines[2], "code", long[:audit.MaxText], tt.code) // an even place: characters here have two bytes
			want(lines[3], "stdout", strings.Repeat("x", audit.MaxText), tt.output)
		})
	}
}

func TestLog_CountsThoseWhoAreNotLetIn(t *testing.T) {
	l := open(t, nil)
	const n = 1000
	began := time.Now()
	for range n {
		l.Refused(audit.Who{Remote: "192.0.2.9", Request: "r"}, "no key")
	}
	took := time.Since(began)
	lines, counted := l.lines(t), 0.0
	for _, one := range lines {
		if one["event"] != "refused" || one["reason"] != "no key" || one["remote"] != "192.0.2.9" {
			t.Errorf("got %v", one)
		}
		counted += one["count"].(float64)
	}
	if most := 1 + int(took/time.Second); len(lines) == 0 || len(lines) > most || counted > n {
		t.Errorf("%d lines for %v of %d in %s, want at most %d", len(lines), counted, n, took, most)
	}
}

func TestOpen_FileIsForItsOwnerAlone(t *testing.T) {
	l := open(t, nil)
	l.Reset(audit.Who{}, "a")
	l.close(t)
	info, err := os.Stat(l.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	for _, file := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none", "f")} {
		if _, err := audit.Open(audit.Config{File: file}, nil, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s was opened", file)
		}
	}
}

func TestLog_FilesAreBoundedInSizeAndNumber(t *testing.T) {
	m, l := manager(t), open(t, func(c *audit.Config) { c.MaxSize, c.Keep, c.Code = 1<<20-1, 2, true })
	code := "print " + strings.Repeat("x", audit.MaxText)
	for range 100 { // more than 6 MiB
		l.run(t, m, "s", sandbox.Request{Code: code})
	}
	l.close(t)
	if l.said.Len() > 0 {
		t.Errorf("it said %s", l.said)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(l.path), "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("got %v, %v; want the file and 2 older ones", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Size() > 1<<20 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, %v, %v", file, info.Size(), info.Mode(), err)
		}
		if file != l.path && len(read(t, file)) != 15 { // as many as fit
			t.Errorf("%s has %d lines", file, len(read(t, file)))
		}
	}
}

// slow is a file that takes nothing until it is told to, and fails as often as it is told to.
type slow struct {
	taken chan struct{}
	fail  int // writes
	mu    sync.Mutex
	text  bytes.Buffer // guarded by mu
}

func (s *slow) Write(b []byte) (int, error) {
	<-s.taken
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail > 0 {
		s.fail--
		s.text.Write(b[:len(b)/2])
		return len(b) / 2, errors.New("no space left on device")
	}
	return s.text.Write(b)
}

func (s *slow) Close() error { return nil }

func TestLog_NeverBlocksAndCountsWhatItLoses(t *testing.T) {
	var said bytes.Buffer
	file := &slow{taken: make(chan struct{})}
	l := audit.NewLog(audit.Config{}, file, slog.New(slog.NewTextHandler(&said, nil)))
	const n = audit.MaxQueue + 1000
	for range n {
		l.Reset(audit.Who{}, "s")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close of a log whose file takes nothing: %v", err)
	}
	close(file.taken)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	written, lost := 0, 0.0
	for _, one := range parse(t, file.text.String()) {
		if one["event"] == "lost" {
			lost += one["count"].(float64)
		} else {
			written++
		}
	}
	if written+int(lost) != n || written > audit.MaxQueue+1 || lost < 999 {
		t.Errorf("%d lines and a word of %v lost ones, want %d in all", written, lost, n)
	}
	if got := l.Losses(); got != int64(lost) {
		t.Errorf("it counts %d lost lines, and says %v", got, lost)
	}
	if !strings.Contains(said.String(), "lines of the audit log were lost") {
		t.Errorf("the log says %s", said.String())
	}
}

func TestLog_WhatWaitsIsBoundedInBytes(t *testing.T) {
	m := manager(t)
	file := &slow{taken: make(chan struct{})}
	l := &logged{Log: audit.NewLog(audit.Config{Code: true}, file, slog.New(slog.DiscardHandler))}
	code := "print " + strings.Repeat("x", audit.MaxText)
	const most = audit.MaxQueued/audit.MaxText + 1 // one is being written
	for range most + 10 {
		l.run(t, m, "s", sandbox.Request{Code: code})
	}
	close(file.taken)
	l.close(t)
	written := 0
	for _, one := range parse(t, file.text.String()) {
		if one["event"] == "execution" {
			written++
		}
	}
	if written > most || written < most-50 {
		t.Errorf("%d of %d lines were kept, want about %d", written, most+10, most)
	}
}

func TestLog_GoesOnAfterAFailedWrite(t *testing.T) {
	var said bytes.Buffer
	file := &slow{taken: make(chan struct{}), fail: 3}
	l := audit.NewLog(audit.Config{}, file, slog.New(slog.NewTextHandler(&said, nil)))
	for range 5 {
		l.Reset(audit.Who{}, "s")
	}
	close(file.taken)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var whole []string
	for one := range strings.Lines(file.text.String()) {
		if json.Valid([]byte(one)) {
			whole = append(whole, one)
		}
	}
	lines := parse(t, strings.Join(whole, ""))
	if len(lines) != 4 || lines[0]["event"] != "lost" || lines[0]["count"] != 2.0 { // the third failure was of the word of the first
		t.Errorf("got %v", lines)
	}
	if strings.Count(said.String(), "no space left on device") != 1 {
		t.Errorf("a streak of failures is told once; the log says %s", said.String())
	}
}

func TestLog_NilDoesNothing(t *testing.T) {
	var l *audit.Log
	m := manager(t)
	x, err := m.Execute(t.Context(), sandbox.Key{ID: "s"}, sandbox.Request{Code: "x"})
	if err != nil {
		t.Fatal(err)
	}
	l.Began(audit.Who{}, l.Asked(sandbox.Request{}), x)
	l.Reset(audit.Who{}, "")
	l.Refused(audit.Who{}, "")
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
