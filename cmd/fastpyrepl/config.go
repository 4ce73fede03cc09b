package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// configCommand shows and checks the daemon's configuration. It talks to no daemon.
func (p *process) configCommand() *cobra.Command {
	cmd := group("config", "Show, check and print the daemon's configuration", "show, check or default")
	cmd.AddCommand(p.showConfigCommand(), p.checkConfigCommand(), p.defaultConfigCommand())
	return cmd
}

func (p *process) showConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration that a daemon started here would have, and where each value comes from",
		Args:  noArgs,
	}
	addSettings(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		src, err := p.source(cmd.Flags())
		if err != nil {
			return usageError{err}
		}
		text, err := configs.Explain(src)
		if err != nil {
			return usageError{err}
		}
		fmt.Fprint(p.stdout, text)
		return nil
	}
	return cmd
}

func (p *process) checkConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a configuration file; the exit code tells",
		Args:  exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := configs.Load(configs.Source{Path: args[0]}) // alone: the environment may differ where it is used
			if err != nil {
				return usageError{err}
			}
			if _, err := readAuth(cfg); err != nil {
				return usageError{err}
			}
			fmt.Fprintf(p.stdout, "%s: ok\n", args[0])
			return nil
		},
	}
}

func (p *process) defaultConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "default",
		Short: "Print the default configuration, with what each key means",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprint(p.stdout, configs.DefaultYAML())
			return nil
		},
	}
}
