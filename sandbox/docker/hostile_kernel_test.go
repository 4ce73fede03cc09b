package docker_test

import (
	"testing"

	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// System calls that have broken sandboxes before, or reach what is shared by the whole host.

func TestHostile_MountRefused(t *testing.T) {
	wants(t, "EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM", `
print(syscall("mount", 0, 0, 0, 0, 0), syscall("umount2", 0, 0), syscall("fsopen", 0, 0), syscall("open_tree", -100, 0, 0),
      syscall("move_mount", 0, 0, 0, 0, 0), syscall("mount_setattr", 0, 0, 0, 0, 0), syscall("pivot_root", 0, 0),
      syscall("chroot", 0))`)
}

func TestHostile_UnshareRefused(t *testing.T) {
	wants(t, "EPERM EPERM EPERM EPERM ENOSYS", `
NEWUSER, NEWNS, SIGCHLD = 0x10000000, 0x20000, 17
print(syscall("unshare", NEWUSER), syscall("unshare", NEWNS), syscall("setns", 0, 0),
      syscall("clone", NEWUSER | SIGCHLD, 0, 0, 0, 0), syscall("clone3", 0, 0))`)
}

func TestHostile_PtraceOthersRefused(t *testing.T) {
	wants(t, "EPERM EPERM EPERM EPERM EPERM allowed", `
import signal
child = os.fork()
if not child:
    signal.pause()
ATTACH, RLIMIT_CPU = 16, 0
print(syscall("ptrace", ATTACH, child, 0, 0), syscall("process_vm_readv", child, 0, 0, 0, 0, 0),
      syscall("pidfd_getfd", os.pidfd_open(child), 0, 0), syscall("kcmp", os.getpid(), child, 0, 0, 0),
      syscall("prlimit64", child, RLIMIT_CPU, 0, 0), syscall("prlimit64", 0, RLIMIT_CPU, 0, 0))
os.kill(child, signal.SIGKILL)`)
}

func TestHostile_IoUringRefused(t *testing.T) {
	wants(t, "EPERM EPERM", `print(syscall("io_uring_setup", 1, 0), syscall("io_setup", 1, 0))`)
}

func TestHostile_BpfRefused(t *testing.T) {
	wants(t, "EPERM", `print(syscall("bpf", 0, 0, 0))`)
}

func TestHostile_KeyctlRefused(t *testing.T) {
	wants(t, "EPERM EPERM EPERM", `print(syscall("keyctl", 0, -3, 0), syscall("add_key", 0, 0, 0, 0, -3), syscall("request_key", 0, 0, 0, 0))`)
}

func TestHostile_UserfaultfdRefused(t *testing.T) {
	wants(t, "EPERM", `print(syscall("userfaultfd", 0))`)
}

func TestHostile_PerfRefused(t *testing.T) {
	wants(t, "EPERM", `print(syscall("perf_event_open", 0, 0, -1, -1, 0))`)
}

func TestHostile_SecretMemoryRefused(t *testing.T) {
	wants(t, "EPERM", `print(syscall("memfd_secret", 0))`)
}

func TestHostile_FileHandleRefused(t *testing.T) {
	wants(t, "EPERM", `print(syscall("open_by_handle_at", -100, 0, 0))`)
}

func TestHostile_DeviceNodeRefused(t *testing.T) {
	wants(t, "EPERM EPERM", `
import stat
print(check(os.mknod, "/home/user/sda", 0o600 | stat.S_IFBLK, os.makedev(8, 0)),
      check(os.mknod, "/home/user/mem", 0o600 | stat.S_IFCHR, os.makedev(1, 1)))`)
}

func TestHostile_SharedMemoryOfSystemVRefused(t *testing.T) {
	wants(t, "EPERM EPERM", `print(syscall("shmget", 0, 4096, 0o1600), syscall("mq_open", 0, 0o100, 0, 0))`)
}

func TestHostile_RawSocketRefused(t *testing.T) {
	wants(t, "raw EPERM, raw6 EPERM, packet EPERM, netlink EPERM, vsock EPERM, alg EPERM", `
import socket
print(*(f"{name} {check(socket.socket, *kind)}" for name, *kind in (
    ("raw", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), ("raw6", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
    ("packet", socket.AF_PACKET, socket.SOCK_RAW), ("netlink", socket.AF_NETLINK, socket.SOCK_RAW),
    ("vsock", 40, socket.SOCK_STREAM), ("alg", 38, socket.SOCK_SEQPACKET))), sep=", ")`)
}

func TestHostile_NetworkHasOnlyLoopback(t *testing.T) {
	wants(t, "lo ENETUNREACH EAI_AGAIN", `
import socket
with open("/proc/net/dev") as file:
    names = [line.split(":")[0].strip() for line in file.readlines()[2:]]
connect = check(socket.create_connection, ("192.0.2.1", 80), 5)
try:
    socket.getaddrinfo("example.invalid", 80); dns = "resolved"
except socket.gaierror as e:
    dns = {socket.EAI_AGAIN: "EAI_AGAIN"}.get(e.errno, e.errno)
print(*names, connect, dns)`)
}

// What a strict profile breaks first: the data-science libraries, whose BLAS starts threads of its own.
func TestHostile_NumpyAndThreadsStillWork(t *testing.T) {
	rt := newRuntime(t, func(c *docker.Config) {
		c.Images["data"], c.DefaultImage = docker.Image{Ref: dataImage()}, "data"
	})
	spec := testSpec()
	spec.Limits.Memory, spec.Limits.CPUs = 512<<20, 2
	p := start(t, rt, spec, `
os.dup2(1, 2)
import numpy, threading
a = numpy.random.default_rng(1).random((400, 400))
got = []
threads = [threading.Thread(target=lambda: got.append(float(numpy.linalg.norm(a @ numpy.linalg.inv(a) - numpy.eye(400))))) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(got), max(got) < 1e-6, flush=True)`)
	if got, want := p.line(t), "4 True"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostile_OrdinaryPythonStillWorks(t *testing.T) {
	wants(t, "threads 28, process hi, pool [0, 1, 4], shared 3, asyncio ok, sqlite 2, tcp hello, exec ok, user user", `
import asyncio, getpass, multiprocessing, socket, sqlite3, subprocess, tempfile, threading
from multiprocessing import shared_memory
def square(n): return n * n
got = []
threads = [threading.Thread(target=lambda n=n: got.append(n)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
process = subprocess.run([sys.executable, "-c", "print('hi')"], capture_output=True, text=True).stdout.strip()
with multiprocessing.get_context("fork").Pool(2) as pool:
    squares = pool.map(square, range(3))
shared = shared_memory.SharedMemory(create=True, size=4096); shared.buf[0] = 3
async def run():
    p = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('ok')", stdout=-1)
    return (await p.communicate())[0].decode().strip()
db = sqlite3.connect("/home/user/db"); db.execute("create table t (n)"); db.executemany("insert into t values (?)", [(1,), (2,)])
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname()); server.accept()[0].sendall(b"hello")
with open("/home/user/script", "w") as file:
    file.write(f"#!{sys.executable}\nprint('ok')\n")
os.chmod("/home/user/script", 0o700)
script = subprocess.run(["/home/user/script"], capture_output=True, text=True).stdout.strip()
with tempfile.TemporaryFile() as file: file.write(b"x")
print(f"threads {sum(got)}, process {process}, pool {squares}, shared {shared.buf[0]}, asyncio {asyncio.run(run())}, "
      f"sqlite {db.execute('select count(*) from t').fetchone()[0]}, tcp {client.recv(5).decode()}, exec {script}, user {getpass.getuser()}")
shared.unlink()`)
}
