package docker

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

const (
	probeTimeout = 60 * time.Second
	maxProbe     = 64 << 10 // bytes that it may print

	minPythonMajor, minPythonMinor = 3, 10
)

// probePy prints what a container looks like from inside. It must run on every Python 3 there is.
//
//go:embed probe.py
var probePy string

// probeReport is what probePy prints.
type probeReport struct {
	Version    [2]int            `json:"version"`
	Executable string            `json:"executable"`
	Status     map[string]string `json:"status"` // of /proc/self/status
	Interfaces []string          `json:"interfaces"`
	RootWrites bool              `json:"root_writes"`
	Memory     string            `json:"memory"` // as the cgroup has it, "" where it is not to be seen
	Pids       string            `json:"pids"`
}

func probeSpec() sandbox.Spec {
	return sandbox.Spec{
		Session: uuid.NewString(),
		Limits: sandbox.Limits{
			Memory: 256 << 20, CPUs: 1, Pids: 64, WorkDir: 8 << 20, Tmp: 8 << 20, Shm: 8 << 20, Inodes: 1024, NoFile: 256,
		},
	}
}

// probe runs the image's Python once, confined like any session, and returns its path. Without a Python that can run the
// driver it fails with CodeImage, and with CodeEngine when the container is not confined as it was told to be.
func (r *Runtime) probe(ctx context.Context, ref string, img preparedImage) (python string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	img.python = "python3"
	spec := probeSpec()
	i, err := r.start(ctx, spec, img, "-c", probePy)
	if err != nil {
		if missingProgram(err) {
			return "", &sandbox.Error{Code: sandbox.CodeImage, Message: fmt.Sprintf("%s has no python3 in its PATH", ref), Err: err}
		}
		return "", err
	}
	defer func() { err = errors.Join(err, i.Destroy(ctx)) }()

	s, err := i.Attach(ctx)
	if err != nil {
		return "", err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := s.SetReadDeadline(deadline); err != nil {
			return "", engineError("read from a container", err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(s, maxProbe))
	if err != nil {
		return "", engineError("read from a container", err)
	}
	var report probeReport
	if err := json.Unmarshal(text, &report); err != nil {
		return "", &sandbox.Error{Code: sandbox.CodeImage, Message: ref + " has a python3 that does not work", Err: err}
	}
	if v := report.Version; v[0] != minPythonMajor || v[1] < minPythonMinor {
		return "", sandbox.Errorf(sandbox.CodeImage, "%s has Python %d.%d: needed is %d.%d or newer", ref, v[0], v[1], minPythonMajor, minPythonMinor)
	}
	if !strings.HasPrefix(report.Executable, "/") {
		return "", sandbox.Errorf(sandbox.CodeImage, "%s has a python3 that does not know where it is", ref)
	}
	if err := report.check(spec.Limits, i.uid, r.host.sentry()); err != nil {
		return "", &sandbox.Error{Code: sandbox.CodeEngine, Message: "the container engine does not confine code as it was told to", Err: err}
	}
	return report.Executable, nil
}

// check compares what the container saw with what it was to see.
func (p *probeReport) check(l sandbox.Limits, uid int, sentry bool) error {
	want := map[string]string{
		"CapInh": noCapabilities, "CapPrm": noCapabilities, "CapEff": noCapabilities, "CapBnd": noCapabilities,
		"Uid": fmt.Sprintf("%[1]d\t%[1]d\t%[1]d\t%[1]d", uid),
		"Gid": fmt.Sprintf("%[1]d\t%[1]d\t%[1]d\t%[1]d", uid),
	}
	if !sentry { // gVisor needs neither, and does not show them
		want["NoNewPrivs"] = "1"
		want["Seccomp"] = "2" // filter
	}
	for name, value := range want {
		if got := p.Status[name]; got != value {
			return fmt.Errorf("%s is %q, not %q", name, got, value)
		}
	}
	if p.RootWrites {
		return errors.New("the root file system is writable")
	}
	for _, name := range p.Interfaces {
		if name != "lo" {
			return fmt.Errorf("there is a network interface %q", name)
		}
	}
	if p.Memory != "" && p.Memory != fmt.Sprint(l.Memory) {
		return fmt.Errorf("the memory limit is %s, not %d", p.Memory, l.Memory)
	}
	// gVisor's processes are bounded from outside; the cgroup that it shows is its own, and has no such limit.
	if !sentry && p.Pids != "" && p.Pids != fmt.Sprint(l.Pids) {
		return fmt.Errorf("the limit of processes is %s, not %d", p.Pids, l.Pids)
	}
	return nil
}

const noCapabilities = "0000000000000000"

// missingProgram tells whether a container did not start because its program is not in the image. The engine has no
// error code for it.
func missingProgram(err error) bool {
	if !answered(err) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory")
}
