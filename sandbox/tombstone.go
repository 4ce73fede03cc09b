package sandbox

import (
	"container/list"
	"iter"
	"time"
)

// maxTombstones bounds how many of an owner's sessions that are gone are remembered; past it the owner's oldest is
// forgotten, those that expired before those that were lost. Of its own alone: nobody may make another's lost session look
// like one that never was. So many take about 6 MiB of memory and 8 MiB of the state file, and are read in 40 ms.
const maxTombstones = 16384

// tombstones remember why sessions are gone that nobody ended. It needs the Manager's lock.
type tombstones struct {
	stones map[Key]*list.Element // of the Tombstones in owners
	owners map[string]*graves
	store  Store
	failed func(error) // told when the store fails
}

// graves are the Tombstones of an owner, the oldest first.
type graves struct{ expired, lost list.List }

func (g *graves) of(stone Tombstone) *list.List {
	if stone.Expired {
		return &g.expired
	}
	return &g.lost
}

func newTombstones(store Store, failed func(error)) tombstones {
	return tombstones{stones: map[Key]*list.Element{}, owners: map[string]*graves{}, store: store, failed: failed}
}

// add remembers stone, which must be no older than those that there are, in the place of one with its key.
func (t *tombstones) add(stone Tombstone) {
	t.restore(stone)
	t.failed(t.store.SaveTombstone(stone))
}

// restore is add for a stone that the store has.
func (t *tombstones) restore(stone Tombstone) {
	t.take(stone.Key)
	t.makeRoom(stone.Key.Owner)
	g := t.owners[stone.Key.Owner]
	if g == nil {
		g = &graves{}
		t.owners[stone.Key.Owner] = g
	}
	t.stones[stone.Key] = g.of(stone).PushBack(stone)
}

// makeRoom forgets the oldest of an owner who has too many.
func (t *tombstones) makeRoom(owner string) {
	g := t.owners[owner]
	if g == nil || g.expired.Len()+g.lost.Len() < maxTombstones {
		return
	}
	oldest := g.expired.Front()
	if oldest == nil {
		oldest = g.lost.Front()
	}
	t.forget(oldest.Value.(Tombstone).Key)
}

// get returns the stone of key, if it was set within kept.
func (t *tombstones) get(key Key, kept time.Duration) (Tombstone, bool) {
	if e := t.stones[key]; e != nil {
		stone := e.Value.(Tombstone)
		return stone, time.Since(stone.At) < kept
	}
	return Tombstone{}, false
}

// all are those that there are.
func (t *tombstones) all() iter.Seq[Tombstone] {
	return func(yield func(Tombstone) bool) {
		for _, e := range t.stones {
			if !yield(e.Value.(Tombstone)) {
				return
			}
		}
	}
}

// take removes the stone of key from memory, and tells whether there was one.
func (t *tombstones) take(key Key) bool {
	e := t.stones[key]
	if e == nil {
		return false
	}
	g := t.owners[key.Owner]
	g.of(e.Value.(Tombstone)).Remove(e)
	delete(t.stones, key)
	if g.expired.Len()+g.lost.Len() == 0 {
		delete(t.owners, key.Owner)
	}
	return true
}

// forget removes the stone of key.
func (t *tombstones) forget(key Key) {
	if t.take(key) {
		t.failed(t.store.RemoveTombstone(key))
	}
}

func (t *tombstones) drop(which func(Key) bool) {
	for key := range t.stones {
		if which(key) {
			t.forget(key)
		}
	}
}

// age drops those that are older than kept.
func (t *tombstones) age(kept time.Duration) {
	for _, g := range t.owners {
		for _, l := range []*list.List{&g.expired, &g.lost} {
			for e := l.Front(); e != nil && time.Since(e.Value.(Tombstone).At) >= kept; e = l.Front() {
				t.forget(e.Value.(Tombstone).Key)
			}
		}
	}
}
