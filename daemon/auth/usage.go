package auth

import (
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what one key uses. 0 is no bound, each.
type Limits struct {
	Sessions   int     // open at once
	Executions int     // at once, those included that wait for their turn
	Rate       float64 // requests a second, on the average
	Burst      int     // requests at once; 0 is what comes in a second, and at least 1
}

// usage is what a key uses. It outlives changes of its secret and of its limits.
type usage struct {
	bounds  atomic.Pointer[bounds]
	running atomic.Int64
}

// bounds are limits in force. They are immutable but for what is in the bucket.
type bounds struct {
	Limits
	bucket *rate.Limiter // nil where there is no rate
}

func newUsage() *usage {
	u := &usage{}
	u.bounds.Store(&bounds{})
	return u
}

// set changes the limits. The bucket is a full one where the rate is another than before.
func (u *usage) set(l Limits) {
	if l.Burst == 0 {
		l.Burst = max(1, int(math.Ceil(l.Rate)))
	}
	old, next := u.bounds.Load(), &bounds{Limits: l}
	switch {
	case l.Rate == 0:
	case l.Rate == old.Rate && l.Burst == old.Burst:
		next.bucket = old.bucket
	default:
		next.bucket = rate.NewLimiter(rate.Limit(l.Rate), l.Burst)
	}
	u.bounds.Store(next)
}

// Quota is what a key's rate still allows. The zero value is that of a key without one.
type Quota struct {
	Limit     int           // requests at once; 0 where there is no rate
	Remaining int           // of these, now
	Reset     time.Duration // until all of them are there again
	Retry     time.Duration // until one is there; above 0 only where the request is one too many
}

// Take counts one request.
func (i *Identity) Take(now time.Time) Quota {
	b := i.usage.bounds.Load()
	if b.bucket == nil {
		return Quota{}
	}
	allowed := b.bucket.AllowN(now, 1)
	tokens := b.bucket.TokensAt(now)
	until := func(n float64) time.Duration {
		return time.Duration(max(0, n-tokens) / b.Rate * float64(time.Second))
	}
	q := Quota{Limit: b.Burst, Remaining: max(0, int(tokens)), Reset: until(float64(b.Burst))}
	if !allowed {
		q.Retry = max(until(1), time.Millisecond) // another request may have left it a token in between
	}
	return q
}

// Begin counts an execution until leave is called. Where that is one too many, limit is how many may be, and leave nil.
func (i *Identity) Begin() (leave func(), limit int) {
	limit = i.usage.bounds.Load().Executions
	if n := i.usage.running.Add(1); limit > 0 && n > int64(limit) {
		i.usage.running.Add(-1)
		return nil, limit
	}
	return func() { i.usage.running.Add(-1) }, limit
}

// Resume counts an execution of the key of that name which began under an earlier daemon, however many there are, until
// leave is called.
func (r *Ring) Resume(name string) (leave func()) {
	for _, i := range r.keys.Load().identities {
		if i.Name == name {
			i.usage.running.Add(1)
			return func() { i.usage.running.Add(-1) }
		}
	}
	return func() {}
}

// MaxSessions is how many sessions the key may have, 0 for any number.
func (i *Identity) MaxSessions() int { return i.usage.bounds.Load().Sessions }
