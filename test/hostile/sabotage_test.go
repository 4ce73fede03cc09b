package hostile_test

import "testing"

// What the driver's own code uses in the worker's process, replaced or hooked.

func TestHostile_Sabotage(t *testing.T) { launch(t, sabotage) }

// patched is an attack that replaces things; the cells after it may fail, and must say so.
func patched(name, code string) attack {
	return one(name, cell{runc: "ok error timeout killed crashed", timeout: 1.5, locals: true, code: code}).wrecking()
}

// unimpressed is an attack that replaces what the driver does not rely on: nothing comes of it.
func unimpressed(name, code string) attack {
	return attack{name: name, cells: []cell{
		{runc: "ok", locals: true, code: code},
		{runc: "ok", prints: "41\n", locals: true, code: "print(kept)"},
		{runc: "error", code: "1 / 0"},
	}}
}

const trap = `
class Trap(BaseException):
    pass
def raising(*_, **__):
    raise Trap
`

var sabotage = onslaught{"Sabotaged interpreter", []attack{
	patched("BuiltinsCleared", "import builtins\nbuiltins.__dict__.clear()"),
	patched("BuiltinsRaise", trap+"import builtins\nfor name in dir(builtins):\n    if name not in ('Trap', 'setattr', 'raising', '__build_class__', '__import__', '__name__'): setattr(builtins, name, raising)"),
	patched("ModulesCleared", "sys.modules.clear()"),
	patched("ModulesOfTheDriverReplaced", "for name in list(sys.modules):\n    if name.startswith('fastpyrepl'): sys.modules[name] = None"),
	patched("DriverTakenApart", `
for found in gc.get_objects():
    if type(found).__module__.startswith("fastpyrepl_driver"):
        attempt(found.__dict__.clear)`),
	patched("DriverFunctionsReplaced", trap+`
for module in list(sys.modules.values()):
    if getattr(module, "__name__", "").startswith("fastpyrepl_driver"):
        for name, value in list(vars(module).items()):
            if callable(value):
                setattr(module, name, raising)`),
	patched("EveryFunctionOfOsRaises", trap+"for name in dir(os):\n    if callable(getattr(os, name)) and name != 'fspath': setattr(os, name, raising)"),
	unimpressed("JSONReplaced", trap+"json.dumps = json.loads = json.JSONEncoder = raising"),
	unimpressed("JSONThatLies", "json.dumps = lambda *_, **__: 'no JSON'"),
	patched("PrintAndLenReplaced", trap+"import builtins\nbuiltins.print = builtins.len = builtins.isinstance = raising"),
	patched("CompileReplaced", trap+"import builtins\nbuiltins.compile = builtins.exec = builtins.eval = raising"),
	patched("ImportReplaced", trap+"import builtins\nbuiltins.__import__ = raising"),
	unimpressed("SyntaxTreesReplaced", trap+"import ast, _ast\n_ast.Expr = _ast.Expression = raising"),
	unimpressed("TracebackReplaced", trap+"import traceback, linecache\nlinecache.getline = linecache.checkcache = linecache.updatecache = raising\ntraceback.print_exc = raising"),
	patched("TracebackExceptionRaises", trap+"import traceback\ntraceback.TracebackException = raising\n1 / 0"),
	patched("ClocksThatStandStill", "time.monotonic = time.perf_counter = time.process_time = lambda: 0.0"),
	patched("ClocksThatLie", "time.monotonic = time.perf_counter = time.process_time = lambda: 'noon'"),
	unimpressed("StreamsDeleted", "del sys.stdout, sys.stderr, sys.stdin, sys.__stdout__"),
	unimpressed("StreamsAreNone", "sys.stdout = sys.stderr = sys.stdin = None"),
	{name: "StdoutWhoseFlushNeverEnds", cells: []cell{{
		runc: "timeout", timeout: 1,
		code: "class Stream:\n    def write(self, text): pass\n    def flush(self):\n        while True: pass\nsys.stdout = Stream()",
	}}},
	{name: "StdoutWhoseFlushRaises", cells: []cell{{
		runc: "ok error", code: trap + "class Stream:\n    write = flush = raising\nsys.stdout = Stream()",
	}}},
	{name: "TraceFunctionRaises", cells: []cell{
		{runc: "ok error", code: trap + "sys.settrace(lambda *_: raising)"},
		{runc: "ok", prints: "41\n", code: "print(kept)"},
	}},
	patched("ProfileFunctionRaises", trap+"sys.setprofile(raising)"),
	patched("ProfileFunctionNeverEnds", "def profile(*_):\n    while True: pass\nsys.setprofile(profile)"),
	patched("MonitoringRaises", trap+"sys.monitoring.use_tool_id(3, 'trap')\nsys.monitoring.register_callback(3, sys.monitoring.events.PY_START, raising)\nsys.monitoring.set_events(3, sys.monitoring.events.PY_START)"),
	patched("AuditHookRaises", trap+"sys.addaudithook(raising)"),
	patched("AuditHookNeverEnds", "def hook(event, _):\n    while event == 'compile': pass\nsys.addaudithook(hook)"),
	unimpressed("AtExit", trap+"import atexit\natexit.register(raising)"),
	patched("GarbageCallbackRaises", trap+"gc.callbacks.append(raising)\ngc.collect()"),
	patched("GarbageCallbackNeverEnds", "def callback(*_):\n    while True: pass\ngc.callbacks.append(callback)\ngc.collect()"),
	unimpressed("ExceptHooks", trap+"sys.excepthook = sys.unraisablehook = sys.displayhook = threading.excepthook = sys.breakpointhook = raising"),
	unimpressed("RecursionLimitOfOne", "attempt(sys.setrecursionlimit, 60)"),
	patched("AlarmsThatRaise", trap+"signal.signal(signal.SIGALRM, raising)\nsignal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)"),
	{name: "AlarmsThatRaiseInCellAfterCell", cells: []cell{
		{runc: "ok error", code: trap + "signal.signal(signal.SIGPROF, raising)\nsignal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)"},
		{runc: "ok error killed", prints: "41\n", code: "print(kept)"},
		{runc: "ok error killed", prints: "41\n", code: "print(kept)"},
		{runc: "ok error killed", prints: "41\n", code: "print(kept)"},
		{runc: "ok error killed", prints: "41\n", code: "print(kept)"},
	}, wrecked: true},
	{name: "MainReplaced", cells: []cell{
		{runc: "ok", code: "import types\nsys.modules['__main__'] = types.ModuleType('__main__')"},
		{runc: "ok", prints: "41\n", code: "print(kept)"},
	}},
	{name: "NamespaceCleared", cells: []cell{
		{runc: "ok", code: "globals().clear()\nkept = 41", locals: true},
		{runc: "ok", prints: "41\n", code: "print(kept)"},
	}},
	patched("BuiltinsOfTheNamespaceReplaced", "__builtins__ = {}"),
	unimpressed("HostileKeysInTheNamespace", `
class Key(str):
    __hash__ = str.__hash__
    def __eq__(self, other):
        raise BaseException
globals()[Key("odd")] = 1
globals()[7] = 2`),
	unimpressed("WorkingDirectoryGone", "os.mkdir('/tmp/gone'); os.chdir('/tmp/gone'); os.rmdir('/tmp/gone')"),
	unimpressed("ModulesThatShadow", "for name in ('json', 'traceback', 'struct', 'time', 'asyncio', 're', 'linecache'): open(f'{name}.py', 'w').write('raise SystemExit')"),
	unimpressed("EnvironmentCleared", "os.environ.clear()"),
	unimpressed("WarningsAreErrors", "import warnings\nwarnings.simplefilter('error')"),
	unimpressed("EventLoopReplaced", trap+"import asyncio\nasyncio.new_event_loop = asyncio.set_event_loop = raising"),
	unimpressed("ForkHookRaises", trap+"os.register_at_fork(before=raising, after_in_parent=raising, after_in_child=raising)"),
}}
