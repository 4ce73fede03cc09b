package hostile_test

import "testing"

// Code that does not want to end.

func TestHostile_Stubborn(t *testing.T) { launch(t, stubborn) }

func never(name, endings, code string) attack {
	return one(name, cell{runc: endings, timeout: 0.6, code: code})
}

var stubborn = onslaught{"Code that is hard to interrupt", []attack{
	never("SwallowsKeyboardInterrupt", "killed", "while True:\n    try:\n        while True: pass\n    except BaseException: pass"),
	never("SwallowsInASleep", "killed", "while True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass"),
	never("IgnoresTheSignal", "killed", "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"),
	never("BlocksTheSignal", "killed", "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass"),
	never("BlocksEverySignalInC", "killed", "everything = (ctypes.c_ubyte * 128)(*[255] * 128)\nlibc.sigprocmask(0, everything, None)\nwhile True: pass"),
	never("HandlerThatNeverEnds", "killed", "def handler(*_):\n    while True: pass\nsignal.signal(signal.SIGINT, handler)\nwhile True: pass"),
	never("LoopInC", "killed timeout", "import itertools\nsum(itertools.repeat(1))"),
	never("LoopInCThatHoldsTheInterpreter", "killed", "ctypes.PyDLL(None).sleep.argtypes = [ctypes.c_uint]\nwhile True:\n    try: ctypes.PyDLL(None).sleep(100)\n    except BaseException: pass"),
	never("WaitsForALockInC", "killed", "mutex = (ctypes.c_ubyte * 64)()\nlibc.pthread_mutex_lock(mutex)\nlibc.pthread_mutex_lock(mutex)"),
	never("WaitsForALock", "timeout", "lock = threading.Lock()\nlock.acquire(); lock.acquire()"),
	never("WaitsForAChild", "timeout killed", "subprocess.run([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"),
	never("Sleeps", "timeout", "time.sleep(3600)"),
	never("SelectsForEver", "timeout", "import select\nselect.select([], [], [])"),
	never("BigNumbers", "timeout killed", "3 ** (3 ** 20)"),
	never("RegularExpression", "timeout killed", "import re\nre.match('(a+)+$', 'a' * 64 + 'b')"),
	never("StopsItself", "timeout", "os.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(60)"),
	never("StopsItselfAgainAndAgain", "killed timeout", "while True:\n    try: os.kill(os.getpid(), signal.SIGSTOP)\n    except KeyboardInterrupt: pass"),
	never("StoppedByItsChild", "killed timeout", "parent = os.getpid()\ndef stop():\n    while True: os.kill(parent, signal.SIGSTOP)\ndetach(stop)\ntime.sleep(60)"),
	never("FinalizerThatNeverEnds", "timeout killed", "class Endless:\n    def __del__(self):\n        while True: pass\nEndless()"),
	never("FinalizerThatSwallows", "killed", "class Endless:\n    def __del__(self):\n        while True:\n            try:\n                while True: pass\n            except BaseException: pass\nEndless()"),
	never("ExitThatNeverEnds", "timeout killed", "import contextlib\n@contextlib.contextmanager\ndef endless():\n    try: yield\n    finally:\n        while True: pass\nwith endless(): pass"),
	never("GeneratorThatSwallows", "killed", "def generate():\n    while True:\n        try: yield\n        except GeneratorExit: pass\n        except BaseException: pass\nwhile True:\n    try:\n        for _ in generate(): pass\n    except BaseException: pass"),
	never("TasksThatSwallow", "killed", "import asyncio\nasync def endless():\n    while True:\n        try: await asyncio.sleep(60)\n        except BaseException: pass\nawait endless()"),
	never("Awaits", "timeout", "import asyncio\nawait asyncio.sleep(3600)"),
	never("ReprThatSwallows", "timeout killed", "class Endless:\n    def __repr__(self):\n        while True:\n            try:\n                while True: pass\n            except BaseException: pass\nEndless()"),
	never("ThreadsThatSpinWhileItWaits", "timeout killed", "def spin():\n    while True: pass\nthreads = [threading.Thread(target=spin, daemon=True) for _ in range(3)]\nfor thread in threads: thread.start()\nfor thread in threads: thread.join()"),
	one("ThreadThatKeepsSpinning", cell{runc: "ok", check: answeredAtOnce, code: "def spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()"}),
	one("ThreadThatIsWaitedForAtTheEnd", cell{runc: "ok", check: answeredAtOnce, code: "threading.Thread(target=time.sleep, args=(3600,)).start()"}),
	{name: "ChildrenGoneAfterAKill", cells: []cell{
		{
			runc: "killed", timeout: 1,
			code: "for _ in range(5): detach(lambda: time.sleep(3600))\nfor _ in range(5): subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(3600)'], start_new_session=True)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
		},
		{runc: "ok", prints: "2\n", code: "import os\nprint(len([name for name in os.listdir('/proc') if name.isdecimal()]))"},
	}},
}}
