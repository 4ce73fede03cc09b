package docker_test

import "testing"

// Each limit is reached, and holds.

func TestHostile_TmpfsIsBounded(t *testing.T) {
	// testSpec has 32 MiB in the working directory and 16 MiB in the others.
	wants(t, "/home/user 32 ENOSPC, /tmp 16 ENOSPC, /dev/shm 16 ENOSPC", `
def fill(folder):
    written = 0
    for name in range(8):
        with open(f"{folder}/{name}", "wb", buffering=0) as file:
            for _ in range(8):
                try:
                    written += file.write(b"x" * (1 << 20))
                except OSError as e:
                    return f"{folder} {written >> 20} {errno.errorcode[e.errno]}"
print(*(fill(folder) for folder in ("/home/user", "/tmp", "/dev/shm")), sep=", ")`)
}

func TestHostile_NumberOfFilesBounded(t *testing.T) {
	// testSpec has 1024 files in each; the folder itself is one.
	wants(t, "/home/user 1023 ENOSPC, /tmp 1023 ENOSPC, /dev/shm 1023 ENOSPC", `
def many(folder):
    for n in range(5000):
        try:
            os.symlink("x" * 100, f"{folder}/{n}")
        except OSError as e:
            return f"{folder} {n} {errno.errorcode[e.errno]}"
print(*(many(folder) for folder in ("/home/user", "/tmp", "/dev/shm")), sep=", ")`)
}

func TestHostile_FileSizeBounded(t *testing.T) {
	// testSpec allows files of 32 MiB, also where they take no room.
	wants(t, "allowed EFBIG EFBIG", `
with open("/home/user/sparse", "wb") as file:
    print(check(os.ftruncate, file.fileno(), 32 << 20), check(os.ftruncate, file.fileno(), (32 << 20) + 1), end=" ")
print(check(os.ftruncate, os.memfd_create("sparse"), (32 << 20) + 1))`)
}

func TestHostile_ShmBounded(t *testing.T) {
	wants(t, "ENOSPC", `
from multiprocessing import shared_memory
def take():
    for n in range(4):
        m = shared_memory.SharedMemory(create=True, size=8 << 20, track=False) if sys.version_info >= (3, 13) else shared_memory.SharedMemory(create=True, size=8 << 20)
        os.posix_fallocate(m._fd, 0, 8 << 20)
print(check(take))`)
}

func TestHostile_ForkBombBounded(t *testing.T) {
	// testSpec has 64 processes and threads.
	wants(t, "processes EAGAIN True, threads True", `
import signal, threading
children = []
try:
    while len(children) < 500:
        child = os.fork()
        if not child:
            signal.pause()
        children.append(child)
    answer = "allowed"
except OSError as e:
    answer = errno.errorcode[e.errno]
forks = len(children)
for child in children:
    os.kill(child, signal.SIGKILL); os.waitpid(child, 0)
stop, threads = threading.Event(), []
try:
    while len(threads) < 500:
        thread = threading.Thread(target=stop.wait); thread.start(); threads.append(thread)
except RuntimeError:
    pass
stop.set()
print(f"processes {answer} {50 <= forks < 64}, threads {50 <= len(threads) < 64}")`)
}

func TestHostile_OpenFilesBounded(t *testing.T) {
	// testSpec has 128 open files.
	wants(t, "EMFILE True refused", `
import resource
files = []
def open_all():
    while len(files) < 1000:
        files.append(os.open("/dev/null", os.O_RDONLY))
answer = check(open_all)
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)); raised = "raised"
except (ValueError, OSError):
    raised = "refused"
print(answer, 100 < len(files) < 128, raised)`)
}

func TestHostile_MemoryBounded(t *testing.T) {
	// testSpec has 256 MiB. The child is the kernel's first choice, as a worker is.
	wants(t, "child killed by 9", `
child = os.fork()
if not child:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    hold = bytearray(512 << 20)
    for n in range(0, len(hold), 4096):
        hold[n] = 1
    os._exit(0)
_, status = os.waitpid(child, 0)
print("child killed by", os.WTERMSIG(status))`)
}

func TestHostile_MemoryOfPIDOneBounded(t *testing.T) {
	p := start(t, shared, testSpec(), `
hold = bytearray(512 << 20)
for n in range(0, len(hold), 4096):
    hold[n] = 1
`)
	status := p.end(t)
	if got, want := status.Code, 137; got != want {
		t.Errorf("exit code: got %d, want %d", got, want)
	}
	if !status.OOMKilled {
		t.Error("the end does not say that memory ran out")
	}
}

func TestHostile_TmpfsCountsAsMemory(t *testing.T) {
	spec := testSpec()
	spec.Limits.Memory, spec.Limits.WorkDir = 64<<20, 32<<20
	p := start(t, shared, spec, `
with open("/home/user/file", "wb") as file:
    file.write(b"x" * (24 << 20))
print("written", flush=True)
sys.stdin.readline()`)
	if got, want := p.line(t), "written"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	usage, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if usage.Memory < 24<<20 || usage.Memory > 64<<20 {
		t.Errorf("memory in use: got %d, want more than the file's 24 MiB and less than the limit", usage.Memory)
	}
	p.tell(t, "")
}

func TestHostile_SwapIsNotAdded(t *testing.T) {
	wants(t, "True", `
def read(*paths):
    for path in paths:
        if os.path.exists(path):
            return open(path).read().strip()
swap = read("/sys/fs/cgroup/memory.swap.max", "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
print(swap in ("0", str(256 << 20)))`)
}

func TestHostile_CPUBounded(t *testing.T) {
	// testSpec has one CPU: two processes that spin for a second of wall time get about one second of it together.
	wants(t, "True", `
import time
def spin():
    end = time.monotonic() + 1
    while time.monotonic() < end:
        pass
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        spin(); os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
times = os.times()
print(times.children_user + times.children_system < 1.4)`)
}

func TestHostile_CoreDumpsOff(t *testing.T) {
	wants(t, "(0, 0) 11 False", `
import resource, signal
child = os.fork()
if not child:
    os.kill(os.getpid(), signal.SIGSEGV)
_, status = os.waitpid(child, 0)
print(resource.getrlimit(resource.RLIMIT_CORE), os.WTERMSIG(status), os.WCOREDUMP(status))`)
}

func TestHostile_QueuedSignalsBounded(t *testing.T) {
	wants(t, "EAGAIN True", `
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
for n in range(1000):
    if libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), ctypes.c_void_p()) < 0:
        break
print(errno.errorcode[ctypes.get_errno()], 200 < n <= 256)`)
}

func TestHostile_LockedMemoryRefused(t *testing.T) {
	wants(t, "EPERM", `
ctypes.set_errno(0)
libc.mlockall(1)
print(errno.errorcode[ctypes.get_errno()])`)
}
