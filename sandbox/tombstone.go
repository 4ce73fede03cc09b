package sandbox

import (
	"slices"
	"time"
)

// maxTombstones bounds how many lost sessions are remembered; past it the oldest is forgotten.
const maxTombstones = 4096

// tombstones remember why sessions were lost, oldest first.
type tombstones []tombstone

type tombstone struct {
	key   Key
	cause string
	at    time.Time
}

func (t *tombstones) add(key Key, cause string) {
	t.drop(func(k Key) bool { return k == key })
	if len(*t) >= maxTombstones {
		*t = slices.Delete(*t, 0, 1)
	}
	*t = append(*t, tombstone{key: key, cause: cause, at: time.Now()})
}

// get returns the cause, if the session was lost within kept.
func (t *tombstones) get(key Key, kept time.Duration) (string, bool) {
	for _, stone := range *t {
		if stone.key == key && time.Since(stone.at) < kept {
			return stone.cause, true
		}
	}
	return "", false
}

func (t *tombstones) drop(which func(Key) bool) {
	*t = slices.DeleteFunc(*t, func(s tombstone) bool { return which(s.key) })
}
