package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

func main() {
	binary := flag.String("daemon", "bin/fastpyrepl", "the daemon's binary")
	rounds := flag.Int("rounds", 20, "cold starts of each side")
	calls := flag.Int("calls", 2000, "warm calls of each side and connection")
	out := flag.String("o", "", "file to write the table to, besides standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *rounds, *calls, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, rounds, calls int, out string) (err error) {
	dir, err := os.MkdirTemp("", "fastpyrepl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := startDaemon(ctx, binary, dir)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := d.stop(); err == nil {
			err = stopErr
		}
	}()
	raw, err := newEngine()
	if err != nil {
		return err
	}
	rest, err := d.rss()
	if err != nil {
		return err
	}
	b := &bench{daemon: d, engine: raw}
	cold, err := b.cold(ctx, rounds)
	if err != nil {
		return err
	}
	warm1, err := b.warm(ctx, 1, calls)
	if err != nil {
		return err
	}
	warm16, err := b.warm(ctx, 16, calls/8)
	if err != nil {
		return err
	}
	heard, err := b.latency(ctx, 500)
	if err != nil {
		return err
	}
	throughput, err := b.throughput(ctx, 5)
	if err != nil {
		return err
	}

	var t strings.Builder
	fmt.Fprintf(&t, "# Benchmark\n\nMade by `make bench` on %s: %d cores, %s, Go %s.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), raw.describe(ctx), strings.TrimPrefix(runtime.Version(), "go"))
	fmt.Fprintf(&t, "Both sides of a row ran in one run, taking turns. Times in milliseconds.\n\n")
	fmt.Fprintf(&t, "| what | raw engine p50 | p99 | fastpyrepl p50 | p99 | ratio of p50 | aim |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	row(&t, "new session to first result, against create + attach + start + driver ready", cold, "≤ 1.3")
	row(&t, "warm `/execute` of `x = 2\\nprint(x)`, against an attach echo, 1 connection", warm1.pair, "≤ 2")
	row(&t, "the same, 16 connections to 16 sessions, against 16 echoes", warm16.pair, "")
	fmt.Fprintf(&t, "\nWhere the time of a warm execution goes: CPU time by process, in microseconds a call, on one connection.\n\n")
	fmt.Fprintf(&t, "- an execution: %s\n- an echo: %s\n\n%s", &warm1.cell, &warm1.echo, whereTo)
	fmt.Fprintf(&t, "\nFrom `print` to a streaming client, on one clock: p50 %.2f ms, p99 %.2f ms (promised: 50).\n",
		heard.quantile(0.5), heard.quantile(0.99))
	fmt.Fprintf(&t, "\n%d MiB of stdout: raw attach stream %.0f MiB/s, through fastpyrepl to a client %.0f MiB/s, ratio %.2f (aim ≥ 0.5).\n",
		flood>>20, rate(throughput.raw), rate(throughput.ours), rate(throughput.ours)/rate(throughput.raw))
	fmt.Fprintf(&t, "\nMemory of the daemon at rest: %.1f MB (aim: under 30).\n", float64(rest)/1e6)
	if out != "" {
		if err := os.WriteFile(out, []byte(t.String()), 0o644); err != nil {
			return err
		}
	}
	_, err = io.WriteString(os.Stdout, t.String())
	return err
}

// whereTo explains the CPU times. What it says of caches was measured with loops that sweep them between two calls.
const whereTo = `An execution wakes all of these one after the other, and those before the worker again on its way back, so that nearly all of it is
time that the client waits. An echo wakes three, which answer so soon that they are hardly asleep in between. In a loop of their own
the same instructions take a third to a tenth of the time: whoever wakes finds them gone from the caches, because
four other processes had the cores meanwhile.
`

// rate is MiB of flood a second, at the median.
func rate(s samples) float64 { return (flood >> 20) / (s.quantile(0.5) / 1000) }

func row(w io.Writer, what string, p pair, aim string) {
	fmt.Fprintf(w, "| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %s |\n", what,
		p.raw.quantile(0.5), p.raw.quantile(0.99), p.ours.quantile(0.5), p.ours.quantile(0.99),
		p.ours.quantile(0.5)/p.raw.quantile(0.5), aim)
}
