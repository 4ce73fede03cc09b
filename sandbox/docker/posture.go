package docker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Finding is one thing that was looked at.
type Finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was seen, and what should have been
	Remedy string `json:"remedy,omitempty"` // what to do about it
}

// probeReport is what probePy prints.
type probeReport struct {
	Version    [2]int            `json:"version"`
	Executable string            `json:"executable"`
	Status     map[string]string `json:"status"` // of /proc/self/status
	Groups     []int             `json:"groups"`
	Interfaces []string          `json:"interfaces"`
	Routes     int               `json:"routes"`
	Writable   []string          `json:"writable"` // directories
	Disks      map[string]*disk  `json:"disks"`
	Devices    []string          `json:"devices"`
	Tells      []string          `json:"tells"` // paths that should be masked
	Processes  []int             `json:"processes"`
	Hostname   string            `json:"hostname"`
	Memory     string            `json:"memory"` // as the cgroup has it, "" where it is not to be seen; so the next
	Swap       string            `json:"swap"`   // cgroup v2
	MemSwap    string            `json:"memsw"`  // cgroup v1: memory and swap together
	Pids       string            `json:"pids"`
	CPUs       *float64          `json:"cpus"`
	Limits     map[string]int64  `json:"limits"`   // RLIMIT_*, hard
	Unshares   string            `json:"unshares"` // whether a user namespace can be made: yes, no, or "" where Python cannot try
}

// disk is a file system.
type disk struct {
	Size   int64 `json:"size"` // bytes
	Files  int64 `json:"files"`
	NoExec bool  `json:"noexec"`
	NoSUID bool  `json:"nosuid"`
}

const noCapabilities = "0000000000000000"

// devices are what /dev may hold: nothing that reaches hardware or another container.
var devices = []string{
	"console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero", "net", "fuse",
}

// posture compares what a container saw with what it was to see, thing by thing. Under gVisor (sentry) some of it is its own
// kernel's to show, and is not held against it.
func (p *probeReport) posture(l sandbox.Limits, uid int, sentry bool) []Finding {
	var found []Finding
	see := func(name string, ok bool, remedy, format string, args ...any) {
		f := Finding{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)}
		if !ok {
			f.Remedy = remedy
		}
		found = append(found, f)
	}
	const engine = "the engine did not do as it was told: use Docker Engine 20.10 or newer, with runc or gVisor, and no plugin that changes requests"
	const kernel = "the kernel lacks a cgroup controller: see `docker info`, and boot with cgroup_enable=memory swapaccount=1 where it warns"

	var caps []string
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if got, there := p.Status[set]; got != noCapabilities && (there || set != "CapAmb") {
			caps = append(caps, set+"="+got)
		}
	}
	see("capabilities", len(caps) == 0, engine, "none wanted; there are %q", caps)
	if !sentry { // gVisor needs neither, and does not show them
		see("no_new_privs", p.Status["NoNewPrivs"] == "1", engine, "1 wanted; it is %q", p.Status["NoNewPrivs"])
		see("seccomp", p.Status["Seccomp"] == "2", "run an engine and a kernel with seccomp", "2 (filter) wanted; it is %q", p.Status["Seccomp"])
		see("user namespaces", p.Unshares != "yes", engine, "none may be made; can one be? %s", cmp.Or(p.Unshares, "this Python cannot try"))
	}
	ids := fmt.Sprintf("%[1]d\t%[1]d\t%[1]d\t%[1]d", uid)
	alone := !slices.ContainsFunc(p.Groups, func(g int) bool { return g != uid })
	see("uid", p.Status["Uid"] == ids && p.Status["Gid"] == ids && alone, engine,
		"%d wanted; uid %q, gid %q, groups %v", uid, p.Status["Uid"], p.Status["Gid"], p.Groups)
	foreign := slices.ContainsFunc(p.Interfaces, func(name string) bool { return !isSandboxInterface(name, sentry) })
	see("network", !foreign && p.Routes == 0, engine, "lo and no route wanted; there are %v and %d routes", p.Interfaces, p.Routes)
	places := []string{shmPath, homePath, tmpPath}
	got := slices.Sorted(slices.Values(p.Writable))
	see("writable", slices.Equal(got, places), "an image with VOLUMEs or odd mounts cannot be used", "%v wanted; %v are", places, got)
	p.seeDisks(l, sentry, see)
	odd := slices.DeleteFunc(slices.Clone(p.Devices), func(name string) bool {
		return slices.Contains(devices, name) || sentry && name == "char" // links to the others
	})
	see("devices", len(odd) == 0, engine, "none beside the usual wanted; there are %q", odd)
	see("masked paths", len(p.Tells) == 0 || sentry, engine, "none readable wanted; %q are", p.Tells)
	see("processes", len(p.Processes) <= 1, engine, "its own alone wanted; %d are visible", len(p.Processes))
	see("hostname", p.Hostname == hostname, engine, "%q wanted; it is %q", hostname, p.Hostname)

	see("memory", p.Memory == "" || p.Memory == strconv.FormatInt(l.Memory, 10), kernel, "%d bytes wanted; it is %s", l.Memory, shown(p.Memory))
	if !sentry { // its processes are bounded from outside; the cgroup that it shows is its own
		swapless := p.Swap == "" && p.MemSwap == "" || p.Swap == "0" || p.MemSwap == p.Memory
		see("swap", swapless, kernel, "none wanted; memory.swap.max is %s, memory and swap together are %s", shown(p.Swap), shown(p.MemSwap))
		see("pids", p.Pids == "" || p.Pids == strconv.FormatInt(l.Pids, 10), kernel, "%d wanted; it is %s", l.Pids, shown(p.Pids))
		near := p.CPUs == nil || *p.CPUs > 0 && *p.CPUs <= l.CPUs+0.01
		see("cpus", near, kernel, "%g wanted; it is %v", l.CPUs, floatOf(p.CPUs))
	}
	p.seeRlimits(l, see)
	return found
}

