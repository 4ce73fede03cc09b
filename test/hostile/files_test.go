package hostile_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/go-json-experiment/json"
)

// What code in a session does to the files that are transferred, and to what transfers them.

func TestHostile_Files(t *testing.T) {
	for _, a := range fileAttacks {
		t.Run(a.name, func(t *testing.T) {
			f := &files{t: t, session: "attacked-" + uuid.NewString()}
			shared.beside(t, func() {
				defer shared.discard(t, f.session)
				f.cell("import os, signal, socket, tempfile, threading, time\nkept = 41" + findServers)
				a.attack(f)
				if a.loses && sentry() && shared.lost(t, f.session) {
					return
				}
				if got := f.cell("print(globals().get('kept'))"); got != "41\n" && !a.loses {
					t.Errorf("the variables are gone: %q", got)
				}
			})
		})
	}
}

var fileAttacks = []struct {
	name, ending string // ending is for the document
	loses        bool   // the session's variables
	attack       func(f *files)
}{
	{"LinksOut", "409 for what is behind one; a link is replaced and removed itself", false, linksOut},
	{"LinkSwappedInAllTheTime", "409, or the file within; nothing outside is read, written or removed", false, linkSwappedIn},
	{"SocketsAndPipes", "409 at once; a PUT replaces them", false, socketsAndPipes},
	{"HardLinks", "a PUT replaces one name, the others stay", false, hardLinks},
	{"NamesOfAllKinds", "listed as they are; those that are not UTF-8 without a path", false, namesOfAllKinds},
	{"TimesOutOfRange", "files are read and listed, their times as near as can be told", false, timesOutOfRange},
	{"DirectoriesNestedDeeply", "409 for a walk that goes too deep, and the rest goes on", false, nestedDeeply},
	{"DiskFull", "507, the old file stays, and nothing else is there", false, diskFull},
	{"DiskFloodedDuringAnUpload", "507 or the whole file", false, floodedDuringUpload},
	{"FileThatGrowsAndShrinks", "as long as it was, or cut off", false, growsAndShrinks},
	{"TreeFilledWhileItIsRemoved", "204 or 409, in time", false, filledWhileRemoved},
	{"FileServerKilled", "503 for what was under way, nothing half written, and the next one works", false, serverKilled},
	{"FileServerStopped", "it goes on within a second", false, serverStopped},
	{"FileServerTakenOver", "it can be neither read, written, traced nor reached; under gVisor its limits can be changed, which costs the session's own transfers", false, serverTakenOver},
	{"KillStorm", "503 or the whole file, each in time", false, killStorm},
	{"UploadAtADeadline", "the deadline holds; the upload goes on, or is 503", true, uploadAtDeadline},
	{"NoRoomForAProcess", "503 or served, and the deadline holds; lost under gVisor", true, noRoomForAProcess},
	{"MemoryFullDuringAnUpload", "503, 507 or the whole file; lost under gVisor", true, memoryFull},
	{"ResetDuringTransfers", "a download is cut off, an upload 409, and nothing is left", true, resetDuringTransfers},
	{"SlowClientsOnBothSides", "executions and other transfers go on", false, slowClients},
}

// findServers finds the process that serves files: the child of PID 1 that is not this one.
const findServers = `
def servers():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == 1 and int(pid) != os.getpid() and fields[0] != "Z":
            found.append(int(pid))
    return found
`

// files are those of a session under attack.
type files struct {
	t       *testing.T
	session string
}

// fileAnswer is what came of a request about a file.
type fileAnswer struct {
	status int // 0 when the connection broke off before
	body   []byte
	length int64
	err    error // of the body
	took   time.Duration
}

func (a fileAnswer) String() string { return fmt.Sprintf("%d %.300s (%v)", a.status, a.body, a.err) }

// transferTime is how long any request about files may take.
const transferTime = 20 * time.Second

func (f *files) do(method, path string, body io.Reader) fileAnswer {
	return f.send(context.WithoutCancel(f.t.Context()), method, path, body)
}

