package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	cycles        = 500
	cycleExecutes = 10_000
	side          = 4        // cycles at once
	cycleGrowth   = 10 << 20 // bytes that the daemon may have grown by
	// Results that are kept are no leak. What they may take by default comes on top of that, and a quarter more: they are counted by
	// what is in them, not by what the allocator and the collector make of it.
	fewResults  = "FASTPYREPL_EXECUTION_MAX_RESULTS=1MiB"
	manyResults = 64 << 20 * 5 / 4 // bytes
)

// cycled is what a daemon was like after cycles.
type cycled struct {
	resets        []time.Duration
	goroutines    map[string]int
	files         int
	before, after int64 // bytes of memory
	took          time.Duration
}

// soakCycles creates, uses and resets sessions, and executes in one that stays; then the daemon is to be as one that has done
// but a few of these.
func soakCycles(ctx context.Context, h host) ([]figure, error) {
	fresh, err := h.cycle(ctx, 0, 0, fewResults)
	if err != nil {
		return nil, err
	}
	used, err := h.cycle(ctx, cycles, cycleExecutes, fewResults)
	if err != nil {
		return nil, err
	}
	full, err := h.cycle(ctx, 0, 3*cycleExecutes)
	if err != nil {
		return nil, err
	}
	slices.Sort(used.resets)
	p99 := used.resets[len(used.resets)*99/100]
	figures := []figure{
		{"create, execute, reset", fmt.Sprintf("%d, %.1f/s", cycles, cycles/used.took.Seconds()), ""},
		{"reset p50, p99", fmt.Sprintf("%s, %s", used.resets[len(used.resets)/2].Round(time.Millisecond), p99.Round(time.Millisecond)), "p99 at most 2s"},
		{"executes in one session besides", fmt.Sprint(cycleExecutes), ""},
		{"goroutines without, with", fmt.Sprintf("%d, %d", total(fresh.goroutines), total(used.goroutines)), "the same"},
		{"open files without, with", fmt.Sprintf("%d, %d", fresh.files, used.files), "the same"},
		{"daemon's memory before, after, with execution.max_results 1MiB", fmt.Sprintf("%.1f MiB, %.1f MiB", mib(used.before), mib(used.after)), fmt.Sprintf("at most %.0f MiB more", mib(cycleGrowth))},
		{fmt.Sprintf("the same with the default, 64MiB, which %d executes fill", 3*cycleExecutes), fmt.Sprintf("%.1f MiB, %.1f MiB", mib(full.before), mib(full.after)), fmt.Sprintf("at most %.0f MiB more", mib(manyResults+cycleGrowth))},
	}
	if full.after-full.before > manyResults+cycleGrowth {
		err = errors.Join(err, fmt.Errorf("the daemon grew by %.1f MiB with the results that it keeps by default", mib(full.after-full.before)))
	}
	if p99 > 2*time.Second {
		err = errors.Join(err, fmt.Errorf("resets took up to %s", p99))
	}
	if used.after-used.before > cycleGrowth {
		err = errors.Join(err, fmt.Errorf("the daemon grew by %.1f MiB", mib(used.after-used.before)))
	}
	if !maps.Equal(fresh.goroutines, used.goroutines) || fresh.files != used.files {
		err = errors.Join(err, fmt.Errorf("goroutines or files are left: without %v, with %v", fresh.goroutines, used.goroutines))
	}
	return figures, err
}

// cycle warms a daemon up, has it do n cycles and m executes, and looks at what is left.
func (h host) cycle(ctx context.Context, n, m int, env ...string) (c cycled, err error) {
	d, err := h.start(ctx, env...)
	if err != nil {
		return c, err
	}
	if _, err := d.cycles(ctx, 4*side); err != nil {
		return c, errors.Join(err, d.stop())
	}
	if err := d.executes(ctx, 500); err != nil {
		return c, errors.Join(err, d.stop())
	}
	if c.before, err = d.rested(); err != nil {
		return c, errors.Join(err, d.stop())
	}
	begun := time.Now()
	c.resets, err = d.cycles(ctx, n)
	c.took = time.Since(begun)
	err = errors.Join(err, d.executes(ctx, m))
	var restErr, filesErr, quitErr error
	c.after, restErr = d.rested()
	c.files, filesErr = d.files()
	c.goroutines, quitErr = d.quit()
	return c, errors.Join(err, restErr, filesErr, quitErr)
}

// rested waits until idle workers have ended, and returns the daemon's memory.
func (d *daemon) rested() (int64, error) {
	d.http.CloseIdleConnections()
	time.Sleep(idleTime)
	memory, _, err := d.memory()
	return memory, err
}

// cycles creates, uses and resets n sessions, and returns how long the resets took.
func (d *daemon) cycles(ctx context.Context, n int) ([]time.Duration, error) {
	took := make([][]time.Duration, side)
	errs := make([]error, side)
	var wg sync.WaitGroup
	for i := range side {
		wg.Go(func() {
			for k := i; k < n && errs[i] == nil; k += side {
				var t time.Duration
				t, errs[i] = d.oneCycle(ctx, fmt.Sprintf("cycle-%d", k))
				took[i] = append(took[i], t)
			}
		})
	}
	wg.Wait()
	return slices.Concat(took...), errors.Join(errs...)
}

func (d *daemon) oneCycle(ctx context.Context, id string) (reset time.Duration, err error) {
	a, err := d.execute(ctx, "application/json", map[string]any{"session_id": id, "code": "x = 2\nprint(x)"})
	if err == nil && a.Stdout != "2\n" {
		err = fmt.Errorf("session %s: got %+v", id, a)
	}
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	err = d.reset(ctx, id)
	return time.Since(begun), err
}

// executes runs n cells in one session, which is reset at the end.
func (d *daemon) executes(ctx context.Context, n int) error {
	for i := range n {
		a, err := d.execute(ctx, ways[i%len(ways)], map[string]any{"session_id": "stays", "code": fmt.Sprintf("print(%d)", i)})
		if err != nil {
			return err
		}
		if want := fmt.Sprintln(i); a.Stdout != want {
			return fmt.Errorf("execute %d: got %+v", i, a)
		}
	}
	if n == 0 {
		return nil
	}
	return d.reset(ctx, "stays")
}
