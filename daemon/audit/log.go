package audit

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/DeRuina/timberjack"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Config says where to write, and how much of what.
type Config struct {
	File    string // its directory is there
	MaxSize int64  // bytes, rounded up to whole MiB; a file that would get larger is renamed and begun anew
	Keep    int    // renamed files that stay
	Code    bool   // whether lines have the code
	Output  bool   // whether lines have stdout and stderr
}

// Journal keeps what a later daemon must know to write the lines that this one cannot: those of executions that outlive it,
// or that have ended when it is killed.
type Journal interface {
	SaveExecution(id string, record []byte) error
	RemoveExecution(id string) error
	Executions() (map[string][]byte, error)
}

// Log is an audit log. Its methods are safe for concurrent use and never block; those of a nil one do nothing.
type Log struct {
	cfg     Config
	log     *slog.Logger
	file    io.WriteCloser
	journal Journal // nil for none

	queue  chan entry
	queued atomic.Int64 // bytes that wait
	lost   atomic.Int64 // lines since the last that was written
	losses atomic.Int64 // lines in all
	stop   chan struct{}
	ended  chan struct{} // closed when run has returned
	once   sync.Once     // of Close

	torn    bool // run's alone; the last line has no end
	failing bool // run's alone

	mu      sync.Mutex
	refused time.Time        // guarded by mu; when the last line of SignInRefused was made
	refusal int64            // guarded by mu; how many came since
	left    map[string]begun // guarded by mu; executions of earlier daemons without a line, by their ids
}

const (
	maxQueue  = 4096     // lines that wait
	maxQueued = 16 << 20 // bytes that wait
	// refusedEvery bounds the lines of people who are not let in: they must not push the others out of the files.
	refusedEvery = time.Second
	// fileMode lets nobody else read what was run.
	fileMode = 0o600
)

