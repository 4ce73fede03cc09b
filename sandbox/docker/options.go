package docker

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Paths inside a container.
const (
	driverPath = "/opt/fastpyrepl/driver" // of images made with it
	homePath   = "/home/user"
	tmpPath    = "/tmp"
	shmPath    = "/dev/shm"
)

const (
	userName = "user" // an unknown uid has no name of its own, and getpass.getuser and whoami want one
	hostname = "sandbox"
	// oomScoreAdj makes the kernel prefer sessions to anything else on the host; workers raise theirs further.
	oomScoreAdj = 500
	// sigPending bounds queued signals and POSIX timers, which are kernel memory.
	sigPending = 256
)

// maskedPaths are hidden beside those that the engine itself hides. The engine's own list is in it too, as of 28.5, so
// that older engines hide the same; what does not exist is passed over.
var maskedPaths = []string{
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",

	// Ours. PTYs are a resource of the whole host: one session could take them all.
	"/dev/mqueue",
	"/dev/pts",
	"/proc/config.gz",
	"/proc/kallsyms",
	"/proc/kmsg",
	"/proc/modules",
	"/proc/pagetypeinfo",
	"/proc/slabinfo",
	"/proc/vmallocinfo",
}

// host is what options take from the engine and the configuration, the same for every container.
type host struct {
	runtime string   // OCI runtime, "" for the engine's default
	seccomp string   // security option
	cpus    int      // that the engine has
	masked  []string // paths that the engine masks by itself
}

// sentry tells whether gVisor runs the containers: its kernel is a process, with limits and a /proc of its own.
func (h host) sentry() bool { return strings.Contains(h.runtime, "runsc") }

// options is how every container is confined; nothing else decides about it. What it leaves unset is unset on purpose:
// options_test.go names every field.
func options(spec sandbox.Spec, img preparedImage, uid int, labels map[string]string, h host) (*container.Config, *container.HostConfig) {
	var (
		l           = spec.Limits
		id          = strconv.Itoa(uid)
		stopTimeout = 1
		noInit      = false // the supervisor is PID 1 and reaps
	)
	config := &container.Config{
		Hostname:     hostname, // the default tells the container's id
		User:         id + ":" + id,
		AttachStdin:  true,
		AttachStdout: true,
		AttachStderr: true,
		OpenStdin:    true, // and not StdinOnce: a daemon that comes back attaches again
		Env:          environment(spec, img),
		Entrypoint:   []string{img.python, "-I"},
		Cmd:          []string{img.driver},
		Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}}, // an image's would run in the session
		Image:        img.id,
		WorkingDir:   homePath,
		Labels:       labels,
		StopSignal:   "SIGKILL", // PID 1 ignores the others
		StopTimeout:  &stopTimeout,
	}
	hostConfig := &container.HostConfig{
		NetworkMode:    "none",
		LogConfig:      container.LogConfig{Type: "none"}, // others write what user code prints to the host's disk
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		AutoRemove:     true, // also when no daemon is there any more
		CapDrop:        []string{"ALL"},
		CgroupnsMode:   container.CgroupnsModePrivate,
		IpcMode:        container.IPCModePrivate,
		OomScoreAdj:    oomScoreAdj,
		ReadonlyRootfs: true,
		SecurityOpt:    []string{"no-new-privileges=true", h.seccomp},
		Tmpfs: map[string]string{
			// Scripts and compiled extensions of the user run from the working directory, from nowhere else.
			homePath: tmpfs("exec", l.WorkDir, l.Inodes, fmt.Sprintf("0700,uid=%d,gid=%d", uid, uid)),
			tmpPath:  tmpfs("noexec", l.Tmp, l.Inodes, "1777"),
			// In place of the engine's own, whose number of files has no bound.
			shmPath: tmpfs("noexec", l.Shm, l.Inodes, "1777"),
		},
		ShmSize:     l.Shm,
		Runtime:     h.runtime,
		MaskedPaths: masked(h.masked),
		Init:        &noInit,
		Resources:   resources(l, h.cpus),
	}
	hostConfig.Ulimits = []*container.Ulimit{
		ulimit("nofile", l.NoFile),
		ulimit("core", 0),
		ulimit("fsize", max(l.WorkDir, l.Tmp, l.Shm)),
		ulimit("memlock", 0),
		ulimit("msgqueue", 0),
		ulimit("sigpending", sigPending),
	}
	return config, hostConfig
}

// resources are the limits that can change while the container runs.
func resources(l sandbox.Limits, cpus int) container.Resources {
	return container.Resources{
		Memory:     l.Memory,
		MemorySwap: l.Memory, // of memory and swap together: no swap
		NanoCPUs:   nanoCPUs(l.CPUs, cpus),
		PidsLimit:  &l.Pids,
	}
}

// environment is all that user code sees, but for what the image sets. It can be read by all code in the container: no
// secret belongs here.
func environment(spec sandbox.Spec, img preparedImage) []string {
	threads := strconv.Itoa(int(math.Ceil(spec.Limits.CPUs)))
	env := []string{
		"PATH=" + img.path,
		"HOME=" + homePath,
		"USER=" + userName,
		"LOGNAME=" + userName,
		"LANG=C.UTF-8",
		"PYTHONDONTWRITEBYTECODE=1",
		"PYTHONUNBUFFERED=1", // of child processes: their output is to come at once
		"OMP_NUM_THREADS=" + threads,
		"OPENBLAS_NUM_THREADS=" + threads,
		"MKL_NUM_THREADS=" + threads,
		"MPLBACKEND=agg",
		"MPLCONFIGDIR=" + tmpPath + "/.matplotlib",
	}
	if len(spec.Preload) > 0 {
		env = append(env, "FASTPYREPL_PRELOAD="+strings.Join(spec.Preload, ","))
	}
	for name, value := range spec.Env {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// reservedEnv tells whether a Spec may not set a variable: those of environment, and those that change what runs.
func reservedEnv(name string) bool {
	switch name {
	case "PATH", "HOME", "USER", "LOGNAME", "LANG", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
		"MPLBACKEND", "MPLCONFIGDIR":
		return true
	}
	for _, prefix := range []string{"FASTPYREPL_", "PYTHON", "LD_", "GLIBC_", "MALLOC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func tmpfs(exec string, size, inodes int64, mode string) string {
	return fmt.Sprintf("rw,%s,nosuid,nodev,size=%d,nr_inodes=%d,mode=%s", exec, size, inodes, mode)
}

// masked is what the engine masks, and ours. Giving a list replaces the engine's.
func masked(engine []string) []string {
	all := slices.Concat(engine, maskedPaths)
	slices.Sort(all)
	return slices.Compact(all)
}

func ulimit(name string, value int64) *container.Ulimit {
	return &container.Ulimit{Name: name, Soft: value, Hard: value}
}
