"""What cells show: values, displays, tracebacks, variables; and what hostile ones cannot spoil."""

import base64
import os
import re
import subprocess
import sys
import tempfile
import unittest

from harness import Daemon, DriverTest, wire

ALL_LOCALS = {"keys": None, "max_value": 10_000, "max_total": 100_000}


class Results(DriverTest):
    def plain(self, code: str, **fields) -> str | None:
        reply = self.run_cell(code, **fields)
        self.assertEqual("ok", reply.done["outcome"], reply.stderr)
        return None if reply.result is None else reply.result["data"]["text/plain"]

    def test_the_last_expression_unless_silenced(self):
        for code, expected in (("1+1", "2"), ("x = 1", None), ("x = 1\nx", "1"), ("None", None), ("x;", None), ("x ; # why", None), ("x # why;", "1"),
                               ("'a;'", "'a;'"), ("'é;' ;", None), ("", None), ("# nothing", None), ("if x:\n    x", None), ("'''a\nb'''", r"'a\nb'"),
                               ("(x,\n x);", None), ("x\n\n\n", "1"), ("x\r\n", "1"), ("'a\\\nb'  ;", None), ("def f(): pass\nf()", None), ("'text'", "'text'")):
            with self.subTest(code):
                self.assertEqual(expected, self.plain(code))

    def test_every_form_that_an_object_has(self):
        reply = self.run_cell("class Rich:\n"
                              "    def _repr_html_(self): return '<b>x</b>'\n    def _repr_markdown_(self): return '**x**', {'m': 1}\n"
                              "    def _repr_latex_(self): return '$x$'\n    def _repr_svg_(self): return '<svg/>'\n    def _repr_png_(self): return b'\\x89PNG'\n"
                              "    def _repr_json_(self): return {'x': [1]}\n    def _repr_jpeg_(self): return None\n    def _repr_javascript_(self): raise ValueError\n"
                              "    def _repr_mimebundle_(self, include=None, exclude=None): return {'application/x-own': {'y': 2}, 'text/html': 'own'}, {'application/x-own': {'z': 3}}\n"
                              "Rich()")
        data = reply.result["data"]
        self.assertEqual("own", data["text/html"])
        self.assertEqual("**x**", data["text/markdown"])
        self.assertEqual("$x$", data["text/latex"])
        self.assertEqual("<svg/>", data["image/svg+xml"])
        self.assertEqual(b"\x89PNG", base64.b64decode(data["image/png"]))
        self.assertEqual({"x": [1]}, data["application/json"])
        self.assertEqual({"y": 2}, data["application/x-own"])
        self.assertIn("Rich object at", data["text/plain"])
        self.assertEqual(8, len(data))
        self.assertEqual({"application/x-own": {"z": 3}, "text/markdown": {"m": 1}}, reply.result["metadata"])

    def test_a_bundle_is_asked_for_as_notebooks_do_and_wins(self):
        for parameters in ("self, include, exclude", "self, include=None, exclude=None", "self", "self, **kwargs", "self, *, include, exclude=1", "self, include"):
            with self.subTest(parameters):
                reply = self.run_cell(f"class Own:\n    def _repr_mimebundle_({parameters}): return {{'text/plain': 'own', 'text/html': '<i>', 'text/latex': None}}\n"
                                      "    def _repr_html_(self): return '<b>'\n    def _repr_latex_(self): return '$'\n    def __repr__(self): return 'repr'\nOwn()")
                self.assertEqual({"text/plain": "own", "text/html": "<i>", "text/latex": "$"}, reply.result["data"])
        for method in ("staticmethod(lambda include, exclude: {'x/y': 1})", "functools.partial(lambda include, exclude: {'x/y': 1})", "classmethod(lambda cls: {'x/y': 1})"):
            with self.subTest(method):
                self.assertEqual(1, self.run_cell(f"import functools\nclass Own:\n    _repr_mimebundle_ = {method}\nOwn()").result["data"]["x/y"])
        data = self.run_cell("class Large:\n    def _repr_mimebundle_(self): return {'text/plain': 'x' * 100_000}\n    def __repr__(self): return 'repr'\nLarge()", max_display=5000).result["data"]
        self.assertEqual({"text/plain": "repr"}, data)

    def test_objects_with_any_attribute_and_classes_are_plain(self):
        self.assertEqual(["text/plain"], list(self.run_cell("class Any:\n    def __getattr__(self, name): return lambda *a, **k: 'x'\nAny()").result["data"]))
        self.assertEqual(["text/plain"], list(self.run_cell("class Html:\n    def _repr_html_(self): return 'x'\nHtml").result["data"]))

    def test_display_is_there_without_import_and_in_order(self):
        reply = self.run_cell("print('a')\ndisplay(1, 'two')\nprint('b')\ndisplay({'text/plain': 'c', 'x/y': 5}, raw=True, metadata={'x/y': {'k': 1}})\nprint('d')")
        self.assertEqual([{"data": {"text/plain": "1"}, "metadata": {}}, {"data": {"text/plain": "'two'"}, "metadata": {}},
                          {"data": {"text/plain": "c", "x/y": 5}, "metadata": {"x/y": {"k": 1}}}], reply.displays)
        order = "".join(payload.decode() if kind == 0x82 else "D" for kind, payload in reply.frames if kind in (0x82, 0x84))
        self.assertEqual("a\nDDb\nDd\n", order)

    def test_displays_past_their_cap_are_counted(self):
        reply = self.run_cell("for _ in range(10): display('x' * 1000)\n'y' * 1000", max_display=3500)
        self.assertEqual(3, len(reply.displays))
        self.assertEqual("ok", reply.done["outcome"])
        self.assertLess(5000, reply.done["truncated"]["display"] + reply.done["truncated"].get("result", 0))

    def test_a_form_that_is_too_large_gives_way_to_the_plain_one(self):
        reply = self.run_cell("class Rich:\n    def _repr_html_(self): return 'x' * 100_000\nRich()", max_display=5000)
        self.assertEqual(["text/plain"], list(reply.result["data"]))
        self.assertEqual(100_000, reply.done["truncated"]["result"] // 1000 * 1000)

    def test_a_large_result_is_cut_and_counted(self):
        reply = self.run_cell("list(range(10**5))", max_display=10_000)
        shown = reply.result["data"]["text/plain"]
        self.assertTrue(shown.startswith("[0, 1, 2,"))
        self.assertTrue(shown.endswith("..."))
        self.assertEqual({"result": len(repr(list(range(10**5)))) - len(shown[:-3])}, reply.done["truncated"])

    def test_forms_that_are_left_out_are_counted(self):
        for code, part, size in (("display({'x/y': {'k': 'v' * 20_000}}, raw=True)", "display", len('{"k":""}') + 20_000),
                                 ("display({'x/y': b'b' * 30_000}, raw=True)", "display", 40_000),
                                 ("display({'x/y': 'é' * 20_000}, raw=True)", "display", 40_000),
                                 ("display({f'x/{n}': n for n in range(10, 110)}, raw=True)", "display", 82),
                                 ("display({'x/y': list(range(10**7))}, raw=True)", "display", 32 << 20),
                                 ("class Json:\n    def _repr_json_(self): return [0] * 20_000, {'m': 'm' * 20_000}\n    def __repr__(self): return 'r'\nJson()", "result", 40_001)):
            with self.subTest(code):
                reply = self.run_cell(code, max_display=10_000)
                self.assertEqual(("ok", {part: size}), (reply.done["outcome"], reply.done["truncated"]))

    def test_what_was_left_out_before_a_worker_died_is_counted(self):
        reply = self.run_cell("import os\ndisplay('x' * 20_000)\nos._exit(1)", max_display=10_000)
        self.assertEqual("crashed", reply.done["outcome"])
        self.assertEqual({"display": 20_002 - len(reply.displays[0]["data"]["text/plain"][:-3])}, reply.done["truncated"])

    def test_hostile_reprs_have_a_placeholder(self):
        self.assertEqual("<unrepresentable Bad: ZeroDivisionError: division by zero>", self.plain("class Bad:\n    def __repr__(self): 1/0\nBad()"))
        self.assertEqual("'\\ud800'", self.plain("'\\ud800'"))
        reply = self.run_cell("class Bad:\n    def __repr__(self): return '\\ud800'\nBad()")
        self.assertEqual("\\ud800", reply.result["data"]["text/plain"])
        self.assertIn("took longer", self.plain("class Slow:\n    def __repr__(self):\n        while True: pass\nSlow()", timeout=2))

    def test_top_level_await(self):
        self.assertEqual("3", self.plain("import asyncio\nasync def f(n):\n    await asyncio.sleep(0.01)\n    return n\nawait f(1) + await f(2)"))
        self.assertEqual("[0, 1]", self.plain("async def g():\n    for n in range(2): yield n\n[n async for n in g()]"))
        self.assertEqual("5", self.plain("queue = asyncio.Queue()\ntask = asyncio.create_task(queue.get())\nawait asyncio.sleep(0)\nawait queue.put(5)\nawait task"))
        self.assertEqual("7", self.plain("asyncio.run(f(7))"))
        self.assertEqual("8", self.plain("await f(8)"))

    def test_all_of_a_cell_with_a_top_level_await_runs_in_one_task(self):
        self.run_cell("import asyncio, contextvars\nasync def f(n):\n    await asyncio.sleep(0.01)\n    return n\nkept = contextvars.ContextVar('kept')")
        self.assertEqual("[0, 1, 2]", self.plain("tasks = [asyncio.create_task(f(n)) for n in range(3)]\nawait asyncio.gather(*tasks)"))
        self.assertEqual("True", self.plain("await asyncio.sleep(0)\nasyncio.get_running_loop().is_running()"))
        self.assertEqual("1", self.plain("kept.set(1)\nawait asyncio.sleep(0, kept.get())"))
        self.assertEqual("2", self.plain("await asyncio.sleep(0)\n_ = kept.set(2)\nkept.get()"))
        reply = self.run_cell("1/0\nawait asyncio.sleep(0)")
        self.assertEqual('Traceback (most recent call last):\n  File "Cell [6]", line 1, in <module>\n    1/0', "\n".join(reply.error["traceback"][:3]))

    def test_future_statements_persist(self):
        self.assertEqual("{'x': 'no_such'}", self.plain("from __future__ import annotations\ndef f(x: no_such): pass\nf.__annotations__"))
        self.assertEqual("{'y': 'nor_this'}", self.plain("def g(y: nor_this): pass\ng.__annotations__"))

    def test_it_is_main(self):
        self.assertEqual("('__main__', True, True)", self.plain("import sys, __main__\nx = 1\n(__name__, __main__.x == 1, sys.modules['__main__'].__dict__ is globals())"))
        self.assertEqual("([''], '')", self.plain("sys.argv, sys.path[0]"))
        self.assertEqual("[]", self.plain("[name for name in globals() if not name.startswith('__') and name not in ('sys', 'x')]"))

    def test_a_class_can_be_pickled_and_a_dataclass_made(self):
        self.assertEqual("Point(x=1)", self.plain("import pickle, dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int\npickle.loads(pickle.dumps(Point(1)))"))

    def test_multiprocessing_works(self):
        self.assertEqual("[1, 4, 9]", self.plain("import multiprocessing\ndef square(n): return n * n\n"
                                                 "with multiprocessing.get_context('fork').Pool(2) as pool: squares = pool.map(square, [1, 2, 3])\nsquares"))

    def test_a_module_written_a_moment_ago_can_be_imported(self):
        for n in range(5):
            self.assertEqual(str(n), self.plain(f"import os, tempfile; os.chdir(tempfile.mkdtemp())\nopen('module_{n}.py', 'w').write('value = {n}')\nimport module_{n}\nmodule_{n}.value"))


class Budgets(DriverTest):
    ENDLESS = "import time\nclass Endless:\n    def __repr__(self):\n        while True: pass\n"

    def test_many_reprs_that_do_not_end_are_no_timeout(self):
        self.run_cell(self.ENDLESS + "class Html(Endless):\n    _repr_html_ = _repr_png_ = Endless.__repr__\n")
        for code, timeout in (("good = 1\nfor n in range(50): globals()[f'v{n}'] = Endless()", 3), ("for n in range(20): display(Html())\ndisplay(5)\n'end'", 3), ("time.sleep(1.8); [Endless()]", 2)):
            with self.subTest(code):
                reply = self.run_cell(code, timeout=timeout, grace=1, locals=ALL_LOCALS)
                self.assertEqual("ok", reply.done["outcome"], reply.stderr)
                self.assertEqual(1, reply.locals["values"]["good"])
                self.assertLess(reply.done["usage"]["wall_time"], timeout)
                if reply.displays:
                    shown = [display["data"]["text/plain"] for display in reply.displays]
                    self.assertEqual((21, "5", "<unrepresentable Html: no time was left for its repr>", "'end'"), (len(shown), shown[20], shown[19], reply.result["data"]["text/plain"]))
                    self.assertIn("its repr took longer than", shown[0])

    def test_a_keyboard_interrupt_that_nobody_sent_is_the_repr_s(self):
        reply = self.run_cell("class Bad:\n    def __repr__(self): raise KeyboardInterrupt('mine')\n    def _repr_html_(self): raise KeyboardInterrupt\n"
                              "class Message(Exception):\n    def __str__(self): raise KeyboardInterrupt\nclass Worse:\n    def __repr__(self): raise Message\n"
                              "v, w = Bad(), Worse()\ndisplay(Bad())\nBad()", locals=ALL_LOCALS)
        self.assertEqual("ok", reply.done["outcome"], reply.stderr)
        bad = "<unrepresentable Bad: KeyboardInterrupt: mine>"
        self.assertEqual(({"text/plain": bad}, {"text/plain": bad}), (reply.displays[0]["data"], reply.result["data"]))
        self.assertEqual((bad, "<unrepresentable Worse: Message>"), (reply.locals["values"]["v"], reply.locals["values"]["w"]))
        self.assertEqual("KeyboardInterrupt", self.run_cell("raise KeyboardInterrupt").error["type"])

    def test_an_interrupt_during_a_repr_is_one(self):
        self.run_cell("import time\nclass Slow:\n    def __repr__(self):\n        print('begun')\n        time.sleep(100)")
        for code, fields in (("Slow()", {}), ("display(Slow())", {}), ("display([{Slow(): 1}])", {}), ("v = Slow()", {"locals": ALL_LOCALS})):
            with self.subTest(code):
                running = self.daemon.start(code, timeout=60, grace=10, **fields)
                while not self.daemon.replies[running].stdout:
                    self.daemon.step()
                self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
                reply = self.daemon.finish(running)
                self.assertEqual(("interrupted", True, "KeyboardInterrupt"), (reply.done["outcome"], reply.done["state_kept"], reply.error["type"]))
        self.assertEqual("True", self.run_cell("import signal\nsignal.getsignal(signal.SIGINT) is signal.default_int_handler").result["data"]["text/plain"])


class Tracebacks(DriverTest):
    def assert_like_cpython(self, code: str) -> None:
        """Compares with what this Python prints for a script of the same text."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "Cell [1]")
            with open(path, "w", encoding="utf-8") as file:
                file.write(code)
            expected = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, timeout=60).stderr.replace(folder + os.sep, "")
        reply = self.run_cell(code, name="Cell [1]")
        self.assertEqual("error", reply.done["outcome"])
        # The recursion limit counts the frames below the cell as well.
        self.assertEqual(*(re.sub(r"repeated 9\d\d more", "repeated n more", text) for text in (expected, reply.stderr.decode())))

    def test_they_are_what_cpython_prints(self):
        codes = ["1/0", "def f(a):\n    return a['b'][0]\nf({})", "x = [1,\n 2,\n 3 + None]", "raise ValueError('two\\nlines')", "raise KeyError('k')",
                 "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e", "try:\n    1/0\nexcept ZeroDivisionError:\n    undefined_name",
                 "try:\n    1/0\nexcept ZeroDivisionError:\n    raise ValueError from None", "def f(n):\n    return f(n + 1)\nf(0)",
                 "import json\njson.loads('{')", "assert 1 == 2, 'no'", "'a\x0cb\u2028c'; 1/0",
                 "a b", "def f(:\n  pass", "x = (1,", "  indented", "'unterminated", "dict(**{1: 2})", "raise BaseException('base')",
                 "return 1", "x = 1\n    \nyield x", "nonlocal x", "*a", "def f():\n    await x", "if 1:\n    break", "compile('a b', 'inner', 'exec')", "exec('1/0')", "eval('(')"]
        if sys.version_info >= (3, 11):
            codes += ["class E(Exception): pass\nraise E('own')", "class Bad(Exception):\n    def __str__(self): 1/0\nraise Bad", "e = ValueError('x')\ne.add_note('a note')\nraise e", "raise ExceptionGroup('g', [ValueError(1), ExceptionGroup('h', [TypeError(2)])])"]
        if sys.version_info >= (3, 12):  # CPython's own printing could do this earlier than its traceback module
            codes += ["print(lenn)", "import os\nos.pathh"]
        if sys.version_info >= (3, 13):
            codes += ["é = 1; é + 'x'", "assert 1 == 2, 'é😀'"]
        for code in codes:
            with self.subTest(code):
                self.assert_like_cpython(code)

    def test_they_show_lines_of_earlier_cells(self):
        self.run_cell("# one\ndef f():\n    raise ValueError('deep')  # here")
        lines = self.run_cell("\n\nf()").stderr.decode()
        self.assertIn('File "Cell [2]", line 3, in <module>\n    f()', lines)
        self.assertIn('File "Cell [1]", line 3, in f\n    raise ValueError(\'deep\')  # here', lines)
        self.assertNotIn("fastpyrepl", lines)
        self.assertIn("raise ValueError", self.run_cell("import inspect\ninspect.getsource(f)").result["data"]["text/plain"])

    def test_they_hide_the_driver_and_the_event_loop(self):
        for code in ("await __import__('asyncio').sleep('x')", "async def f():\n    1/0\nawait f()", "input()", "display(1, metadata=1/0)", "import sys; sys.stdin.readline(1/0)"):
            with self.subTest(code):
                lines = self.run_cell(code).stderr.decode().splitlines()
                self.assertEqual("Traceback (most recent call last):", lines[0])
                self.assertIn("Cell [", lines[1])
                self.assertNotIn("fastpyrepl_driver", "\n".join(lines))

    def test_an_interrupted_await_shows_where_the_cell_waited(self):
        self.run_cell("import asyncio\nasync def f():\n    await asyncio.sleep(100)")
        lines = self.run_cell("x = 1\nawait f()", timeout=0.3, grace=5).stderr.decode()
        self.assertTrue(lines.startswith('Traceback (most recent call last):\n  File "Cell [2]", line 2, in <module>\n    await f()\n  File "Cell [1]", line 3, in f\n'), lines)
        self.assertTrue(lines.endswith("KeyboardInterrupt\n"), lines)
        lines = self.run_cell("def busy():\n    while True: pass\nasyncio.get_running_loop().call_soon(busy)\nawait f()", timeout=0.3, grace=5).stderr.decode()
        self.assertIn("in busy\n    while True: pass\n", lines)

    def test_ipython_s_commands_are_explained(self):
        for code, says in (("%pip install x", "'%pip' is a magic command of IPython, this is plain Python, and packages cannot be installed: there is no network"),
                           ("!ls -l", "'!ls' is a shell command of IPython, this is plain Python: use subprocess.run"), ("x = 1\n%matplotlib inline", "'%matplotlib' is a magic"),
                           ("%%time\nx", "'%time' is a magic"), ("!pip install x", "there is no network"), ("if True:\n    !ls", "'!ls' is a shell command"),
                           ("try:\n    !ls\nexcept OSError:\n    pass", "'!ls' is a shell command"), ("! ls", "'!ls' is a shell command"), ("!./run", "'!' is a shell command"),
                           ("x = !ls", "'!ls' is a shell command"), ("x = y[0] = %pwd", "'%pwd' is a magic"), ("é: str =!pip list", "there is no network")):
            with self.subTest(code):
                reply = self.run_cell(code)
                self.assertEqual("SyntaxError", reply.error["type"])
                self.assertIn(says, reply.stderr.decode())

    def test_python_that_only_looks_like_a_command_keeps_its_message(self):
        for code in ("s = ('%s and %s'\n     % (a b))", "a = 5 \\\n  % 2 2", "a = 5 \\\n  %b 2", "x = (1 +\n %foo)", "x = (1 +\n !foo)", "x == !y", "f(a=!b)", "x = 1 %", "x = 'a' !b", "!=3", "%=3", "% x", "!"):
            with self.subTest(code):
                with self.assertRaises(SyntaxError) as raised:
                    compile(code, "x", "exec")
                self.assertEqual(f"SyntaxError: {raised.exception.msg}", self.run_cell(code).error["traceback"][-1])

    def test_hostile_exceptions(self):
        for code, kind in (("class E(Exception):\n    def __str__(self): raise E\nraise E", "E"), ("class E(Exception):\n    __class__ = property(lambda s: 1/0)\nraise E", "E"),
                           ("class E(Exception):\n    @property\n    def __notes__(self): raise KeyboardInterrupt\nraise E", "E"),
                           ("class E(Exception):\n    def __getattribute__(self, n): raise SystemExit\nraise E", "E"),
                           ("class M(type):\n    def __getattribute__(s, n): 1/0\nclass E(Exception, metaclass=M): pass\nraise E", "E"),
                           ("raise ValueError('x' * 10**7)", "ValueError"), ("raise ValueError('\\ud800' * 10**6)", "ValueError"), ("raise ValueError('\\x01' * 10**6)", "ValueError"), ("raise ValueError('\\ud800')", "ValueError"),
                           ("e = ValueError(); e.__context__ = e; raise e", "ValueError"),
                           ("e = ValueError(0)\nfor n in range(1, 3000):\n    f = ValueError(n); f.__cause__ = e; e = f\nraise e", "ValueError"),
                           ("import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return f(n - 1) if n else 1/0\nf(20000)", "ZeroDivisionError"),
                           ("raise SystemExit(type('C', (), {'__str__': lambda s: 1/0})())", "SystemExit")):
            with self.subTest(code):
                reply = self.run_cell(code)
                self.assertEqual(("error", True), (reply.done["outcome"], reply.done["state_kept"]))
                self.assertEqual(kind, reply.error["type"])
                self.assertLess(len(reply.stderr), 1 << 20)
                self.assert_alive()


    def test_what_is_cut_of_an_exception_is_counted(self):
        for code, whole in (("raise ValueError('x' * 100_000)", "x" * 100_000), ("raise ValueError('é' * 100_000)", "é" * 100_000),
                            ("raise ValueError('\\ud800' * 20_000)", "\\ud800" * 20_000), ("raise ValueError('x' * 10**6)", "x" * 10**6)):
            with self.subTest(code):
                reply = self.run_cell(code)
                self.assertTrue(whole.startswith(reply.error["message"][:-3]))
                left_out = len(whole.encode()) - len(reply.error["message"][:-3].encode())
                traceback = "\n".join(reply.error["traceback"])
                if mark := re.search(r"\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n", traceback):
                    head = f'Traceback (most recent call last):\n  File "Cell [{reply.done["execution_count"]}]", line 1, in <module>\n    {code}\nValueError: '
                    self.assertTrue(traceback.startswith(head))
                    self.assertEqual(len(head) + len(whole.encode()) + 1, len(traceback.encode()) + 1 - len(mark[0]) + int(mark[1]))
                    left_out += int(mark[1])
                self.assertEqual({"exception": left_out}, reply.done["truncated"])
        reply = self.run_cell("raise type('E' * 300, (Exception,), {})")
        self.assertEqual(({"exception": 300 - 197}, "E" * 197 + "..."), (reply.done["truncated"], reply.error["type"]))


class Locals(DriverTest):
    def test_they_are_told_with_the_result_and_after_an_error(self):
        reply = self.run_cell("import math\na, b = 1, {1}\ndef f(): pass\n_p = 2", locals=ALL_LOCALS)
        self.assertEqual({"a": 1, "b": "{1}", "_p": 2}, {key: value for key, value in reply.locals["values"].items() if key != "f"})
        self.assertEqual(["b", "f"], reply.locals["inexact"])
        reply = self.run_cell("c = 3\n1/0", locals={"keys": ["c", "zzz"], "max_value": 100, "max_total": 100})
        self.assertEqual({"values": {"c": 3, "zzz": None}, "inexact": [], "omitted": 0}, reply.locals)
        self.assertEqual("error", reply.done["outcome"])
        self.assertIsNone(self.run_cell("1").locals)

    def test_what_is_left_out_is_counted(self):
        reply = self.run_cell("a, b = 'x' * 1000, 'y' * 1000", locals={"keys": None, "max_value": 2000, "max_total": 1500})
        self.assertEqual((["a"], 1, 1002), (list(reply.locals["values"]), reply.locals["omitted"], reply.done["truncated"]["locals"]))

    def test_what_a_repr_is_cut_by_is_counted(self):
        reply = self.run_cell("a = list(range(10**5))", locals={"keys": None, "max_value": 2000, "max_total": 100_000})
        shown = reply.locals["values"]["a"]
        self.assertEqual((["a"], 2000), (reply.locals["inexact"], len(shown)))
        self.assertEqual({"locals": len(repr(list(range(10**5)))) - len(shown[:-3])}, reply.done["truncated"])

    def test_a_repr_that_does_not_end_costs_a_second(self):
        reply = self.run_cell("class Endless:\n    def __repr__(self):\n        while True: pass\na, b, c = 1, Endless(), 2", locals=ALL_LOCALS)
        self.assertEqual((1, 2, "ok"), (reply.locals["values"]["a"], reply.locals["values"]["c"], reply.done["outcome"]))
        self.assertIn("took longer than 1 s", reply.locals["values"]["b"])

    def test_formatting_runs_inside_the_deadline(self):
        reply = self.run_cell("import signal\nclass Stubborn:\n    def __repr__(self):\n        for number in (signal.SIGINT, signal.SIGALRM): signal.signal(number, signal.SIG_IGN)\n        while True: pass\na = Stubborn()",
                              locals=ALL_LOCALS, timeout=0.5, grace=0.3)
        self.assertEqual(("timeout", False, "killed"), (reply.done["outcome"], reply.done["state_kept"], reply.done["cause"]["kind"]))
        self.assert_alive()


class Hostile(unittest.TestCase):
    """Cells that break their own process's Python. Each may fail, and lose its own state; it may not lie, hang, or end the session."""

    CELLS = {
        "builtins without len": "import builtins\ndel builtins.len",
        "builtins turned around": "import builtins\nbuiltins.isinstance = lambda *a: False\nbuiltins.print = None",
        "json replaced": "import json\njson.dumps = json.loads = lambda *a, **k: 1/0",
        "sys.modules emptied": "import sys\nsys.modules.clear()",
        "a trace function that raises": "import sys\ndef trace(*a): raise ValueError('trace')\nsys.settrace(trace)\nsys._getframe().f_trace = trace\nx = 1",
        "a profile function that raises": "import sys\ndef profile(*a): raise ValueError('profile')\nsys.setprofile(profile)\nx = 1",
        "a low recursion limit": "import sys\nsys.setrecursionlimit(60)",
        "an audit hook that raises": "import sys\ndef hook(name, args):\n    if name in ('compile', 'exec'): raise RuntimeError('audit')\nsys.addaudithook(hook)",
        "signals to itself": "import os, signal\nfor _ in range(100): os.kill(os.getpid(), signal.SIGCONT)\nos.kill(os.getpid(), signal.SIGINT)",
        "a timer that raises between cells": "import signal\ndef late(*a): raise TimeoutError('late')\nsignal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.05, 0.001)",
        "namespace emptied": "globals().clear()",
        "builtins of the namespace": "__builtins__ = {}",
        "the interpreter's own frames": "import sys\nf = sys._getframe()\nwhile f:\n    f.f_locals.clear() if f.f_code.co_filename.startswith('/') else None\n    f = f.f_back",
        "every object of the driver's": "import gc\nfor o in gc.get_objects():\n    if type(o).__module__.startswith('fastpyrepl_driver'):\n        try: vars(o).clear()\n        except Exception: pass",
        "import machinery": "import sys\nsys.meta_path.clear(); sys.path_hooks.clear(); sys.path.clear(); sys.path_importer_cache = None",
        "sys attributes": "import sys\nfor n in ('stdin', 'stdout', 'stderr', 'path', 'displayhook', 'excepthook', 'flags'):\n    delattr(sys, n)",
        "file descriptors": "import os\nos.close(0); os.close(1); os.close(2)",
        "an exit function": "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit(5)",
        "working directory gone": "import os, tempfile\nd = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
        "the event loop closed": "import asyncio\nloop = asyncio.get_running_loop()\nawait asyncio.sleep(0)\nloop.stop()",
        "a thread for ever": "import threading\nthreading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()",
        "garbage with finalisers": "class G:\n    def __del__(self): raise SystemExit(1)\ng = G(); g.me = g; del g\nimport gc; gc.collect()",
        "umask, limits, niceness": "import os, resource\nos.umask(0o777)\nresource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))",
        "stack overflow": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): [f() for _ in 'x']\nf()",
        "deeply nested source": "(" * 10_000 + ")" * 10_000,
        "null bytes and surrogates": "x = '\0'",
    }

    def test_patched_builtins_spoil_no_later_cell(self):
        for patch in ("import builtins; builtins.isinstance = None", "import builtins; builtins.len = None", "import builtins; del builtins.len, builtins.type, builtins.min",
                      "import time; time.monotonic = time.perf_counter = None", "import os; os.write = os.getpid = os.dup2 = None", "import json; json.encoder.JSONEncoder.encode = None"):
            with self.subTest(patch):
                daemon = Daemon()
                try:
                    daemon.attach()
                    daemon.run(patch + "; kept = [1, {2}]")
                    reply = daemon.run("1+1", locals={"keys": ["kept"], "max_value": 100, "max_total": 100})
                    self.assertEqual(("ok", "2", {"kept": "[1, {2}]"}), (reply.done["outcome"], reply.result["data"]["text/plain"], reply.locals["values"]))
                    self.assertEqual("ZeroDivisionError", daemon.run("1/0").error["type"])
                finally:
                    self.assertEqual(0, daemon.close())

    def test_they_hurt_only_themselves(self):
        for name, code in self.CELLS.items():
            with self.subTest(name):
                daemon = Daemon(memory=96 << 20)
                try:
                    daemon.attach()
                    reply = daemon.run(code, timeout=10, grace=1)
                    self.assertIn(reply.done["outcome"], ("ok", "error", "crashed"))
                    for _ in range(3):  # whatever is left of the process, the truth is told about it
                        reply = daemon.run("6 * 7", timeout=5, grace=1, locals=ALL_LOCALS)
                        if reply.done["outcome"] == "ok":
                            self.assertEqual("42", reply.result["data"]["text/plain"])
                        else:
                            self.assertIn(reply.done["outcome"], ("error", "crashed"), reply.done)
                    # A process that nothing runs in any more can still be ended from outside.
                    reply = daemon.run("while True:\n    try:\n        while True: pass\n    except BaseException: pass", timeout=0.2, grace=0.1)
                    self.assertIn(reply.done["outcome"], ("timeout", "error", "crashed"), reply.done)
                    if not reply.done["state_kept"]:
                        self.assertEqual("42", daemon.run("6 * 7").result["data"]["text/plain"])
                finally:
                    self.assertEqual(0, daemon.close())


if __name__ == "__main__":
    unittest.main()
