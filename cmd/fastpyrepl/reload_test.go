package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// reloading is a reloader over a real file; applied holds what it applied last.
type reloading struct {
	*reloader
	log     bytes.Buffer
	applied *configs.Config
}

func newReloading(t *testing.T, text string) *reloading {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	writeFile(t, path, text)
	src := configs.Source{Path: path, Env: []string{"FASTPYREPL_LIMITS_PIDS=99"}}
	current, err := configs.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	r := &reloading{}
	r.reloader = &reloader{source: src, current: current, log: slog.New(slog.NewTextHandler(&r.log, nil)),
		apply: func(c *configs.Config) { r.applied = c }}
	return r
}

func TestReloader_AppliesWhatIsLiveAndNamesTheRest(t *testing.T) {
	r := newReloading(t, "limits: {pids: 50}")
	writeFile(t, r.source.Path, "server: {port: 9}\nexecution: {timeout: 5s}\nlimits: {pids: 60}")
	r.reload()
	if r.applied == nil {
		t.Fatal("nothing was applied")
	}
	if got, want := r.applied.Execution.Timeout, 5*time.Second; got != want {
		t.Errorf("timeout: got %v, want %v", got, want)
	}
	if got, want := r.applied.Server.Port, 8000; got != want {
		t.Errorf("port: got %d, want %d", got, want)
	}
	if got, want := r.applied.Limits.Pids, 99; got != want { // the environment still wins
		t.Errorf("pids: got %d, want %d", got, want)
	}
	for _, want := range []string{`msg="configuration: this key needs a restart" key=server.port`, "keys=execution.timeout"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, r.log.String())
		}
	}
	r.applied = nil
	r.reload()
	if r.applied != nil {
		t.Error("the same configuration was applied twice")
	}
}

func TestReloader_KeepsTheOldOneWhenTheFileIsWrong(t *testing.T) {
	for _, text := range []string{"execution: {timeout: 5}", "nope: 1", "a: [", "limits: {memory: 100MiB}"} {
		r := newReloading(t, "")
		old := r.current
		writeFile(t, r.source.Path, text)
		r.reload()
		if r.applied != nil || r.current != old {
			t.Errorf("%q was applied", text)
		}
		if !strings.Contains(r.log.String(), "level=ERROR msg=\"configuration: not applied, the old one stays\"") {
			t.Errorf("%q: the log says %s", text, r.log.String())
		}
		writeFile(t, r.source.Path, "execution: {timeout: 5s}")
		if r.reload(); r.applied == nil {
			t.Errorf("after %q, a right one was not applied", text)
		}
	}
}