func (f *files) send(ctx context.Context, method, path string, body io.Reader) fileAnswer {
	ctx, cancel := context.WithTimeout(ctx, transferTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+shared.address+"/v1/sessions/"+f.session+"/files"+path, body)
	if err != nil {
		f.t.Error(err)
		return fileAnswer{err: err}
	}
	began := time.Now()
	resp, err := shared.client.Do(req)
	if err != nil {
		return fileAnswer{err: err, took: time.Since(began)}
	}
	defer resp.Body.Close()
	a := fileAnswer{status: resp.StatusCode, length: resp.ContentLength}
	a.body, a.err = io.ReadAll(resp.Body)
	if a.took = time.Since(began); a.took > transferTime-time.Second {
		f.t.Errorf("%s %s took %s", method, path, a.took)
	}
	return a
}

// want sends a request that must be answered with one of these statuses.
func (f *files) want(method, path string, body io.Reader, statuses ...int) fileAnswer {
	f.t.Helper()
	a := f.do(method, path, body)
	for _, status := range statuses {
		if a.status == status {
			return a
		}
	}
	f.t.Errorf("%s %s: %v, want %v", method, path, a, statuses)
	return a
}

func (f *files) put(path, data string) {
	f.t.Helper()
	f.want("PUT", path, strings.NewReader(data), 200, 201)
}

func (f *files) holds(path, data string) {
	f.t.Helper()
	if a := f.want("GET", path, nil, 200); string(a.body) != data {
		f.t.Errorf("%s holds %.100q, want %.100q", path, a.body, data)
	}
}

// cell runs code that must end well, and returns what it printed.
func (f *files) cell(code string) string {
	f.t.Helper()
	a := shared.mustExecute(f.t, request{Session: f.session, Code: code, Timeout: 20})
	if a.ending() != "ok" {
		f.t.Errorf("%.200s ended as %s: %s", code, a.ending(), a.Stderr)
	}
	return a.Stdout
}

// behind runs code beside what follows, and waits for its end when the function it returns is called.
func (f *files) behind(r request) (end func() *answer) {
	answered := make(chan *answer, 1)
	r.Session = f.session
	go func() { answered <- shared.mustAnswer(f.t, r) }()
	shared.awaitState(f.t, f.session, "busy")
	return func() *answer { return <-answered }
}

// entry is a line of a listing.
type entry struct {
	Name string  `json:"name"`
	Path *string `json:"path"`
	Type string  `json:"type"`
	Size int64   `json:"size"`
}

func (f *files) list(path string) []entry {
	f.t.Helper()
	var listing struct {
		Entries []entry `json:"entries"`
	}
	a := f.want("GET", path, nil, 200)
	if err := json.Unmarshal(a.body, &listing); a.status == 200 && err != nil {
		f.t.Errorf("%s is not JSON in the strictest sense: %v: %s", path, err, a.body)
	}
	return listing.Entries
}

func (f *files) names(path string) string {
	f.t.Helper()
	var names []string
	for _, e := range f.list(path) {
		names = append(names, e.Name)
	}
	return strings.Join(names, " ")
}

