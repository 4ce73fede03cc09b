package main

import "github.com/spf13/cobra"

// completionCommands adds what prints scripts with which shells complete this program's command line.
func (p *process) completionCommands(root *cobra.Command) {
	cmd := group("completion", "Print a script with which a shell completes this command line", "bash, zsh or fish")
	cmd.Long = cmd.Short + `.

  bash: source <(fastpyrepl completion bash)
  zsh:  fastpyrepl completion zsh > "${fpath[1]}/_fastpyrepl"
  fish: fastpyrepl completion fish | source`
	for shell, print := range map[string]func() error{
		"bash": func() error { return root.GenBashCompletionV2(p.stdout, true) },
		"zsh":  func() error { return root.GenZshCompletion(p.stdout) },
		"fish": func() error { return root.GenFishCompletion(p.stdout, true) },
	} {
		cmd.AddCommand(&cobra.Command{
			Use:   shell,
			Short: "Print the script for " + shell,
			Args:  noArgs,
			RunE:  func(*cobra.Command, []string) error { return print() },
		})
	}
	root.AddCommand(cmd)
}
