package hostile_test

import (
	"strings"
	"testing"
)

// Output without end, by every way that a process can write.

func TestHostile_Floods(t *testing.T) { launch(t, floods) }

var floods = onslaught{"Output floods", []attack{
	one("Stdout", cell{runc: "timeout", timeout: 0.6, check: flooded("stdout"), code: "while True: print('x' * 1000)"}),
	one("Stderr", cell{runc: "timeout", timeout: 0.6, check: flooded("stderr"), code: "while True: print('x' * 1000, file=sys.stderr)"}),
	one("BothAtOnce", cell{
		runc: "timeout killed", timeout: 0.6,
		check: func(t *testing.T, a *answer) { flooded("stdout")(t, a); flooded("stderr")(t, a) },
		code: `
def write(fd):
    while True:
        os.write(fd, b"y" * 65536)
threading.Thread(target=write, args=(2,), daemon=True).start()
write(1)`,
	}),
	one("OneByteAtATime", cell{runc: "timeout", timeout: 2, check: floodedUnlessSlow, code: "while True: os.write(1, b'z')"}),
	one("CExtension", cell{runc: "timeout", timeout: 0.6, check: flooded("stdout"), code: "while True: libc.write(1, b'c' * 4096, 4096)"}),
	one("CBuffersAtTheEnd", cell{
		runc: "ok", check: flooded("stdout"),
		code: "for _ in range(1000): libc.printf(b'%1000s', b'buffered')",
	}),
	one("Subprocess", cell{
		runc: "timeout killed", timeout: 1.5, check: flooded("stdout"),
		code: `subprocess.run([sys.executable, "-S", "-c", "while True: print('child' * 100)"])`,
	}),
	one("DaemonAfterTheCell", cell{
		runc:  "ok",
		check: func(t *testing.T, a *answer) { answeredAtOnce(t, a) },
		code: `
def flood():
    while True:
        os.write(1, b"d" * 4096)
detach(flood)`,
	}),
	{name: "ManyDaemonsAfterManyCells", cells: []cell{
		{runc: "ok", check: answeredAtOnce, code: manyDaemons},
		{runc: "ok", check: answeredAtOnce, code: manyDaemons},
		{runc: "ok", check: answeredAtOnce, code: manyDaemons},
	}},
	one("ThreadAfterTheCell", cell{
		runc: "ok", check: answeredAtOnce,
		code: `
def flood():
    while True:
        print("t" * 4096)
threading.Thread(target=flood, daemon=True).start()`,
	}),
	one("NotUTF8", cell{
		runc: "ok", prints: strings.Repeat("\ufffd\x00\x1b[31m\ufffd", 3),
		code: `os.write(1, b"\xff\x00\x1b[31m\xc3" * 3)`,
	}),
	one("FloodThatIsNotUTF8", cell{runc: "timeout", timeout: 0.6, code: `while True: os.write(1, b"\xff\xfe\xed\xa0\x80" * 1000)`}),
	one("LoneSurrogates", cell{
		runc: "error",
		code: "sys.stderr.write('\\udcff\\ud800\\n')\nprint('\\udcff')\nsurrogate = '\\ud800'\nraise ValueError('\\ud800')", locals: true,
	}),
	one("HugeException", cell{runc: "error", code: "raise ValueError('v' * 5_000_000)"}),
	one("HugeDisplay", cell{runc: "ok", code: "display('d' * 20_000_000)"}),
	one("TooManyDisplays", cell{
		runc: "ok", timeout: 20,
		check: func(t *testing.T, a *answer) {
			if a.Truncated["display"] == 0 || len(a.Displays) == 0 || len(a.Displays) > 8000 {
				t.Errorf("%d displays, truncated: %v", len(a.Displays), a.Truncated)
			}
		},
		code: "for n in range(8_000): display(n)",
	}),
	one("HugeLocals", cell{
		runc: "ok", locals: true,
		code: "hoard = {n: 'h' * 1000 for n in range(20_000)}\nfor n in range(5000): globals()[f'name{n}'] = 'v' * 1000",
	}),
	one("PromptsWithoutEnd", cell{
		runc: "timeout", timeout: 0.6,
		code: "while True:\n    try:\n        input('?' * 10000)\n    except EOFError:\n        pass",
	}),
}}

const manyDaemons = `
def flood():
    while True:
        os.write(2, b"m" * 512)
for _ in range(3):
    detach(flood)`

// flooded demands that a stream was cut at its cap, and that the cut was told.
func flooded(stream string) func(*testing.T, *answer) {
	return func(t *testing.T, a *answer) {
		t.Helper()
		text := a.Stdout
		if stream == "stderr" {
			text = a.Stderr
		}
		if got, least, most := len(text), maxOutput/2, maxOutput+1024; got < least || got > most {
			t.Errorf("%s has %d bytes, want %d to %d", stream, got, least, most)
		}
		if a.Truncated[stream] == 0 {
			t.Errorf("%s was cut, and truncated says %v", stream, a.Truncated)
		}
	}
}

// floodedUnlessSlow leaves out gVisor, where a system call takes too long for one byte at a time to be a flood.
func floodedUnlessSlow(t *testing.T, a *answer) {
	t.Helper()
	if !sentry() {
		flooded("stdout")(t, a)
	}
}

// answeredAtOnce demands that what a cell left running delayed nothing.
func answeredAtOnce(t *testing.T, a *answer) {
	t.Helper()
	if a.Took > prompt {
		t.Errorf("the answer took %s", a.Took)
	}
}
