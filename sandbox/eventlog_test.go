package sandbox

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func say(l *eventLog, t EventType, text string) {
	l.appendText(t, len(text), func(dst *strings.Builder) { dst.WriteString(text) })
}

func TestEventLog_JoinsWhatNoReaderHasSeen(t *testing.T) {
	l := &eventLog{maxBytes: 1 << 20, maxEvents: 4096}
	for range 100 { // in turn: order is exact within a stream
		say(l, EventStdout, "o")
		say(l, EventStderr, "e")
	}
	l.append(Event{Type: EventDisplay})
	say(l, EventStdout, "after") // never moves before the display
	events, _, err := l.Next(context.Background(), 0)
	if err != nil || len(events) != 4 || len(events[0].Text) != 100 || len(events[1].Text) != 100 || events[3].Text != "after" {
		t.Fatalf("got %d events, %v", len(events), err)
	}
	say(l, EventStdout, "seen before") // what a reader was given does not change
	events, _, _ = l.Next(context.Background(), 3)
	if len(events) != 2 || events[0].Text != "after" || events[1].Text != "seen before" {
		t.Errorf("got %+v", events)
	}
}

func TestEventLog_EventsAndBatchesAreBounded(t *testing.T) {
	l := &eventLog{maxBytes: 1 << 20, maxEvents: 4096}
	for range 1024 {
		say(l, EventStdout, strings.Repeat("x", 1<<10))
	}
	l.end(Event{Type: EventDone})
	var whole bytes.Buffer
	var after uint64
	for ended := false; !ended; {
		var events []Event
		events, ended, _ = l.Next(context.Background(), after)
		size := 0
		for _, ev := range events {
			size += len(ev.Text)
			whole.WriteString(ev.Text)
			after = ev.Seq
		}
		if size > maxBatch+maxEventText+1<<10 {
			t.Errorf("a batch of %d bytes", size)
		}
	}
	if whole.Len() != 1<<20 || l.text(EventStdout) != whole.String() {
		t.Errorf("%d bytes, want 1 MiB", whole.Len())
	}
}

func TestEventLog_DropsTheOldestAndKeepsTheText(t *testing.T) {
	const n = 100_000
	l := &eventLog{maxBytes: 1 << 20, maxEvents: 4096}
	for i := range n {
		say(l, EventStdout, "x")
		l.take(uint64(i)) // a reader that sees every one, so that none is joined
	}
	if len(l.entries) > l.maxEvents {
		t.Errorf("%d events are kept", len(l.entries))
	}
	events, _, _ := l.take(0)
	if first := events[0].Seq; first < n/2 || first > n {
		t.Errorf("the first of %d is number %d", n, first)
	}
	if events, _, _ = l.take(n - 1); len(events) != 1 || events[0].Seq != n || events[0].Text != "x" {
		t.Errorf("the last: %+v", events)
	}
	if len(l.text(EventStdout)) != n {
		t.Errorf("%d bytes of text", len(l.text(EventStdout)))
	}
}

// A stream that is at its cap takes little more than that, whatever comes behind it.
func TestEventLog_AStreamTakesNoMoreThanItMay(t *testing.T) {
	const most = 1 << 20
	l := &eventLog{maxBytes: 1 << 20, maxEvents: 4096, maxText: most + cutMark}
	for range most / maxEventText {
		say(l, EventStdout, strings.Repeat("x", maxEventText))
	}
	say(l, EventStdout, "\n[... 1 bytes left out ...]\n")
	l.appendText(EventStdout, 0, func(*strings.Builder) {})
	if got, want := l.stdout.Cap(), most+16<<10; got > want { // a size of the allocator's
		t.Errorf("%d bytes are taken, want at most %d", got, want)
	}
}
