package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// FileName is the file's name in the state directory.
const FileName = "state.db"

// lockTime is how long another process may hold the file.
const lockTime = time.Second

var (
	sessions   = []byte("sessions")   // container -> SessionRecord
	tombstones = []byte("tombstones") // owner, a zero byte, id -> Tombstone
	executions = []byte("executions") // id -> what the audit log is to say of it
	room       = []byte("room")       // what Check writes
)

// roomFor is how much Check writes: twice what the environment of a session may have, for a record has it as it was asked
// for and as the container has it.
const roomFor = 128 << 10 // bytes

// Store is the file. It is safe for concurrent use.
type Store struct {
	db *bbolt.DB
}

var _ sandbox.Store = (*Store)(nil)

// Open opens the file in dir, and makes it where there is none. aside, when it is not "", is where a broken file was put.
// Close it.
func Open(dir string) (s *Store, aside string, err error) {
	path := filepath.Join(dir, FileName)
	db, err := open(path)
	if broken(err) {
		aside = fmt.Sprintf("%s.broken-%d", path, time.Now().Unix())
		if err := os.Rename(path, aside); err != nil {
			return nil, "", fmt.Errorf("set the broken state aside: %w", err)
		}
		db, err = open(path)
	}
	if err != nil {
		return nil, aside, fmt.Errorf("open the state %s: %w", path, err)
	}
	return &Store{db: db}, aside, nil
}

func open(path string) (db *bbolt.DB, err error) {
	defer func() {
		if r := recover(); r != nil { // pages that point anywhere
			err = errBroken
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockTime,
		NoSync:       true,
		FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{sessions, tombstones, executions, room} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		for err := range tx.Check() {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

var errBroken = errors.New("the file is broken")

func broken(err error) bool {
	for _, known := range []error{errBroken, bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// Close gives the file up.
func (s *Store) Close() error { return s.db.Close() }

// Check tells whether the record of a session could be saved now: it writes as much as one may have. A transaction that
// changes nothing would fit in pages that are there, on a full disk, too.
func (s *Store) Check() error {
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(room).Put(room, make([]byte, roomFor)) })
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// SaveSession keeps r until RemoveSession.
func (s *Store) SaveSession(r sandbox.SessionRecord) error {
	return s.put(sessions, []byte(r.Container), r)
}

// RemoveSession forgets what was saved of a container.
func (s *Store) RemoveSession(container string) error {
	return s.remove(sessions, []byte(container))
}

// SaveTombstone keeps t until RemoveTombstone.
func (s *Store) SaveTombstone(t sandbox.Tombstone) error {
	return s.put(tombstones, name(t.Key), t)
}

// RemoveTombstone forgets the tombstone of a session.
func (s *Store) RemoveTombstone(key sandbox.Key) error {
	return s.remove(tombstones, name(key))
}

// SaveExecution keeps a record of an execution until RemoveExecution.
func (s *Store) SaveExecution(id string, record []byte) error {
	return s.write(executions, []byte(id), record)
}

// RemoveExecution forgets the record of an execution.
func (s *Store) RemoveExecution(id string) error {
	return s.remove(executions, []byte(id))
}

// Executions returns the records of executions, by their ids.
func (s *Store) Executions() (map[string][]byte, error) {
	all := map[string][]byte{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(executions).ForEach(func(id, record []byte) error {
			all[string(id)] = bytes.Clone(record)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read executions: %w", err)
	}
	return all, nil
}

// Load returns all there is of sessions. Records that cannot be read are left out.
func (s *Store) Load() (records []sandbox.SessionRecord, stones []sandbox.Tombstone, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return errors.Join(each(tx, sessions, &records), each(tx, tombstones, &stones))
	})
	return records, stones, err
}

func each[T any](tx *bbolt.Tx, bucket []byte, all *[]T) error {
	return tx.Bucket(bucket).ForEach(func(_, text []byte) error {
		var one T
		if json.Unmarshal(text, &one) == nil {
			*all = append(*all, one)
		}
		return nil
	})
}

func (s *Store) put(bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", bucket, err)
	}
	return s.write(bucket, key, text)
}

func (s *Store) write(bucket, key, text []byte) error {
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, text) })
	if err != nil {
		return fmt.Errorf("save %s: %w", bucket, err)
	}
	return nil
}

func (s *Store) remove(bucket, key []byte) error {
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(key) })
	if err != nil {
		return fmt.Errorf("remove from %s: %w", bucket, err)
	}
	return nil
}

func name(key sandbox.Key) []byte { return []byte(key.Owner + "\x00" + key.ID) }
