package docker

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/docker/docker/api/types/container"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Every field of what a container is created from is named here once, so that one which a new version of the engine's
// API brings makes somebody think.
var (
	setOnPurpose = map[reflect.Type][]string{
		reflect.TypeFor[container.Config](): {
			"AttachStderr", "AttachStdin", "AttachStdout", "Cmd", "Entrypoint", "Env", "Healthcheck", "Hostname", "Image",
			"Labels", "OpenStdin", "StopSignal", "StopTimeout", "User", "WorkingDir",
		},
		reflect.TypeFor[container.HostConfig](): {
			"AutoRemove", "CapDrop", "CgroupnsMode", "Init", "IpcMode", "LogConfig", "MaskedPaths", "NetworkMode",
			"OomScoreAdj", "ReadonlyRootfs", "Resources", "RestartPolicy", "Runtime", "SecurityOpt", "ShmSize", "Tmpfs",
		},
		reflect.TypeFor[container.Resources](): {"Memory", "MemorySwap", "NanoCPUs", "PidsLimit", "Ulimits"},
	}
	// zeroAlways are fields that would weaken the container, that only other systems have, or whose default is right.
	zeroAlways = map[reflect.Type][]string{
		reflect.TypeFor[container.Config](): {
			"ArgsEscaped", "Domainname", "ExposedPorts", "MacAddress", "NetworkDisabled", "OnBuild", "Shell", "StdinOnce",
			"Tty", "Volumes",
		},
		reflect.TypeFor[container.HostConfig](): {
			"Annotations", "Binds", "CapAdd", "Cgroup", "ConsoleSize", "ContainerIDFile", "DNS", "DNSOptions", "DNSSearch",
			"ExtraHosts", "GroupAdd", "Isolation", "Links", "Mounts", "PidMode", "PortBindings", "Privileged",
			"PublishAllPorts", "ReadonlyPaths", "StorageOpt", "Sysctls", "UTSMode", "UsernsMode", "VolumeDriver",
			"VolumesFrom",
		},
		reflect.TypeFor[container.Resources](): {
			"BlkioDeviceReadBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteBps", "BlkioDeviceWriteIOps", "BlkioWeight",
			"BlkioWeightDevice", "CPUCount", "CPUPercent", "CPUPeriod", "CPUQuota", "CPURealtimePeriod",
			"CPURealtimeRuntime", "CPUShares", "CgroupParent", "CpusetCpus", "CpusetMems", "DeviceCgroupRules",
			"DeviceRequests", "Devices", "IOMaximumBandwidth", "IOMaximumIOps", "KernelMemory", "KernelMemoryTCP",
			"MemoryReservation", "MemorySwappiness", "OomKillDisable",
		},
	}
)

func TestOptions_EveryFieldIsDecided(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[container.Config](), reflect.TypeFor[container.HostConfig](), reflect.TypeFor[container.Resources]()} {
		var fields []string
		for _, f := range reflect.VisibleFields(typ) {
			if len(f.Index) == 1 {
				fields = append(fields, f.Name)
			}
		}
		slices.Sort(fields)
		decided := slices.Concat(setOnPurpose[typ], zeroAlways[typ])
		slices.Sort(decided)
		if !slices.Equal(fields, decided) {
			t.Errorf("fields of %s: got %q, decided are %q", typ, fields, decided)
		}
	}
}

func TestOptions_NothingCanWeakenTheContainer(t *testing.T) {
	confined := func(spec sandbox.Spec, id, python, driver, path, runtime string, uid uint16, cpus uint8) bool {
		img := preparedImage{id: id, python: python, driver: driver, path: path}
		h := host{runtime: runtime, seccomp: "seccomp={}", cpus: int(cpus)}
		config, hostConfig := options(spec, img, int(uid), map[string]string{LabelSession: spec.Session}, h)
		for _, v := range []reflect.Value{reflect.ValueOf(*config), reflect.ValueOf(*hostConfig), reflect.ValueOf(hostConfig.Resources)} {
			for _, name := range zeroAlways[v.Type()] {
				if !v.FieldByName(name).IsZero() {
					t.Errorf("%s of %+v is %v", name, spec, v.FieldByName(name))
				}
			}
		}
		for what, ok := range map[string]bool{
			"network":      hostConfig.NetworkMode == "none",
			"capabilities": slices.Equal(hostConfig.CapDrop, []string{"ALL"}),
			"security":     slices.Equal(hostConfig.SecurityOpt, []string{"no-new-privileges=true", "seccomp={}"}),
			"root":         hostConfig.ReadonlyRootfs,
			"removal":      hostConfig.AutoRemove && hostConfig.RestartPolicy.Name == "no",
			"ipc":          hostConfig.IpcMode == "private" && hostConfig.CgroupnsMode == "private",
			"log":          hostConfig.LogConfig.Type == "none",
			"init":         hostConfig.Init != nil && !*hostConfig.Init,
			"swap":         hostConfig.MemorySwap == hostConfig.Memory,
			"pids":         hostConfig.PidsLimit != nil && *hostConfig.PidsLimit == spec.Limits.Pids,
			"user":         config.User == fmt.Sprintf("%[1]d:%[1]d", uid),
			"healthcheck":  slices.Equal(config.Healthcheck.Test, []string{"NONE"}),
			"hostname":     config.Hostname == "sandbox",
			"command":      slices.Equal(config.Entrypoint, []string{python, "-I"}) && slices.Equal(config.Cmd, []string{driver}),
			"masks":        slices.Contains(hostConfig.MaskedPaths, "/dev/pts") && slices.Contains(hostConfig.MaskedPaths, "/proc/kcore"),
			"stdin":        config.OpenStdin && !config.StdinOnce && !config.Tty,
			"tmpfs":        len(hostConfig.Tmpfs) == 3,
		} {
			if !ok {
				t.Errorf("%s of %+v: %+v %+v", what, spec, config, hostConfig)
			}
		}
		for path, text := range hostConfig.Tmpfs {
			words := strings.Split(text, ",")
			for _, want := range []string{"nosuid", "nodev"} {
				if !slices.Contains(words, want) {
					t.Errorf("tmpfs %s is %s", path, text)
				}
			}
			if exec := slices.Contains(words, "exec"); exec != (path == homePath) {
				t.Errorf("tmpfs %s is %s", path, text)
			}
		}
		return !t.Failed()
	}
	if err := quick.Check(confined, nil); err != nil {
		t.Error(err)
	}
}

