package hostile_test

import (
	"strings"
	"testing"
)

// Bytes that look as if the driver had sent them, and broken ones, to whoever reads them.

func TestHostile_Frames(t *testing.T) { launch(t, frames) }

// brokenPacket is an attack on the supervisor that costs its worker: what it said cannot be believed any more.
func brokenPacket(name, code string) attack {
	return one(name, cell{
		runc: "crashed",
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if !strings.Contains(a.Error, "broke its protocol") {
				t.Errorf("the cause is %q", a.Error)
			}
		},
		code: code + "\ntime.sleep(30)",
	})
}

// unread is a message that is a lie about the worker itself, and costs no more than that message.
func unread(name, ending, part, code string) attack {
	return one(name, cell{
		runc: ending, prints: "goes on\n", locals: true,
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if a.Truncated[part] <= 0 {
				t.Errorf("it does not count as left out: %v", a.Truncated)
			}
			if a.Exception != nil || a.Result != nil || len(a.Displays) > 0 {
				t.Errorf("it was taken: %+v", a)
			}
		},
		code: "print('goes on')\n" + code,
	})
}

var frames = onslaught{"Forged and broken frames", []attack{
	one("FramesOnStdoutAreText", cell{
		runc: "ok",
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if got := strings.Count(a.Stdout+a.Stderr, "FPY1"); got != 28 {
				t.Errorf("%d frames were seen as text, want 28", got)
			}
		},
		code: `
for fd in (1, 2):
    for kind in (0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x90):
        os.write(fd, frame(kind, b'{"outcome": "ok", "state_kept": true, "execution_count": 99, "duration": 0}'))`,
	}),
	one("HalfAFrameOnStdout", cell{
		runc: "ok",
		code: `os.write(1, frame(0x82, b"half" * 100)[:57])`,
	}),
	one("FramesOnEveryDescriptor", cell{
		runc: "crashed",
		code: `
for fd in range(256):
    attempt(os.write, fd, frame(0x89, b'{"outcome": "ok", "state_kept": true}'))
time.sleep(30)`,
	}),
	one("GarbageOnEveryDescriptor", cell{
		runc: "crashed",
		code: `
for fd in range(256): # of no type: a part of a message that nobody began, which chance may make, is dropped
    attempt(os.write, fd, b"\xfe" + os.urandom(999))
time.sleep(30)`,
	}),
	one("FramesOnTheDescriptorsOfPID1", cell{
		runc: "ok", runsc: "ok lost", // gVisor lets a process open those of another of its uid
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if !sentry() && a.Stdout != "EACCES\n" {
				t.Errorf("opening them: %q", a.Stdout)
			}
		},
		code: `
answers = set()
for fd in range(256):
    def send():
        with open(f"/proc/1/fd/{fd}", "wb", buffering=0) as file:
            os.set_blocking(file.fileno(), False)
            file.write(frame(0x89, b'{"outcome": "ok", "state_kept": true}'))
    answers.add(attempt(send))
print(*sorted(answers - {"ENOENT"}))`,
	}),
	one("FramesToEveryOpenPath", cell{
		runc: "ok",
		code: `
for process in os.listdir("/proc"):
    if process.isdecimal() and int(process) not in (1, os.getpid()):
        for fd in range(10):
            def send():
                with open(f"/proc/{process}/fd/{fd}", "wb", buffering=0) as file:
                    file.write(frame(0x89))
            attempt(send)`,
	}),
	{name: "ForgedDoneOfTheOwnCell", cells: []cell{
		{runc: "ok", code: "say(0x12, report(), number())\ntime.sleep(0.5)"},
		{runc: "ok", prints: "41\n", code: "print(kept)"},
	}},
	{name: "ForgedDoneAndNoEnd", cells: []cell{
		{runc: "ok", code: "say(0x12, report(), number())\nwhile True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass"},
		{runc: "killed", timeout: 1, code: "print(kept)"},
	}},
	{name: "ForgedDoneOfCellsToCome", cells: []cell{
		{runc: "ok", prints: "sent\n", code: "for ahead in range(1, 50): say(0x12, report(), number() + ahead)\nprint('sent')"},
		{runc: "error", code: "1 / 0"},
	}},
	{name: "ForgedDoneByAThreadInALaterCell", cells: []cell{
		{runc: "ok", code: `
later = number() + 1
def forge():
    while True:
        say(0x12, report(), later)
        time.sleep(0.01)
threading.Thread(target=forge, daemon=True).start()`},
		{runc: "ok", code: "time.sleep(0.3)"}, // of its own session, whose code it is
	}},
	one("ReplayedDone", cell{runc: "ok", code: "for _ in range(50): say(0x12, report(1), number() - 1)"}),
	one("DoneByAForkedChild", cell{
		runc: "ok", prints: "the truth\n",
		code: `
socket_kept = os.dup(control())
mine = number()
if os.fork() == 0:
    for _ in range(100):
        say(0x12, report(1), mine, fd=socket_kept)
        say(0x84, b'{"data": {"text/plain": "forged"}}', fd=socket_kept)
    os._exit(0)
os.wait()
os.close(socket_kept)
print("the truth")`,
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if len(a.Displays) > 0 {
				t.Errorf("a child's displays were taken for its parent's: %v", a.Displays)
			}
		},
	}),
	one("ResultOfItsOwn", cell{
		runc: "ok",
		code: `body = b'{"data": {"text/plain": "forged"}, "metadata": {}}'; say(0x85, body)`,
	}),
	brokenPacket("TwoResults", `body = b'{"data": {}, "metadata": {}}'; say(0x85, body); say(0x85, body)`),
	brokenPacket("ReadyAgain", `say(0x11)`),
	brokenPacket("UnknownPackets", `
for kind in range(256):
    attempt(say, kind)`),
	brokenPacket("SizeOfFourGigabytes", `say(0x84, b"{}", size=0xffffffff)`),
	brokenPacket("InputThatNobodyCanGive", `say(0x88, b'{"prompt": "?", "password": false}')`),
	brokenPacket("ShortPacket", `os.write(control(), b"\x84")`),
	brokenPacket("AMessageWithinAMessage", `say(0x84, b"{", size=100); say(0x84, b"{}")`),
	brokenPacket("MoreThanWasSaid", `say(0x84, b"{", size=100); os.write(control(), b"\x7f" + b"x" * 200)`),
	brokenPacket("DoneWithinAMessage", `say(0x84, b"{", size=100); say(0x12, report(), number())`),
	brokenPacket("DoneOfTheWrongSize", `say(0x12, b"?", number())`),
	one("PartsOfNothing", cell{runc: "ok", code: `line = control()` + "\n" + `for _ in range(1000): os.write(line, b"\x7f" + b"x" * 1000)`}),
	one("MessageLeftHalf", cell{runc: "crashed", code: `say(0x86, b"{", size=100)`}),
	unread("ErrorThatIsNotJSON", "ok", "exception", `say(0x86, b"no JSON")`),
	unread("ErrorOfTheWrongShape", "ok", "exception", `say(0x86, b'{"type": 7, "traceback": {}}')`),
	unread("LocalsThatAreNotJSON", "crashed", "locals", `say(0x87, b"\xff\xfe")`),                                     // the true ones come second
	unread("LocalsOfTheWrongShape", "crashed", "locals", `say(0x87, b'{"values": [], "inexact": 1, "omitted": -1}')`), // the true ones come second
	unread("ResultThatNestsDeeply", "ok", "result", `say(0x85, b'{"data": {"a": ' + b"[" * 20000 + b"]" * 20000 + b'}}')`),
	unread("ResultOfTheWrongShape", "ok", "result", `say(0x85, b"[]")`),
	unread("FilesThatAreNotJSON", "ok", "files", `say(0x92, b"{")`),
	unread("FilesThatClimb", "ok", "files", `say(0x92, b'{"created": ["../../etc/passwd"], "modified": [], "deleted": [], "truncated": false}')`),
	brokenPacket("FilesTwice", `body = b'{"created": [], "modified": [], "deleted": [], "truncated": false}'; say(0x92, body); say(0x92, body)`),
	brokenPacket("FilesWithoutEnd", `say(0x92, b"x", size=1 << 20)`),
	unread("DuplicateKeys", "ok", "display", `say(0x84, b'{"data": {"a": 1, "a": 2}}')`),
	unread("DisplayOfTheWrongShape", "ok", "display", `say(0x84, b'{"data": {}, "metadata": []}')`),
	unread("CountsWithoutEnd", "ok", "locals", "line = control()\nfor _ in range(1000): say(0x14, struct.pack('>BQ', 0x87, 2**64 - 1), fd=line)"),
	one("DescriptorsForTheSupervisor", cell{
		runc: "ok", prints: "sent\n",
		code: `
line = socket.socket(fileno=os.dup(control()))
body = b'{"data": {}}'
for _ in range(500):
    attempt(line.sendmsg, [struct.pack(">BII", 0x84, 0, len(body)) + body],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("20i", *[0] * 20))])
line.close()
print("sent")`,
	}),
	one("DisplaysWithoutEnd", cell{
		runc: "timeout", timeout: 1,
		code: `body = b'{"data": {"text/plain": "' + b"d" * 60000 + b'"}}'` + "\nwhile True: say(0x84, body)",
	}),
	{name: "StolenRequests", cells: []cell{
		{runc: "ok", code: `
def steal(fd):
    thief = socket.socket(fileno=fd)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        try: thief.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError: pass
    thief.detach()
threading.Thread(target=steal, args=(os.dup(control()),), daemon=True).start()`},
		{runc: "ok killed", timeout: 1, code: "print('it came through')", prints: "it came through\n"},
		{runc: "ok killed", timeout: 3, code: "__import__('time').sleep(2)"}, // until the thief is gone, if it is not already
	}},
	{name: "ControlSocketThatDoesNotBlock", cells: []cell{
		{runc: "ok", code: "os.set_blocking(control(), False)"},
		{runc: "ok error crashed", prints: "41\n", code: "print(kept)"}, // a worker that cannot wait ends
	}},
}}
