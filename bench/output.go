package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// flood is how much one round of the throughput test writes, in bytes.
const flood = 32 << 20

var (
	floodProgram = fmt.Sprintf("import os\nos.read(0, 1)\nb = b'x' * 65535 + b'\\n'\nfor _ in range(%d):\n    os.write(1, b)", flood>>16)
	floodCell    = fmt.Sprintf("import os\nb = b'x' * 65535 + b'\\n'\nfor _ in range(%d):\n    os.write(1, b)", flood>>16)
)

// latency measures from just before print to the client's having it. Both run on one machine, so on one clock.
func (b *bench) latency(ctx context.Context, prints int) (samples, error) {
	cell := fmt.Sprintf("import time\nfor _ in range(%d):\n    print(time.time_ns())\n    time.sleep(0.01)", prints)
	var took samples
	err := b.daemon.stream(ctx, "latency", cell, func(text string) {
		now := time.Now()
		for line := range strings.Lines(text) {
			if ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil {
				took = append(took, now.Sub(time.Unix(0, ns)))
			}
		}
	})
	if err == nil && len(took) < prints*9/10 {
		err = fmt.Errorf("only %d of %d prints came in one piece", len(took), prints)
	}
	return took, errors.Join(err, b.daemon.reset(ctx, "latency"))
}

// throughput measures how long a flood takes to reach a client, against the raw attach stream.
func (b *bench) throughput(ctx context.Context, rounds int) (pair, error) {
	like, err := b.session(ctx)
	if err != nil {
		return pair{}, err
	}
	if err := b.daemon.execute(ctx, "flood", code, printed); err != nil {
		return pair{}, err
	}
	defer b.daemon.reset(context.WithoutCancel(ctx), "flood")
	var p pair
	for range rounds {
		took, err := b.rawFlood(ctx, like)
		if err != nil {
			return p, fmt.Errorf("raw flood: %w", err)
		}
		p.raw = append(p.raw, took)
		began := time.Now()
		n, last, err := b.daemon.drain(ctx, "flood", floodCell)
		p.ours = append(p.ours, time.Since(began))
		if err != nil {
			return p, fmt.Errorf("flood: %w", err)
		}
		if n < flood || !strings.Contains(string(last), `"outcome":"ok"`) || !strings.Contains(string(last), `"truncated":{}`) {
			return p, fmt.Errorf("the flood was cut short: %d bytes, ending in %q", n, last)
		}
	}
	return p, nil
}

// rawFlood times the attach stream alone, from the byte that sets the program off.
func (b *bench) rawFlood(ctx context.Context, like container) (took time.Duration, err error) {
	id, err := b.engine.create(ctx, like, []string{"python3", "-I", "-S", "-c", floodProgram})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.engine.remove(context.WithoutCancel(ctx), id)) }()
	stdio, err := b.engine.attach(ctx, id)
	if err != nil {
		return 0, err
	}
	defer stdio.Close()
	if err := b.engine.start(ctx, id); err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := stdio.Write([]byte{'\n'}); err != nil {
		return 0, err
	}
	_, err = io.CopyN(io.Discard, stdio, flood)
	return time.Since(began), err
}
