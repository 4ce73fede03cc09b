package sandbox

import (
	"strings"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// maxBackground is how much background output of a session is kept, in bytes.
const maxBackground = 256 << 10

// maxBackgroundStreams bounds the streams whose cut characters are remembered.
const maxBackgroundStreams = 32

// backgroundLog is what threads and child processes wrote after their execution had ended.
type backgroundLog struct {
	log     eventLog
	streams map[backgroundStream]*textDecoder // the reader's alone
}

type backgroundStream struct {
	execution uuid.UUID
	event     EventType
}

// add takes a BACKGROUND frame. Only the session's reader calls it.
func (b *backgroundLog) add(f wire.Frame) {
	stream := backgroundStream{f.Execution, EventStdout}
	if f.Type == wire.BackgroundStderr {
		stream.event = EventStderr
	}
	d := b.streams[stream]
	if d == nil {
		if b.streams == nil || len(b.streams) >= maxBackgroundStreams {
			b.streams = map[backgroundStream]*textDecoder{}
		}
		d = &textDecoder{}
		b.streams[stream] = d
	}
	var text strings.Builder
	if d.append(&text, f.Payload); text.Len() > 0 {
		b.log.append(Event{Type: stream.event, Execution: f.Execution.String(), Background: true, Text: text.String()})
	}
}
