package hostile_test

import "testing"

// A session looks for the host, for the network and for other sessions.

func TestHostile_Isolation(t *testing.T) { launch(t, isolation) }

var isolation = onslaught{"Isolation", []attack{
	one("NetworkBeyondLoopback", cell{
		runc: "ok", prints: "['lo'] ENETUNREACH ENETUNREACH OSError\n",
		code: `
names = sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:])
print(names, attempt(socket.create_connection, ("192.0.2.1", 80), 3), attempt(socket.socket(type=socket.SOCK_DGRAM).sendto, b"x", ("192.0.2.1", 53)),
      attempt(socket.getaddrinfo, "example.invalid", 80))`,
	}),
	one("RawSockets", cell{
		runc: "ok",
		code: `
kinds = [(socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_INET6, socket.SOCK_RAW, 58), (socket.AF_PACKET, socket.SOCK_RAW), (40, socket.SOCK_STREAM), (38, socket.SOCK_SEQPACKET)]
answers = [attempt(socket.socket, *kind) for kind in kinds]
assert "done" not in answers and (sentry or set(answers) == {"EPERM"}), answers`,
	}),
	one("Mounts", cell{
		runc: "ok", prints: "-1 -1 -1 -1 -1 -1 []\n",
		code: `
os.mkdir("here")
before = open("/proc/self/mountinfo").read()
print(libc.mount(b"tmpfs", b"/home/user/here", b"tmpfs", 0, None), libc.mount(b"/", b"/home/user/here", None, 4096, None),
      libc.mount(b"proc", b"/proc", b"proc", 0, None), libc.mount(None, b"/", None, 32, None), libc.umount2(b"/tmp", 2), libc.chroot(b"here"), os.listdir("here"))
assert open("/proc/self/mountinfo").read() == before`,
	}),
	one("NamespacesOfItsOwn", cell{
		runc: "ok", prints: "['lo'] False\n", runsc: "ok error crashed lost",
		code: `
def child():
    ctypes.set_errno(0)
    answers = [libc.unshare(flag) for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x08000000)]
    libc.mount(b"proc", b"/proc", b"proc", 0, None)
    libc.mount(b"tmpfs", b"/opt", b"tmpfs", 0, None)
    os._exit(0 if sentry or answers == [-1] * 5 else 1)
if (pid := os.fork()) == 0:
    child()
assert os.waitpid(pid, 0)[1] == 0
print(sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]), os.access("/opt", os.W_OK))`,
	}),
	one("RootByName", cell{
		runc: "ok", prints: "EPERM EPERM EPERM EPERM EPERM\n",
		code: `
print(attempt(os.setuid, 0), attempt(os.setgid, 0), attempt(os.setgroups, [0]), attempt(os.setresuid, 0, 0, 0), attempt(os.chown, "/home/user", 0, 0))
assert 0 not in (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups())`,
	}),
	one("SetuidPrograms", cell{
		runc: "ok", timeout: 20,
		code: `
import stat
with open("program", "w") as file:
    file.write(f"#!{sys.executable} -I\nimport os\nprint(os.geteuid(), os.getegid())\n")
attempt(os.chmod, "program", 0o6755)
mine = f"{os.getuid()} {os.getgid()}\n"
assert subprocess.run(["./program"], capture_output=True, text=True).stdout in ("", mine)
for folder, _, names in os.walk("/", onerror=lambda error: None):
    if folder.startswith(("/proc", "/sys")):
        continue
    for name in names:
        path = f"{folder}/{name}"
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID) and path != "/home/user/program":
            raise Exception(path)
if not sentry:
    assert "NoNewPrivs:\t1" in open("/proc/self/status").read()`,
	}),
	one("OtherProcesses", cell{
		runc: "ok",
		code: `
told = {pid: open(f"/proc/{pid}/cmdline").read() for pid in os.listdir("/proc") if pid.isdigit()}
assert "1" in told and len(told) <= 3 and all("fastpyrepl" in line for line in told.values()), told
assert sentry or attempt(os.kill, 1, 0) == "done"
for pid in range(1, 4096):
    if str(pid) not in told:
        assert attempt(os.kill, pid, 0) == "ESRCH" and not os.path.exists(f"/proc/{pid}/environ"), pid`,
	}),
	one("SecretsOfProc", cell{
		runc: "ok", prints: "nothing\n",
		code: `
for path in ("kcore", "kmsg", "kallsyms", "keys", "timer_list", "sched_debug", "interrupts", "modules", "slabinfo", "vmallocinfo", "config.gz"):
    try:
        with open("/proc/" + path, "rb", buffering=0) as file:
            assert not file.read(1) or path == "interrupts" and sentry, path
    except OSError as error:
        assert error.errno in (errno.ENOENT, errno.EACCES, errno.EPERM), (path, error)
for path in ("acpi", "asound", "scsi"):
    assert not os.path.isdir("/proc/" + path) or not os.listdir("/proc/" + path), path
print("nothing")`,
	}),
	one("SettingsOfTheKernel", cell{
		runc: "ok",
		code: `
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
             "/proc/sys/vm/overcommit_memory", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper", "/sys/power/state", "/proc/1/oom_score_adj"):
    answer = attempt(lambda: os.write(os.open(path, os.O_WRONLY), b"0"))
    assert answer in ("EROFS", "EACCES", "EPERM", "ENOENT", "EINVAL", "EIO") or sentry and path == "/proc/1/oom_score_adj", (path, answer)`,
	}),
	one("ControlGroups", cell{
		runc: "ok",
		code: `
for folder, names, files in os.walk("/sys/fs/cgroup"):
    assert attempt(os.mkdir, f"{folder}/mine") != "done", folder
    for name in files:
        if name.endswith(("procs", "tasks", "release_agent", "limit_in_bytes", ".max", "cfs_quota_us", "devices.allow")):
            assert attempt(os.open, f"{folder}/{name}", os.O_WRONLY) != "done", (folder, name)`,
	}),
	one("DeviceNodes", cell{
		runc: "ok",
		code: `
import stat
for kind, major, minor in ((stat.S_IFBLK, 8, 0), (stat.S_IFBLK, 259, 0), (stat.S_IFCHR, 1, 1), (stat.S_IFCHR, 10, 200)):
    assert attempt(os.mknod, "node", 0o600 | kind, os.makedev(major, minor)) != "done"
for name in ("mem", "kmem", "port", "kmsg", "sda", "vda", "nvme0n1", "loop-control", "kvm", "fuse", "net/tun", "snapshot", "mapper/control"):
    assert attempt(os.open, "/dev/" + name, os.O_RDONLY) != "done" or sentry and name in ("fuse", "net/tun"), name  # of its own kernel`,
	}),
	one("LeftOpenByTheRuntime", cell{
		runc: "ok",
		code: `
for pid in ("self", "1"):
    for fd in range(64):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except (PermissionError, FileNotFoundError):
            continue
        assert not link.startswith("/") or link.startswith(("/dev/null", "/proc/", "/home/user")), (pid, link)
for fd in range(3, 64):
    assert attempt(os.chdir, f"/proc/self/fd/{fd}/../../..") != "done", fd
for path in ("/proc/self/exe", "/proc/1/exe", "/usr/bin/python3", "/.dockerenv", "/etc/passwd"):
    assert attempt(os.open, path, os.O_WRONLY) != "done", path`,
	}),
	one("PowersOfTheAdministrator", cell{
		runc: "ok",
		code: `
calls = {
    "sethostname": lambda: libc.sethostname(b"mine", 4), "setdomainname": lambda: libc.setdomainname(b"mine", 4),
    "clock_settime": lambda: libc.clock_settime(0, struct.pack("qq", int(time.time()), 0)), "acct": lambda: libc.acct(b"/tmp/acct"),
    "swapon": lambda: libc.swapon(b"/tmp/swap", 0), "reboot": lambda: libc.reboot(0), "quotactl": lambda: libc.quotactl(0, None, 0, None),
    "init_module": lambda: libc.syscall(175, b"", 0, b""), "kexec_load": lambda: libc.syscall(246, 0, 0, None, 0), "iopl": lambda: libc.syscall(172, 3),
    "perf_event_open": lambda: libc.syscall(298, None, 0, -1, -1, 0), "bpf": lambda: libc.syscall(321, 0, None, 0), "userfaultfd": lambda: libc.syscall(323, 0),
    "io_uring_setup": lambda: libc.syscall(425, 1, None), "open_by_handle_at": lambda: libc.syscall(304, -100, None, 0), "syslog": lambda: libc.syscall(103, 3, ctypes.create_string_buffer(64), 64),
}
allowed = [name for name, call in calls.items() if call() != -1]
assert not allowed or sentry and allowed == ["syslog"], allowed`,
	}),
	one("WhatOtherSessionsHave", cell{
		runc: "ok", prints: "ECONNREFUSED [] [] []\n",
		code: `
print(attempt(socket.socket(socket.AF_UNIX).connect, "\0bystander"), *(os.listdir(folder) for folder in ("/home/user", "/tmp", "/dev/shm")))`,
	}),
}}
