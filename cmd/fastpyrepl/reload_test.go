package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

// reloading is a reloader over a real file; applied holds what it applied last.
type reloading struct {
	*reloader
	log     bytes.Buffer
	applied *configs.Config
	keys    []auth.Config // what was applied of keys, in order
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
		apply: func(c *configs.Config) { r.applied = c }, applyAuth: func(c auth.Config) { r.keys = append(r.keys, c) }}
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

// keyLine is what a file of keys has for a name.
func keyLine(name, digit string) string {
	return name + ": {hash: 'sha256:" + strings.Repeat(digit, 64) + "'}\n"
}

func TestReloader_ReadsTheFileOfKeysAgain(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.yaml")
	writeFile(t, keys, keyLine("ann", "a"))
	r := newReloading(t, "auth: {keys_file: "+keys+"}\nsessions: {max_per_key: 3}")
	names := func() string {
		t.Helper()
		if len(r.keys) == 0 {
			return "nothing"
		}
		var all []string
		for _, k := range r.keys[len(r.keys)-1].Keys {
			if k.Limits.Sessions != 3 || k.Role != auth.User || len(k.Hashes) != 1 {
				t.Errorf("got %+v", k)
			}
			all = append(all, k.Name)
		}
		r.keys = nil
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	writeFile(t, keys, keyLine("ann", "a")+keyLine("bob", "b"))
	if r.applyKeys(r.current); names() != "ann bob" || r.applied != nil {
		t.Errorf("a change of the keys: the log says %s", r.log.String())
	}
	for _, text := range []string{"ann: {hash: x}", "ann: [", keyLine("ann", "a") + keyLine("bob", "a")} {
		r.log.Reset()
		writeFile(t, keys, text)
		if r.applyKeys(r.current); names() != "nothing" || !strings.Contains(r.log.String(), "level=ERROR") {
			t.Errorf("%q was applied; the log says %s", text, r.log.String())
		}
		if r.reload(); names() != "nothing" || r.applied != nil {
			t.Errorf("%q was applied with the configuration", text)
		}
	}
	writeFile(t, keys, keyLine("carl", "c"))
	if r.reload(); names() != "carl" { // as on SIGHUP, although the configuration is as it was
		t.Errorf("the log says %s", r.log.String())
	}
	writeFile(t, r.source.Path, "auth: {keys_file: "+keys+", keys: {"+strings.TrimSpace(keyLine("dora", "d"))+"}}\nsessions: {max_per_key: 3}")
	if r.reload(); names() != "carl dora" || r.applied == nil {
		t.Errorf("a key of the configuration: the log says %s", r.log.String())
	}
}

func TestReloader_GoesOnToAskForKeys(t *testing.T) {
	r := newReloading(t, "auth: {keys: {"+strings.TrimSpace(keyLine("ann", "a"))+"}}")
	for _, text := range []string{"", "auth:\n", "auth: {keys: }"} {
		writeFile(t, r.source.Path, text)
		if r.reload(); len(r.keys) != 0 || r.applied != nil {
			t.Errorf("%q lets everybody in", text)
		}
	}
	if !strings.Contains(r.log.String(), "auth.keys: none is left") {
		t.Errorf("the log says %s", r.log.String())
	}
}
