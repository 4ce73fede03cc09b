package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
	"github.com/google/uuid"
)

// writeTimeout is what one write to a supervisor has at least, and at most twice. It always reads: one that does not is
// dead or frozen.
const writeTimeout = 10 * time.Second

const lastWriteTimeout = 200 * time.Millisecond

// link is an attachment to a supervisor. Any goroutine may send; one reads from dec.
type link struct {
	stream Stream
	dec    *wire.Decoder
	epoch  uint32 // immutable after attach

	mu       sync.Mutex // keeps frames whole
	buf      []byte     // guarded by mu
	deadline time.Time  // guarded by mu; of writes

	closing atomic.Bool // nothing but the last message is sent any more
}

// attach opens the stream and shakes hands, until ctx ends. again pads out what an earlier attachment may have left.
func attach(ctx context.Context, inst Instance, spec Spec, again bool) (*link, wire.ReadyMessage, error) {
	stream, err := inst.Attach(ctx)
	if err != nil {
		return nil, wire.ReadyMessage{}, fmt.Errorf("attach: %w", err)
	}
	l := &link{stream: stream, dec: wire.NewDecoder(stream)}
	ready, err := l.handshake(ctx, spec, again)
	if err != nil {
		stream.Close()
		return nil, wire.ReadyMessage{}, fmt.Errorf("handshake: %w", err)
	}
	return l, ready, nil
}

func (l *link) handshake(ctx context.Context, spec Spec, again bool) (wire.ReadyMessage, error) {
	// The stream does not know contexts: closing it is what ends a read.
	stop := context.AfterFunc(ctx, func() { l.stream.Close() })
	defer stop()
	nonce := make([]byte, 16)
	rand.Read(nonce)
	// Any but 0; the chance that it is the last one's again is small, and the nonce tells.
	l.epoch = uint32(nonce[0])<<24 | uint32(nonce[1])<<16 | uint32(nonce[2])<<8 | uint32(nonce[3]) | 1
	if again {
		if err := l.write(make([]byte, wire.HeaderSize+wire.MaxPayload)); err != nil {
			return wire.ReadyMessage{}, err
		}
	}
	hello := wire.HelloMessage{
		Protocol: wire.Version,
		Nonce:    hex.EncodeToString(nonce),
		Lease:    spec.Lease.Seconds(),
		Memory:   spec.Limits.Memory,
	}
	if err := l.send(nil, wire.Hello, uuid.Nil, wire.Marshal(hello)); err != nil {
		return wire.ReadyMessage{}, err
	}
	ready, err := l.dec.Sync(hello, l.epoch)
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return ready, err
}

// send writes one message, and behind it the acknowledgements: nobody waits for those.
func (l *link) send(acks []uuid.UUID, t wire.Type, execution uuid.UUID, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = wire.AppendMessage(l.buf[:0], wire.Frame{Type: t, Epoch: l.epoch, Execution: execution, Payload: payload})
	for _, id := range acks {
		l.buf = wire.AppendFrame(l.buf, wire.Frame{Type: wire.Ack, Epoch: l.epoch, Execution: id})
	}
	err := l.write(l.buf)
	if cap(l.buf) > 4*wire.MaxPayload { // one long message must not hold its memory for the life of the session
		l.buf = nil
	}
	return err
}

// sendLast tries to send a message without payload to a container that is about to be removed. It breaks off a write
// that is stuck.
func (l *link) sendLast(t wire.Type) {
	l.closing.Store(true)
	_ = l.stream.SetWriteDeadline(time.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.stream.SetWriteDeadline(time.Now().Add(lastWriteTimeout))
	_, _ = l.stream.Write(wire.AppendFrame(nil, wire.Frame{Type: t, Epoch: l.epoch}))
}

func (l *link) write(b []byte) error {
	if now := time.Now(); l.deadline.Before(now.Add(writeTimeout)) { // setting one for every cell would show
		l.deadline = now.Add(2 * writeTimeout)
		if err := l.stream.SetWriteDeadline(l.deadline); err != nil {
			return err
		}
	}
	if l.closing.Load() { // after the deadline was set, which sendLast may have set before
		return net.ErrClosed
	}
	_, err := l.stream.Write(b)
	return err
}

func (l *link) close() { l.stream.Close() }
