package hostile_test

import "testing"

// A session takes all it can get of what the host has.

func TestHostile_Resources(t *testing.T) { launch(t, resources) }

var resources = onslaught{"Resources", []attack{
	one("ForkBomb", cell{
		runc: "timeout killed", runsc: "timeout killed oom crashed lost", timeout: 1,
		code: `
while True:
    try:
        os.fork()
    except OSError:
        pass`,
	}),
	one("ForkBombDeafToInterrupts", cell{
		runc: "killed", runsc: "killed oom crashed lost", timeout: 1,
		code: `
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        os.fork()
    except OSError:
        pass`,
	}),
	one("ThreadBomb", cell{
		runc: "ok", runsc: "ok error oom crashed lost", prints: "bounded\n",
		code: `
wait = threading.Event()
for _ in range(1000):
    try:
        threading.Thread(target=wait.wait, daemon=True).start()
    except RuntimeError:
        break
print("bounded")`,
	}),
	one("ProcessesThatSpin", cell{
		runc: "timeout killed", runsc: "timeout killed crashed lost", timeout: 1.5,
		code: `
for _ in range(30):
    if os.fork() == 0:
        break
while True:
    pass`,
	}),
	{name: "ZombiesFillThePidLimitAndTheWorkerDies", cells: []cell{
		{
			runc: "ok", runsc: "ok error oom crashed timeout killed lost", prints: "EAGAIN\n",
			code: `
def zombies():
    for _ in range(100):
        if os.fork() == 0:
            os._exit(0)
answer = attempt(zombies)
print("EAGAIN" if sentry else answer)`,
		},
		{runc: "crashed", runsc: "crashed lost", code: "os._exit(0)"},
	}},
	{name: "MemoryBitByBit", cells: []cell{
		{
			runc: "error oom", runsc: "error oom crashed lost",
			code: `
hoard = []
while True:
    hoard.append(bytearray(1 << 20))`,
		},
		{runc: "ok error", prints: "given back\n", code: "del hoard\nprint('given back')"},
	}},
	{name: "MemoryInTheSmallestBits", cells: []cell{
		{
			runc: "error oom", runsc: "error oom crashed timeout killed lost",
			code: `
hoard = []
while True:
    hoard = [hoard, object()]`,
		},
		{runc: "ok error", prints: "given back\n", code: "del hoard\nprint('given back')"},
	}},
	one("OneHugeAllocation", cell{runc: "error", runsc: "error oom crashed lost", code: "'x' * 10**10"}),
	one("SharedMemoryThatNoRlimitCounts", cell{
		runc: "oom", runsc: "oom crashed lost error",
		code: `
hoard = mmap.mmap(-1, 1 << 30)
for place in range(0, 1 << 30, 4096):
    hoard[place] = 1`,
	}),
	one("ManyMediumChildrenFillTheMemory", cell{
		runc: "ok error oom", runsc: "ok error oom crashed lost", timeout: 10,
		code: `
for _ in range(25):
    if os.fork() == 0:
        hoard = mmap.mmap(-1, 16 << 20)
        for place in range(0, 16 << 20, 4096):
            hoard[place] = 1
        time.sleep(3)
        os._exit(0)
for _ in range(25):
    os.wait()`,
	}),
	one("ChildrenThatFillTheMemoryAgainAndAgain", cell{
		runc: "timeout killed oom", runsc: "timeout killed oom crashed lost error", timeout: 1.5,
		code: `
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    try:
        child = os.fork()
    except OSError:
        continue
    if child == 0:
        hoard = mmap.mmap(-1, 64 << 20)
        for place in range(0, 64 << 20, 4096):
            hoard[place] = 1
        time.sleep(0.2)
        os._exit(0)`,
	}),
	one("EveryTmpfsFull", cell{
		runc: "ok", prints: "ENOSPC ENOSPC ENOSPC\n",
		code: `
def fill(folder):
    for name in range(100):
        with open(f"{folder}/{name}", "wb", buffering=0) as file:
            for _ in range(8):
                if file.write(bytes(1 << 20)) < 1 << 20:
                    raise OSError(errno.ENOSPC, "full")
print(*(attempt(fill, folder) for folder in ("/home/user", "/tmp", "/dev/shm")))`,
	}),
	one("EveryInodeTaken", cell{
		runc: "ok", timeout: 10, // gVisor counts no inodes: the memory limit bounds them
		code: `
def fill(folder):
    for name in range(1100):
        os.mkdir(f"{folder}/{name}")
answers = [attempt(fill, folder) for folder in ("/home/user", "/tmp", "/dev/shm")]
assert sentry or answers == ["ENOSPC"] * 3, answers`,
	}),
	{name: "EveryDescriptorTaken", cells: []cell{
		{
			runc: "ok", prints: "EMFILE\n",
			code: `
hoard = []
def take():
    while True:
        hoard.append(os.open("/dev/null", os.O_RDONLY))
print(attempt(take))`,
		},
		{runc: "ok", prints: "here\n", code: "print('here')"},
	}},
	{name: "DescriptorLimitOfZero", cells: []cell{
		{runc: "ok", code: "resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))"},
		{runc: "error", code: "print('here')"},
	}, wrecked: true},
	one("Terminals", cell{runc: "ok", code: `
hoard = []
def take():
    for _ in range(5000):
        hoard.append(os.openpty())
assert attempt(take) != "done"`}),
	{name: "PipesAtTheirQuota", cells: []cell{
		{
			runc: "ok",
			code: `
import fcntl
hoard = []
def take():
    for _ in range(100):
        hoard.append(os.pipe())
        fcntl.fcntl(hoard[-1][1], fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(hoard[-1][1], False)
        os.write(hoard[-1][1], bytes(1 << 20))
attempt(take)`,
			check: bystandersPipesAreWhole,
		},
		{runc: "ok", code: "print('x' * 30000)", check: func(t *testing.T, a *answer) { wantLength(t, a.Stdout, 30001) }},
	}},
	one("KernelQueues", cell{
		runc: "ok",
		code: `
answers = {libc.inotify_init1(0) for _ in range(300)} | {libc.mq_open(b"/queue%d" % n, os.O_CREAT | os.O_RDWR, 0o600, None) for n in range(300)}
assert sentry or answers == {-1}, answers`,
	}),
	one("QueuedSignals", cell{
		runc: "ok",
		code: `
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
refused = sum(libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), ctypes.c_void_p(n)) for n in range(20000))
signal.sigtimedwait([signal.SIGRTMIN], 0)`,
	}),
	one("TinyAddressSpace", cell{
		runc: "ok error crashed", runsc: "ok error crashed lost",
		code: "resource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))\nhoard = bytearray(64 << 20)",
	}).wrecking(),
	one("CPULimitOfOneSecond", cell{
		runc: "crashed", runsc: "crashed lost",
		code: "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True:\n    pass",
	}),
	one("FilesOfNoSize", cell{
		runc: "ok", prints: "still here\n",
		code: "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\nprint('still here')",
	}),
}}

// wrecking tells that a breaks the interpreter.
func (a attack) wrecking() attack {
	a.wrecked = true
	return a
}

// underSentry gives the endings that differ under gVisor.
func (a attack) underSentry(endings string) attack {
	a.cells[0].runsc = endings
	return a
}

// bystandersPipesAreWhole demands that another session gets pipes of the usual size while this one holds all that it may.
func bystandersPipesAreWhole(t *testing.T, _ *answer) {
	t.Helper()
	other := "other"
	defer shared.discard(t, other)
	a := shared.mustExecute(t, request{Session: other, Code: "import fcntl, os\nprint(fcntl.fcntl(os.pipe()[1], fcntl.F_GETPIPE_SZ))"})
	if got, want := a.Stdout, "65536\n"; got != want {
		t.Errorf("a pipe of another session has %q bytes, want %q", got, want)
	}
}

func wantLength(t *testing.T, text string, want int) {
	t.Helper()
	if got := len(text); got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
}