// Open begins to write. Close the log when nothing more is to come, and after it the journal.
func Open(cfg Config, journal Journal, log *slog.Logger) (*Log, error) {
	probe, err := os.OpenFile(cfg.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	l := newLog(cfg, &timberjack.Logger{
		Filename:   cfg.File,
		MaxSize:    int((cfg.MaxSize + 1<<20 - 1) >> 20),
		MaxBackups: cfg.Keep,
		FileMode:   fileMode,
	}, log)
	l.journal = journal
	if err := l.recall(); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	go l.run()
	return l, nil
}

func newLog(cfg Config, file io.WriteCloser, log *slog.Logger) *Log {
	return &Log{
		cfg: cfg, log: log, file: file,
		queue: make(chan entry, maxQueue), stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// Close writes what waits, and ends. It waits for that until ctx ends. What comes after it is lost.
func (l *Log) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	l.once.Do(func() { close(l.stop) })
	select {
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write the rest of the audit log: %w", context.Cause(ctx))
	}
}

// Asked notes what an execution is asked to run, before its request is given away. It is nil for a nil Log.
func (l *Log) Asked(req sandbox.Request) *Execution {
	if l == nil {
		return nil
	}
	x := &Execution{CodeSize: len(req.Code), CodeHash: hash(req.Code), SetupSize: len(req.SetupCode), StdinSize: len(req.Stdin)}
	if req.SetupCode != "" {
		x.SetupHash = hash(req.SetupCode)
	}
	if req.Context != nil {
		x.ContextSize = len(req.Context.Data)
	}
	if l.cfg.Code {
		x.Code, x.SetupCode = clip(req.Code), clip(req.SetupCode)
	}
	return x
}

// Began follows an execution from before its code can run: its line is written when it ends, by this daemon or a later one.
// asked is what Asked noted of the request. It is what sandbox.Request.Began asks for.
func (l *Log) Began(who Who, asked *Execution, x *sandbox.Execution) {
	if l == nil {
		return
	}
	if x.Created() {
		l.put(entry{Event: SessionCreated, Who: who, Session: x.Session()})
	}
	e := entry{Event: ExecutionEnded, Who: who, Session: x.Session(), Execution: asked.of(x)}
	l.save(begun{Container: x.Container(), Entry: e})
	l.follow(e, x)
}

// follow writes the line of x, of which e has what is known before its end.
func (l *Log) follow(e entry, x *sandbox.Execution) {
	x.OnEnd(func() {
		r, said := x.Result(), e.Execution
		said.Outcome, said.StateKept, said.Duration = r.Outcome, r.StateKept, r.Duration.Seconds()
		said.StdoutSize, said.StderrSize = len(r.Stdout), len(r.Stderr)
		if l.cfg.Output {
			said.Stdout, said.Stderr = clip(r.Stdout), clip(r.Stderr)
		}
		l.put(e)
	})
}

// Reset notes that a session was ended for who asked for it, or, where session is "", all of them.
func (l *Log) Reset(who Who, session string) {
	event := SessionReset
	if session == "" {
		event = SessionsReset
	}
	l.put(entry{Event: event, Who: who, Session: session})
}

// Created notes that a session was made, without anything to execute.
func (l *Log) Created(who Who, session string) {
	l.put(entry{Event: SessionCreated, Who: who, Session: session})
}

// Interrupted notes that what runs in a session was asked to end.
func (l *Log) Interrupted(who Who, session string) {
	l.put(entry{Event: Interrupted, Who: who, Session: session})
}

// Changed notes that a session is to last longer, or less long; nil is what stays as it was.
func (l *Log) Changed(who Who, session string, ttl, idle *time.Duration) {
	l.put(entry{Event: SessionChanged, Who: who, Session: session, TTL: seconds(ttl), IdleTTL: seconds(idle)})
}

func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}

// Refused notes that somebody was not let in, and why. There is one line a second at most, with the number of them.
func (l *Log) Refused(who Who, reason string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.refusal++
	count, now := l.refusal, time.Now()
	due := now.Sub(l.refused) >= refusedEvery
	if due {
		l.refused, l.refusal = now, 0
	}
	l.mu.Unlock()
	if due {
		l.put(entry{Event: SignInRefused, Who: who, Reason: reason, Count: count})
	}
}

// put queues a line, or counts it as lost.
func (l *Log) put(e entry) {
	if l == nil {
		return
	}
	e.Time = time.Now().UTC()
	size := e.size()
	if l.queued.Add(size) <= maxQueued {
		select {
		case l.queue <- e:
			return
		default:
		}
	}
	l.queued.Add(-size)
	l.lose()
	l.forget(e)
}

// lose counts a line that was lost.
func (l *Log) lose() {
	l.lost.Add(1)
	l.losses.Add(1)
}

// Losses counts the lines that were lost so far.
func (l *Log) Losses() int64 { return l.losses.Load() }

// run writes until it is stopped, and then what still waits.
func (l *Log) run() {
	defer close(l.ended)
	for stopped := false; !stopped; {
		select {
		case e := <-l.queue:
			l.write(e)
		case <-l.stop:
			stopped = true
		}
	}
	for len(l.queue) > 0 {
		l.write(<-l.queue)
	}
	l.tellLost()
	if err := l.file.Close(); err != nil {
		l.log.Error("close the audit log", "err", err)
	}
}

func (l *Log) write(e entry) {
	l.queued.Add(-e.size())
	l.tellLost()
	if !l.append(e) {
		l.lose()
	}
	l.forget(e)
}

// tellLost says where lines are missing, once there is something to write them to again.
func (l *Log) tellLost() {
	n := l.lost.Swap(0)
	if n == 0 {
		return
	}
	if !l.append(entry{Time: time.Now().UTC(), Event: LinesLost, Count: n}) {
		l.lost.Add(n)
		return
	}
	l.log.Warn("lines of the audit log were lost", "lines", n)
}

// append writes one line. The first error of several is logged.
func (l *Log) append(e entry) bool {
	line, err := json.Marshal(e, jsontext.AllowInvalidUTF8(true))
	if err == nil {
		line = append(line, '\n')
		if l.torn {
			line = append([]byte{'\n'}, line...)
		}
		var n int
		if n, err = l.file.Write(line); err == nil {
			l.torn = false
		} else if n > 0 {
			l.torn = true
		}
	}
	if err != nil && !l.failing {
		l.log.Error("write the audit log", "err", err, "path", l.cfg.File)
	}
	l.failing = err != nil
	return err == nil
}
