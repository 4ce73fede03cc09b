package docker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

const echo = `
for line in sys.stdin:
    sys.stdout.write(line); sys.stdout.flush()`

func TestInstance_AttachGivesTheFirstBytesAndComesAgain(t *testing.T) {
	p := start(t, shared, testSpec(), `print("first", flush=True)`+echo)
	if got, want := p.line(t), "first"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, word := range []string{"one", "two"} {
		if err := p.stream.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := p.Attach(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.stream, p.lines = s, bufio.NewReader(s)
		p.tell(t, word)
		if got := p.line(t); got != word {
			t.Errorf("attached again: got %q, want %q", got, word)
		}
	}
}

func TestInstance_AttachHonoursDeadlines(t *testing.T) {
	p := start(t, shared, testSpec(), echo)
	if err := p.stream.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.stream.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if err := p.stream.SetWriteDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.stream.Write([]byte("x\n")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: got %v, want %v", err, os.ErrDeadlineExceeded)
	}
	if err := p.stream.SetReadDeadline(time.Now().Add(pythonTimeout)); err != nil {
		t.Fatal(err)
	}
	if err := p.stream.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	p.tell(t, "on")
	if got, want := p.line(t), "on"; got != want {
		t.Errorf("after the deadlines: got %q, want %q", got, want)
	}
}

func TestInstance_AttachCarriesEveryByte(t *testing.T) {
	p := start(t, shared, testSpec(), `
total = 0
while total < 8 << 20:
    data = os.read(0, 1 << 20)
    os.write(2, b"noise" * 100)
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]
    total += len(data)`)
	sent := make([]byte, 8<<20)
	for n := range sent {
		sent[n] = byte(n * 7 >> 3)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.stream.Write(sent); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(p.lines)
	wg.Wait()
	if err != nil || string(got) != string(sent) {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(sent), err)
	}
}

func TestInstance_WaitTellsTheExitCode(t *testing.T) {
	p := start(t, shared, testSpec(), "sys.exit(7)")
	if got, want := p.end(t), (sandbox.ExitStatus{Code: 7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := p.Attach(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeLost {
		t.Errorf("attach after the end: got %v, want code %s", err, sandbox.CodeLost)
	}
	if _, err := p.Usage(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeLost {
		t.Errorf("usage after the end: got %v, want code %s", err, sandbox.CodeLost)
	}
	more := testSpec().Limits
	more.Memory *= 2
	if err := p.Update(t.Context(), more); sandbox.ErrorCode(err) == "" {
		t.Errorf("update after the end: got %v, want an error", err)
	}
}

func TestInstance_WaitOfAFoundContainerTellsTheExitCode(t *testing.T) {
	var owner string
	rt := newRuntime(t, func(c *docker.Config) { owner = c.Owner })
	p := start(t, rt, testSpec(), "sys.stdin.readline(); sys.exit(9)")
	later := newRuntime(t, func(c *docker.Config) { c.Owner = owner })
	found, err := later.List(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v, %v, want one container", found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := found[0].Wait(ctx); !errors.Is(err, context.Canceled) { // begins the wait, and leaves it
		t.Errorf("cancelled wait: got %v", err)
	}
	s, err := found[0].Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	p.end(t)
	ctx, cancel = context.WithTimeout(t.Context(), pythonTimeout)
	defer cancel()
	// It may have ended before the engine noted the second wait.
	status, err := found[0].Wait(ctx)
	if err != nil || status.Code != 9 && status.Code != -1 {
		t.Errorf("got %+v, %v, want code 9 or that it is gone", status, err)
	}
	destroy(t, found[0])
}

// Neither the end of one that ends while there is no subscription, nor of one that ends under the next, is missed.
func TestInstance_WaitOutlivesALostConnection(t *testing.T) {
	flaky := newFlakyEngine(t)
	rt := newRuntime(t, func(c *docker.Config) { c.Host = flaky.host })
	code := "sys.stdin.readline(); sys.exit(%d)"
	one, two := start(t, rt, testSpec(), fmt.Sprintf(code, 3)), start(t, rt, testSpec(), fmt.Sprintf(code, 4))
	again, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	flaky.watch("GET", "/events", func() {
		once.Do(func() { close(again) })
		<-proceed
	})
	flaky.drop("/events")
	<-again // the subscription was cut, and is about to begin again
	one.tell(t, "")
	if _, err := io.ReadAll(one.stream); err != nil {
		t.Error(err)
	}
	close(proceed)
	for p, want := range map[*program]int{one: 3, two: 4} {
		if p == two {
			p.tell(t, "")
		}
		if got := p.end(t).Code; got != want {
			t.Errorf("exit code: got %d, want %d", got, want)
		}
	}
}

// Without events at all, those that wait ask for themselves.
func TestInstance_WaitDoesWithoutEvents(t *testing.T) {
	flaky := newFlakyEngine(t)
	flaky.refuse("GET", "/events")
	rt := newRuntime(t, func(c *docker.Config) { c.Host = flaky.host })
	p := start(t, rt, testSpec(), "sys.stdin.readline(); sys.exit(3)")
	p.tell(t, "")
	if got := p.end(t).Code; got != 3 && got != -1 { // the engine removes it by itself
		t.Errorf("exit code: got %d, want 3, or that it is gone", got)
	}
	destroy(t, p)
}

func TestInstance_DestroyIsIdempotentAndConcurrent(t *testing.T) {
	p := start(t, shared, testSpec(), echo)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { destroy(t, p) })
	}
	wg.Wait()
	destroy(t, p)
	if status := p.end(t); status.Code != 137 {
		t.Errorf("exit: got %+v, want code 137", status)
	}
	if _, err := p.Attach(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeLost {
		t.Errorf("attach after destroy: got %v, want code %s", err, sandbox.CodeLost)
	}
	if _, err := p.stream.Read(make([]byte, 1)); err == nil {
		t.Error("the stream is open after destroy")
	}
	if _, err := engine(t).ContainerInspect(t.Context(), p.ID()); err == nil {
		t.Error("the container is there after destroy")
	}
}

func TestInstance_DestroyWaitsForARemovalUnderWay(t *testing.T) {
	for range 5 { // each is destroyed at another moment of its own removal
		p := start(t, shared, testSpec(), echo)
		if err := engine(t).ContainerKill(t.Context(), p.ID(), "KILL"); err != nil {
			t.Fatal(err)
		}
		destroy(t, p)
		if _, err := engine(t).ContainerInspect(t.Context(), p.ID()); err == nil {
			t.Error("the container is there after destroy")
		}
	}
}

func TestInstance_DestroyGoesOnWhenItsRequestIsCancelled(t *testing.T) {
	p := start(t, shared, testSpec(), echo)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Destroy(ctx); err != nil {
		t.Error(err)
	}
}

func TestInstance_DestroyTriesAgain(t *testing.T) {
	flaky := newFlakyEngine(t)
	rt := newRuntime(t, func(c *docker.Config) { c.Host = flaky.host })
	p := start(t, rt, testSpec(), echo)
	refused := 0
	flaky.refuseTimes("DELETE", 2, func() { refused++ })
	destroy(t, p)
	if refused != 2 {
		t.Errorf("the engine refused %d times, want 2", refused)
	}
	if _, err := engine(t).ContainerInspect(t.Context(), p.ID()); err == nil {
		t.Error("the container is there after destroy")
	}
}

func TestInstance_DestroyThatFailsKeepsTheUid(t *testing.T) {
	flaky := newFlakyEngine(t)
	rt := newRuntime(t, func(c *docker.Config) {
		c.Host = flaky.host
		c.UIDFirst, c.UIDCount = 65_000, 1
	})
	p := start(t, rt, testSpec(), echo)
	flaky.refuseTimes("DELETE", 1<<30, func() {})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.Destroy(ctx); sandbox.ErrorCode(err) != sandbox.CodeEngine {
		t.Errorf("got %v, want code %s", err, sandbox.CodeEngine)
	}
	if _, err := rt.Start(t.Context(), testSpec()); sandbox.ErrorCode(err) != sandbox.CodeCapacity {
		t.Errorf("start with the uid of a container that is still there: got %v, want code %s", err, sandbox.CodeCapacity)
	}
	flaky.heal()
	destroy(t, p)
	start(t, rt, testSpec(), echo)
}

func TestInstance_UpdateChangesWhatTheContainerSees(t *testing.T) {
	spec := testSpec()
	p := start(t, shared, spec, `
def read(*paths):
    for path in paths:
        if os.path.exists(path):
            return open(path).read().strip()
for _ in sys.stdin:
    quota = read("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us").split()[0]
    print(read("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
          read("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"), quota, flush=True)`)
	p.tell(t, "")
	if got, want := p.line(t), "268435456 64 100000"; got != want {
		t.Fatalf("limits: got %s, want %s", got, want)
	}
	for _, step := range []struct {
		memory, pids int64
		cpus         float64
		want         string
	}{
		{512 << 20, 100, 0.5, "536870912 100 50000"},
		{128 << 20, 32, 1, "134217728 32 100000"},
	} {
		l := spec.Limits
		l.Memory, l.Pids, l.CPUs = step.memory, step.pids, step.cpus
		if err := p.Update(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		p.tell(t, "")
		if got := p.line(t); got != step.want {
			t.Errorf("limits: got %s, want %s", got, step.want)
		}
		if got := p.Spec().Limits; got != l {
			t.Errorf("spec's limits: got %+v, want %+v", got, l)
		}
	}
}

func TestInstance_UpdateRefusesWhatCannotChangeLive(t *testing.T) {
	p := start(t, shared, testSpec(), `
hold = bytearray(64 << 20)
for n in range(0, len(hold), 4096):
    hold[n] = 1
print("held", flush=True)
sys.stdin.readline()`)
	if got, want := p.line(t), "held"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	before := hostConfig(t, p)
	for name, tc := range map[string]struct {
		change func(*sandbox.Limits)
		want   sandbox.Code
	}{
		"workdir":              {func(l *sandbox.Limits) { l.Pids++; l.WorkDir *= 2 }, sandbox.CodeUnsupported},
		"tmp":                  {func(l *sandbox.Limits) { l.Pids++; l.Tmp *= 2 }, sandbox.CodeUnsupported},
		"shm":                  {func(l *sandbox.Limits) { l.Pids++; l.Shm *= 2 }, sandbox.CodeUnsupported},
		"inodes":               {func(l *sandbox.Limits) { l.Pids++; l.Inodes *= 2 }, sandbox.CodeUnsupported},
		"nofile":               {func(l *sandbox.Limits) { l.Pids++; l.NoFile *= 2 }, sandbox.CodeUnsupported},
		"memory that is used":  {func(l *sandbox.Limits) { l.Pids++; l.Memory = 65 << 20 }, sandbox.CodeUnsupported},
		"memory without bound": {func(l *sandbox.Limits) { l.Memory = 0 }, sandbox.CodeInvalid},
	} {
		l := testSpec().Limits
		tc.change(&l)
		if err := p.Update(t.Context(), l); sandbox.ErrorCode(err) != tc.want {
			t.Errorf("%s: got %v, want code %s", name, err, tc.want)
		}
		if got, want := p.Spec().Limits, testSpec().Limits; got != want {
			t.Errorf("%s: the spec changed to %+v", name, got)
		}
		after := hostConfig(t, p)
		if after.Memory != before.Memory || *after.PidsLimit != *before.PidsLimit || after.NanoCPUs != before.NanoCPUs {
			t.Errorf("%s: the container changed to %+v", name, after.Resources)
		}
	}
}

func TestInstance_UpdateUndoesWhatTheEngineDidOtherwise(t *testing.T) {
	flaky := newFlakyEngine(t)
	rt := newRuntime(t, func(c *docker.Config) { c.Host = flaky.host })
	p := start(t, rt, testSpec(), echo)
	flaky.replace("POST", "/update", func(string) string { return `{"Warnings":["injected"]}` })
	l := testSpec().Limits
	l.Pids = 99
	if err := p.Update(t.Context(), l); sandbox.ErrorCode(err) != sandbox.CodeUnsupported {
		t.Errorf("got %v, want code %s", err, sandbox.CodeUnsupported)
	}
	if got, want := *hostConfig(t, p).PidsLimit, testSpec().Limits.Pids; got != want {
		t.Errorf("pids: got %d, want %d", got, want)
	}
	if got, want := p.Spec().Limits, testSpec().Limits; got != want {
		t.Errorf("spec: got %+v, want %+v", got, want)
	}
}

func hostConfig(t *testing.T, i sandbox.Instance) *container.HostConfig {
	t.Helper()
	c, err := engine(t).ContainerInspect(t.Context(), i.ID())
	if err != nil {
		t.Fatal(err)
	}
	return c.HostConfig
}

func TestInstance_UsageCountsMemoryTimeAndProcesses(t *testing.T) {
	p := start(t, shared, testSpec(), `
import threading
hold = bytearray(64 << 20)
for n in range(0, len(hold), 4096):
    hold[n] = 1
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("held", flush=True)
sys.stdin.readline()`)
	if got, want := p.line(t), "held"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	usage, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if usage.Memory < 64<<20 || usage.Memory > 128<<20 || usage.CPUTime <= 0 || usage.Pids != 4 {
		t.Errorf("got %+v, want 64 to 128 MiB, some CPU time and 4 threads", usage)
	}
}

func TestRuntime_CloseEndsWaitsAndStreamsButNoContainers(t *testing.T) {
	config := testConfig()
	rt, err := prepared(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	i, err := rt.StartPython(t.Context(), testSpec(), "import sys; sys.stdin.read()")
	if err != nil {
		t.Fatal(err)
	}
	s, err := i.Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := rt.Close(); err != nil {
		t.Error(err)
	}
	if _, err := i.Wait(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeClosed {
		t.Errorf("wait: got %v, want code %s", err, sandbox.CodeClosed)
	}
	if _, err := s.Read(make([]byte, 1)); err == nil {
		t.Error("the stream is open after close")
	}
	later := newRuntime(t, func(c *docker.Config) { c.Owner = config.Owner })
	left, err := later.List(t.Context())
	if err != nil || len(left) != 1 {
		t.Fatalf("got %v, %v, want the container", left, err)
	}
	destroy(t, left[0])
}

func TestRuntime_PingFollowsTheEngine(t *testing.T) {
	flaky := newFlakyEngine(t)
	rt := newRuntime(t, func(c *docker.Config) { c.Host = flaky.host })
	if err := rt.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	flaky.refuse("HEAD", "/_ping")
	if err := rt.Ping(t.Context()); sandbox.ErrorCode(err) != sandbox.CodeEngine || !strings.Contains(err.Error(), flaky.host) {
		t.Errorf("got %v, want code %s and the engine's address", err, sandbox.CodeEngine)
	}
	flaky.heal()
	if err := rt.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
