package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const sessions = 16

// idleTime is how long idle workers of the server and idle connections to the engine are kept, and a little more.
const idleTime = 35 * time.Second

// soakTags compares a daemon that has run n tagged executes with one that has only started the sessions.
func soakTags(ctx context.Context, h host, n int) ([]figure, error) {
	fresh, err := h.tagged(ctx, sessions)
	if err != nil {
		return nil, err
	}
	used, err := h.tagged(ctx, n)
	figures := []figure{
		{"tagged executes", fmt.Sprintf("%d in %s, %.0f/s", used.executes, used.took.Round(time.Second), float64(used.executes)/used.took.Seconds()), fmt.Sprint(n)},
		{"sessions", fmt.Sprint(sessions), ""},
		{"answers with a wrong byte", fmt.Sprint(used.wrong), "0"},
		{"hangs and failures", fmt.Sprint(used.failed), "0"},
		{"goroutines before, after", fmt.Sprintf("%d, %d", total(fresh.goroutines), total(used.goroutines)), "the same"},
		{"open files before, after", fmt.Sprintf("%d, %d", fresh.files, used.files), "the same"},
		{"daemon's memory before, after", fmt.Sprintf("%.1f MiB, %.1f MiB", mib(fresh.memory), mib(used.memory)), "results kept: 64 MiB"},
	}
	if used.wrong+used.failed > 0 || used.executes < int64(n) {
		err = errors.Join(err, fmt.Errorf("of %d executes %d were answered, %d wrong, %d failed", n, used.executes, used.wrong, used.failed))
	}
	if !maps.Equal(fresh.goroutines, used.goroutines) || fresh.files != used.files {
		err = errors.Join(err, fmt.Errorf("goroutines or files are left: before %v, after %v", fresh.goroutines, used.goroutines))
	}
	return figures, err
}

func total(counts map[string]int) int {
	n := 0
	for _, count := range counts {
		n += count
	}
	return n
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// tally is what a run of executes came to.
type tally struct {
	executes, wrong, failed int64
	took                    time.Duration
	goroutines              map[string]int
	files                   int
	memory                  int64
}

// tagged runs n executes in a daemon of its own and looks at what is left of them.
func (h host) tagged(ctx context.Context, n int) (tally, error) {
	d, err := h.start(ctx, "FASTPYREPL_POOL_SIZE_MAX=2") // so many as at rest: how many there are follows what was asked for before
	if err != nil {
		return tally{}, err
	}
	var executes, wrong, failed atomic.Int64
	var first error
	var once sync.Once
	begun := time.Now()
	var wg sync.WaitGroup
	for s := range sessions {
		wg.Go(func() {
			for i := range (n + sessions - 1 - s) / sessions {
				bad, err := d.tag(ctx, s, i)
				if executes.Add(1); err == nil {
					continue
				}
				once.Do(func() { first = fmt.Errorf("session %d, execute %d: %w", s, i, err) })
				if bad {
					wrong.Add(1)
				} else {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t := tally{executes: executes.Load(), wrong: wrong.Load(), failed: failed.Load(), took: time.Since(begun)}
	d.http.CloseIdleConnections()
	time.Sleep(idleTime)
	files, filesErr := d.files()
	memory, _, memoryErr := d.memory()
	goroutines, err := d.quit()
	t.files, t.memory, t.goroutines = files, memory, goroutines
	return t, errors.Join(first, filesErr, memoryErr, err)
}

var ways = []string{"application/json", "application/x-ndjson"}

// tag runs code that prints what only this session and execute can know, and compares every byte. Wrong tells that an
// answer came, but not the right one.
func (d *daemon) tag(ctx context.Context, session, i int) (wrong bool, err error) {
	id := fmt.Sprintf("tag-%d", session)
	out := fmt.Sprintf("<out %d.%d>", session, i)
	stderr := fmt.Sprintf("<err %d.%d>", session, i)
	repeat := i%64 + 1 // in pieces of many lengths
	code := fmt.Sprintf("import sys\nprint(%q * %d, end='')\nsys.stderr.write(%q)\nprint(globals().get('last'))\nlast = %d", out, repeat, stderr, i)
	a, err := d.execute(ctx, ways[(session+i)%len(ways)], map[string]any{"session_id": id, "code": code})
	if err != nil {
		return false, err
	}
	last := "None"
	if i > 0 {
		last = fmt.Sprint(i - 1)
	}
	want := answer{
		Stdout: strings.Repeat(out, repeat) + last + "\n", Stderr: stderr,
		SessionID: id, ExecutionCount: i + 1, Outcome: "ok",
	}
	if a.Stdout != want.Stdout || a.Stderr != want.Stderr || a.SessionID != want.SessionID || a.ExecutionCount != want.ExecutionCount || a.Outcome != want.Outcome {
		return true, fmt.Errorf("got %+v, want %+v", a, want)
	}
	return false, nil
}
