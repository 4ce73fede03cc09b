package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// pool is how many containers wait for a session at rest.
const pool = 4

// fresh measures from nothing to the first result of a new session, and resets it.
func (b *bench) fresh(ctx context.Context, id string) (time.Duration, error) {
	c, err := b.daemon.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	began := time.Now()
	err = c.execute(id)
	took := time.Since(began)
	return took, errors.Join(err, b.daemon.reset(ctx, id))
}

// model is a container of the daemon's, to be made again as it is.
func (b *bench) model(ctx context.Context) (container, error) {
	all, err := b.engine.containers(ctx, b.daemon.owner)
	if err != nil {
		return container{}, err
	}
	if len(all) == 0 {
		return container{}, errors.New("the pool has no container")
	}
	return b.engine.inspect(ctx, all[0])
}

// claims measures new sessions that find a warm container, one after the other: each waits until the pool is whole again, as
// it is between two clients that do not come at once.
func (b *bench) claims(ctx context.Context, rounds int) (samples, error) {
	var took samples
	for i := range rounds {
		if err := b.daemon.awaitWarm(ctx, pool); err != nil {
			return took, err
		}
		t, err := b.fresh(ctx, fmt.Sprint("claim-", i))
		if err != nil {
			return took, err
		}
		took = append(took, t)
	}
	return took, nil
}

// churn measures how many sessions a second can be created, used once and reset, against the engine's own create, start and
// remove, side by side callers at once. The containers that waited before it began are used up first.
func (b *bench) churn(ctx context.Context, like container, side, rounds int) (raw, ours float64, err error) {
	rate := func(f func(i int) error) (float64, error) {
		began := time.Now()
		_, err := together(side, rounds/side, f)
		return float64(rounds/side*side) / time.Since(began).Seconds(), err
	}
	const turns = 3 // the machine's speed drifts
	for range turns {
		r, err := rate(func(int) error {
			id, err := b.engine.create(ctx, like, nil)
			if err != nil {
				return err
			}
			return errors.Join(b.engine.start(ctx, id), b.engine.remove(ctx, id))
		})
		if err != nil {
			return 0, 0, fmt.Errorf("raw churn: %w", err)
		}
		session := func(i int) error {
			_, err := b.fresh(ctx, fmt.Sprint("churn-", i))
			return err
		}
		if _, err := together(side, 2*pool/side+1, session); err != nil {
			return 0, 0, fmt.Errorf("churn: %w", err)
		}
		o, err := rate(session)
		if err != nil {
			return 0, 0, fmt.Errorf("churn: %w", err)
		}
		raw, ours = raw+r/turns, ours+o/turns
	}
	return raw, ours, nil
}

// many runs executions in n sessions at once, and returns how long they took, how many there were a second, and how much the
// daemon holds for a session in which nothing runs, in bytes, after a garbage collection.
func (b *bench) many(ctx context.Context, n, calls int) (took samples, rate float64, perSession int64, err error) {
	callers := make([]*caller, n)
	before, err := b.daemon.resting(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	for i := range n {
		name := fmt.Sprint("many-", i)
		defer b.daemon.reset(context.WithoutCancel(ctx), name)
		if err := b.daemon.execute(ctx, name, code, printed); err != nil {
			return nil, 0, 0, err
		}
	}
	after, err := b.daemon.resting(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	for i := range n { // now: the daemon gives up a connection that says nothing
		if callers[i], err = b.daemon.dial(ctx); err != nil {
			return nil, 0, 0, err
		}
		defer callers[i].Close()
	}
	began := time.Now()
	took, err = together(n, calls, func(i int) error { return callers[i].execute(fmt.Sprint("many-", i)) })
	return took, float64(n*calls) / time.Since(began).Seconds(), (after - before) / int64(n), err
}

// weights are the memory of a session's container and of a bare python container with the same options, in bytes.
func (b *bench) weights(ctx context.Context, like container) (bare, ours int64, err error) {
	bareID, err := b.engine.create(ctx, like, []string{"python3", "-I", "-c", "import sys; sys.stdin.read()"})
	if err != nil {
		return 0, 0, err
	}
	defer b.engine.remove(context.WithoutCancel(ctx), bareID)
	if err := b.engine.start(ctx, bareID); err != nil {
		return 0, 0, err
	}
	if err := b.daemon.execute(ctx, "weighed", code, printed); err != nil {
		return 0, 0, err
	}
	defer b.daemon.reset(context.WithoutCancel(ctx), "weighed")
	mine, err := b.engine.findSession(ctx, b.daemon.owner)
	if err != nil {
		return 0, 0, err
	}
	var wg sync.WaitGroup
	var bareErr, ourErr error
	wg.Go(func() { bare, bareErr = b.engine.memory(ctx, bareID) })
	wg.Go(func() { ours, ourErr = b.engine.memory(ctx, mine.ID) })
	wg.Wait()
	return bare, ours, errors.Join(bareErr, ourErr)
}
