package sandbox

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// eventLog numbers events and gives them to any number of readers. What its events take is bounded; the oldest go first.
//
// An event that comes of the driver's has the number of that message, so that a daemon which hears the messages again gives
// them the same numbers, and a client can go on where it was. Numbers grow, with gaps.
type eventLog struct {
	execution string
	maxEvents int   // immutable
	maxBytes  int64 // immutable
	maxText   int   // immutable; bytes that a stream mostly stays below
	exact     bool  // immutable; events are not joined: a client may go on from any message

	mu      sync.Mutex
	entries []entry // guarded by mu
	last    uint64  // guarded by mu: the number of the newest event
	message uint64  // guarded by mu: the number that the driver's message at hand gives
	bytes   int64   // guarded by mu: that entries count for
	// guarded by mu: all that appendText was given, also of events that were dropped. Their strings share its memory.
	stdout, stderr *strings.Builder
	read           uint64        // guarded by mu: the last event that some reader was given
	ended          bool          // guarded by mu
	changed        chan struct{} // guarded by mu: closed at the next event; nil while nobody waits
}

// entry is an event; from and to is where its text is in the stream's, where it came by appendText.
type entry struct {
	Event
	from, to int
}

const (
	// entryOverhead is what an event takes beside its text and values, in bytes.
	entryOverhead = 256
	// minDoubled is how long a stream is before its memory is doubled whenever it is used up, in bytes.
	minDoubled = 256 << 10
	// maxEventText is how long the text of one event gets by joining, in bytes.
	maxEventText = 64 << 10
	// maxBatch is about how much text Next returns at once, in bytes: a reader that is slow holds it.
	maxBatch = 64 << 10
)

// appendText adds output, which decode appends: about n bytes. It joins an event of the same stream that no reader has seen yet, so
// that a million small writes are not a million events.
func (l *eventLog) appendText(t EventType, n int, decode func(dst *strings.Builder)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.room(t, n)
	from := text.Len()
	if decode(text); text.Len() == from {
		return
	}
	if i := l.joinable(t); i >= 0 {
		l.entries[i].to = text.Len()
		l.renumber(i)
		l.wake()
		return
	}
	l.add(entry{Event: Event{Type: t}, from: from, to: text.Len()})
}

// stream needs mu.
func (l *eventLog) stream(t EventType) *strings.Builder {
	at := &l.stdout
	if t == EventStderr {
		at = &l.stderr
	}
	if *at == nil {
		*at = new(strings.Builder)
	}
	return *at
}

// room needs mu. It is stream with room for n bytes. A long one doubles, for append would grow by a quarter and copy a flood
// several times over, but not beyond maxText: at their caps, ten floods would take twice what they say.
func (l *eventLog) room(t EventType, n int) *strings.Builder {
	text := l.stream(t)
	if text.Len() < minDoubled || text.Cap()-text.Len() >= n {
		return text
	}
	grown := new(strings.Builder)
	grown.Grow(max(text.Len()+n, min(2*text.Cap(), l.maxText)))
	grown.WriteString(text.String())
	if t == EventStderr {
		l.stderr = grown
	} else {
		l.stdout = grown
	}
	return grown
}

// at says that what follows comes of the driver's message with this number.
func (l *eventLog) at(message uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.message = uint64(message) + 1 // 1 is the beginning, of which the driver says nothing
}

// number needs mu. It is that of the next event.
func (l *eventLog) number() uint64 {
	l.last = max(l.last+1, l.message)
	return l.last
}

// renumber needs mu. It makes entry i, which has grown, the last, with the number of the message that it grew by.
func (l *eventLog) renumber(i int) {
	last := len(l.entries) - 1
	l.entries[i], l.entries[last] = l.entries[last], l.entries[i]
	if l.message <= l.last { // no new number
		l.entries[i].Seq, l.entries[last].Seq = l.entries[last].Seq, l.entries[i].Seq
	}
	l.last = max(l.last, l.message)
	l.entries[last].Seq = l.last
}

// joinable needs mu. It returns the place of the event that output may join, -1 for none. It looks past an event of the
// other stream: order is exact within a stream only, and a program that writes to both in turn must not make an event of
// every write.
func (l *eventLog) joinable(t EventType) int {
	if l.exact {
		return -1
	}
	for i := len(l.entries) - 1; i >= max(0, len(l.entries)-2); i-- {
		e := &l.entries[i]
		if e.Seq <= l.read || e.to == 0 || e.Type == t && e.to-e.from >= maxEventText {
			break
		}
		if e.Type == t {
			return i
		}
	}
	return -1
}

// append adds an event.
func (l *eventLog) append(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(entry{Event: ev})
}

// end adds the last event. Those after it are dropped.
func (l *eventLog) end(ev Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(entry{Event: ev})
	l.ended = true
}

// add needs mu.
func (l *eventLog) add(e entry) {
	if l.ended {
		return
	}
	e.Seq = l.number()
	if l.execution != "" {
		e.Execution = l.execution
	}
	e.Time = time.Now()
	l.entries = append(l.entries, e)
	if l.bytes += e.cost(); l.bytes > l.maxBytes || len(l.entries) > l.maxEvents {
		l.trim()
	}
	l.wake()
}

// cost is what an entry counts for in the log's bound.
func (e *entry) cost() int64 { return e.size() + entryOverhead }

// trim needs mu. It drops a quarter, so that it need not run for every event, but never the newest.
func (l *eventLog) trim() {
	drop := 0
	for ; (l.bytes > l.maxBytes*3/4 || len(l.entries)-drop > l.maxEvents*3/4) && drop < len(l.entries)-1; drop++ {
		l.bytes -= l.entries[drop].cost()
	}
	l.entries = slices.Delete(l.entries, 0, drop)
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

// text is all the output of one stream.
func (l *eventLog) text(t EventType) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream(t).String()
}

// Next returns events numbered above after, at least one, and whether they end the log. It waits for one until ctx ends,
// and then returns the cause. With ended there may be none. The oldest may have been dropped.
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

// take returns events after the given one, whether they are the last, and what to wait for when there is none.
func (l *eventLog) take(after uint64) (batch []Event, ended bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, found := slices.BinarySearchFunc(l.entries, after, func(e entry, n uint64) int { return cmp.Compare(e.Seq, n) })
	if found {
		at++
	}
	for size := 0; at < len(l.entries) && size < maxBatch; at++ {
		e := &l.entries[at]
		ev := e.Event
		if e.to > 0 {
			ev.Text = l.stream(e.Type).String()[e.from:e.to]
		}
		size += len(ev.Text) + entryOverhead
		batch = append(batch, ev)
		l.read = max(l.read, ev.Seq)
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return batch, l.ended && at == len(l.entries), l.changed
}

// size is about what the events take, in bytes.
func (l *eventLog) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(l.stream(EventStdout).Cap() + l.stream(EventStderr).Cap())
	for i := range l.entries {
		n += l.entries[i].cost()
	}
	return n
}
