package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	n := flag.Int("n", 100_000, "tagged executes in all")
	binary := flag.String("daemon", "bin/fastpyrepl", "the `daemon`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *n); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// figure is a line of the table.
type figure struct{ what, got, want string }

// run soaks, and prints the figures of what was done also when a part fails.
func run(ctx context.Context, binary string, n int) error {
	dir, err := os.MkdirTemp("", "fastpyrepl-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	host := host{binary: binary, dir: dir}
	tags, tagsErr := soakTags(ctx, host, n)
	cycles, cyclesErr := soakCycles(ctx, host)
	floods, floodsErr := soakFloods(ctx, host) // also removes the containers that the above left behind
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tgot\twanted")
	for _, f := range slices.Concat(tags, cycles, floods) {
		fmt.Fprintln(w, strings.Join([]string{f.what, f.got, f.want}, "\t"))
	}
	return errors.Join(tagsErr, cyclesErr, floodsErr, w.Flush())
}
