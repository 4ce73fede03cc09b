package sandboxtest_test

import (
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

func TestRuntime_Conforms(t *testing.T) {
	spec := sandbox.Spec{Limits: sandbox.Limits{Memory: 1 << 30, CPUs: 1, Pids: 64, WorkDir: 1 << 20, Tmp: 1 << 20, Shm: 1 << 20, Inodes: 64, NoFile: 64}}
	sandboxtest.RunConformance(t, spec, func(*testing.T) sandbox.Runtime { return &sandboxtest.Runtime{} })
}
