package sandbox

import (
	"fmt"
	"testing"
	"time"
)

// count is a Store of Tombstones that counts them.
type count struct {
	noStore
	there map[Key]bool
}

func (c *count) SaveTombstone(t Tombstone) error { c.there[t.Key] = true; return nil }
func (c *count) RemoveTombstone(k Key) error     { delete(c.there, k); return nil }
func newCounted(t *testing.T) (*tombstones, *count) {
	store := &count{there: map[Key]bool{}}
	gone := newTombstones(store, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	return &gone, store
}

func TestTombstones_WhatExpiredMakesRoomForWhatWasLost(t *testing.T) {
	gone, store := newCounted(t)
	at := time.Now()
	add := func(owner, id string, expired bool) {
		gone.add(Tombstone{Key: Key{owner, id}, Expired: expired, At: at})
	}
	has := func(owner, id string) bool {
		_, ok := gone.get(Key{owner, id}, time.Hour)
		return ok && store.there[Key{owner, id}]
	}
	add("", "lost", false)
	add("ann", "lost", false)
	for i := range maxTombstones + 10 { // as sessions do that nobody ends
		add("", fmt.Sprint("expired", i), true)
	}
	if !has("", "lost") || !has("ann", "lost") || has("", "expired10") || !has("", "expired11") || len(store.there) != maxTombstones+1 {
		t.Errorf("%d are there; lost %t, ann's %t, the eleventh to expire %t, the next %t", len(store.there), has("", "lost"), has("ann", "lost"),
			has("", "expired10"), has("", "expired11"))
	}
	for i := range maxTombstones { // and past that the oldest go
		add("", fmt.Sprint("lost", i), false)
	}
	if has("", "lost") || !has("", "lost0") || !has("ann", "lost") || len(store.there) != maxTombstones+1 || len(gone.stones) != len(store.there) {
		t.Errorf("%d are there; lost %t, the next %t, ann's %t", len(store.there), has("", "lost"), has("", "lost0"), has("ann", "lost"))
	}
}

func TestTombstones_OfBothKindsAgeAndAreForgotten(t *testing.T) {
	gone, store := newCounted(t)
	now := time.Now()
	for i, expired := range []bool{false, true} {
		gone.add(Tombstone{Key: Key{ID: fmt.Sprint("old", i)}, Expired: expired, At: now.Add(-2 * time.Hour)})
		gone.add(Tombstone{Key: Key{ID: fmt.Sprint("new", i)}, Expired: expired, At: now})
	}
	if _, ok := gone.get(Key{ID: "old0"}, time.Hour); ok {
		t.Error("one that is too old is told")
	}
	gone.age(time.Hour)
	if len(store.there) != 2 || !store.there[Key{ID: "new0"}] || !store.there[Key{ID: "new1"}] {
		t.Errorf("got %v", store.there)
	}
	gone.add(Tombstone{Key: Key{ID: "new0"}, Expired: true, At: now}) // in the other's place
	if stone, ok := gone.get(Key{ID: "new0"}, time.Hour); !ok || !stone.Expired || len(gone.stones) != 2 {
		t.Errorf("got %+v, %t, and %d in all", stone, ok, len(gone.stones))
	}
	gone.drop(func(k Key) bool { return k.ID == "new0" })
	gone.forget(Key{ID: "new1"})
	gone.forget(Key{ID: "never there"})
	if len(store.there)+len(gone.stones)+len(gone.owners) != 0 {
		t.Errorf("left: %v, %v, %v", store.there, gone.stones, gone.owners)
	}
}
