package sandbox

import (
	"context"
	"slices"
	"sync"
)

// gate lets a few in at once, and the others in the order they came.
type gate struct {
	mu      sync.Mutex
	inside  int             // guarded by mu
	waiting []chan struct{} // guarded by mu; closed when they are let in
}

// enter waits to be let in, of which most may be inside and wait may wait. It returns false when there is no place to wait,
// and the cause of ctx when that ended first. Who is let in has to leave.
func (g *gate) enter(ctx context.Context, most, wait int) (bool, error) {
	g.mu.Lock()
	if g.inside < most && len(g.waiting) == 0 {
		g.inside++
		g.mu.Unlock()
		return true, nil
	}
	if len(g.waiting) >= wait {
		g.mu.Unlock()
		return false, nil
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return true, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, turn)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	g.mu.Unlock()
	if i < 0 { // it was let in in this moment
		g.leave(most)
	}
	return false, context.Cause(ctx)
}

// leave lets the next one in, as long as no more than most are inside.
func (g *gate) leave(most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	for len(g.waiting) > 0 && g.inside < most {
		close(g.waiting[0])
		g.waiting = slices.Delete(g.waiting, 0, 1)
		g.inside++
	}
}
