package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// begun is what the journal has of an execution from when it is accepted until its line is written, or lost. What a
// container says of its executions is not enough: it may be gone, and it may lie.
type begun struct {
	Container string `json:"container"`
	Entry     entry  `json:"entry"`
}

// save puts an execution into the journal.
func (l *Log) save(b begun) {
	if l.journal == nil {
		return
	}
	record, err := json.Marshal(b, jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = l.journal.SaveExecution(b.Entry.ID, record)
	}
	if err != nil {
		l.log.Error("note an execution for the audit log", "execution", b.Entry.ID, "err", err)
	}
}

// forget takes the execution of a line, if it is one's, out of the journal.
func (l *Log) forget(e entry) {
	if l.journal == nil || e.Execution == nil {
		return
	}
	if err := l.journal.RemoveExecution(e.ID); err != nil {
		l.log.Error("note a line of the audit log as written", "execution", e.ID, "err", err)
	}
}

// recall reads what earlier daemons left, and finds out where the last of them was when it ended.
func (l *Log) recall() error {
	last, torn, err := lastLine(l.cfg.File)
	if err != nil {
		return err
	}
	l.torn = torn
	if l.journal == nil {
		return nil
	}
	records, err := l.journal.Executions()
	if err != nil {
		return err
	}
	// A line is taken out of the journal when it is written, before the next one is: of one alone, the last, that may not
	// have come about.
	var written struct {
		ID string `json:"execution"`
	}
	_ = json.Unmarshal(last, &written)
	l.left = map[string]begun{}
	for id, record := range records {
		var b begun
		if json.Unmarshal(record, &b) != nil || b.Entry.Execution == nil || b.Entry.ID != id {
			b = begun{Entry: entry{Event: ExecutionEnded, Execution: &Execution{ID: id}}} // all that is known of it
		}
		if id == written.ID {
			l.forget(b.Entry)
			continue
		}
		l.left[id] = b
	}
	return nil
}

// Resumed follows an execution of an earlier daemon's, unless that wrote its line.
func (l *Log) Resumed(x *sandbox.Execution) {
	if l == nil {
		return
	}
	l.mu.Lock()
	b, ok := l.left[x.ID()]
	if ok = ok && b.Container == x.Container(); ok { // else another container claims it
		delete(l.left, x.ID())
	}
	l.mu.Unlock()
	if ok {
		l.follow(b.Entry, x)
	}
}

// Settle writes the lines of the executions of earlier daemons of which nothing will be heard any more: awaits tells whether
// a container may still be. Those of such a container that it does not know of are for the next daemon to settle.
func (l *Log) Settle(awaits func(container string) bool) {
	if l == nil {
		return
	}
	l.mu.Lock()
	var lost []entry
	for id, b := range l.left {
		if !awaits(b.Container) {
			lost = append(lost, b.Entry)
			delete(l.left, id)
		}
	}
	l.mu.Unlock()
	for _, e := range lost {
		e.Outcome = OutcomeUnknown
		l.put(e)
	}
}

// maxLine is more than a line can have, in bytes: four texts of which every character is escaped.
const maxLine = 4*6*maxText + 64<<10

// lastLine is the last line of a file; torn tells that it has no end.
func lastLine(path string) (line []byte, torn bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	begin := max(0, info.Size()-maxLine)
	text, err := io.ReadAll(io.NewSectionReader(f, begin, info.Size()-begin))
	if err != nil {
		return nil, false, fmt.Errorf("read the last line: %w", err)
	}
	whole, ended := bytes.CutSuffix(text, []byte("\n"))
	if !ended {
		return nil, len(text) > 0, nil
	}
	return whole[bytes.LastIndexByte(whole, '\n')+1:], false, nil
}
