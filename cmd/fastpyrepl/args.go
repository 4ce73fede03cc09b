package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// group is a command that only holds others; which says their names.
func group(use, short, which string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{fmt.Errorf("want a command, %s; see %s --help", which, cmd.CommandPath())}
		},
	}
}

// noArgs refuses what is neither a command nor a flag.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command %q; see %s --help", args[0], cmd.Root().Name())}
	}
	return nil
}

// exactly asks for these arguments.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usageError{fmt.Errorf("want %s, got %d arguments; see %s --help", strings.Join(names, " "), len(args), cmd.CommandPath())}
		}
		return nil
	}
}

// between asks for from least to most arguments; want says which.
func between(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usageError{fmt.Errorf("want %s, got %d arguments; see %s --help", want, len(args), cmd.CommandPath())}
		}
		return nil
	}
}
