package sandbox_test

import (
	"maps"
	"slices"
	"sync"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// memory is a Store that outlives its Manager, and may be told to fail.
type memory struct {
	mu       sync.Mutex
	err      error
	sessions map[string]sandbox.SessionRecord
	stones   map[sandbox.Key]sandbox.Tombstone
}

func newMemory() *memory {
	return &memory{sessions: map[string]sandbox.SessionRecord{}, stones: map[sandbox.Key]sandbox.Tombstone{}}
}

func (s *memory) SaveSession(r sandbox.SessionRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[r.Container] = r
	return s.err
}

func (s *memory) RemoveSession(container string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, container)
	return s.err
}

func (s *memory) SaveTombstone(t sandbox.Tombstone) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stones[t.Key] = t
	return s.err
}

func (s *memory) RemoveTombstone(key sandbox.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stones, key)
	return s.err
}

func (s *memory) Load() ([]sandbox.SessionRecord, []sandbox.Tombstone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions)), slices.Collect(maps.Values(s.stones)), s.err
}
