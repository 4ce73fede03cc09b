package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
)

// backoff spaces attempts at one thing.
type backoff struct {
	most int // attempts after the first one
	made int // of them
}

// wait tells whether to try again after err, and waits before it does. It does not outlast ctx.
func (b *backoff) wait(ctx context.Context, err error) bool {
	if b.made >= b.most || !passes(err) {
		return false
	}
	d := min(firstPause<<min(b.made, 10), mostPause)
	d = d/2 + rand.N(d/2+1) // those who were refused together do not come back together
	var p *Problem
	if errors.As(err, &p) {
		d = max(d, p.RetryAfter)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false // the error says more than the deadline would
	}
	b.made++
	return pause(ctx, d)
}

// passes tells whether an error may be gone the next time.
func passes(err error) bool {
	var u *Unreachable
	if errors.As(err, &u) {
		return true
	}
	var p *Problem
	if !errors.As(err, &p) {
		return false
	}
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
