package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

// keysCommand makes API keys. It talks to no daemon: what it prints goes into the configuration.
func (p *process) keysCommand() *cobra.Command {
	cmd := group("keys", "Make API keys, and hash them for the configuration", "new or hash")
	cmd.AddCommand(p.newKeyCommand(), p.hashKeyCommand())
	return cmd
}

func (p *process) newKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Print a new key, and the lines of the configuration that let it in",
		Args:  noArgs,
	}
	name := cmd.Flags().String("name", "default", "`name` of whom it is for, which owns the sessions")
	role := cmd.Flags().String("role", string(auth.User), "`role`: user, or admin, who lists and resets everybody's sessions")
	cmd.RunE = func(*cobra.Command, []string) error {
		secret := auth.New()
		hash, err := auth.HashOf(secret)
		if err != nil {
			return err
		}
		key := configs.Key{Hash: []string{hash.String()}, Role: *role}
		config := configs.Default()
		config.Auth.Keys = map[string]configs.Key{*name: key}
		if err := config.Validate(); err != nil {
			return usageError{err}
		}
		fmt.Fprintf(p.stdout, `%s

# The key is above, and nowhere else: keep it. The configuration has its hash:
auth:
  keys:
    %s:
      hash: %s
      role: %s
`, secret, *name, hash, *role)
		return nil
	}
	return cmd
}

// maxKeyLine bounds what is read as a key, in bytes.
const maxKeyLine = 1024

func (p *process) hashKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Read a key from standard input and print its hash",
		Args:  noArgs, // a key on the command line would be in the list of processes, and in the shell's history
		RunE: func(*cobra.Command, []string) error {
			text, err := io.ReadAll(io.LimitReader(p.stdin, maxKeyLine+1))
			if err != nil {
				return fmt.Errorf("read the key: %w", err)
			}
			hash, err := auth.HashOf(strings.TrimSpace(string(text)))
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintln(p.stdout, hash)
			return nil
		},
	}
}
