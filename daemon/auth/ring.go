package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"sync/atomic"
)

// Role says what a key may reach.
type Role string

const (
	User  Role = "user"  // what is its own
	Admin Role = "admin" // what is anybody's
)

// Key is one tenant of the daemon. Its name, not its secret, is what sessions belong to: it stays when the secret changes.
type Key struct {
	Name   string
	Hashes []Hash // more than one while the secret is being changed; all of them are this key
	Role   Role
	Limits Limits
}

// Config is the keys that are to be in force.
type Config struct {
	// Required makes the daemon ask for a key. Without any, nobody gets in then.
	Required bool
	Keys     []Key // names and hashes are unique
}

// Ring is the keys in force. It is safe for concurrent use.
type Ring struct {
	ctx       context.Context
	withdrawn error
	keys      atomic.Pointer[keys]
	setting   sync.Mutex // held by Set
}

// keys is what a Ring knows at one time. It is immutable.
type keys struct {
	required   bool
	identities []*Identity
}

// Identity is somebody who presented a key.
type Identity struct {
	Name string
	Role Role

	hash     Hash
	usage    *usage // shared by all identities of one name
	ctx      context.Context
	withdraw context.CancelCauseFunc
}

// NewRing makes a Ring that asks for no key. The contexts of its identities end with ctx, or, with the cause withdrawn,
// when their key is.
func NewRing(ctx context.Context, withdrawn error) *Ring {
	r := &Ring{ctx: ctx, withdrawn: withdrawn}
	r.keys.Store(&keys{})
	return r
}

// Set replaces the keys. What is known of a key that stays, stays: what it has under way, and what is left of its rate.
func (r *Ring) Set(c Config) {
	r.setting.Lock()
	defer r.setting.Unlock()
	old, next := r.keys.Load().identities, &keys{required: c.Required}
	for _, key := range c.Keys {
		u := usageOf(old, key.Name)
		u.set(key.Limits)
		for _, hash := range key.Hashes {
			next.identities = append(next.identities, r.identity(old, key, hash, u))
		}
	}
	r.keys.Store(next)
	for _, id := range old {
		if !slices.Contains(next.identities, id) {
			id.withdraw(r.withdrawn)
		}
	}
}

// identity is that of one hash of a key: the one there was, unless it changed what it may reach.
func (r *Ring) identity(old []*Identity, key Key, hash Hash, u *usage) *Identity {
	for _, id := range old {
		if id.hash == hash && id.Name == key.Name && id.Role == key.Role {
			return id
		}
	}
	id := &Identity{Name: key.Name, Role: key.Role, hash: hash, usage: u}
	id.ctx, id.withdraw = context.WithCancelCause(r.ctx)
	return id
}

func usageOf(old []*Identity, name string) *usage {
	for _, id := range old {
		if id.Name == name {
			return id.usage
		}
	}
	return newUsage()
}

// Required tells whether a key is asked for.
func (r *Ring) Required() bool { return r.keys.Load().required }

// Find returns whose key this is, nil for nobody's. It takes as long for any that looks like a key: it compares the
// hash of what was presented with every one there is, each in constant time.
func (r *Ring) Find(key []byte) *Identity {
	if !wellFormed(key) {
		return nil
	}
	identities := r.keys.Load().identities
	hash := sha256.Sum256(key)
	found := -1
	for i, id := range identities {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], id.hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return identities[found]
}

// Context ends when the key is withdrawn, or may reach something else than before.
func (i *Identity) Context() context.Context { return i.ctx }
