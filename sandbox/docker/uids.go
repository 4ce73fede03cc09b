package docker

import (
	"math/rand/v2"
	"sync"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// maxUID bounds uids; those above it have meanings of their own in some file systems.
const maxUID = 1 << 31

// uidPool gives every live container a uid of its own: the kernel counts inotify instances, message queues and pipe
// pages by uid over all containers, so sessions that share one can starve each other.
type uidPool struct {
	first, count int

	mu    sync.Mutex
	taken map[int]bool // from before a container is made until after its removal is confirmed
}

func newUIDPool(first, count int) *uidPool {
	return &uidPool{first: first, count: count, taken: map[int]bool{}}
}

// take reserves a uid that is neither taken nor in used, the uids of all containers there are. It begins anywhere, so
// that daemons which share an engine seldom pick the same.
func (p *uidPool) take(used map[int]bool) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	start := rand.IntN(p.count)
	for i := range p.count {
		uid := p.first + (start+i)%p.count
		if !p.taken[uid] && !used[uid] {
			p.taken[uid] = true
			return uid, nil
		}
	}
	return 0, sandbox.Errorf(sandbox.CodeCapacity, "all %d uids for sessions are in use", p.count)
}

// adopt reserves the uid of a container that was found.
func (p *uidPool) adopt(uid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[uid] = true
}

// release gives a uid back. Only after its container is gone: what it leaves on the host must have gone with it.
func (p *uidPool) release(uid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, uid)
}
