package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox/wire"
)

// code is the cell of the fixed contract's example.
const code, printed = "x = 2\nprint(x)", "2\n"

// echoProgram answers every byte it reads, as the smallest driver there can be.
const echoProgram = "import os\nwhile b := os.read(0, 65536): os.write(1, b)"

// samples are durations.
type samples []time.Duration

// quantile is in milliseconds.
func (s samples) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]) / float64(time.Millisecond)
}

// pair is one measurement of both sides.
type pair struct{ raw, ours samples }

type bench struct {
	daemon *daemon
	engine *engine
}

// cold measures a new session against a new container.
func (b *bench) cold(ctx context.Context, rounds int) (pair, error) {
	like, err := b.session(ctx)
	if err != nil {
		return pair{}, err
	}
	var p pair
	for i := range rounds {
		began := time.Now()
		id, err := b.driverReady(ctx, like)
		took := time.Since(began)
		if err := errors.Join(err, b.engine.remove(ctx, id)); err != nil {
			return p, fmt.Errorf("raw start %d: %w", i, err)
		}
		p.raw = append(p.raw, took)

		began = time.Now()
		err = b.daemon.execute(ctx, "cold", code, printed)
		took = time.Since(began)
		if err := errors.Join(err, b.daemon.reset(ctx, "cold")); err != nil {
			return p, fmt.Errorf("session %d: %w", i, err)
		}
		p.ours = append(p.ours, took)
	}
	return p, nil
}

// session opens a session to read its container's options, and closes it.
func (b *bench) session(ctx context.Context) (container, error) {
	if err := b.daemon.execute(ctx, "model", code, printed); err != nil {
		return container{}, err
	}
	like, err := b.engine.findSession(ctx, b.daemon.owner)
	return like, errors.Join(err, b.daemon.reset(ctx, "model"))
}

// driverReady makes a container like the model and waits for its driver's READY.
func (b *bench) driverReady(ctx context.Context, like container) (id string, err error) {
	if id, err = b.engine.create(ctx, like, nil); err != nil {
		return id, err
	}
	stdio, err := b.engine.attach(ctx, id)
	if err != nil {
		return id, err
	}
	defer stdio.Close()
	if err := b.engine.start(ctx, id); err != nil {
		return id, err
	}
	hello := wire.HelloMessage{Protocol: wire.Version, Nonce: fmt.Sprintf("%032x", time.Now().UnixNano())}
	frame := wire.AppendFrame(nil, wire.Frame{Type: wire.Hello, Epoch: 1, Payload: wire.Marshal(hello)})
	if _, err := stdio.Write(frame); err != nil {
		return id, err
	}
	_, err = wire.NewDecoder(stdio).Sync(hello, 1)
	return id, err
}

// warmth is what warm measures.
type warmth struct {
	pair
	echo usage // of the raw side
	cell usage // of ours
}

// warm measures executions in sessions that are there against echoes of as many bytes, n connections side by side.
func (b *bench) warm(ctx context.Context, n, calls int) (warmth, error) {
	var w warmth
	like, err := b.session(ctx)
	if err != nil {
		return w, err
	}
	echoes, executes := make([]*attachment, n), make([]*caller, n)
	var echoing, executing []process
	for i := range n {
		id, stdio, err := b.echo(ctx, like)
		if id != "" {
			defer b.engine.remove(context.WithoutCancel(ctx), id)
		}
		if err != nil {
			return w, err
		}
		defer stdio.Close()
		echoes[i] = stdio
		name := fmt.Sprint("warm-", i)
		defer b.daemon.reset(context.WithoutCancel(ctx), name)
		if err := b.daemon.execute(ctx, name, code, printed); err != nil {
			return w, err
		}
		if i == 0 { // while it is the only one
			if echoing, executing, err = b.processes(ctx, id); err != nil {
				return w, err
			}
		}
	}
	for i := range n { // now: the daemon gives up a connection that says nothing
		if executes[i], err = b.daemon.dial(ctx); err != nil {
			return w, err
		}
		defer executes[i].Close()
	}
	question, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		return w, err
	}
	const turns = 10
	for range turns {
		raw, err := w.echo.around(echoing, func() (samples, error) {
			return together(n, calls/turns, func(i int) error { return roundTrip(echoes[i], question) })
		})
		if err != nil {
			return w, fmt.Errorf("echo: %w", err)
		}
		ours, err := w.cell.around(executing, func() (samples, error) {
			return together(n, calls/turns, func(i int) error { return executes[i].execute(fmt.Sprint("warm-", i)) })
		})
		if err != nil {
			return w, fmt.Errorf("execute: %w", err)
		}
		w.raw, w.ours = append(w.raw, raw...), append(w.ours, ours...)
	}
	return w, nil
}

// echo starts a container that answers with what it is sent.
func (b *bench) echo(ctx context.Context, like container) (string, *attachment, error) {
	id, err := b.engine.create(ctx, like, []string{"python3", "-I", "-S", "-c", echoProgram})
	if err != nil {
		return "", nil, err
	}
	stdio, err := b.engine.attach(ctx, id)
	if err != nil {
		return id, nil, err
	}
	if err := b.engine.start(ctx, id); err != nil {
		return id, nil, errors.Join(err, stdio.Close())
	}
	warmUp := make([]byte, 32)
	_, _ = rand.Read(warmUp)
	return id, stdio, roundTrip(stdio, warmUp)
}

func roundTrip(stdio *attachment, question []byte) error {
	if _, err := stdio.Write(question); err != nil {
		return err
	}
	_, err := io.ReadFull(stdio, make([]byte, len(question)))
	return err
}

// together times calls of f, as many for each of n callers that run side by side.
func together(n, calls int, f func(caller int) error) (samples, error) {
	took := make([]samples, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for range calls {
				began := time.Now()
				if errs[i] = f(i); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	wg.Wait()
	return slices.Concat(took...), errors.Join(errs...)
}
