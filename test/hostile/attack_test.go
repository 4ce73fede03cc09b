package hostile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// slack is what the daemon, the engine and a loaded machine may take on top of deadline, grace and the second that the driver has.
	slack = time.Second
	// prompt is how long the bystander may wait for 1+1, whatever is done beside it: less than an attack's cell lasts. A thousand clients
	// at once, which share its processors, are the most of it.
	prompt = 4 * time.Second
)

// attack is code that means harm, in a session of its own that begins with the prelude.
type attack struct {
	name  string
	cells []cell
	// wrecked tells that the attack breaks the interpreter for the cells that follow: these may end in any way, if they say so.
	wrecked bool
}

// cell is one execution of an attack.
type cell struct {
	code    string
	runc    string  // allowed endings, see answer.ending
	runsc   string  // the same under gVisor; "" is as under runc
	timeout float64 // seconds; 0 is 5
	prints  string  // what stdout must be after ok; "" is anything
	locals  bool    // asks for all variables
	check   func(t *testing.T, a *answer)
}

func (c cell) allowed() string {
	if sentry() && c.runsc != "" {
		return c.runsc
	}
	return c.runc
}

// one is an attack of one cell.
func one(name string, c cell) attack { return attack{name: name, cells: []cell{c}} }

// prelude is what the first cell of every attack's session runs.
const prelude = `
import ctypes, errno, gc, json, mmap, os, resource, signal, socket, struct, subprocess, sys, threading, time, zlib
libc = ctypes.CDLL(None, use_errno=True)
kept = 41

def attempt(function, *arguments):
    "Calls function, and returns the name of the error that stopped it, or \"done\"."
    try:
        function(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode.get(error.errno, "OSError")
    except Exception as error:
        return type(error).__name__

def detach(function):
    "Runs function in a process that nobody here is the parent of, and that has a session of its own."
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            try:
                function()
            finally:
                os._exit(0)
        os._exit(0)
    os.wait()

def control():
    "Returns the descriptor over which this process talks to the supervisor."
    for fd in range(256):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                return fd
        except OSError:
            pass

def number():
    "Returns the number under which the supervisor knows the cell that runs."
    frame = sys._getframe()
    while type(frame.f_locals.get("self")).__name__ != "Cell":
        frame = frame.f_back
    return frame.f_locals["self"]._number

def say(kind, body=b"", number=0, size=None, fd=None):
    "Sends the supervisor one packet."
    os.write(control() if fd is None else fd, struct.pack(">BII", kind, number, len(body) if size is None else size) + body)

def report(raised=0):
    return struct.pack(">BcddQ", raised, b"+", 0.0, 0.0, 0)

def frame(kind, payload=b"", epoch=1, execution=bytes(16)):
    "Returns a frame as only the supervisor sends them."
    head = struct.pack(">BBHII16sI", kind, 0, 0, epoch, 0, execution, len(payload))
    return b"FPY1" + head + struct.pack(">I", zlib.crc32(head + payload)) + payload
`

// onslaught is every attack by topic, for the tests and for the document.
type onslaught struct {
	topic   string
	attacks []attack
}

func launch(t *testing.T, o onslaught) {
	total := 0
	for _, o := range all {
		total += len(o.attacks)
	}
	for _, a := range o.attacks {
		if shared.launched++; shared.launched == total/2 {
			t.Run("Restart", restart)
		}
		t.Run(a.name, func(t *testing.T) { a.launch(t) })
	}
}