// zeros is a body of n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func linksOut(f *files) {
	f.put("/real/f", "inside")
	f.cell(`
for name, to in {"passwd": "/etc/passwd", "environ": "/proc/1/environ", "memory": "/proc/self/mem", "root": "/", "etc": "/etc", "up": "..", "tmp": "/tmp",
                 "self": "self", "dangling": "/tmp/dangling", "inner": "real", "zero": "/dev/zero", "out": "/dev/stdout"}.items():
    os.symlink(to, name)
`)
	for _, path := range []string{"/passwd", "/environ", "/memory", "/etc/passwd", "/root/etc/passwd", "/up/user/real/f", "/self", "/self/x", "/dangling", "/inner/f", "/zero", "/out"} {
		f.want("GET", path, nil, 409)
		f.want("HEAD", path, nil, 409)
		if strings.Count(path, "/") > 1 {
			f.want("PUT", path, strings.NewReader("x"), 409)
			f.want("DELETE", path+"?recursive=true", nil, 409)
		}
	}
	for _, path := range []string{"/etc/", "/tmp/", "/root/", "/inner/", "/etc?format=tar", "/root?format=tar"} {
		f.want("GET", path, nil, 409)
	}
	for _, e := range f.list("?recursive=true") {
		if e.Type == "link" == strings.HasPrefix(*e.Path, "real") || strings.Count(*e.Path, "/") > 0 && *e.Path != "real/f" {
			f.t.Errorf("listed: %s, a %s", *e.Path, e.Type)
		}
	}
	archive := f.want("GET", "?format=tar", nil, 200)
	for r := tar.NewReader(bytes.NewReader(archive.body)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			f.t.Fatal(err)
		}
		if h.Name != "real/" && h.Name != "real/f" {
			f.t.Errorf("archived: %s", h.Name)
		}
	}
	f.put("/dangling", "mine")
	f.put("/passwd", "mine")
	f.want("DELETE", "/inner?recursive=true", nil, 204)
	f.want("DELETE", "/tmp?recursive=true", nil, 204)
	f.holds("/real/f", "inside")
	f.holds("/passwd", "mine")
	if got := f.cell("print(os.path.exists('/tmp/dangling'), os.path.isdir('/tmp'), os.path.islink('passwd'))"); got != "False True False\n" {
		f.t.Errorf("outside: %s", got)
	}
}

func linkSwappedIn(f *files) {
	f.cell(`
outside = tempfile.mkdtemp()
with open(outside + "/f", "w") as file: file.write("outside")
os.mkdir("d")
with open("d/f", "w") as file: file.write("inside")
os.symlink(outside, "l")
import ctypes
exchange = ctypes.CDLL(None).renameat2
`)
	end := f.behind(request{Code: `
until = time.monotonic() + 15
while not os.path.exists("stop") and time.monotonic() < until:
    exchange(-100, b"d", -100, b"l", 2)
`, Timeout: 20})
	seen := map[int]int{}
	for n := range 150 {
		a := f.do("GET", "/d/f", nil)
		if seen[a.status]++; strings.Contains(string(a.body), "outside") || a.status == 200 && string(a.body) != "inside" {
			f.t.Fatalf("got %v", a)
		}
		seen[f.do("PUT", fmt.Sprintf("/d/%d", n), strings.NewReader("x")).status]++
		f.do("DELETE", "/l/f", nil)
		if archive := f.do("GET", "/d?format=tar", nil); strings.Contains(string(archive.body), "outside") {
			f.t.Fatal("what is outside was archived")
		}
	}
	f.put("/stop", "")
	end()
	if seen[409] == 0 || seen[200]+seen[201] == 0 {
		f.t.Errorf("the link was never met, or always: %v", seen)
	}
	if got := f.cell("print(os.listdir(outside), open(outside + '/f').read())"); got != "['f'] outside\n" {
		f.t.Errorf("outside: %s", got)
	}
}

func socketsAndPipes(f *files) {
	f.cell(`
socket.socket(socket.AF_UNIX).bind("socket")
try:
    os.mkfifo("pipe")
except OSError:  # the seccomp profile
    open("pipe", "w").close(); os.remove("pipe"); socket.socket(socket.AF_UNIX).bind("pipe")
`)
	for _, name := range []string{"/socket", "/pipe"} {
		if a := f.want("GET", name, nil, 409); a.took > prompt {
			f.t.Errorf("%s took %s", name, a.took)
		}
		f.put(name, "a file")
		f.holds(name, "a file")
	}
}

func hardLinks(f *files) {
	f.put("/a", "one")
	if got := f.cell("os.link('a', 'b')\ntry: os.link('/etc/passwd', 'p')\nexcept OSError as error: print(type(error).__name__)"); got == "" {
		f.t.Error("a hard link leaves the disk")
	}
	f.put("/a", "two")
	f.holds("/b", "one")
	f.cell("open('a', 'w').write('three')")
	f.holds("/b", "one")
}

