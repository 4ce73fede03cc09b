package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	floods    = 10
	floodTime = 20 * time.Second
	caps      = 2 << 20 // bytes of stdout and stderr that are kept, as configured by default
	allowance = 64<<20 + floods*caps
)

// flood writes to both streams until its deadline.
const flood = "import os\nblock = b'x' * 65536\nwhile True:\n  os.write(1, block); os.write(2, block)"

// soakFloods lets sessions write as fast as they can, and watches the daemon's memory and whether it still answers.
func soakFloods(ctx context.Context, h host) ([]figure, error) {
	d, err := h.start(ctx)
	if err != nil {
		return nil, err
	}
	atRest, _, err := d.memory()
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	var wg sync.WaitGroup
	errs := make([]error, floods)
	written := make([]int64, floods)
	for i := range floods {
		wg.Go(func() { written[i], errs[i] = d.flood(ctx, i) })
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	slowest, healthErr := d.watch(ended)
	_, peak, memoryErr := d.memory()
	var bytes int64
	for _, n := range written {
		bytes += n
	}
	figures := []figure{
		{"floods", fmt.Sprintf("%d for %s, %.0f MiB/s in all", floods, floodTime, mib(bytes)/floodTime.Seconds()), ""},
		{"daemon's memory at rest, at most", fmt.Sprintf("%.1f MiB, %.1f MiB", mib(atRest), mib(peak)), fmt.Sprintf("at most %.0f MiB", mib(allowance))},
		{"slowest /health meanwhile", slowest.Round(time.Millisecond).String(), "below 1s"},
	}
	err = errors.Join(append(errs, healthErr, memoryErr, d.stop())...)
	if peak > allowance {
		err = errors.Join(err, errors.New("the floods took more memory than they may"))
	}
	if slowest > time.Second {
		err = errors.Join(err, errors.New("the floods held up /health"))
	}
	return figures, err
}

// flood runs one flood to its deadline and returns how much it wrote.
func (d *daemon) flood(ctx context.Context, i int) (int64, error) {
	a, err := d.execute(ctx, ways[i%len(ways)], map[string]any{
		"session_id": fmt.Sprintf("flood-%d", i), "code": flood, "timeout": floodTime.Seconds(),
	})
	if err != nil {
		return 0, err
	}
	left := a.Truncated["stdout"] + a.Truncated["stderr"]
	if kept := len(a.Stdout) + len(a.Stderr); a.Outcome != "timeout" || left == 0 || kept < caps*9/10 || kept > caps+4096 {
		return left, fmt.Errorf("flood %d: %s, %d bytes kept, %d left out", i, a.Outcome, kept, left)
	}
	return left + caps, nil
}

// watch asks for /health until the floods have ended, and returns the longest answer.
func (d *daemon) watch(ended <-chan struct{}) (slowest time.Duration, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return slowest, nil
		case <-tick.C:
		}
		begun := time.Now()
		res, err := d.http.Get(d.url + "/health")
		if err != nil {
			<-ended
			return slowest, err
		}
		res.Body.Close()
		slowest = max(slowest, time.Since(begun))
	}
}
