package sandbox

import (
	"slices"
	"time"
)

// maxTombstones bounds how many of an owner's sessions that are gone are remembered; past it the owner's oldest is
// forgotten. Of its own alone: nobody may make another's lost session look like one that never was.
const maxTombstones = 1024

// tombstones remember why sessions are gone that nobody ended, oldest first. It needs the Manager's lock.
type tombstones struct {
	stones []Tombstone
	store  Store
	failed func(error) // told when the store fails
}

func (t *tombstones) add(stone Tombstone) {
	t.drop(func(k Key) bool { return k == stone.Key })
	t.makeRoom(stone.Key.Owner)
	t.stones = append(t.stones, stone)
	t.failed(t.store.SaveTombstone(stone))
}

// makeRoom forgets the oldest of an owner who has too many.
func (t *tombstones) makeRoom(owner string) {
	n, oldest := 0, -1
	for i, stone := range t.stones {
		if stone.Key.Owner == owner {
			if n++; oldest < 0 {
				oldest = i
			}
		}
	}
	if n >= maxTombstones {
		t.failed(t.store.RemoveTombstone(t.stones[oldest].Key))
		t.stones = slices.Delete(t.stones, oldest, oldest+1)
	}
}

// get returns the stone of key, if it was set within kept.
func (t *tombstones) get(key Key, kept time.Duration) (Tombstone, bool) {
	for _, stone := range t.stones {
		if stone.Key == key && time.Since(stone.At) < kept {
			return stone, true
		}
	}
	return Tombstone{}, false
}

func (t *tombstones) drop(which func(Key) bool) {
	t.stones = slices.DeleteFunc(t.stones, func(stone Tombstone) bool {
		if !which(stone.Key) {
			return false
		}
		t.failed(t.store.RemoveTombstone(stone.Key))
		return true
	})
}

// age drops those that are older than kept.
func (t *tombstones) age(kept time.Duration) {
	old := 0
	for old < len(t.stones) && time.Since(t.stones[old].At) >= kept {
		t.failed(t.store.RemoveTombstone(t.stones[old].Key))
		old++
	}
	t.stones = slices.Delete(t.stones, 0, old)
}
