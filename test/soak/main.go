package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	n := flag.Int("n", 100_000, "tagged executes in all")
	binary := flag.String("daemon", "bin/fastpyrepl", "the `daemon`")
	out := flag.String("o", "", "`file` to write the figures to, besides standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *n, *out); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// figure is a line of the table.
type figure struct{ what, got, want string }

// run soaks, and tells the figures of what was done also when a part fails.
func run(ctx context.Context, binary string, n int, out string) error {
	dir, err := os.MkdirTemp("", "fastpyrepl-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	host := host{binary: binary, dir: dir}
	tags, tagsErr := soakTags(ctx, host, n)
	cycles, cyclesErr := soakCycles(ctx, host)
	floods, floodsErr := soakFloods(ctx, host) // also removes the containers that the above left behind
	err = errors.Join(tagsErr, cyclesErr, floodsErr)
	figures := slices.Concat(tags, cycles, floods)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tgot\twanted")
	for _, f := range figures {
		fmt.Fprintln(w, strings.Join([]string{f.what, f.got, f.want}, "\t"))
	}
	if err = errors.Join(err, w.Flush()); err != nil || out == "" {
		return err
	}
	return os.WriteFile(out, []byte(table(figures)), 0o644)
}

func table(figures []figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Soak\n\nMade by `make soak` on %s: %d cores, Go %s. It fails where a figure is not what is wanted.\n\n| figure | got | wanted |\n| --- | --- | --- |\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"))
	for _, f := range figures {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.what, f.got, f.want)
	}
	return b.String()
}
