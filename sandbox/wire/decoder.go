package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/gjyotin305/fastpyrepl/sandbox/elastic"
)

// Decoder reads frames from a container. It is not safe for concurrent use.
type Decoder struct {
	r      *elastic.Reader
	joined map[Type][]byte // the parts so far
	held   int             // bytes in joined
}

// NewDecoder reads from r.
func NewDecoder(r io.Reader) *Decoder {
	return &Decoder{r: elastic.NewReader(r)}
}

// Next returns the next frame. Its payload is valid until the next call. A BadFrame is final: the stream has lost its
// framing, or its writer lies.
func (d *Decoder) Next() (Frame, error) {
	head, err := d.r.Peek(HeaderSize)
	if err != nil {
		if len(head) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	h, err := parseHeader(head)
	if err != nil {
		return Frame{}, err
	}
	whole, err := d.r.Peek(HeaderSize + int(h.length))
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	h.Payload = whole[HeaderSize:]
	if err := h.check(whole, h.Payload); err != nil {
		return Frame{}, err
	}
	// The peeked bytes stay in the buffer until the next read, so the payload need not be copied.
	if _, err := d.r.Discard(len(whole)); err != nil {
		return Frame{}, err
	}
	return h.Frame, nil
}

// NextMessage returns the next frame with split messages joined. Parts are held back until the last one is there.
func (d *Decoder) NextMessage() (Frame, error) {
	for {
		f, err := d.Next()
		if err != nil {
			return Frame{}, err
		}
		part := d.joined[f.Type]
		if f.More && d.held+len(f.Payload) > MaxMessage || len(part)+len(f.Payload) > MaxMessage {
			return Frame{}, BadMessage
		}
		if f.More {
			if d.joined == nil {
				d.joined = map[Type][]byte{}
			}
			d.joined[f.Type] = append(part, f.Payload...)
			d.held += len(f.Payload)
			continue
		}
		if part != nil {
			f.Payload = append(part, f.Payload...)
			delete(d.joined, f.Type)
			d.held -= len(part)
		}
		if f.Type == Done { // a worker that died within a message left a part of it, which must not begin the next execution's
			clear(d.joined)
			d.held = 0
		}
		return f, nil
	}
}

// Sync skips whatever an earlier attachment left in the stream, up to the READY that answers hello.
func (d *Decoder) Sync(hello HelloMessage, epoch uint32) (ReadyMessage, error) {
	for skipped := 0; skipped <= MaxResync; {
		f, err := d.Next()
		if IsBadFrame(err) {
			n, err := d.skip()
			if err != nil {
				return ReadyMessage{}, err
			}
			skipped += n
			continue
		}
		if err != nil {
			return ReadyMessage{}, err
		}
		skipped += HeaderSize + len(f.Payload)
		if f.Type != Ready || f.Epoch != epoch || f.More {
			continue
		}
		var ready ReadyMessage
		if err := Unmarshal(f.Payload, &ready); err != nil {
			return ReadyMessage{}, err
		}
		if ready.Nonce != hello.Nonce {
			continue
		}
		if ready.Protocol != Version {
			return ReadyMessage{}, fmt.Errorf("driver speaks protocol %d, this daemon %d", ready.Protocol, Version)
		}
		return ready, nil
	}
	return ReadyMessage{}, fmt.Errorf("no READY within %d bytes: %w", MaxResync, BadMagic)
}

// skip drops at least one byte, and then those before the next magic that are in the buffer.
func (d *Decoder) skip() (int, error) {
	b, err := d.r.Peek(d.r.Buffered())
	if err != nil {
		return 0, err
	}
	n := len(b)
	if i := bytes.Index(b[1:], magic[:]); i >= 0 {
		n = 1 + i
	} else if n >= len(magic) {
		n -= len(magic) - 1 // they may begin a magic
	}
	return d.r.Discard(max(n, 1))
}
