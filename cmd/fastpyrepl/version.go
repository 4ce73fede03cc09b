package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release; else it is what the Go command recorded.
var version string

// daemonVersion is the version alone.
func daemonVersion() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); v == "" && ok {
		v = info.Main.Version
	}
	return cmp.Or(v, "(devel)")
}

func versionText() string {
	return fmt.Sprintf("fastpyrepl %s %s %s/%s", daemonVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (p *process) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		Run:   func(*cobra.Command, []string) { fmt.Fprintln(p.stdout, versionText()) },
	}
}
