package docker_test

import "testing"

// What a process in a container has and sees.

func TestHostile_CapabilitiesEmpty(t *testing.T) {
	wants(t, "CapInh 0 CapPrm 0 CapEff 0 CapBnd 0 CapAmb 0", `
for line in open("/proc/self/status"):
    if line.startswith("Cap"):
        name, value = line.split(":")
        print(name, int(value, 16), end=" ")`)
}

func TestHostile_NoNewPrivs(t *testing.T) {
	wants(t, "NoNewPrivs 1 Seccomp 2", `
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print("NoNewPrivs", status["NoNewPrivs"], "Seccomp", status["Seccomp"])`)
}

func TestHostile_HostnameTellsNothing(t *testing.T) {
	wants(t, "sandbox sandbox /", `
import socket
groups = {line.strip().split(":", 2)[2] for line in open("/proc/self/cgroup")}
print(socket.gethostname(), os.uname().nodename, *sorted(groups))`)
}

func TestHostile_EnvironmentHoldsNothingElse(t *testing.T) {
	wants(t, "HOME LANG LOGNAME MKL_NUM_THREADS MPLBACKEND MPLCONFIGDIR OMP_NUM_THREADS OPENBLAS_NUM_THREADS PATH "+
		"PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED USER", `
names = set(open("/proc/self/environ").read().split("\0"))
print(*sorted(name.split("=")[0] for name in names if name and not name.startswith("HOSTNAME=sandbox")))`)
}

func TestHostile_RootIsReadOnly(t *testing.T) {
	wants(t, "/dev/shm /home/user /tmp True EROFS EROFS", `
writable = []
for folder, names, _ in os.walk("/"):
    if folder == "/":
        names[:] = [n for n in names if n not in ("proc", "sys")]
    if os.access(folder, os.W_OK):
        writable.append(folder)
        names[:] = []
print(*sorted(writable), bool(os.statvfs("/").f_flag & os.ST_RDONLY),
      check(os.mkdir, "/new"), check(os.mkdir, "/opt/new"))`)
}

func TestHostile_KernelSettingsAreReadOnly(t *testing.T) {
	wants(t, "", `
import glob
paths = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname",
         "/proc/irq/default_smp_affinity", "/proc/self/uid_map", "/sys/kernel/uevent_helper", "/sys/power/state",
         *glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True), *glob.glob("/sys/fs/cgroup/**/release_agent", recursive=True),
         *glob.glob("/sys/fs/cgroup/**/*.max", recursive=True), *glob.glob("/sys/fs/cgroup/**/*limit*", recursive=True)]
for path in paths:
    answer = check(os.open, path, os.O_WRONLY)
    if answer not in ("EROFS", "EACCES", "EPERM", "ENOENT"):
        if path == "/proc/self/uid_map":
            answer = check(os.write, os.open(path, os.O_WRONLY), b"0 0 1")
            if answer == "EPERM":
                continue
        print(path, answer)`)
}

func TestHostile_ProcMasked(t *testing.T) {
	wants(t, "", `
for path in ("/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/kmsg", "/proc/timer_list", "/proc/sched_debug", "/proc/interrupts",
             "/proc/modules", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/pagetypeinfo", "/proc/config.gz", "/proc/latency_stats"):
    try:
        with open(path, "rb") as file:
            if file.read(1):
                print(path, "can be read")
    except OSError as e:
        if e.errno not in (errno.ENOENT, errno.EACCES, errno.EPERM):
            print(path, e)
for path in ("/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"):
    if os.path.isdir(path) and os.listdir(path):
        print(path, "can be listed")`)
}

func TestHostile_DevPtsMasked(t *testing.T) {
	wants(t, "[] [] ENOENT False", `
print(os.listdir("/dev/pts"), os.listdir("/dev/mqueue"), check(os.open, "/dev/ptmx", os.O_RDWR), os.access("/dev/pts", os.W_OK))`)
}

func TestHostile_DevicesAreHarmless(t *testing.T) {
	wants(t, "full null random tty urandom zero", `
import stat
print(*sorted(name for name in os.listdir("/dev") if stat.S_ISCHR((mode := os.lstat("/dev/" + name).st_mode)) or stat.S_ISBLK(mode)))`)
}

func TestHostile_OtherProcessesInvisible(t *testing.T) {
	wants(t, "1", `print(*(name for name in os.listdir("/proc") if name.isdigit()))`)
}

func TestHostile_TmpIsNotExecutable(t *testing.T) {
	wants(t, "EACCES EACCES allowed", `
import shutil, subprocess
def run(folder):
    path = folder + "/program"
    with open(path, "w") as file:
        file.write(f"#!{sys.executable}\n")
    os.chmod(path, 0o700)
    return check(subprocess.run, [path])
print(run("/tmp"), run("/dev/shm"), run("/home/user"))`)
}

func TestHostile_MountsAreNoSuidNoDev(t *testing.T) {
	wants(t, "", `
for path in ("/home/user", "/tmp", "/dev/shm"):
    flags = os.statvfs(path).f_flag
    if not (flags & os.ST_NOSUID and flags & os.ST_NODEV):
        print(path, flags)`)
}

func TestHostile_OomScoreCannotBeLowered(t *testing.T) {
	wants(t, "500 EACCES", `
def lower():
    with open("/proc/self/oom_score_adj", "w", buffering=1) as file:
        file.write("-1000\n")
print(open("/proc/self/oom_score_adj").read().strip(), check(lower))`)
}
