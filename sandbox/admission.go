package sandbox

import "sync/atomic"

// admission is a place among what a key may have run at once. The request that it was given to holds it, and so does the
// start of a session whose setup code runs, which outlives a request that is given up: it is free again when nobody does.
// A nil one is of a request that nobody counts.
type admission struct {
	holders atomic.Int32
	leave   func()
}

// admit asks for what r needs; the caller holds it.
func (r Request) admit() (*admission, error) {
	if r.Admit == nil {
		return nil, nil
	}
	leave, err := r.Admit()
	if err != nil {
		return nil, err
	}
	a := &admission{leave: leave}
	a.hold()
	return a, nil
}

func (a *admission) hold() {
	if a != nil {
		a.holders.Add(1)
	}
}

func (a *admission) release() {
	if a != nil && a.holders.Add(-1) == 0 {
		a.leave()
	}
}
