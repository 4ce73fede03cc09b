package docker_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

// pythonTimeout bounds one program of a test.
const pythonTimeout = 60 * time.Second

// prelude is what the programs of the tests share. check tells how a system call or function failed, by errno's name.
const prelude = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
numbers = {  # on x86_64 and aarch64
    "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "clone": (56, 220), "clone3": (435, 435),
    "fsopen": (430, 430), "getsid": (124, 156), "inotify_init1": (294, 26), "io_setup": (206, 0),
    "io_uring_setup": (425, 425), "kcmp": (312, 272), "keyctl": (250, 219), "memfd_secret": (447, 447),
    "mknodat": (259, 33), "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429),
    "mq_open": (240, 180), "open_by_handle_at": (304, 265), "open_tree": (428, 428),
    "perf_event_open": (298, 241), "pidfd_getfd": (438, 438), "pivot_root": (155, 41), "prlimit64": (302, 261),
    "process_vm_readv": (310, 270), "ptrace": (101, 117), "request_key": (249, 218), "setns": (308, 268),
    "shmget": (29, 194), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282),
}
def syscall(name, *args):
    number = numbers[name][os.uname().machine == "aarch64"]
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) for a in args)) >= 0:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]
def check(f, *args, **kw):
    try:
        f(*args, **kw)
        return "allowed"
    except OSError as e:
        return errno.errorcode[e.errno]
`

// program is a Python program in a container like a session's.
type program struct {
	*docker.Instance
	stream sandbox.Stream
	lines  *bufio.Reader
}

// start runs code. It is destroyed at the end of the test.
func start(t *testing.T, rt *docker.Runtime, spec sandbox.Spec, code string) *program {
	t.Helper()
	i, err := rt.StartPython(t.Context(), spec, prelude+code)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { destroy(t, i) })
	s, err := i.Attach(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetReadDeadline(time.Now().Add(pythonTimeout)); err != nil {
		t.Fatal(err)
	}
	return &program{Instance: i, stream: s, lines: bufio.NewReader(s)}
}

// line reads what the program prints next.
func (p *program) line(t *testing.T) string {
	t.Helper()
	line, err := p.lines.ReadString('\n')
	if err != nil {
		t.Fatalf("read a line: got %q, %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// tell writes a line to the program's stdin.
func (p *program) tell(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p.stream, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// end waits for the program's end.
func (p *program) end(t *testing.T) sandbox.ExitStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonTimeout)
	defer cancel()
	status, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// python runs code to its end and returns what it printed. A program that fails fails the test.
func python(t *testing.T, code string) string {
	t.Helper()
	// What goes wrong in the program is to be seen: stderr of a container is dropped.
	p := start(t, shared, testSpec(), "os.dup2(1, 2)\n"+code)
	out, err := io.ReadAll(p.lines)
	if err != nil {
		t.Fatalf("read: got %q, %v", out, err)
	}
	if status := p.end(t); status.Code != 0 {
		t.Fatalf("python ended with %+v: %s", status, out)
	}
	return strings.TrimSpace(string(out))
}

// wants runs code and compares what it printed.
func wants(t *testing.T, want, code string) {
	t.Helper()
	if got := python(t, code); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
