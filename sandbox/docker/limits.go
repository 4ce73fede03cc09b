package docker

import (
	"math"
	"regexp"
	"strings"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

const (
	minMemory = 32 << 20 // bytes; the supervisor and one worker
	minPids   = 8
	// minPidsSentry: gVisor counts its own threads, and does not start below this.
	minPidsSentry = 32
	minNoFile     = 32
	maxNoFile     = 1 << 20
	minInodes     = 16
	minCPUs       = 0.01 // the least that the engine takes

	maxPreload = 64       // modules
	maxEnv     = 128      // variables
	maxEnvText = 32 << 10 // bytes of one variable
)

var (
	moduleName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	envName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	sessionName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

// checkSpec refuses what could not be enforced, or would break the container.
func checkSpec(spec sandbox.Spec, sentry bool) error {
	if !sessionName.MatchString(spec.Session) {
		return invalid("session %q: allowed is %s", spec.Session, sessionName)
	}
	return checkAsked(spec, sentry)
}

// Check refuses what Start would refuse of what spec asks for.
func (r *Runtime) Check(spec sandbox.Spec) error { return checkAsked(spec, r.host.sentry()) }

// checkAsked is checkSpec for all but the session's name.
func checkAsked(spec sandbox.Spec, sentry bool) error {
	if spec.Lease < 0 {
		return invalid("lease %s: allowed is 0 or more", spec.Lease)
	}
	if len(spec.Preload) > maxPreload {
		return invalid("%d modules to preload: allowed are %d", len(spec.Preload), maxPreload)
	}
	for _, name := range spec.Preload {
		if len(name) > 256 || !moduleName.MatchString(name) {
			return invalid("preload %.64q is not the name of a module", name)
		}
	}
	if len(spec.Env) > maxEnv {
		return invalid("%d environment variables: allowed are %d", len(spec.Env), maxEnv)
	}
	for name, value := range spec.Env {
		if len(name) > 256 || !envName.MatchString(name) || reservedEnv(name) {
			return invalid("environment variable %.64q: allowed are letters, digits and _, and no name that the sandbox itself sets", name)
		}
		if len(value) > maxEnvText || strings.ContainsRune(value, 0) {
			return invalid("environment variable %s: allowed are %d bytes without NUL", name, maxEnvText)
		}
	}
	return checkLimits(spec.Limits, sentry)
}

func checkLimits(l sandbox.Limits, sentry bool) error {
	pids := int64(minPids)
	if sentry {
		pids = minPidsSentry
	}
	for _, limit := range []struct {
		name            string
		value, min, max int64
	}{
		{"memory", l.Memory, minMemory, math.MaxInt64},
		{"pids", l.Pids, pids, 1 << 22},
		{"workdir", l.WorkDir, 1 << 12, l.Memory},
		{"tmp", l.Tmp, 1 << 12, l.Memory},
		{"shm", l.Shm, 1 << 12, l.Memory},
		{"inodes", l.Inodes, minInodes, 1 << 31},
		{"nofile", l.NoFile, minNoFile, maxNoFile},
	} {
		if limit.value < limit.min || limit.value > limit.max {
			return invalid("limit %s is %d: allowed are %d to %d", limit.name, limit.value, limit.min, limit.max)
		}
	}
	// Their pages count as the container's memory: beyond it a full disk would be an OOM kill.
	if l.WorkDir+l.Tmp+l.Shm > l.Memory {
		return invalid("limits workdir, tmp and shm are %d bytes together: allowed is no more than memory, %d", l.WorkDir+l.Tmp+l.Shm, l.Memory)
	}
	if !(l.CPUs >= minCPUs && l.CPUs <= 1<<16) {
		return invalid("limit cpus is %g: allowed are %g to %d", l.CPUs, minCPUs, 1<<16)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return sandbox.Errorf(sandbox.CodeInvalid, format, args...)
}

// nanoCPUs is the limit as the engine takes it: it refuses more than its host has, which would bound nothing anyway.
func nanoCPUs(cpus float64, host int) int64 {
	return int64(math.Round(min(cpus, float64(host)) * 1e9))
}