func namesOfAllKinds(f *files) {
	f.cell(`
long = "n" * 255
for name in [long, "new\nline", "\x1b[2J\x1b]0;title\x07", "-rf", "a;b|c&d", "\u202egpj.exe", "é", "e\u0301", ".", "..."]:
    if name != ".": open(name, "w").write(name)
open(b"\xff\xfe", "w").write("odd")
open(b"caf\xe9", "w").write("odd")
`)
	odd := 0
	for _, e := range f.list("") {
		if e.Path == nil {
			odd++
			continue
		}
		f.holds("/"+escape(*e.Path), *e.Path)
	}
	if odd != 2 {
		f.t.Errorf("%d names are not UTF-8, want 2", odd)
	}
	f.cell(`
import os
for i in range(8): # as deep as a path may be, of bytes that are told as three each
    os.mkdir(b"\xff" * 250); os.chdir(b"\xff" * 250)
`)
	f.list("?recursive=true")
	f.want("PUT", "/"+strings.Repeat("n", 256), strings.NewReader("x"), 422)
	f.want("PUT", "/a%00b", strings.NewReader("x"), 422)
	f.want("PUT", "/%ff", strings.NewReader("x"), 422)
	f.want("PUT", "/..%2f..%2fetc%2fpasswd", strings.NewReader("x"), 422)
}

// timesOutOfRange: the kernel keeps seconds of 64 bits, of which nanoseconds do not fit.
func timesOutOfRange(f *files) {
	f.put("/f", "text")
	for _, when := range []string{"1e10", "-1e10", "1e15", "-1"} {
		f.cell("import os\nfor name in ('f', '.'): os.utime(name, (" + when + ", " + when + "))")
		f.list("")
		f.holds("/f", "text")
	}
}

