package sandbox

import "time"

// Store keeps what must outlive the daemon and cannot be asked of the containers: whose each of them is, how long it may
// last, and what became of sessions that are gone. Its methods are called one at a time and must be quick. When one fails,
// the Manager logs it and tries again until it has made up for it. Meanwhile it serves the sessions that there are, and
// begins none that could not be saved.
type Store interface {
	SaveSession(r SessionRecord) error
	RemoveSession(container string) error
	SaveTombstone(t Tombstone) error
	RemoveTombstone(key Key) error
	// Load returns all that was saved and not removed.
	Load() ([]SessionRecord, []Tombstone, error)
	// Check tells whether the record of a session could be saved now.
	Check() error
}

// SessionRecord is a session whose container is there.
type SessionRecord struct {
	Container string // Spec.Session of its container
	Key       Key
	Spec      Spec // as it is, whatever the container was made with
	Options   SessionOptions
	Created   time.Time
	TTL, Idle time.Duration // 0 is for ever
	Ends      time.Time     // by TTL; zero is never
	Unseen    []string      `json:",omitempty"` // ids of executions that were left, and whose ends nobody had seen
}

// Tombstone says why a session is gone.
type Tombstone struct {
	Key     Key
	Expired bool // its time was over; else it was lost
	Cause   string
	At      time.Time
}

// noStore forgets.
type noStore struct{}

func (noStore) SaveSession(SessionRecord) error             { return nil }
func (noStore) RemoveSession(string) error                  { return nil }
func (noStore) SaveTombstone(Tombstone) error               { return nil }
func (noStore) RemoveTombstone(Key) error                   { return nil }
func (noStore) Load() ([]SessionRecord, []Tombstone, error) { return nil, nil, nil }
func (noStore) Check() error                                { return nil }
