package main

import (
	"context"
	"errors"
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

func run(ctx context.Context, binary string, rounds, calls int, out string) error {
	raw, err := newEngine()
	if err != nil {
		return err
	}
	var t strings.Builder
	fmt.Fprintf(&t, "# Benchmark\n\nMade by `make bench` on %s: %d cores, %s, Go %s.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), raw.describe(ctx), strings.TrimPrefix(runtime.Version(), "go"))
	fmt.Fprintf(&t, "Both sides of a row ran in one run, taking turns. Times in milliseconds.\n")
	for _, part := range []struct {
		env []string
		run func(context.Context, *bench, io.Writer, int, int) error
	}{
		{[]string{"FASTPYREPL_POOL_SIZE_MIN=0", "FASTPYREPL_POOL_SIZE_MAX=0"}, againstTheEngine},
		{[]string{fmt.Sprint("FASTPYREPL_POOL_SIZE_MIN=", pool)}, withThePool},
	} {
		if err := with(ctx, binary, part.env, raw, func(b *bench) error { return part.run(ctx, b, &t, rounds, calls) }); err != nil {
			return err
		}
	}
	if out != "" {
		if err := os.WriteFile(out, []byte(t.String()), 0o644); err != nil {
			return err
		}
	}
	_, err = io.WriteString(os.Stdout, t.String())
	return err
}

// with measures with a daemon of its own.
func with(ctx context.Context, binary string, env []string, raw *engine, measure func(*bench) error) (err error) {
	d, err := startDaemon(ctx, binary, env...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	return measure(&bench{daemon: d, engine: raw})
}

// againstTheEngine measures what the daemon adds to what the engine takes anyway.
func againstTheEngine(ctx context.Context, b *bench, w io.Writer, rounds, calls int) error {
	rest, err := b.daemon.rss()
	if err != nil {
		return err
	}
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
	throughput, err := b.throughput(ctx, 20)
	if err != nil {
		return err
	}
	like, err := b.session(ctx)
	if err != nil {
		return err
	}
	bare, ours, err := b.weights(ctx, like)
	if err != nil {
		return err
	}
	heading(w, "Against the raw engine, without the pool", "raw engine")
	row(w, "new session to first result, against create + attach + start + driver ready", cold, "≤ 1.25")
	row(w, "warm `/execute` of `x = 2\\nprint(x)`, against an attach echo, 1 connection", warm1.pair, "≤ 1.6")
	row(w, "the same, 16 connections to 16 sessions, against 16 echoes", warm16.pair, "")
	fmt.Fprintf(w, "\nWhere the time of a warm execution goes: CPU time by process, in microseconds a call, on one connection.\n\n")
	fmt.Fprintf(w, "- an execution: %s\n- an echo: %s\n\n%s", &warm1.cell, &warm1.echo, whereTo)
	fmt.Fprintf(w, "\nFrom `print` to a streaming client, on one clock: p50 %.2f ms, p99 %.2f ms (promised: 50).\n",
		heard.quantile(0.5), heard.quantile(0.99))
	fmt.Fprintf(w, "\n%d MiB of stdout: raw attach stream %.0f MiB/s, through fastpyrepl to a client %.0f MiB/s, ratio %.2f (aim ≥ 0.5).\n",
		flood>>20, rate(throughput.raw), rate(throughput.ours), rate(throughput.ours)/rate(throughput.raw))
	fmt.Fprintf(w, "\nMemory of the daemon at rest: %.1f MB (aim: under 30). Of a session's container: %.1f MB, of a bare Python container with the same options %.1f MB, ratio %.2f (aim ≤ 1.3).\n",
		float64(rest)/1e6, float64(ours)/1e6, float64(bare)/1e6, float64(ours)/float64(bare))
	return nil
}

// withThePool measures sessions as they begin by default, many of them, and against what users of Jupyter know.
func withThePool(ctx context.Context, b *bench, w io.Writer, rounds, calls int) error {
	if err := b.daemon.awaitWarm(ctx, pool); err != nil {
		return err
	}
	like, err := b.model(ctx)
	if err != nil {
		return err
	}
	claims, err := b.claims(ctx, 5*rounds)
	if err != nil {
		return err
	}
	const side = 4
	rawChurn, churn, err := b.churn(ctx, like, side, 4*rounds)
	if err != nil {
		return err
	}
	const sessions = 64
	took, persecond, each, err := b.many(ctx, sessions, calls/20)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n## With the pool\n\nNew session to first result, from the pool: p50 %.1f ms, p99 %.1f ms (aims 5 and 25).\n", claims.quantile(0.5), claims.quantile(0.99))
	fmt.Fprintf(w, "\nCreate, execute, reset by %d callers at once: %.1f a second; the engine's own create, start, remove with the same options: %.1f; ratio %.2f (aim ≥ 0.85).\n",
		side, churn, rawChurn, churn/rawChurn)
	fmt.Fprintf(w, "\n%d sessions at once: %.0f executions a second, p50 %.1f ms, p99 %.1f ms; %.0f KB of the daemon's memory for each (aim ≤ 50).\n",
		sessions, persecond, took.quantile(0.5), took.quantile(0.99), float64(each)/1e3)
	if _, err := os.Stat(jupyterProgram); err != nil {
		fmt.Fprintf(w, "\nNot measured against Jupyter: %s is not here (Debian's package jupyter-server).\n", jupyterProgram)
		return nil
	}
	first, warm, err := b.peers(ctx, max(rounds/2, 1), calls/10)
	if err != nil {
		return err
	}
	heading(w, "Against Debian's jupyter-server, which confines nothing", "jupyter-server")
	row(w, "kernel start to first result, against a new session's, the pool refilled in between", first, "")
	row(w, "one `execute_request` over its WebSocket, against one `POST /execute`", warm, "")
	return nil
}

func heading(w io.Writer, title, other string) {
	fmt.Fprintf(w, "\n## %s\n\n| what | %s p50 | p99 | fastpyrepl p50 | p99 | ratio of p50 | aim |\n| --- | --- | --- | --- | --- | --- | --- |\n", title, other)
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
