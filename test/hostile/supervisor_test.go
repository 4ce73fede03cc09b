package hostile_test

import "testing"

// Tampering with PID 1, and with everything at once.

func TestHostile_Supervisor(t *testing.T) { launch(t, supervisor) }

var supervisor = onslaught{"Tampering with PID 1", []attack{
	one("EverySignal", cell{
		runc: "ok", runsc: "ok lost", prints: "sent\n",
		code: `
for number in sorted(signal.valid_signals()):
    attempt(os.kill, 1, number)
print("sent")`,
	}),
	one("SignalStorm", cell{
		runc: "timeout", runsc: "timeout lost", timeout: 1,
		code: "while True:\n    os.kill(1, signal.SIGCHLD); os.kill(1, signal.SIGTERM)",
	}),
	one("KillAll", cell{runc: "ok", runsc: "ok crashed lost", prints: "alone\n", code: "attempt(os.kill, -1, signal.SIGKILL)\nprint('alone')"}),
	one("StopAll", cell{runc: "ok", runsc: "ok crashed killed timeout lost", prints: "alone\n", code: "attempt(os.kill, -1, signal.SIGSTOP)\nprint('alone')"}),
	one("KillAllAgainAndAgain", cell{
		runc: "crashed timeout killed", runsc: "crashed timeout killed lost", timeout: 1,
		code: `
def kill():
    while True:
        attempt(os.kill, -1, signal.SIGTERM)
detach(kill)
time.sleep(30)`,
	}),
	{name: "KillerThatOutlivesItsCell", cells: []cell{
		{runc: "ok crashed", runsc: "ok crashed lost", code: `
def kill():
    time.sleep(0.3)
    attempt(os.kill, -1, signal.SIGKILL)
detach(kill)`},
		{runc: "crashed", runsc: "crashed lost", code: "time.sleep(2)"},
	}},
	one("ReadAndWriteItsMemory", cell{
		runc: "ok", runsc: "ok lost",
		check: refusedUnderRunc("EACCES EACCES EACCES EACCES EACCES EACCES EACCES EPERM EPERM\n"),
		code: `
def read(name):
    with open(f"/proc/1/{name}", "rb") as file:
        file.read(1)
def write(name, data):
    with open(f"/proc/1/{name}", "wb", buffering=0) as file:
        file.write(data)
def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
print(attempt(read, "mem"), attempt(write, "mem", b"x"), attempt(read, "maps"), attempt(read, "environ"), attempt(write, "oom_score_adj", b"1000"),
      attempt(os.listdir, "/proc/1/fd"), attempt(os.readlink, "/proc/1/cwd"),
      attempt(lambda: check(libc.ptrace(16, 1, 0, 0))), attempt(lambda: check(libc.process_vm_readv(1, None, 0, None, 0, 0))))`,
	}),
	one("Limits", cell{
		runc: "ok", runsc: "ok lost",
		check: refusedUnderRunc("PermissionError PermissionError PermissionError\n"),
		code: `
def limit(which):
    try:
        resource.prlimit(1, which, (0, 0))
    except OSError as error:
        raise Exception from error
def name(which):
    try:
        resource.prlimit(1, which, (0, 0))
        return "done"
    except OSError as error:
        return type(error).__name__
print(*map(name, (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)))`,
	}),
	one("PidDescriptors", cell{
		runc: "ok", runsc: "ok error lost",
		code: `
def handle():
    fd = os.pidfd_open(1)
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV):
        signal.pidfd_send_signal(fd, number)
    os.close(fd)
attempt(handle)
def take():
    fd = os.pidfd_open(1)
    if libc.syscall(438, fd, 0, 0) != -1:
        return "taken"
assert attempt(take) in ("done", "EPERM", "ENOSYS")`,
	}),
	one("GroupAndSession", cell{
		runc: "ok", runsc: "ok lost",
		code: "attempt(os.setpgid, 1, 0); attempt(os.setpgid, 0, 1); attempt(os.killpg, 1, signal.SIGKILL); attempt(os.setsid)",
	}),
	one("ChildOfItsOwnThatNobodyWaitsFor", cell{
		runc: "ok",
		code: "for _ in range(50):\n    detach(lambda: None)",
	}),
	one("ItsStatsAndPriority", cell{
		runc: "ok",
		code: "attempt(os.sched_setaffinity, 1, {0}); attempt(os.setpriority, os.PRIO_PROCESS, 1, 19); attempt(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0))",
	}),
}}

// refusedUnderRunc demands what the attack saw. gVisor's kernel has rules of its own, and there the sandbox is the boundary.
func refusedUnderRunc(want string) func(*testing.T, *answer) {
	return func(t *testing.T, a *answer) {
		t.Helper()
		if !sentry() && a.Stdout != want {
			t.Errorf("the attack saw %q, want %q; stderr %q", a.Stdout, want, a.Stderr)
		}
	}
}
