package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// maxMessage is the protocol's bound of one message to or from a session, in bytes.
	maxMessage = 16 * MiB
	// jsonEscape is how much a byte of text can grow in JSON: \u0000.
	jsonEscape = 6
	// minPidsRunsc is what gVisor needs for threads of its own.
	minPidsRunsc = 128
	// maxPreload is how many modules a container may import before its first cell.
	maxPreload = 64
	// maxTransfers is how many transfers of files of one session a driver serves, and maxList how many entries one list of it
	// has.
	maxTransfers = 8
	maxList      = 10_000
	// maxUID is the last that an engine accepts.
	maxUID = 1<<31 - 1
)

var (
	ociRuntime  = atMost(128, `^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	imageRef    = atMost(512, `^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`)
	moduleName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	webOrigin   = atMost(267, `^https?://([a-z0-9]([a-z0-9.-]*)|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$`)
	defaultPort = regexp.MustCompile(`^(http://.*:80|https://.*:443)$`) // browsers leave it out
	hostName    = atMost(253, `^[A-Za-z0-9][A-Za-z0-9.-]*$`)
)

// pattern is what a value may look like, and how long it may be in bytes.
type pattern struct {
	most int
	expr *regexp.Regexp
}

// atMost makes a pattern. A bound of hundreds in the expression itself is compiled to a copy for every character, which is a
// hundred kilobytes and more for each of these, for as long as the daemon runs.
func atMost(most int, expr string) pattern { return pattern{most, regexp.MustCompile(expr)} }

// MatchString tells whether all of text fits.
func (p pattern) MatchString(text string) bool {
	return len(text) <= p.most && p.expr.MatchString(text)
}

// checks gathers what is wrong with a Config.
type checks []error

func (c *checks) failf(key, format string, args ...any) {
	*c = append(*c, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (c *checks) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.failf(key, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

// absolute refuses a path that depends on where the daemon was started; "" is allowed, and means what is said.
func absolute(c *checks, key, path, empty string) {
	if path != "" && !filepath.IsAbs(path) {
		c.failf(key, "%q is not an absolute path; nothing means %s", path, empty)
	}
}

// between refuses a number, a size or a duration outside of lo to hi, both allowed.
func between[T int | float64 | Size | time.Duration](c *checks, key string, value, lo, hi T) {
	if value < lo || value > hi {
		c.failf(key, "%s is out of range: allowed are %s to %s", show(value), show(lo), show(hi))
	}
}

// show writes a duration as people do: 10m, not 10m0s.
func show(value any) string {
	d, ok := value.(time.Duration)
	if !ok {
		return fmt.Sprint(value)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Validate tells everything that cannot be, in sentences that name the key and what is allowed.
func (c *Config) Validate() error {
	var v checks
	c.Server.validate(&v)
	c.Auth.validate(&v)
	c.Audit.validate(&v)
	c.Admin.validate(&v)
	c.Tracing.validate(&v)
	c.Docker.validate(&v)
	c.Limits.validate(&v)
	c.Execution.validate(&v)
	c.Files.validate(&v)
	c.MaxLimits.validate(&v)
	c.Sessions.validate(&v)
	c.Pool.validate(&v)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "auto", "text", "json")
	absolute(&v, "state_dir", c.StateDir, "the usual directory")
	if len(v) == 0 { // what follows compares values that are possible by themselves
		c.together(&v)
	}
	return errors.Join(v...)
}

func (s *Server) validate(v *checks) {
	if !hostName.MatchString(s.Host) && !isAddress(s.Host) {
		v.failf("server.host", "%q is neither an address nor a name: want 127.0.0.1, ::1, 0.0.0.0 or such", s.Host)
	}
	for _, host := range s.AllowedHosts {
		if host != "*" && !hostName.MatchString(host) && !isAddress(host) {
			v.failf("server.allowed_hosts", "%q is not a host: want a name or an address without port, or \"*\" for any", host)
		}
	}
	for _, origin := range s.CORSOrigins {
		switch {
		case origin == "*":
			v.failf("server.cors_origins", "\"*\" would let every web page in: name the origins that may, such as https://app.example")
		case !webOrigin.MatchString(origin) || defaultPort.MatchString(origin):
			v.failf("server.cors_origins", "%q is not an origin as browsers write it: want http:// or https://, a name in lower case, "+
				"and a port if it is not the usual one, such as https://app.example or http://localhost:3000", origin)
		}
	}
	between(v, "server.port", s.Port, 0, 65535)
	between(v, "server.max_connections", s.MaxConnections, 1, 1<<18)
	between(v, "server.max_body", s.MaxBody, 1*KiB, 2*GiB-1)
	between(v, "server.max_inflight_body", s.MaxInflightBody, 1*KiB, 1*TiB)
	between(v, "server.max_header", s.MaxHeader, 1*KiB, 1*MiB)
	between(v, "server.max_json_depth", s.MaxJSONDepth, 4, 10_000)
	between(v, "server.max_json_keys", s.MaxJSONKeys, 16, 10_000_000)
	between(v, "server.read_timeout", s.ReadTimeout, time.Second, time.Hour)
	between(v, "server.write_timeout", s.WriteTimeout, time.Second, time.Hour)
	between(v, "server.idle_timeout", s.IdleTimeout, time.Second, 24*time.Hour)
	between(v, "server.shutdown_timeout", s.ShutdownTimeout, time.Second, 10*time.Minute)
}

// Loopback tells whether only this machine can reach the server's address.
func (s *Server) Loopback() bool { return isLoopback(s.Host) }

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func (d *Docker) validate(v *checks) {
	if d.Runtime != "" && !ociRuntime.MatchString(d.Runtime) {
		v.failf("docker.runtime", "%q is not the name of an OCI runtime: want runc, runsc or such, or nothing for the engine's default", d.Runtime)
	}
	if d.Host != "" && !strings.HasPrefix(d.Host, "unix:///") && !strings.HasPrefix(d.Host, "tcp://") {
		v.failf("docker.host", "%q is not an engine's address: want unix:///path or tcp://host:port", d.Host)
	}
	absolute(v, "docker.seccomp", d.Seccomp, "the built-in profile")
	between(v, "docker.uid_first", d.UIDFirst, 1000, maxUID)
	between(v, "docker.uid_count", d.UIDCount, 1, 1<<24)
	between(v, "docker.request_timeout", d.RequestTimeout, time.Second, 10*time.Minute)
	checkNames(v, "docker.images", d.Images)
	for name, image := range d.Images {
		if !imageRef.MatchString(image.Ref) {
			v.failf("docker.images."+name+".ref", "%q is not an image's reference: want name:tag or name@sha256:digest", image.Ref)
		}
	}
}

func (a *Audit) validate(v *checks) {
	absolute(v, "audit.file", a.File, "no audit log")
	between(v, "audit.max_size", a.MaxSize, 2*MiB, 1*TiB) // a line with code and output must fit in
	between(v, "audit.keep", a.Keep, 1, 10_000)
}

func (l *Limits) validate(v *checks) {
	between(v, "limits.memory", l.Memory, 64*MiB, 16*TiB)
	between(v, "limits.cpus", l.CPUs, 0.05, 1024)
	between(v, "limits.pids", l.Pids, 32, 1<<22)
	between(v, "limits.workdir", l.WorkDir, 1*MiB, 16*TiB)
	between(v, "limits.tmp", l.Tmp, 1*MiB, 16*TiB)
	between(v, "limits.shm", l.Shm, 1*MiB, 16*TiB)
	between(v, "limits.inodes", l.Inodes, 1024, 1<<30)
	between(v, "limits.nofile", l.NoFile, 64, 1<<20)
}

func (e *Execution) validate(v *checks) {
	between(v, "execution.timeout", e.Timeout, 100*time.Millisecond, 24*time.Hour)
	between(v, "execution.max_timeout", e.MaxTimeout, 100*time.Millisecond, 24*time.Hour)
	between(v, "execution.interrupt_grace", e.InterruptGrace, 0, time.Minute)
	between(v, "execution.queue", e.Queue, 1, 10_000)
	between(v, "execution.max_context", e.MaxContext, 1*KiB, 1*GiB)
	// Code and locals each travel in one message, code with its escapes.
	between(v, "execution.max_code", e.MaxCode, 1*KiB, 2*MiB)
	between(v, "execution.max_stdout", e.MaxStdout, 1*KiB, 1*GiB)
	between(v, "execution.max_stderr", e.MaxStderr, 1*KiB, 1*GiB)
	between(v, "execution.max_display", e.MaxDisplay, 1*KiB, 1*GiB)
	between(v, "execution.max_locals", e.MaxLocals, 1*KiB, maxMessage-2*MiB)
	between(v, "execution.max_locals_value", e.MaxLocalsValue, 1*KiB, maxMessage-2*MiB)
	between(v, "execution.max_events", e.MaxEvents, 16, 65_536)
	between(v, "execution.results_kept", e.ResultsKept, time.Second, 24*time.Hour)
	between(v, "execution.max_results", e.MaxResults, 1*MiB, 1*TiB)
}

func (f *Files) validate(v *checks) {
	between(v, "files.max_upload", f.MaxUpload, 1*KiB, 1*TiB)
	between(v, "files.transfers", f.Transfers, 1, maxTransfers)
	between(v, "files.max_list", f.MaxList, 1, maxList)
}

func (s *Sessions) validate(v *checks) {
	between(v, "sessions.max", s.Max, 1, 100_000)
	between(v, "sessions.max_per_key", s.MaxPerKey, 0, 100_000)
	between(v, "sessions.max_starting", s.MaxStarting, 1, 1000)
	between(v, "sessions.start_timeout", s.StartTimeout, time.Second, time.Hour)
	between(v, "sessions.stop_timeout", s.StopTimeout, time.Second, 10*time.Minute)
	between(v, "sessions.reconnect_timeout", s.ReconnectTimeout, time.Second, time.Hour)
	between(v, "sessions.lost_kept", s.LostKept, 24*time.Hour, 365*24*time.Hour)
	between(v, "sessions.orphan_grace", s.OrphanGrace, 10*time.Second, 30*24*time.Hour)
	between(v, "sessions.start_queue", s.StartQueue, 1, 100_000)
	for _, ttl := range []struct {
		key     string
		value   time.Duration
		maxKey  string
		ceiling time.Duration
	}{
		{"sessions.ttl", s.TTL, "sessions.max_ttl", s.MaxTTL},
		{"sessions.idle_ttl", s.IdleTTL, "sessions.max_idle_ttl", s.MaxIdleTTL},
	} {
		between(v, ttl.key, ttl.value, 0, 365*24*time.Hour)
		between(v, ttl.maxKey, ttl.ceiling, 0, 365*24*time.Hour)
		if ttl.ceiling > 0 && (ttl.value == 0 || ttl.value > ttl.ceiling) {
			v.failf(ttl.key, "%s is more than %s (%s); 0 is for ever", show(ttl.value), ttl.maxKey, show(ttl.ceiling))
		}
	}
	v.oneOf("sessions.on_shutdown", s.OnShutdown, "keep", "remove")
}

func (l *MaxLimits) validate(v *checks) {
	between(v, "max_limits.memory", l.Memory, 64*MiB, 16*TiB)
	between(v, "max_limits.cpus", l.CPUs, 0.05, 1024)
	between(v, "max_limits.pids", l.Pids, 32, 1<<22)
	between(v, "max_limits.workdir", l.WorkDir, 1*MiB, 16*TiB)
}

func (p *Pool) validate(v *checks) {
	between(v, "pool.size.min", p.Size.Min, 0, 1000)
	between(v, "pool.size.max", p.Size.Max, 0, 1000)
	between(v, "pool.max_starting", p.MaxStarting, 1, 1000)
	between(v, "pool.shrink_after", p.ShrinkAfter, time.Second, 24*time.Hour)
	if p.Size.Min > p.Size.Max {
		v.failf("pool.size.min", "%d is more than pool.size.max (%d)", p.Size.Min, p.Size.Max)
	}
	if len(p.Preload) > maxPreload {
		v.failf("pool.preload", "%d modules are too many: at most %d", len(p.Preload), maxPreload)
	}
	for _, name := range p.Preload {
		if !moduleName.MatchString(name) {
			v.failf("pool.preload", "%q is not the name of a module: want numpy, matplotlib.pyplot or such", name)
		}
	}
}
