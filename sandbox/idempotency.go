package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
)

// MaxIdempotencyKey is the length of an idempotency key, in bytes.
const MaxIdempotencyKey = 255

// idempotency remembers which execution a request with an idempotency key began, as long as that execution is kept.
type idempotency struct {
	mu      sync.Mutex
	entries map[idempotencyKey]*idempotent // guarded by mu
}

type idempotencyKey struct{ owner, key string }

type idempotent struct {
	print     [sha256.Size]byte
	settled   chan struct{} // closed when execution is set, or the request failed
	execution *Execution    // immutable once settled is closed
}

// do begins an execution with begin, or returns the one that an earlier request with the same key began. When that one
// is not settled yet, it waits for it; when it failed, this request tries in its place.
func (i *idempotency) do(ctx context.Context, key Key, req Request, begin func(forget func()) (*Execution, error)) (*Execution, error) {
	if len(req.IdempotencyKey) > MaxIdempotencyKey {
		return nil, Errorf(CodeInvalid, "the idempotency key has %d bytes, at most %d are allowed", len(req.IdempotencyKey), MaxIdempotencyKey)
	}
	name, print := idempotencyKey{key.Owner, req.IdempotencyKey}, req.fingerprint(key)
	for {
		entry, first := i.enter(name, print)
		if first {
			e, err := begin(func() { i.drop(name, entry) })
			if err != nil {
				i.drop(name, entry)
			}
			entry.execution = e
			close(entry.settled)
			return e, err
		}
		if entry.print != print {
			return nil, Errorf(CodeConflict, "the idempotency key was used for another request")
		}
		select {
		case <-entry.settled:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if entry.execution != nil {
			return entry.execution, nil
		}
	}
}

// restore makes an execution that an earlier daemon began for a request with a key findable by it. It returns what is to be
// called when the execution is no longer kept, nil where there was no key, or it is taken.
func (i *idempotency) restore(key Key, meta executionMeta, e *Execution) (forget func()) {
	if meta.Key == "" || len(meta.Key) > MaxIdempotencyKey || len(meta.Print) != sha256.Size {
		return nil
	}
	e.repeatKey, e.repeatPrint = meta.Key, meta.Print
	name, print := idempotencyKey{key.Owner, meta.Key}, [sha256.Size]byte(meta.Print)
	entry, first := i.enter(name, print)
	if !first {
		return nil
	}
	entry.execution = e
	close(entry.settled)
	return func() { i.drop(name, entry) }
}

func (i *idempotency) enter(name idempotencyKey, print [sha256.Size]byte) (entry *idempotent, first bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if entry := i.entries[name]; entry != nil {
		return entry, false
	}
	entry = &idempotent{print: print, settled: make(chan struct{})}
	if i.entries == nil {
		i.entries = map[idempotencyKey]*idempotent{}
	}
	i.entries[name] = entry
	return entry, true
}

func (i *idempotency) drop(name idempotencyKey, entry *idempotent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.entries[name] == entry {
		delete(i.entries, name)
	}
}

// fingerprint tells requests apart.
func (r Request) fingerprint(key Key) [sha256.Size]byte {
	h := sha256.New()
	field := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	field([]byte(key.ID))
	field(fmt.Append(nil, r.Timeout, r.NoCreate, r.Anew, r.Interactive, r.Context != nil, r.Locals != nil,
		r.MaxStdout, r.MaxStderr, r.MaxDisplay, r.MaxLocals, r.MaxLocalsValue, r.MaxEvents, r.Figures))
	field([]byte(r.Code))
	field([]byte(r.SetupCode))
	field([]byte(r.Stdin))
	if r.Context != nil {
		field(r.Context.Data)
	}
	if r.Locals != nil {
		for _, name := range r.Locals.Keys {
			field([]byte(name))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
