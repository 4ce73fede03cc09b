package docker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// One session against another.

func TestHostile_UidUniqueAmongLiveSessions(t *testing.T) {
	few := func(c *docker.Config) { c.UIDFirst, c.UIDCount = 61_000, 3 }
	one, other := newRuntime(t, few), newRuntime(t, few)
	seen := map[int]bool{}
	var first sandbox.Instance
	for n, rt := range []*docker.Runtime{one, other, one} {
		p := start(t, rt, testSpec(), "print(os.getuid(), os.getgid(), flush=True); sys.stdin.readline()")
		if got, want := p.line(t), fmt.Sprintf("%[1]d %[1]d", p.UID()); got != want {
			t.Errorf("uid and gid: got %s, want %s", got, want)
		}
		if seen[p.UID()] {
			t.Errorf("uid %d was given twice", p.UID())
		}
		seen[p.UID()] = true
		if n == 0 {
			first = p.Instance
		}
	}
	_, err := other.StartPython(t.Context(), testSpec(), "")
	if got, want := sandbox.ErrorCode(err), sandbox.CodeCapacity; got != want {
		t.Fatalf("a fourth container with three uids: got %v, want code %s", err, want)
	}
	destroy(t, first)
	start(t, other, testSpec(), "")
}

func TestHostile_InotifyQuotaOfOneSessionDoesNotStarveAnother(t *testing.T) {
	// The quota is of the host, by uid; the profile gives no session any of it.
	wants(t, "{'EPERM'}", `print({syscall("inotify_init1", 0) for _ in range(500)})`)
}

func TestHostile_PipeQuotaOfOneSessionDoesNotStarveAnother(t *testing.T) {
	// A uid that holds too many pipe pages gets only small pipes.
	spec := testSpec()
	spec.Limits.NoFile = 1024
	greedy := start(t, shared, spec, `
import fcntl
pipes = []
def take():
    for n in range(500):
        pipes.append(os.pipe())
        fcntl.fcntl(pipes[-1][1], fcntl.F_SETPIPE_SZ, 1 << 20)
print(check(take), fcntl.fcntl(os.pipe()[1], fcntl.F_GETPIPE_SZ) < 65536, flush=True)
sys.stdin.readline()`)
	if got, want := greedy.line(t), "EPERM True"; got != want {
		t.Fatalf("the quota was not reached: got %q, want %q", got, want)
	}
	wants(t, "65536", `
import fcntl
print(fcntl.fcntl(os.pipe()[1], fcntl.F_GETPIPE_SZ))`)
}

func TestHostile_AbstractSocketOfOneSessionIsNotSeenByAnother(t *testing.T) {
	server := start(t, shared, testSpec(), `
import socket
server = socket.socket(socket.AF_UNIX); server.bind("\0meet"); server.listen()
print("listening", flush=True)
sys.stdin.readline()`)
	if got, want := server.line(t), "listening"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	wants(t, "ECONNREFUSED", `
import socket
print(check(socket.socket(socket.AF_UNIX).connect, "\0meet"))`)
}

func TestHostile_FilesOfOneSessionAreNotSeenByAnother(t *testing.T) {
	writer := start(t, shared, testSpec(), `
for folder in ("/home/user", "/tmp", "/dev/shm"):
    open(folder + "/note", "w").write("secret")
print("written", flush=True)
sys.stdin.readline()`)
	if got, want := writer.line(t), "written"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	wants(t, "[] [] []", `print(os.listdir("/home/user"), os.listdir("/tmp"), os.listdir("/dev/shm"))`)
}

func TestHostile_FloodDoesNotWedgeDestroy(t *testing.T) {
	// When nothing more can be written, the program shows it by its threads: its output is not read.
	p := start(t, shared, testSpec(), `
import threading, time
count = 0
def flood():
    global count
    while True:
        count += os.write(1, b"x" * 65536)
threading.Thread(target=flood, daemon=True).start()
seen = -1
while count != seen:
    seen = count
    time.sleep(0.5)
for _ in range(20):
    threading.Thread(target=time.sleep, args=(600,)).start()`)
	deadline := time.Now().Add(pythonTimeout)
	for {
		usage, err := p.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if usage.Pids > 20 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the flood was never held up")
		}
	}
	began := time.Now()
	destroy(t, p)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("destroy took %s", took)
	}
}