// escape escapes every byte of a path but its slashes.
func escape(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func nestedDeeply(f *files) {
	f.put("/other/f", "x")
	f.cell("home = os.getcwd()\nos.mkdir('deep'); os.chdir('deep')\nfor _ in range(900):\n    os.mkdir('d'); os.chdir('d')\nopen('f', 'w').write('deep')\nos.chdir(home)")
	f.want("GET", "?recursive=true", nil, 409)
	f.want("DELETE", "/deep?recursive=true", nil, 409)
	f.holds("/deep"+strings.Repeat("/d", 900)+"/f", "deep")
	if a := f.do("GET", "?format=tar", nil); a.err == nil {
		f.t.Errorf("an archive without what is too deep ends well: %d bytes", len(a.body))
	}
	if got := f.names("/"); got != "deep other" {
		f.t.Errorf("listed: %s", got)
	}
	f.want("GET", strings.Repeat("/d", 2100), nil, 422)
}

func diskFull(f *files) {
	f.put("/old", "old")
	f.cell("f = open('fill', 'wb', 0)\ntry:\n    while True: f.write(bytes(1 << 16))\nexcept OSError: pass\ntry:\n    while True: f.write(b'x')\nexcept OSError: f.close()")
	for _, body := range []func() io.Reader{func() io.Reader { return bytes.NewReader(make([]byte, 1<<20)) }, func() io.Reader { return zeros(1 << 20) }} {
		f.want("PUT", "/old", body(), 507)
		f.want("PUT", "/new", body(), 507)
		f.want("PUT", "/dir/new", body(), 507)
	}
	f.holds("/old", "old")
	if got := f.cell("print(sorted(os.listdir('.')))"); got != "['fill', 'old']\n" {
		f.t.Errorf("there is %s", got)
	}
	if sentry() { // which does not count files
		return
	}
	f.cell("os.remove('fill')\ntry:\n    for n in range(10_000): open(f'i{n}', 'w').close()\nexcept OSError: pass")
	for _, data := range []string{"x", ""} {
		if a := f.want("PUT", "/dir/new", strings.NewReader(data), 507); !strings.Contains(string(a.body), "no more files fit") {
			f.t.Errorf("of %d bytes where no more files may be made: %s", len(data), a.body)
		}
	}
	f.cell("for name in os.listdir('.'):\n    if name[0] == 'i': os.remove(name)")
	f.put("/dir/new", "new")
	if got := f.names("?recursive=true"); got != "dir new old" {
		f.t.Errorf("there is %s", got)
	}
}

func floodedDuringUpload(f *files) {
	end := f.behind(request{Code: `
until = time.monotonic() + 3
while time.monotonic() < until:
    try:
        with open("flood", "wb", 0) as file:
            while time.monotonic() < until: file.write(bytes(1 << 20))
    except OSError:
        os.truncate("flood", 0)
`, Timeout: 20})
	for n := range 12 {
		path := fmt.Sprintf("/up%d", n)
		a := f.want("PUT", path, zeros(8<<20), 201, 507)
		if got := f.do("GET", path, nil); (a.status == 201) != (got.status == 200) || got.status == 200 && len(got.body) != 8<<20 {
			f.t.Errorf("after %d there are %d bytes of %s", a.status, len(got.body), path)
		}
		f.do("DELETE", path, nil)
	}
	if a := end(); a.ending() != "ok" {
		f.t.Errorf("the flood ended as %s %s", a.ending(), a.Stderr)
	}
	if got := f.cell("print(sorted(os.listdir('.')))"); got != "['flood']\n" {
		f.t.Errorf("there is %s", got)
	}
}

func growsAndShrinks(f *files) {
	f.cell("open('f', 'wb').write(b'x' * (8 << 20))")
	end := f.behind(request{Code: `
until = time.monotonic() + 3
while time.monotonic() < until:
    os.truncate("f", 1 << 20); os.truncate("f", 8 << 20); os.truncate("f", 9 << 20)
`, Timeout: 20})
	whole := 0
	for range 40 {
		a := f.want("GET", "/f", nil, 200)
		if a.err == nil {
			whole++
		}
		if (a.err == nil) != (int64(len(a.body)) == a.length) {
			f.t.Errorf("%d bytes of %d, and the end is %v", len(a.body), a.length, a.err)
		}
	}
	if a := end(); a.ending() != "ok" {
		f.t.Errorf("the code ended as %s %s", a.ending(), a.Stderr)
	}
	f.t.Logf("%d of 40 came whole", whole)
}

func filledWhileRemoved(f *files) {
	end := f.behind(request{Code: `
def fill(n):
    until = time.monotonic() + 3
    while time.monotonic() < until:
        try:
            os.makedirs(f"tree/{n}/a/b", exist_ok=True)
            open(f"tree/{n}/a/b/c", "w").close()
        except OSError: pass
threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
`, Timeout: 20})
	for range 30 {
		f.want("DELETE", "/tree?recursive=true", nil, 204, 404, 409)
	}
	end()
	f.want("DELETE", "/tree?recursive=true", nil, 204, 404)
}

// underWay begins an upload and a download, runs what happens meanwhile, and returns how the two ended.
func (f *files) underWay(meanwhile func()) (upload, download fileAnswer) {
	f.t.Helper()
	f.put("/large", strings.Repeat("x", 8<<20))
	r, w := io.Pipe()
	var both sync.WaitGroup
	both.Go(func() { upload = f.do("PUT", "/half", r) })
	if _, err := w.Write(make([]byte, 1<<20)); err != nil { // which shows that it is under way
		f.t.Error(err)
	}
	ctx := context.WithoutCancel(f.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+shared.address+"/v1/sessions/"+f.session+"/files/large", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := shared.client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 64<<10)); err != nil {
		f.t.Error(err)
	}
	meanwhile()
	go func() {
		_, _ = w.Write(make([]byte, 1<<20)) // the daemon need not read it
		w.Close()
	}()
	n, err := io.Copy(io.Discard, resp.Body)
	download = fileAnswer{status: resp.StatusCode, length: resp.ContentLength, err: err, body: fmt.Append(nil, n+64<<10)}
	both.Wait()
	r.Close()
	return upload, download
}

