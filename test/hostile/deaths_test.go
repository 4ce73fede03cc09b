package hostile_test

import (
	"strings"
	"testing"
)

// Workers that die, or become something else, and what they leave behind.

func TestHostile_Deaths(t *testing.T) { launch(t, deaths) }

// dies is an attack whose worker dies of what the cause must name.
func dies(name, cause, code string) attack {
	return one(name, cell{
		runc: "crashed", code: code,
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if !strings.Contains(a.Error, cause) {
				t.Errorf("the cause is %q, want %q", a.Error, cause)
			}
		},
	})
}

var deaths = onslaught{"Deaths and forks", []attack{
	dies("ExitAsIfAllWereWell", "exited with status 0", "os._exit(0)"),
	dies("ExitWithOne", "exited with status 1", "os._exit(1)"),
	dies("ExitInC", "exited with status 5", "libc.exit(5)"),
	dies("Abort", "SIGABRT", "os.abort()"),
	dies("SegmentationFault", "SIGSEGV", "ctypes.string_at(0)"),
	dies("KillsItself", "SIGKILL", "os.kill(os.getpid(), signal.SIGKILL)"),
	dies("FloatingPointSignal", "SIGFPE", "os.kill(os.getpid(), signal.SIGFPE)"),
	dies("RealTimeSignal", "SIGRTMAX", "os.kill(os.getpid(), signal.SIGRTMAX)"),
	dies("StackOverflowInC", "SIGSEGV", "qsort = libc.qsort\ndata = (ctypes.c_int * 4)(4, 3, 2, 1)\ncompare = ctypes.CFUNCTYPE(ctypes.c_int)(0)\nqsort(data, 4, 4, compare)"),
	dies("BecomesAnotherProgram", "", "os.execv(sys.executable, [sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"),
	dies("BecomesAnotherPython", "", "os.execv(sys.executable, [sys.executable, '-S', '-c', 'print(\"{}\")'])"),
	dies("ExitsInAThread", "exited with status 0", "threading.Thread(target=os._exit, args=(0,)).start()\ntime.sleep(30)"),
	dies("ExitsInARepr", "exited with status 0", "class Bomb:\n    def __repr__(self): os._exit(0)\nBomb()"),
	{name: "DiesBetweenCells", cells: []cell{
		{runc: "ok crashed", code: "threading.Timer(0.2, os._exit, (0,)).start()"},
		{runc: "crashed error", code: "import time\nkept\ntime.sleep(2)"},
	}},
	one("ForkThatReturnsFromTheCell", cell{
		runc: "ok",
		code: "child = os.fork()\nos.write(1, b'parent\\n' if child else b'child\\n')\nif child: os.waitpid(child, 0)",
		check: func(t *testing.T, a *answer) {
			t.Helper()
			if got := len(strings.Fields(a.Stdout)); got != 2 {
				t.Errorf("printed %q, want one line of each process", a.Stdout)
			}
		},
	}),
	one("ManyForksThatReturn", cell{runc: "ok", code: "for _ in range(4): os.fork()"}),
	one("ForkThatReturnsByAnException", cell{runc: "ok", code: "if os.fork() == 0: raise ValueError('of the child')\nos.wait()"}),
	one("ForkInARepr", cell{runc: "ok", code: "class Forks:\n    def __repr__(self): return 'child' if os.fork() == 0 else 'parent'\nForks()"}),
	one("ForkThatHoldsThePipes", cell{runc: "ok", check: answeredAtOnce, code: "if os.fork() == 0: time.sleep(3600)"}),
	one("ChildThatOutlivesIsHeardAsBackground", cell{runc: "ok", prints: "now\n", code: "def late():\n    time.sleep(0.3)\n    os.write(1, b'late')\ndetach(late)\nprint('now')"}),
	one("ParentDiesAndTheForkGoesOn", cell{
		runc: "crashed",
		code: "if os.fork(): os._exit(0)\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass",
	}),
	one("ThreadForks", cell{runc: "ok", code: "def fork():\n    if os.fork() == 0: time.sleep(0.1)\nthread = threading.Thread(target=fork); thread.start(); thread.join()"}),
	one("Vfork", cell{runc: "ok", code: "for _ in range(10): subprocess.run([sys.executable, '-I', '-S', '-c', ''])"}),
	one("MultiprocessingPool", cell{
		runc: "ok", prints: "[0, 1, 4]\n",
		code: "import multiprocessing\ndef square(x): return x * x\nwith multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(square, range(3)))",
	}),
}}

// Recursion, and what parsers make of depth.

func TestHostile_Recursion(t *testing.T) { launch(t, recursion) }

var recursion = onslaught{"Recursion", []attack{
	one("InPython", cell{runc: "error", code: "def f(): f()\nf()"}),
	one("InPythonWithoutALimit", cell{runc: "error oom crashed timeout killed", runsc: "error oom crashed timeout killed lost", timeout: 1.5, code: "sys.setrecursionlimit(10**9)\ndef f(): f()\nf()"}),
	one("InThePythonStackOfC", cell{runc: "error crashed", code: "sys.setrecursionlimit(10**9)\nclass A:\n    def __getattr__(self, name): return getattr(self, name)\nA().x"}),
	one("InC", cell{runc: "ok error crashed", code: "import itertools\nit = iter([1])\nfor _ in range(200_000): it = itertools.chain(it)\nnext(it)"}),
	one("InTheParser", cell{runc: "error", code: "eval('(' * 100_000)"}),
	one("InTheCompiler", cell{runc: "error crashed", code: "eval('-' * 500_000 + '1')"}),
	one("CodeItself", cell{runc: "error crashed", code: strings.Repeat("-", 200_000) + "1"}),
	one("CodeOfManyBrackets", cell{runc: "error", code: strings.Repeat("[", 200_000)}),
	one("InJSON", cell{runc: "error", code: "json.loads('[' * 1_000_000)"}),
	one("InAResult", cell{runc: "ok", code: "deep = []\nfor _ in range(100_000): deep = [deep]\ndeep"}),
	one("InLocals", cell{runc: "ok", locals: true, code: "deep = {}\nfor _ in range(100_000): deep = {'a': deep}\nround = []; round.append(round)"}),
	one("InExceptions", cell{runc: "error", code: "error = ValueError()\nfor _ in range(50_000):\n    outer = ValueError(); outer.__cause__ = error; error = outer\nraise error"}),
	one("InExceptionGroups", cell{runc: "error", code: "error = ValueError()\nfor _ in range(20_000): error = ExceptionGroup('deep', [error])\nraise error"}),
	one("InTypes", cell{runc: "ok error crashed", code: "kind = int\nfor _ in range(100_000): kind = list[kind]\nrepr(kind)"}),
}}