// restart puts another daemon in the place of the one that was attacked so far. It knows the bystander's session, and that of the next attack.
func restart(t *testing.T) {
	if err := shared.restart(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	shared.settles(t)
}

func (a attack) launch(t *testing.T) {
	next := <-shared.prepared
	go shared.prepare(context.WithoutCancel(t.Context())) // beside waits for it
	if next.err != nil {
		t.Fatal(next.err)
	}
	shared.beside(t, func() {
		defer func() { shared.resets = append(shared.resets, shared.discard(t, next.session)) }()
		a.cellsIn(t, next.session)
	})
}

func (a attack) cellsIn(t *testing.T, session string) {
	kept, lostAt := true, 0
	for n, c := range a.cells {
		timeout := c.timeout
		if timeout == 0 {
			timeout = 5
		}
		got := shared.mustExecute(t, request{Session: session, Code: c.code, Timeout: timeout, Locals: c.locals, Create: new(false)})
		if late := got.Took - time.Duration(timeout*float64(time.Second)) - grace - time.Second - slack; late > 0 {
			t.Errorf("cell %d was answered %s too late", n+1, late)
		}
		ending := got.ending()
		kept, lostAt = kept && got.StateKept && got.StateLostAt == 0, 0
		if !got.StateKept {
			lostAt = got.ExecutionCount
		}
		t.Logf("cell %d: %s in %s", n+1, ending, got.Took.Round(time.Millisecond))
		a.expect(t, n, got, ending)
		if ending == "lost" {
			if !shared.lost(t, session) {
				t.Errorf("cell %d says that the session is lost, which it is not: %s", n+1, got.Error)
			}
			return
		}
		if ending == "ok" && c.prints != "" && got.Stdout != c.prints {
			t.Errorf("cell %d printed %q, want %q; stderr %q", n+1, got.Stdout, c.prints, got.Stderr)
		}
		if c.check != nil {
			c.check(t, got)
		}
	}
	a.probe(t, session, kept, lostAt)
}

func (a attack) expect(t *testing.T, n int, got *answer, ending string) {
	t.Helper()
	if allowed := a.cells[n].allowed(); !contains(allowed, ending) {
		t.Errorf("cell %d ended as %s, allowed are %s: error %q, stdout %.300q, stderr %.2000q, detail %v",
			n+1, ending, allowed, got.Error, got.Stdout, got.Stderr, got.Detail)
	}
	if (ending == "ok" || ending == "error") && !got.StateKept {
		t.Errorf("cell %d ended as %s, and lost the variables", n+1, ending)
	}
	if (ending == "oom" || ending == "crashed") && got.StateKept {
		t.Errorf("cell %d ended as %s, and claims to have kept the variables", n+1, ending)
	}
	if ending != "ok" && got.Status == 200 && got.Error == "" {
		t.Errorf("cell %d ended as %s, and does not say why", n+1, ending)
	}
}

// probe asks whether what was said about the variables is true.
func (a attack) probe(t *testing.T, session string, kept bool, lostAt int) {
	t.Helper()
	got := shared.mustExecute(t, request{Session: session, Code: "kept", Timeout: 2, Create: new(false)})
	ending := got.ending()
	if ending == "lost" {
		if last := a.cells[len(a.cells)-1]; !contains(last.allowed(), "lost") || !shared.lost(t, session) {
			t.Errorf("the session was lost after the attack: %v", got.Detail)
		}
		return
	}
	if got.StateLostAt > 0 && lostAt == 0 { // between the two
		kept = false
	} else if got.StateLostAt != lostAt {
		t.Errorf("the next execution says that the variables were lost at %d, want %d", got.StateLostAt, lostAt)
	}
	value := fmt.Sprint(got.Result["text/plain"])
	switch {
	case kept && ending == "ok" && value == "41":
	case !kept && ending == "error" && got.Exception != nil && got.Exception.Type == "NameError":
	case kept && a.wrecked && ending != "ok":
	default:
		t.Errorf("kept is %q, after the variables were said to be kept: %v; ending %s, error %q", value, kept, ending, got.Error)
	}
}

func contains(endings, ending string) bool {
	for _, e := range strings.Fields(endings) {
		if e == ending {
			return true
		}
	}
	return false
}

func (w *world) mustExecute(t *testing.T, r request) *answer {
	t.Helper()
	a, err := w.execute(context.WithoutCancel(t.Context()), r)
	if err != nil {
		t.Fatalf("execute: %v", err)
	}
	return a
}

// lost tells whether a session is gone; then it must say why.
func (w *world) lost(t *testing.T, session string) bool {
	t.Helper()
	a := w.mustExecute(t, request{Session: session, Code: "", Create: new(false)})
	if a.Status != 410 {
		return false
	}
	if detail := fmt.Sprint(a.Detail); !strings.Contains(detail, "is lost: its ") {
		t.Errorf("a lost session does not say why: %q", detail)
	}
	return true
}

// discard ends a session, after which its id must be free, and returns how long that took.
func (w *world) discard(t *testing.T, session string) time.Duration {
	t.Helper()
	a, err := w.call(context.WithoutCancel(t.Context()), "DELETE", "/v1/sessions/"+session, nil)
	if err != nil || a.Status != 204 {
		t.Errorf("delete the session: %+v, %v", a, err)
		return 0
	}
	return a.Took
}

// slowReset is how long a reset of a session that was attacked may take, for 99 of 100. It takes well under 2 s on a machine that does nothing
// else; see docs/SECURITY.md.
const slowReset = 5 * time.Second

// judgeResets tells how long resets took, and fails when that is too long.
func (w *world) judgeResets() error {
	n := len(w.resets)
	if n == 0 {
		return nil
	}
	slices.Sort(w.resets)
	at := func(percent int) time.Duration { return w.resets[(n-1)*percent/100].Round(time.Millisecond) }
	fmt.Printf("%d resets of sessions that were attacked: p50 %s, p90 %s, p99 %s, max %s\n", n, at(50), at(90), at(99), at(100))
	if at(99) > slowReset {
		return fmt.Errorf("resets take %s at p99, which may be %s", at(99), slowReset)
	}
	return nil
}
