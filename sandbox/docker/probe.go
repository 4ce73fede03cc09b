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
	report, found, err := r.canary(ctx, ref, img)
	if err != nil {
		return "", err
	}
	if err := wrong(found); err != nil {
		message := fmt.Sprintf("the container engine does not confine code as it was told to (%v); fastpyrepl doctor says more", err)
		return "", &sandbox.Error{Code: sandbox.CodeEngine, Message: message}
	}
	return report.Executable, nil
}

// canary starts a container of the image, confined like any session, and looks at it from inside.
func (r *Runtime) canary(ctx context.Context, ref string, img preparedImage) (report probeReport, found []Finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	img.python = "python3"
	spec := probeSpec()
	defer r.probing(spec.Session)()
	i, err := r.start(ctx, spec, img, append([]string{"-c", probePy}, maskedPaths...)...)
	if err != nil {
		if missingProgram(err) {
			return report, nil, &sandbox.Error{Code: sandbox.CodeImage, Message: fmt.Sprintf("%s has no python3 in its PATH", ref), Err: err}
		}
		return report, nil, err
	}
	defer func() { err = errors.Join(err, i.Destroy(ctx)) }()

	s, err := i.Attach(ctx)
	if err != nil {
		return report, nil, err
	}
	defer context.AfterFunc(ctx, func() { s.Close() })() // the stream does not know contexts
	text, err := io.ReadAll(io.LimitReader(s, maxProbe))
	if err != nil {
		return report, nil, engineError("read from a container", err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return report, nil, &sandbox.Error{Code: sandbox.CodeImage, Message: ref + " has a python3 that does not work", Err: err}
	}
	if v := report.Version; v[0] != minPythonMajor || v[1] < minPythonMinor {
		return report, nil, sandbox.Errorf(sandbox.CodeImage, "%s has Python %d.%d: needed is %d.%d or newer", ref, v[0], v[1], minPythonMajor, minPythonMinor)
	}
	if !strings.HasPrefix(report.Executable, "/") {
		return report, nil, sandbox.Errorf(sandbox.CodeImage, "%s has a python3 that does not know where it is", ref)
	}
	return report, report.posture(spec.Limits, i.uid, r.host.sentry()), nil
}

// missingProgram tells whether a container did not start because its program is not in the image. The engine has no
// error code for it.
func missingProgram(err error) bool {
	if !answered(err) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "executable file not found") || strings.Contains(text, "no such file or directory")
}
