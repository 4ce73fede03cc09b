package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

func TestPosture_FindsWhatIsNotConfined(t *testing.T) {
	limits := sandbox.Limits{Memory: 1 << 28, CPUs: 1, Pids: 64, WorkDir: 1 << 20, Tmp: 1 << 20, Shm: 1 << 20, Inodes: 100, NoFile: 64}
	good := func() probeReport {
		one := 1.0
		return probeReport{
			Status: map[string]string{
				"CapInh": noCapabilities, "CapPrm": noCapabilities, "CapEff": noCapabilities, "CapBnd": noCapabilities, "CapAmb": noCapabilities,
				"NoNewPrivs": "1", "Seccomp": "2", "Uid": "7\t7\t7\t7", "Gid": "7\t7\t7\t7",
			},
			Groups: []int{7}, Interfaces: []string{"lo"}, Writable: []string{"/tmp", "/home/user", "/dev/shm"},
			Disks: map[string]*disk{
				"/home/user": {1 << 20, 100, false, true}, "/tmp": {1 << 20, 100, true, true}, "/dev/shm": {1 << 20, 100, true, true},
			},
			Devices: []string{"null", "zero"}, Processes: []int{1}, Hostname: "sandbox",
			Memory: "268435456", MemSwap: "268435456", Pids: "64", CPUs: &one, Unshares: "no",
			Limits: map[string]int64{"nofile": 64, "core": 0, "fsize": 1 << 20, "memlock": 0, "msgqueue": 0, "sigpending": 256},
		}
	}
	report := good()
	if err := wrong(report.posture(limits, 7, false)); err != nil {
		t.Fatal(err)
	}
	half, none := 1.5, 0.0
	for name, change := range map[string]func(*probeReport){
		"capabilities: none wanted; there are [\"CapEff=": func(p *probeReport) { p.Status["CapEff"] = "00000000a80425fb" },
		"capabilities: none wanted; there are [\"CapBnd=": func(p *probeReport) { p.Status["CapBnd"] = "000001ffffffffff" },
		"no_new_privs: 1 wanted; it is \"0\"":             func(p *probeReport) { p.Status["NoNewPrivs"] = "0" },
		"seccomp: 2 (filter) wanted; it is \"0\"":         func(p *probeReport) { p.Status["Seccomp"] = "0" },
		"user namespaces":        func(p *probeReport) { p.Unshares = "yes" },
		"uid: 7 wanted; uid \"0": func(p *probeReport) { p.Status["Uid"] = "0\t0\t0\t0" },
		"uid: 7 wanted":          func(p *probeReport) { delete(p.Status, "Gid") },
		"groups [7 0]":           func(p *probeReport) { p.Groups = []int{7, 0} },
		"network: lo and no route wanted; there are [lo eth0]": func(p *probeReport) { p.Interfaces = append(p.Interfaces, "eth0") },
		"and 1 routes": func(p *probeReport) { p.Routes = 1 },
		"writable: [/dev/shm /home/user /tmp] wanted; [/ ":           func(p *probeReport) { p.Writable = append(p.Writable, "/") },
		"writable: [/dev/shm /home/user /tmp] wanted; [/home/user ":  func(p *probeReport) { p.Writable = p.Writable[:2] },
		"disk /home/user: 1048576 bytes":                             func(p *probeReport) { p.Disks["/home/user"].Size = 1 << 30 },
		"disk /tmp: 1048576 bytes":                                   func(p *probeReport) { p.Disks["/tmp"].NoExec = false },
		"disk /dev/shm: it is not there":                             func(p *probeReport) { delete(p.Disks, "/dev/shm") },
		"devices: none beside the usual wanted; there are [\"sda\"]": func(p *probeReport) { p.Devices = append(p.Devices, "sda") },
		"masked paths: none readable wanted; [\"/proc/kcore\"] are":  func(p *probeReport) { p.Tells = []string{"/proc/kcore"} },
		"processes: its own alone wanted; 2 are visible":             func(p *probeReport) { p.Processes = []int{1, 2} },
		"hostname": func(p *probeReport) { p.Hostname = "build-host" },
		"memory: 268435456 bytes wanted; it is max":                                                    func(p *probeReport) { p.Memory = "max" },
		"swap: none wanted; memory.swap.max is not to be seen, memory and swap together are 536870912": func(p *probeReport) { p.MemSwap = "536870912" },
		"swap: none wanted; memory.swap.max is max":                                                    func(p *probeReport) { p.MemSwap, p.Swap = "", "max" },
		"pids: 64 wanted; it is max":                                                                   func(p *probeReport) { p.Pids = "max" },
		"cpus: 1 wanted; it is 1.5":                                                                    func(p *probeReport) { p.CPUs = &half },
		"cpus: 1 wanted; it is 0":                                                                      func(p *probeReport) { p.CPUs = &none },
		"rlimit nofile: 64 wanted; it is 1048576":                                                      func(p *probeReport) { p.Limits["nofile"] = 1 << 20 },
		"rlimit core: 0 wanted; it is -1":                                                              func(p *probeReport) { p.Limits["core"] = -1 },
	} {
		report := good()
		change(&report)
		found := report.posture(limits, 7, false)
		if err := wrong(found); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
		for _, f := range found {
			if f.OK == (f.Remedy != "") {
				t.Errorf("%s: ok %t, remedy %q", f.Name, f.OK, f.Remedy)
			}
		}
	}
	sentry := good()
	delete(sentry.Status, "NoNewPrivs")
	sentry.Status["Seccomp"], sentry.Pids, sentry.MemSwap, sentry.CPUs, sentry.Unshares = "0", "max", "max", nil, "yes"
	if err := wrong(sentry.posture(limits, 7, true)); err != nil {
		t.Errorf("under gVisor: got %v", err)
	}
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestLabels_TellTheSpecAgain(t *testing.T) {
	if _, _, err := parseLabels(map[string]string{}); err == nil {
		t.Error("no labels: got no error")
	}
	for _, broken := range []map[string]string{
		{LabelUID: "0", LabelSpec: "{}"},
		{LabelUID: "x", LabelSpec: "{}"},
		{LabelUID: "7", LabelSpec: ""},
		{LabelUID: "7", LabelSpec: `{"lease":"soon"}`},
		{LabelUID: "7", LabelSpec: `{"lease":"1s","memory":"much"}`},
		{LabelUID: "7", LabelSpec: strings.Repeat(" ", maxSpecLabel) + `{"lease":"1s"}`},
	} {
		if _, _, err := parseLabels(broken); err == nil {
			t.Errorf("%.100v: got no error", broken)
		}
	}
	large := probeSpec()
	large.Env = map[string]string{"A": strings.Repeat("x", maxEnvText), "B": strings.Repeat("x", maxEnvText)}
	if _, err := labels(large, "owner", 7, testTime); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("a large spec: got %v, want code %s", err, sandbox.CodeInvalid)
	}
	notText := probeSpec()
	notText.Env = map[string]string{"A": "\xff"}
	if _, err := labels(notText, "owner", 7, testTime); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("a spec that is not UTF-8: got %v, want code %s", err, sandbox.CodeInvalid)
	}
}