func TestOptions_EngineMasksAreKept(t *testing.T) {
	_, hostConfig := options(probeSpec(), preparedImage{}, 1, nil, host{masked: []string{"/proc/of-a-newer-engine", "/proc/kcore"}})
	for _, path := range append([]string{"/proc/of-a-newer-engine"}, maskedPaths...) {
		if !slices.Contains(hostConfig.MaskedPaths, path) {
			t.Errorf("%s is not masked", path)
		}
	}
}

func TestCheckSpec_RefusesWhatCannotBeEnforced(t *testing.T) {
	if err := checkSpec(probeSpec(), false); err != nil {
		t.Fatal(err)
	}
	many := map[string]string{}
	for n := range maxEnv + 1 {
		many[fmt.Sprintf("A%d", n)] = ""
	}
	for name, change := range map[string]func(*sandbox.Spec){
		"session":             func(s *sandbox.Spec) { s.Session = "a b" },
		"empty session":       func(s *sandbox.Spec) { s.Session = "" },
		"lease":               func(s *sandbox.Spec) { s.Lease = -1 },
		"no memory":           func(s *sandbox.Spec) { s.Limits.Memory = 0 },
		"unlimited memory":    func(s *sandbox.Spec) { s.Limits.Memory = -1 },
		"little memory":       func(s *sandbox.Spec) { s.Limits.Memory = minMemory - 1 },
		"no CPUs":             func(s *sandbox.Spec) { s.Limits.CPUs = 0 },
		"no number of CPUs":   func(s *sandbox.Spec) { s.Limits.CPUs = math.NaN() },
		"unlimited processes": func(s *sandbox.Spec) { s.Limits.Pids = -1 },
		"few processes":       func(s *sandbox.Spec) { s.Limits.Pids = minPids - 1 },
		"no workdir":          func(s *sandbox.Spec) { s.Limits.WorkDir = 0 },
		"no tmp":              func(s *sandbox.Spec) { s.Limits.Tmp = 0 },
		"no shm":              func(s *sandbox.Spec) { s.Limits.Shm = 0 },
		"tmpfs above memory":  func(s *sandbox.Spec) { s.Limits.WorkDir = s.Limits.Memory },
		"no inodes":           func(s *sandbox.Spec) { s.Limits.Inodes = 0 },
		"no files":            func(s *sandbox.Spec) { s.Limits.NoFile = 0 },
		"all files":           func(s *sandbox.Spec) { s.Limits.NoFile = maxNoFile + 1 },
		"preload of code":     func(s *sandbox.Spec) { s.Preload = []string{"os;exit()"} },
		"preload of two":      func(s *sandbox.Spec) { s.Preload = []string{"a,b"} },
		"preload of many":     func(s *sandbox.Spec) { s.Preload = slices.Repeat([]string{"a"}, maxPreload+1) },
		"loader variable":     func(s *sandbox.Spec) { s.Env = map[string]string{"LD_PRELOAD": "x"} },
		"python variable":     func(s *sandbox.Spec) { s.Env = map[string]string{"PYTHONPATH": "x"} },
		"own variable":        func(s *sandbox.Spec) { s.Env = map[string]string{"PATH": "x"} },
		"two variables":       func(s *sandbox.Spec) { s.Env = map[string]string{"A=1\x00B": "x"} },
		"NUL in a variable":   func(s *sandbox.Spec) { s.Env = map[string]string{"A": "1\x00B=2"} },
		"long variable":       func(s *sandbox.Spec) { s.Env = map[string]string{"A": strings.Repeat("x", maxEnvText+1)} },
		"many variables":      func(s *sandbox.Spec) { s.Env = many },
	} {
		spec := probeSpec()
		change(&spec)
		err := checkSpec(spec, false)
		if got, want := sandbox.ErrorCode(err), sandbox.CodeInvalid; got != want {
			t.Errorf("%s: got %v, want code %s", name, err, want)
		}
	}
	few := probeSpec()
	few.Limits.Pids = minPidsSentry - 1
	if err := checkSpec(few, true); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("too few processes for gVisor: got %v", err)
	}
}
