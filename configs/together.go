package configs

import (
	"maps"
	"slices"
	"strings"
)

// together checks the values that must agree with each other.
func (c *Config) together(v *checks) {
	if !c.Server.Loopback() && !c.Server.Insecure && !c.Auth.Required() {
		v.failf("server.host", "%s can be reached from other machines, and whoever reaches it can run code: "+
			"keep to 127.0.0.1, ask for keys with auth.keys, or allow it with server.insecure: true", c.Server.Host)
	}
	l, e := &c.Limits, &c.Execution
	// What is written there is counted as memory: with more, a full directory would end the worker instead of giving
	// "no space left on device".
	if disks := l.WorkDir + l.Tmp + l.Shm; disks > l.Memory/2 {
		v.failf("limits.memory", "%v must be at least twice limits.workdir + limits.tmp + limits.shm (%v), which live in it",
			l.Memory, disks)
	}
	if c.Docker.Runtime == "runsc" && l.Pids < minPidsRunsc {
		v.failf("limits.pids", "%d is too few for docker.runtime runsc: at least %d", l.Pids, minPidsRunsc)
	}
	if e.Timeout > e.MaxTimeout {
		v.failf("execution.timeout", "%s is more than execution.max_timeout (%s)", show(e.Timeout), show(e.MaxTimeout))
	}
	if e.MaxContext > l.Memory {
		v.failf("execution.max_context", "%v is more than limits.memory (%v)", e.MaxContext, l.Memory)
	}
	if e.MaxLocalsValue > e.MaxLocals {
		v.failf("execution.max_locals_value", "%v is more than execution.max_locals (%v)", e.MaxLocalsValue, e.MaxLocals)
	}
	if least := jsonEscape * (e.MaxContext + 2*e.MaxCode); c.Server.MaxBody < least {
		v.failf("server.max_body", "%v is less than %v, which execution.max_context and max_code need: "+
			"a byte of text can be %d in JSON", c.Server.MaxBody, least, jsonEscape)
	}
	if c.Server.MaxInflightBody < c.Server.MaxBody {
		v.failf("server.max_inflight_body", "%v is less than server.max_body (%v)", c.Server.MaxInflightBody, c.Server.MaxBody)
	}
	if c.Docker.UIDFirst > maxUID-c.Docker.UIDCount+1 {
		v.failf("docker.uid_count", "%d uids from %d reach beyond %d", c.Docker.UIDCount, c.Docker.UIDFirst, maxUID)
	}
	if most := c.Sessions.Max + c.Pool.Size.Max; c.Docker.UIDCount < most {
		v.failf("docker.uid_count", "%d is less than sessions.max + pool.size.max (%d): every container has a uid of its own",
			c.Docker.UIDCount, most)
	}
	if _, ok := c.Docker.Images[c.Docker.DefaultImage]; !ok {
		v.failf("docker.default_image", "%q is not one of docker.images: %s", c.Docker.DefaultImage,
			strings.Join(slices.Sorted(maps.Keys(c.Docker.Images)), ", "))
	}
}
