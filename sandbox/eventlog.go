package sandbox

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// eventLog numbers events and gives them to any number of readers. What one execution may say is bounded by its caps; a
// log that goes on for ever has a bound of its own.
type eventLog struct {
	execution string
	maxBytes  int64 // past it the oldest events are dropped; 0 for never

	mu      sync.Mutex
	entries []entry       // guarded by mu
	dropped uint64        // guarded by mu: how many events were dropped before entries
	bytes   int64         // guarded by mu: of text in entries, where maxBytes is set
	read    uint64        // guarded by mu: the last event that some reader was given
	ended   bool          // guarded by mu
	changed chan struct{} // guarded by mu: closed at the next event; nil while nobody waits
}

// entry is an event whose text may still grow.
type entry struct {
	Event
	text []byte
}

// appendText adds output. It joins the event before it when that is of the same stream and no reader has seen it yet,
// so that a million small writes are not a million events.
func (l *eventLog) appendText(t EventType, decode func(dst []byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.entries); n > 0 && l.entries[n-1].Type == t && l.read < l.entries[n-1].Seq && l.maxBytes == 0 {
		last := &l.entries[n-1]
		last.text = decode(last.text)
		l.wake()
		return
	}
	if text := decode(nil); len(text) > 0 {
		l.add(Event{Type: t}, text)
	}
}

// append adds an event.
func (l *eventLog) append(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(ev, []byte(ev.Text))
}

// end adds the last event. Those after it are dropped.
func (l *eventLog) end(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(ev, nil)
	l.ended = true
}

// add needs mu.
func (l *eventLog) add(ev Event, text []byte) {
	if l.ended {
		return
	}
	ev.Seq = l.dropped + uint64(len(l.entries)) + 1
	if l.execution != "" {
		ev.Execution = l.execution
	}
	ev.Time = time.Now()
	l.entries = append(l.entries, entry{Event: ev, text: text})
	if l.maxBytes > 0 {
		l.trim(int64(len(text)) + entryOverhead)
	}
	l.wake()
}

// trim needs mu. It makes room after an event of n bytes.
func (l *eventLog) trim(n int64) {
	drop := 0
	for l.bytes += n; l.bytes > l.maxBytes && drop < len(l.entries)-1; drop++ {
		l.bytes -= int64(len(l.entries[drop].text)) + entryOverhead
	}
	l.entries = slices.Delete(l.entries, 0, drop)
	l.dropped += uint64(drop)
}

// close ends the log without an event.
func (l *eventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

// wake needs mu.
func (l *eventLog) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// text joins the output of one stream.
func (l *eventLog) text(t EventType) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var whole strings.Builder
	for i := range l.entries {
		if l.entries[i].Type == t {
			whole.Write(l.entries[i].text)
		}
	}
	return whole.String()
}

// Next returns the events numbered above after, at least one, and whether they end the log. It waits for one until ctx
// ends, and then returns the cause. With ended there may be none.
func (l *eventLog) Next(ctx context.Context, after uint64) (events []Event, ended bool, err error) {
	for {
		events, ended, changed := l.take(after)
		if len(events) > 0 || ended {
			return events, ended, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// take returns the events after the given one, whether they are the last, and what to wait for otherwise.
func (l *eventLog) take(after uint64) (batch []Event, ended bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.dropped + uint64(len(l.entries))
	for i := min(max(after, l.dropped), n) - l.dropped; i < uint64(len(l.entries)); i++ {
		ev := l.entries[i].Event
		ev.Text = string(l.entries[i].text)
		batch = append(batch, ev)
	}
	l.read = max(l.read, n)
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return batch, l.ended, l.changed
}

// size is about what the events take, in bytes.
func (l *eventLog) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(l.entries)) * entryOverhead
	for i := range l.entries {
		n += int64(cap(l.entries[i].text)) + l.entries[i].Event.size()
	}
	return n
}

// entryOverhead is what an event takes beside its text and values, in bytes.
const entryOverhead = 256