func isSandboxInterface(name string, sentry bool) bool {
	return name == "lo" || !sentry && (strings.HasPrefix(name, "tunl") || strings.HasPrefix(name, "sit") || strings.HasPrefix(name, "ip6tnl")) // of the kernel's modules, down
}

// seeDisks looks at the three file systems that can be written to.
func (p *probeReport) seeDisks(l sandbox.Limits, sentry bool, see func(name string, ok bool, remedy, format string, args ...any)) {
	for _, want := range []struct {
		path   string
		size   int64
		noexec bool
	}{{homePath, l.WorkDir, false}, {tmpPath, l.Tmp, true}, {shmPath, l.Shm, true}} {
		d := p.Disks[want.path]
		if d == nil {
			see("disk "+want.path, false, "the engine did not mount it", "it is not there")
			continue
		}
		ok := d.Size > 0 && d.Size <= want.size && d.NoSUID && d.NoExec == want.noexec && (d.Files > 0 && d.Files <= l.Inodes)
		if sentry { // it shows neither files nor flags as asked for; tests fill the disk
			ok = d.Size > 0 && d.Size <= want.size
		}
		see("disk "+want.path, ok, "the engine did not mount it as it was told: an old or a changed engine",
			"%d bytes, %d files, nosuid true, noexec %t wanted; it has %d, %d, %t, %t", want.size, l.Inodes, want.noexec, d.Size, d.Files, d.NoSUID, d.NoExec)
	}
}

// seeRlimits looks at the limits of one process.
func (p *probeReport) seeRlimits(l sandbox.Limits, see func(name string, ok bool, remedy, format string, args ...any)) {
	want := map[string]int64{
		"nofile": l.NoFile, "core": 0, "fsize": max(l.WorkDir, l.Tmp, l.Shm), "memlock": 0, "msgqueue": 0, "sigpending": sigPending,
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got, there := p.Limits[name]
		see("rlimit "+name, !there || got == want[name], "the engine did not set it: check its default-ulimits", "%d wanted; it is %d", want[name], got)
	}
}

func shown(text string) string {
	if text == "" {
		return "not to be seen"
	}
	return text
}

func floatOf(f *float64) any {
	if f == nil {
		return "not to be seen"
	}
	return *f
}

// wrong is what of the findings is not as it should be, as one error; nil for nothing.
func wrong(found []Finding) error {
	var all []string
	for _, f := range found {
		if !f.OK {
			all = append(all, f.Name+": "+f.Detail)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(all, "; "))
}
