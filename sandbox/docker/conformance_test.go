package docker_test

import (
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/sandboxtest"
)

func TestRuntime_Conforms(t *testing.T) {
	sandboxtest.RunConformance(t, testSpec(), func(t *testing.T) sandbox.Runtime { return newRuntime(t, nil) })
}