func serverKilled(f *files) {
	f.put("/first", "x") // so that there is one
	upload, download := f.underWay(func() { f.cell("for pid in servers(): os.kill(pid, signal.SIGKILL)") })
	if upload.status != 503 || !strings.Contains(string(upload.body), "killed from inside the session") {
		f.t.Errorf("the upload: %v", upload)
	}
	if !errors.Is(download.err, io.ErrUnexpectedEOF) {
		f.t.Errorf("the download: %v", download)
	}
	f.want("GET", "/half", nil, 404)
	if got := f.cell("print(sorted(os.listdir('.')))"); got != "['first', 'large']\n" {
		f.t.Errorf("there is %s", got)
	}
	f.put("/half", "whole")
	f.holds("/half", "whole")
}

func serverStopped(f *files) {
	f.put("/first", "x")
	upload, download := f.underWay(func() {
		f.cell("for pid in servers():\n    for number in signal.valid_signals() - {signal.SIGKILL}: os.kill(pid, number)\n    os.kill(pid, signal.SIGSTOP)")
	})
	if upload.status != 201 || download.err != nil {
		f.t.Errorf("the upload: %v, the download: %v", upload, download)
	}
}

func serverTakenOver(f *files) {
	f.put("/first", "x")
	code := `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
(server,) = servers()
for name in ("mem", "environ", "maps", "fd", "cwd", "root", "exe", "io", "auxv", "syscall", "stack"):
    path = f"/proc/{server}/{name}"
    try:
        os.listdir(path) if name == "fd" else os.readlink(path) if name in ("cwd", "root", "exe") else open(path, "rb").read(1)
        print("read", name)
    except OSError: pass
if libc.ptrace(16, server, 0, 0) == 0: print("traced")
try:
    fd = os.pidfd_open(server)
    if libc.syscall(438, fd, 0, 0) >= 0: print("took a descriptor")
except OSError: pass
if not sentry:
    for call in (lambda: os.setpriority(os.PRIO_PROCESS, server, 10), lambda: __import__("resource").prlimit(server, 7, (3, 3))):
        try:
            call(); print("changed it")
        except OSError: pass
`
	got := f.cell(strings.TrimPrefix(pythonSentry(), "\n") + code)
	if sentry() {
		got = strings.Replace(got, "read fd\n", "", 1) // the numbers alone, for what they are cannot be opened
	}
	if got != "" {
		f.t.Errorf("the process that serves files: %s", got)
	}
	f.put("/second", "x")
}

func killStorm(f *files) {
	end := f.behind(request{Code: `
until = time.monotonic() + 4
while time.monotonic() < until:
    for pid in servers():
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
    time.sleep(0.002)
`, Timeout: 20})
	for n := range 30 {
		path := fmt.Sprintf("/up%d", n%3)
		a := f.want("PUT", path, zeros(1<<20), 200, 201, 503)
		if got := f.do("GET", path, nil); got.status == 200 && got.err == nil && len(got.body) != 1<<20 {
			f.t.Errorf("after %d there are %d bytes", a.status, len(got.body))
		}
	}
	if a := end(); a.ending() != "ok" {
		f.t.Errorf("the storm ended as %s %s", a.ending(), a.Stderr)
	}
	f.put("/after", "x")
	for _, e := range f.list("?recursive=true") {
		if !strings.HasPrefix(e.Name, "up") && e.Name != "after" {
			f.t.Errorf("%s is left", e.Name)
		}
	}
}

func uploadAtDeadline(f *files) {
	for _, code := range []string{"while True: pass", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"} {
		began := time.Now()
		end := f.behind(request{Code: code, Timeout: 1})
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() { f.want("PUT", fmt.Sprintf("/up%d", n), zeros(3<<20), 200, 201, 503) })
		}
		a := end()
		if late := time.Since(began) - time.Second - grace - time.Second - slack; late > 0 {
			f.t.Errorf("the cell was answered %s too late", late)
		}
		if !contains("timeout killed", a.ending()) {
			f.t.Errorf("the cell ended as %s", a.ending())
		}
		all.Wait()
		f.cell("import os, signal\nkept = 41")
	}
	f.put("/after", "x")
}

