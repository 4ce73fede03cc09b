package sandbox

import (
	"container/list"
	"sync"
	"time"
)

// registry finds executions by id, those that run and, up to a number of bytes and an age, those that ended.
type registry struct {
	mu    sync.Mutex
	byID  map[string]*record // guarded by mu
	ended *list.List         // guarded by mu; of *record, the longest ended first
	bytes int64              // guarded by mu; of those in ended
}

// record is an execution and who may know of it.
type record struct {
	execution *Execution
	owner     string
	bytes     int64
	endedAt   time.Time
	forget    func() // to be called when the record has gone; nil for none
}

func newRegistry() *registry {
	return &registry{byID: map[string]*record{}, ended: list.New()}
}

// add makes e findable, unless its id is taken.
func (r *registry) add(e *Execution, forget func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[e.ID()] != nil {
		return false
	}
	r.byID[e.ID()] = &record{execution: e, owner: e.session.key.Owner, forget: forget}
	return true
}

// keep notes that e has ended, and drops what is beyond the bounds; it returns those.
func (r *registry) keep(e *Execution, maxBytes int64, maxAge time.Duration) (dropped []*record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.byID[e.ID()]
	if rec == nil {
		return nil
	}
	rec.bytes, rec.endedAt = e.log.size()+recordOverhead, time.Now()
	r.bytes += rec.bytes
	r.ended.PushBack(rec)
	for front := r.ended.Front(); front != nil; front = r.ended.Front() {
		oldest := front.Value.(*record)
		if r.bytes <= maxBytes && time.Since(oldest.endedAt) <= maxAge {
			break
		}
		r.ended.Remove(front)
		r.bytes -= oldest.bytes
		delete(r.byID, oldest.execution.ID())
		dropped = append(dropped, oldest)
	}
	return dropped
}

// recordOverhead is what an execution takes beside its events, in bytes, generously.
const recordOverhead = 4 << 10

// find returns an execution of owner's.
func (r *registry) find(owner, id string) (*Execution, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.byID[id]; rec != nil && rec.owner == owner {
		return rec.execution, nil
	}
	return nil, Errorf(CodeNotFound, "no execution %.64q, or its result is no longer kept", id)
}

// remove forgets an execution that did not come about.
func (r *registry) remove(e *Execution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, e.ID())
}
