package docker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// countOwned asks the engine itself how many containers an owner has.
func countOwned(t *testing.T, owner string) int {
	t.Helper()
	found, err := engine(t).ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", docker.LabelOwner+"="+owner))})
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func TestRuntime_StartLeavesNothingBehind(t *testing.T) {
	flaky := newFlakyEngine(t)
	var owner string
	rt := newRuntime(t, func(c *docker.Config) {
		c.Host, c.RequestTimeout = flaky.host, 5*time.Second
		c.UIDFirst, c.UIDCount = 62_000, 1 // so that a uid that is not given back is missed
		owner = c.Owner
	})
	for name, fault := range map[string]func(){
		"uids cannot be listed":      func() { flaky.refuse("GET", "/containers/json") },
		"create is refused":          func() { flaky.refuse("POST", "/containers/create") },
		"create's answer is lost":    func() { flaky.lose("POST", "/containers/create") },
		"create's answer is garbage": func() { flaky.replace("POST", "/containers/create", func(string) string { return "{" }) },
		"create warns": func() {
			flaky.replace("POST", "/containers/create", func(body string) string {
				return strings.Replace(body, `"Warnings":[]`, `"Warnings":["no swap limit"]`, 1)
			})
		},
		"attach is refused":      func() { flaky.refuse("POST", "/attach") },
		"attach hangs":           func() { flaky.hang("POST", "/attach") },
		"start is refused":       func() { flaky.refuse("POST", "/start") },
		"start's answer is lost": func() { flaky.lose("POST", "/start") },
	} {
		t.Run(name, func(t *testing.T) {
			fault()
			defer flaky.heal()
			_, err := rt.Start(t.Context(), testSpec())
			if got, want := sandbox.ErrorCode(err), sandbox.CodeEngine; got != want {
				t.Errorf("got %v, want code %s", err, want)
			}
			if n := countOwned(t, owner); n != 0 {
				t.Errorf("%d containers are left behind", n)
			}
		})
	}
	i, err := rt.Start(t.Context(), testSpec())
	if err != nil {
		t.Fatalf("after the faults: %v", err)
	}
	destroy(t, i)
}

func TestRuntime_StartRefusesWarningsByName(t *testing.T) {
	flaky := newFlakyEngine(t)
	rt := newRuntime(t, func(c *docker.Config) { c.Host = flaky.host })
	flaky.replace("POST", "/containers/create", func(body string) string {
		return strings.Replace(body, `"Warnings":[]`, `"Warnings":["Your kernel does not support swap limit capabilities"]`, 1)
	})
	_, err := rt.Start(t.Context(), testSpec())
	if err == nil || !strings.Contains(err.Error(), "swap limit") {
		t.Errorf("got %v, want an error with the engine's warning", err)
	}
}

func TestRuntime_StartCancelledLeavesNothingBehind(t *testing.T) {
	flaky := newFlakyEngine(t)
	var owner string
	rt := newRuntime(t, func(c *docker.Config) { c.Host, owner = flaky.host, c.Owner })
	for _, suffix := range []string{"/containers/create", "/attach", "/start"} {
		ctx, cancel := context.WithCancel(t.Context())
		flaky.watch("POST", suffix, cancel)
		if _, err := rt.Start(ctx, testSpec()); err == nil {
			t.Errorf("%s: start went on after it was cancelled", suffix)
		}
		if n := countOwned(t, owner); n != 0 {
			t.Errorf("%s: %d containers are left behind", suffix, n)
		}
		flaky.heal()
		cancel()
	}
}

func TestRuntime_StartRefusesAnUnknownImage(t *testing.T) {
	spec := testSpec()
	spec.Image = "debian:trixie"
	_, err := shared.Start(t.Context(), spec)
	if got, want := sandbox.ErrorCode(err), sandbox.CodeInvalid; got != want {
		t.Errorf("got %v, want code %s", err, want)
	}
	if err == nil || !strings.Contains(err.Error(), `"debian:trixie"`) || !strings.Contains(err.Error(), "default") {
		t.Errorf("got %q, want the image's name and the allowed ones", err)
	}
}

func TestRuntime_StartRefusesImpossibleLimits(t *testing.T) {
	spec := testSpec()
	spec.Limits.Pids = 0
	_, err := shared.Start(t.Context(), spec)
	if got, want := sandbox.ErrorCode(err), sandbox.CodeInvalid; got != want {
		t.Errorf("got %v, want code %s", err, want)
	}
}

func TestRuntime_ListFindsWhatAnotherDaemonLeft(t *testing.T) {
	var owner string
	rt := newRuntime(t, func(c *docker.Config) { owner = c.Owner })
	spec := testSpec()
	spec.Preload, spec.Env = []string{"json", "os.path"}, map[string]string{"A": "1"}
	i, err := rt.StartPython(t.Context(), spec, "import sys; sys.stdin.read()")
	if err != nil {
		t.Fatal(err)
	}
	later := newRuntime(t, func(c *docker.Config) { c.Owner = owner })
	found, err := later.List(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v, want one container", found, err)
	}
	if got, want := found[0].ID(), i.ID(); got != want {
		t.Errorf("id: got %s, want %s", got, want)
	}
	got := found[0].Spec()
	if got.Session != spec.Session || got.Limits != spec.Limits || got.Lease != spec.Lease || len(got.Preload) != 2 || got.Env["A"] != "1" {
		t.Errorf("spec: got %+v, want %+v", got, spec)
	}
	again, err := later.List(t.Context())
	if err != nil || len(again) != 1 || again[0] != found[0] {
		t.Errorf("listed again: got %v, %v, want the same instance", again, err)
	}
	destroy(t, found[0])
	destroy(t, i)
}

func TestRuntime_ListFindsWhatNeverStarted(t *testing.T) {
	var owner string
	rt := newRuntime(t, func(c *docker.Config) { owner = c.Owner })
	config := &container.Config{Image: testImage(), Labels: map[string]string{docker.LabelOwner: owner}}
	if _, err := engine(t).ContainerCreate(t.Context(), config, nil, nil, nil, ""); err != nil {
		t.Fatal(err)
	}
	found, err := rt.List(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v, want one container", found, err)
	}
	if got := found[0].Spec(); got.Session != "" {
		t.Errorf("spec of a container without labels: got %+v", got)
	}
	destroy(t, found[0])
	if n := countOwned(t, owner); n != 0 {
		t.Errorf("%d containers are left behind", n)
	}
}

func TestRuntime_StartSkipsUidsOfOtherOwners(t *testing.T) {
	config := &container.Config{Image: testImage(), Labels: map[string]string{docker.LabelUID: "63000"}}
	c, err := engine(t).ContainerCreate(t.Context(), config, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer engine(t).ContainerRemove(context.WithoutCancel(t.Context()), c.ID, container.RemoveOptions{Force: true})
	config2 := testConfig()
	config2.UIDFirst, config2.UIDCount = 63_000, 2
	rt, err := docker.New(t.Context(), config2)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	if err := rt.Prepare(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	i, err := rt.StartPython(t.Context(), testSpec(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer destroy(t, i)
	if got, want := i.UID(), 63_001; got != want {
		t.Errorf("uid: got %d, want %d", got, want)
	}
	if _, err := rt.StartPython(t.Context(), testSpec(), ""); sandbox.ErrorCode(err) != sandbox.CodeCapacity {
		t.Errorf("one more: got %v, want code %s", err, sandbox.CodeCapacity)
	}
}

func TestRuntime_StartGivesWayToADaemonThatTookTheUid(t *testing.T) {
	// While our container is made, another daemon makes one with the same uid, the only one there is.
	flaky := newFlakyEngine(t)
	var owner string
	rt := newRuntime(t, func(c *docker.Config) {
		c.Host, owner = flaky.host, c.Owner
		c.UIDFirst, c.UIDCount = 64_000, 1
	})
	cli := engine(t)
	var other string
	flaky.replace("POST", "/containers/create", func(body string) string {
		if other == "" {
			config := &container.Config{Image: testImage(), Labels: map[string]string{docker.LabelUID: "64000"}}
			c, err := cli.ContainerCreate(context.WithoutCancel(t.Context()), config, nil, nil, nil, "")
			if err != nil {
				t.Error(err)
			}
			other = c.ID
		}
		return body
	})
	_, err := rt.Start(t.Context(), testSpec())
	if got, want := sandbox.ErrorCode(err), sandbox.CodeCapacity; got != want {
		t.Errorf("got %v, want code %s", err, want)
	}
	if n := countOwned(t, owner); n != 0 {
		t.Errorf("%d containers are left behind", n)
	}
	if err := cli.ContainerRemove(t.Context(), other, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	i, err := rt.Start(t.Context(), testSpec())
	if err != nil {
		t.Fatal(err)
	}
	destroy(t, i)
}

func TestNew_WithoutAnEngineNamesTheRemedy(t *testing.T) {
	config := testConfig()
	config.Host = "unix:///nowhere/docker.sock"
	_, err := docker.New(t.Context(), config)
	var refusal *sandbox.Error
	if !errors.As(err, &refusal) || refusal.Code != sandbox.CodeEngine {
		t.Fatalf("got %v, want code %s", err, sandbox.CodeEngine)
	}
	for _, want := range []string{"unix:///nowhere/docker.sock", "apt-get install docker.io", "make up"} {
		if !strings.Contains(refusal.Message, want) {
			t.Errorf("%q does not tell %q", refusal.Message, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than a line", err)
	}
}

func TestNew_GivesUpOnAnEngineThatSaysNothing(t *testing.T) {
	flaky := newFlakyEngine(t)
	flaky.hang("HEAD", "/_ping")
	config := testConfig()
	config.Host, config.RequestTimeout = flaky.host, 300*time.Millisecond
	began := time.Now()
	_, err := docker.New(t.Context(), config)
	if got, want := sandbox.ErrorCode(err), sandbox.CodeEngine; got != want {
		t.Errorf("got %v, want code %s", err, want)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestNew_RefusesAnEngineThatCannotConfine(t *testing.T) {
	for want, change := range map[string][2]string{
		"memory":    {`"MemoryLimit":true`, `"MemoryLimit":false`},
		"swap":      {`"SwapLimit":true`, `"SwapLimit":false`},
		"processes": {`"PidsLimit":true`, `"PidsLimit":false`},
		"seccomp":   {`name=seccomp`, `name=other`},
		"maps uids": {`"name=seccomp`, `"name=userns","name=seccomp`},
		"linux":     {`"OSType":"linux"`, `"OSType":"windows"`},
	} {
		flaky := newFlakyEngine(t)
		flaky.replace("GET", "/info", func(body string) string { return strings.Replace(body, change[0], change[1], 1) })
		config := testConfig()
		config.Host, config.UIDFirst = flaky.host, 60_000
		_, err := docker.New(t.Context(), config)
		if got := sandbox.ErrorCode(err); got != sandbox.CodeEngine || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want code %s and %q", err, sandbox.CodeEngine, want)
		}
	}
}

func TestNew_RefusesWhatItCannotUse(t *testing.T) {
	for want, change := range map[string]func(*docker.Config){
		`runtime "nosuch"`: func(c *docker.Config) { c.Runtime = "nosuch" },
		"owner":            func(c *docker.Config) { c.Owner = "me" },
		"uids 0":           func(c *docker.Config) { c.UIDFirst = 0 },
		"uids 40000":       func(c *docker.Config) { c.UIDCount = 0 },
		"default image":    func(c *docker.Config) { c.DefaultImage = "other" },
		"no reference":     func(c *docker.Config) { c.Images["other"] = docker.Image{} },
		"seccomp":          func(c *docker.Config) { c.SeccompProfile = []byte("{") },
		"request timeout":  func(c *docker.Config) { c.RequestTimeout = 0 },
		"driver":           func(c *docker.Config) { c.Driver = nil },
		"ssh://host":       func(c *docker.Config) { c.Host = "ssh://host" },
	} {
		config := testConfig()
		change(&config)
		_, err := docker.New(t.Context(), config)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestNew_RefusesTLSRatherThanIgnoreIt(t *testing.T) {
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	_, err := docker.New(t.Context(), testConfig())
	if err == nil || !strings.Contains(err.Error(), "DOCKER_TLS_VERIFY") {
		t.Errorf("got %v", err)
	}
}