func noRoomForAProcess(f *files) {
	began := time.Now()
	// Nobody waits for its processes, and where the worker survives, each that ended would take its place for ever.
	bomb := "import os, signal, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" +
		"while True:\n    try:\n        if os.fork() == 0: time.sleep(4); os._exit(0)\n    except OSError: pass"
	end := f.behind(request{Code: bomb, Timeout: 2})
	time.Sleep(500 * time.Millisecond) // for the bomb to go off
	f.want("PUT", "/f", strings.NewReader("x"), f.orLost(201, 503)...)
	a := end()
	if late := time.Since(began) - 2*time.Second - grace - time.Second - slack; late > 0 {
		f.t.Errorf("the cell was answered %s too late", late)
	}
	if sentry() && a.ending() == "lost" {
		return
	}
	if !contains("timeout killed", a.ending()) {
		f.t.Errorf("the cell ended as %s", a.ending())
	}
	for f.want("PUT", "/f", strings.NewReader("y"), 200, 201, 503).status == 503 { // until the last of the bomb has ended
		if time.Since(began) > transferTime {
			f.t.Fatal("there is still no room")
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.holds("/f", "y")
}

// orLost adds the status of a session that is lost, which gVisor may make of one whose memory is full.
func (f *files) orLost(statuses ...int) []int {
	if sentry() {
		return append(statuses, 410)
	}
	return statuses
}

func memoryFull(f *files) {
	// It fills the memory from the second upload on, so that it does not end before anybody looked.
	end := f.behind(request{Code: "import mmap, os\nheld = []\nwhile not os.path.exists('up0'): pass\nwhile True:\n    m = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)\n    m.write(bytes(1 << 20)); held.append(m)", Timeout: 5})
	for n := range 3 {
		f.want("PUT", fmt.Sprintf("/up%d", n), zeros(8<<20), f.orLost(201, 503, 507)...)
	}
	a := end()
	if sentry() && a.ending() == "lost" {
		return
	}
	if !contains("oom error crashed timeout killed", a.ending()) {
		f.t.Errorf("the cell ended as %s", a.ending())
	}
	f.put("/after", "x")
	f.holds("/after", "x")
}

func resetDuringTransfers(f *files) {
	upload, download := f.underWay(func() { shared.discard(f.t, f.session) })
	if upload.status != 409 && upload.status != 503 {
		f.t.Errorf("the upload: %v", upload)
	}
	if download.err == nil {
		f.t.Errorf("the download: %v", download)
	}
	f.cell("import os, signal\nkept = 41")
	if got := f.names(""); got != "" {
		f.t.Errorf("there is %s", got)
	}
}

func slowClients(f *files) {
	f.put("/large", strings.Repeat("x", 8<<20))
	ctx, leave := context.WithCancel(context.WithoutCancel(f.t.Context()))
	var all sync.WaitGroup
	var open []*io.PipeWriter
	for n := range 2 {
		r, w := io.Pipe()
		open = append(open, w)
		all.Go(func() { f.send(ctx, "PUT", fmt.Sprintf("/slow%d", n), r) })
		if _, err := w.Write(make([]byte, 300<<10)); err != nil { // more than the window, and then nothing
			f.t.Error(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+shared.address+"/v1/sessions/"+f.session+"/files/large", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := shared.client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	for range 20 {
		if a := shared.mustExecute(f.t, request{Session: f.session, Code: "1"}); a.ending() != "ok" || a.Took > prompt {
			f.t.Errorf("an execution beside them: %s after %s", a.ending(), a.Took)
		}
		f.put("/quick", "x")
	}
	leave()
	resp.Body.Close()
	for _, w := range open {
		w.CloseWithError(context.Canceled)
	}
	all.Wait()
	if got := f.names("?recursive=true"); got != "large quick" {
		f.t.Errorf("there is %s", got)
	}
}
