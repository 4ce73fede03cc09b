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
	untold   []sandbox.Key // of sessions whose record was removed before it was said why
}

func newMemory() *memory {
	return &memory{sessions: map[string]sandbox.SessionRecord{}, stones: map[sandbox.Key]sandbox.Tombstone{}}
}

func (s *memory) write(change func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		change()
	}
	return s.err
}

// fail sets what everything fails with, nil for nothing.
func (s *memory) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *memory) SaveSession(r sandbox.SessionRecord) error {
	return s.write(func() { s.sessions[r.Container] = r })
}

func (s *memory) RemoveSession(container string) error {
	return s.write(func() {
		if r, ok := s.sessions[container]; ok {
			if _, told := s.stones[r.Key]; !told {
				s.untold = append(s.untold, r.Key)
			}
		}
		delete(s.sessions, container)
	})
}

func (s *memory) SaveTombstone(t sandbox.Tombstone) error {
	return s.write(func() { s.stones[t.Key] = t })
}

func (s *memory) RemoveTombstone(key sandbox.Key) error {
	return s.write(func() { delete(s.stones, key) })
}

func (s *memory) Load() ([]sandbox.SessionRecord, []sandbox.Tombstone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sessions)), slices.Collect(maps.Values(s.stones)), s.err
}

func (s *memory) Check() error { return s.write(func() {}) }
