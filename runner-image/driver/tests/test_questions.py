"""Questions about the session, and those who would abuse them."""

from __future__ import annotations

import json
import time
import unittest
import uuid

from harness import DriverTest, wire

HOSTILE = """
import time
def forever(*_, **__):
    while True: time.sleep(0.01)
class Everything:
    calls = []
    def __getattribute__(self, name): Everything.calls.append(name); return forever()
    def __getattr__(self, name): Everything.calls.append(name); forever()
    def __dir__(self): Everything.calls.append('dir'); forever()
    @property
    def prop(self): Everything.calls.append('prop'); forever()
    def method(self): pass
    def __init__(self): object.__getattribute__(self, '__dict__')['inner'] = 'text'
e = Everything()
"""


class QuestionTest(DriverTest):
    """Sessions that are asked."""

    def ask(self, kind: int, **fields: object) -> tuple[int, dict]:
        """Asks, and returns what answers."""
        question = self.send_question(kind, **fields)
        while (frame := self.daemon.step()).execution != question:
            pass
        self.assertLessEqual(len(frame.payload), wire.MAX_PAYLOAD)
        self.assertEqual(0, frame.seq)
        return frame.type, json.loads(frame.payload)

    def send_question(self, kind: int, **fields: object) -> bytes:
        question = uuid.uuid4().bytes
        self.daemon.seq = -1
        self.daemon.send(kind, fields, question)
        return question

    def answer(self, kind: int, **fields: object) -> dict:
        kind, answer = self.ask(kind, **fields)
        self.assertEqual(wire.ANSWER, kind, answer)
        return answer

    def complete(self, code: str, cursor: int | None = None) -> list[str]:
        answer = self.answer(wire.COMPLETE, code=code, cursor=len(code) if cursor is None else cursor)
        self.start, self.end = answer["start"], answer["end"]
        return answer["matches"]

    def status(self, code: str) -> tuple[str, int]:
        answer = self.answer(wire.IS_COMPLETE, code=code)
        return answer["status"], answer["indent"]

    def inspect(self, code: str, cursor: int | None = None) -> dict:
        return self.answer(wire.INSPECT, code=code, cursor=len(code) if cursor is None else cursor)

    def variables(self) -> dict[str, dict]:
        return {variable["name"]: variable for variable in self.answer(wire.VARIABLES)["variables"]}


class Completion(QuestionTest):
    def test_names(self) -> None:
        self.run_cell("value_one = 1; value_two = 2; _value = 3; größe = 4")
        self.assertEqual(["value_one", "value_two"], self.complete("print(val"))
        self.assertEqual((6, 9), (self.start, self.end))
        self.assertEqual(["größe"], self.complete("é = grö"))
        self.assertEqual((4, 7), (self.start, self.end))
        self.assertEqual(["_value"], [name for name in self.complete("_v")])
        self.assertEqual(["print"], self.complete("prin"))
        self.assertEqual(["while"], self.complete("whil"))
        self.assertEqual(["größe", "value_one", "value_two"], self.complete("f("))
        self.assertEqual([], self.complete("nothing_like_it"))
        self.assertEqual([], self.complete("1."))
        self.assertEqual(["value_one", "value_two"], self.complete("x = val + 1", 7))
        self.assertEqual(["value_one", "value_two"], self.complete("a\nval\nb", 5))

    def test_attributes(self) -> None:
        self.run_cell("import os.path\nclass A:\n  shared = 1\n  __slots__ = ('slot', '__dict__')\n  def method(self): pass\n"
                      "  @staticmethod\n  def static(): pass\n  @property\n  def prop(self): 1/0\n"
                      "class B(A):\n  def __init__(self): self.own = 'text'; self.slot = [1]\nb = B()\nd = {}\nb.b = b")
        self.assertEqual(["b", "method", "own", "prop", "shared", "slot", "static"], self.complete("b."))
        self.assertEqual(["upper"], self.complete("b.own.upp"))
        self.assertEqual(["append"], self.complete("b.slot.app"))
        self.assertEqual(["own"], self.complete("b.b.b.o"))
        self.assertEqual([], self.complete("b.prop."))
        self.assertEqual([], self.complete("b.none."))
        self.assertEqual([], self.complete("f().x"))
        self.assertIn("__init__", self.complete("b.__in"))
        self.assertEqual([], self.complete("b._"))
        self.assertEqual(["method"], self.complete("A.me"))
        self.assertEqual(["mro"], [name for name in self.complete("type.mr")])
        self.assertEqual(["setdefault"], self.complete("d.setd"))
        self.assertEqual(["join"], self.complete("os.path.joi"))

    def test_modules(self) -> None:
        self.run_cell("import json, os, tempfile; place = tempfile.TemporaryDirectory(); os.chdir(place.name)\n"
                      "open('mine_a.py', 'w').close(); os.mkdir('mine_b')")
        self.addCleanup(self.run_cell, "os.chdir('/'); place.cleanup()")
        self.assertEqual(["mine_a", "mine_b"], self.complete("import mine_"))
        self.assertEqual(["mine_a", "mine_b"], self.complete("import os, mine_"))
        self.assertEqual(["mine_a", "mine_b"], self.complete("  from mine_"))
        self.assertEqual(["decoder"], self.complete("import json.dec"))
        self.assertEqual(["decoder", "detect_encoding"], self.complete("from json import de")[:2])
        self.assertEqual([], self.complete("from not_there import d"))

    def test_no_code_of_the_user_is_called(self) -> None:
        self.assertEqual("ok", self.run_cell(HOSTILE).done["outcome"])
        self.assertEqual(["inner", "method", "prop"], [name for name in self.complete("e.") if name != "calls"])
        self.assertEqual([], self.complete("e.prop."))
        self.assertEqual(["upper"], self.complete("e.inner.upp"))
        self.assertEqual([], self.complete("e.none.x"))
        self.assert_alive("Everything.calls", "[]")

    def test_names_that_compare_as_they_like(self) -> None:
        self.run_cell("class K(str):\n  def __eq__(self, other):\n    while True: pass\n  def __hash__(self): return hash('victim')\n"
                      "globals()[K('victim')] = 1; keep = 7")
        for code in ("victim.", "victi"):
            kind, answer = self.ask(wire.COMPLETE, code=code, cursor=len(code))
            self.assertIn(kind, (wire.ANSWER, wire.REJECT), answer)
        self.assert_alive("keep", "7")

    def test_bounds(self) -> None:
        self.run_cell("for i in range(30_000): globals()[f'name_{i:05}'] = i\nglobals()['x' * 70_000] = 1\nglobals()['\\ud800y'] = 1")
        answer = self.answer(wire.COMPLETE, code="name_", cursor=5)
        self.assertEqual(30_000, len(answer["matches"]) + answer["omitted"])
        self.assertGreater(len(answer["matches"]), 1000)
        self.assertEqual([], self.complete("xxxx"))
        self.run_cell("globals()['x\\x1b[2J'] = globals()['x y'] = globals()['xyz'] = 1")
        self.assertEqual(["xyz"], [name for name in self.complete("x") if len(name) < 9])
        self.assertEqual(["print"], self.complete("a" * 300_000 + " prin"))
        self.assertEqual([], self.complete("a." * 100_000))
        self.assertIn("i", self.complete("x", -5))
        self.assertEqual(["print"], self.complete("prin", 1 << 40))


class Completeness(QuestionTest):
    def test_status(self) -> None:
        for code, expected in {
            "": ("complete", 0),
            "1 + 1": ("complete", 0),
            "# only this": ("complete", 0),
            "await f()": ("complete", 0),
            "x = 1; y = 2\nz = 3": ("complete", 0),
            "if x: pass": ("complete", 0),
            "if x:": ("incomplete", 4),
            "if x:  # why": ("incomplete", 4),
            "if x:\n    y": ("incomplete", 4),
            "if x:\n    y\n": ("complete", 0),
            "if x:\n    y\n    ": ("complete", 0),
            "def f():\n    if x:": ("incomplete", 8),
            "def f():\n    return 1": ("incomplete", 0),
            "class A:\n  def f(self):\n    pass": ("incomplete", 0),
            "@cache": ("incomplete", 0),
            "f(1,": ("incomplete", 0),
            "f(": ("incomplete", 4),
            "x = [\n    1,": ("incomplete", 4),
            "x = {'a': [1,\n2]}": ("complete", 0),
            "'''text": ("incomplete", 0),
            "    '''text": ("invalid", 0),
            "def f():\n    '''text": ("incomplete", 0),
            "f'''{x}": ("incomplete", 0),
            "1 + \\": ("incomplete", 0),
            "match x:\n    case 1:\n        y": ("incomplete", 8),
            "try:\n    x": ("incomplete", 4),
            "for x in y:\n    z\nelse:": ("incomplete", 4),
            "x\nfor a in b:\n    c": ("incomplete", 4),
            "def f():\n    x\ny": ("complete", 0),
            "1 +": ("invalid", 0),
            "'text": ("invalid", 0),
            "f(]": ("invalid", 0),
            "x = = 1": ("invalid", 0),
            "%time x": ("invalid", 0),
            "\x00": ("invalid", 0),
        }.items():
            with self.subTest(code):
                self.assertEqual(expected, self.status(code))
        self.assertEqual(b"", b"".join(text for _, _, text in self.daemon.background), "nothing is printed")

    def test_deep_and_long_code(self) -> None:
        for code in ("(" * 1000, "-" * 100_000 + "1", "x" * 200_000, "1+" * 50_000, "{" * 90, "f'{" * 100, "lambda:" * 20_000):
            with self.subTest(code[:10]):
                self.ask(wire.IS_COMPLETE, code=code)
        self.assert_alive()

    def test_futures_and_warnings(self) -> None:
        self.run_cell("import warnings; warnings.simplefilter('error')")
        self.assertEqual(("complete", 0), self.status("'\\d' is 1"))
        self.run_cell("from __future__ import barry_as_FLUFL")
        self.assertEqual("complete", self.status("1 <> 2")[0])


class Variables(QuestionTest):
    def test_listing(self) -> None:
        self.run_cell("import os\nn = 1\ntext = 'x' * 1000\nitems = [1, 2]\ndef f(): pass\n_hidden = None\n"
                      "class Table:\n  shape = (3, 2)\n  def __len__(self): return 3\n  def __repr__(self): return 'T'\nt = Table()")
        found = self.variables()
        self.assertEqual(["n", "text", "items", "f", "_hidden", "Table", "t"], list(found))
        self.assertEqual({"name": "n", "type": "int", "size": None, "shape": None, "repr": "1"}, found["n"])
        self.assertEqual({"name": "items", "type": "list", "size": 2, "shape": None, "repr": "[1, 2]"}, found["items"])
        self.assertEqual({"name": "t", "type": "Table", "size": 3, "shape": [3, 2], "repr": "T"}, found["t"])
        self.assertEqual(1000, found["text"]["size"])
        self.assertEqual(200, len(found["text"]["repr"]))
        self.assertEqual(None, found["Table"]["shape"])

    def test_bounds(self) -> None:
        self.run_cell("for i in range(5000): globals()[f'name_{i:05}'] = '\\x01' * 1000")
        answer = self.answer(wire.VARIABLES)
        self.assertEqual(5001, len(answer["variables"]) + answer["omitted"])
        self.assertGreater(len(answer["variables"]), 30)
        self.run_cell("for name in [name for name in globals() if name.startswith('name_')]: del globals()[name]\n"
                      "globals()['x' * 70_000] = 1; after = 2")
        self.assertIn("after", self.variables())

    def test_hostile_values(self) -> None:
        self.run_cell("import time, os, sys\nloop = []; loop.append(loop)\nclass Slow:\n  def __repr__(self):\n    while True: time.sleep(0.01)\n"
                      "class Stubborn:\n  def __repr__(self):\n    for _ in range(5):\n      try:\n        time.sleep(9)\n      except BaseException: pass\n"
                      "class Raises:\n  def __repr__(self): raise SystemExit(3)\nclass Interrupts:\n  def __repr__(self): raise KeyboardInterrupt\n"
                      "class Lies:\n  def __len__(self): return 10**30\n  shape = property(lambda self: (1.5, 'x'))\n  __class__ = property(lambda self: 1/0)\n"
                      "class Prints:\n  def __repr__(self): print('x' * 100_000); display(1); return 'p'\n"
                      "class Asks:\n  def __repr__(self): return input()\n"
                      "class Huge:\n  def __repr__(self): return 'x' * 10**8\n"
                      "class Meta(type):\n  def __hash__(cls): raise ZeroDivisionError\n  def __eq__(cls, other): raise ZeroDivisionError\nclass Odd(metaclass=Meta): pass\n"
                      "slow, stubborn, raises, interrupts, lies, prints, asks, odd, huge = Slow(), Stubborn(), Raises(), Interrupts(), Lies(), Prints(), Asks(), Odd(), Huge()\n"
                      "last = 'there'")
        began = time.monotonic()
        found = self.variables()
        self.assertLess(time.monotonic() - began, 3)
        self.assertIn("longer than", found["slow"]["repr"])
        self.assertIn("SystemExit", found["raises"]["repr"])
        self.assertIn("KeyboardInterrupt", found["interrupts"]["repr"])
        self.assertEqual((None, None), (found["lies"]["size"], found["lies"]["shape"]))
        self.assertEqual("[[...]]", found["loop"]["repr"])
        self.assertEqual("str", found["last"]["type"])
        self.assert_alive("last", "'there'")


class Inspection(QuestionTest):
    def test_what_is_known(self) -> None:
        self.run_cell("def f(a, b=2, *, c: int = 3) -> str:\n  '''Says it.\n\n  First.\n      Indented.\n  '''\nclass A:\n  'Of A.'\n  def __init__(self, x): pass\n"
                      "  @property\n  def p(self):\n    'Of p.'\n    1/0\na = A(1)")
        self.assertEqual({"found": True, "name": "f", "type": "function", "signature": "(a, b=2, *, c: int = 3) -> str",
                          "doc": "Says it.\n\nFirst.\n    Indented."}, {k: v for k, v in self.inspect("f").items() if k != "repr"})
        self.assertEqual(("A", "(x)", "Of A."), tuple(self.inspect("A")[key] for key in ("name", "signature", "doc")))
        self.assertEqual(("A", "", "Of A."), tuple(self.inspect("a")[key] for key in ("type", "signature", "doc")))
        self.assertEqual(("property", "Of p."), tuple(self.inspect("a.p")[key] for key in ("type", "doc")))
        self.assertEqual(("a.p", "property"), tuple(self.inspect("x = a.p + 1", 6)[key] for key in ("name", "type")))
        self.assertEqual("f", self.inspect("f(1, g(2), ")["name"])
        self.assertIn("Print", self.inspect("print")["doc"])
        self.assertIn("uppercase", self.inspect("str.upper")["doc"])
        for nothing in ("", "none", "a.none", "1 + ", "a.p.x"):
            self.assertFalse(self.inspect(nothing)["found"], nothing)

    def test_an_import_that_takes_its_time(self) -> None:
        self.run_cell("import sys, time\nclass Late:\n  def find_spec(self, name, *_):\n    if name == 'inspect': time.sleep(0.4)\n"
                      "sys.modules.pop('inspect', None); sys.meta_path.insert(0, Late())\ndef f(a): 'Says it.'")
        self.addCleanup(self.run_cell, "del sys.meta_path[0]")
        self.assertEqual(("(a)", "Says it."), tuple(self.inspect("f")[key] for key in ("signature", "doc")))

    def test_hostile_values(self) -> None:
        self.run_cell(HOSTILE + "class S:\n  __signature__ = property(forever)\n  def __call__(self): pass\n  __doc__ = 'd' * 100_000\n  def __repr__(self): return '\\x01' * 5000\n"
                      "s = S(); e.__class__ if 0 else None; keep = 7")
        for name in ("e", "s", "S", "e.prop"):
            with self.subTest(name):
                self.assertTrue(self.inspect(name)["found"])
        self.assertEqual(16_000, len(self.inspect("S")["doc"]))
        self.assert_alive("keep", "7")


class Order(QuestionTest):
    def test_one_at_a_time_and_only_while_nothing_runs(self) -> None:
        running = self.daemon.start("input()", input=True)
        self.daemon.wait_for(wire.INPUT_REQUEST)
        for kind in sorted(wire.QUESTIONS):
            kind, answer = self.ask(kind, code="x", cursor=1)
            self.assertEqual((wire.REJECT, "busy"), (kind, answer["code"]))
        self.daemon.send(wire.INPUT, {"text": None}, running)
        self.daemon.finish(running)
        self.assertEqual(["print"], self.complete("prin"))

    def test_a_worker_that_is_stuck_is_left_alive(self) -> None:
        self.run_cell("import time\nclass Stuck:\n  def __repr__(self):\n    until = time.monotonic() + 4.5\n    while time.monotonic() < until:\n      try:\n        time.sleep(9)\n"
                      "      except BaseException: pass\n    return 'late'\nkeep = 7; x = Stuck()")
        kind, answer = self.ask(wire.VARIABLES)
        self.assertEqual((wire.REJECT, "late"), (kind, answer["code"]))
        self.assertEqual("busy", self.ask(wire.COMPLETE, code="x", cursor=1)[1]["code"])
        self.assert_alive("keep", "7")
        self.assertEqual(["keep"], self.complete("kee"))

    def test_an_interrupt_is_for_the_execution_that_waits_behind_a_question(self) -> None:
        self.run_cell("import time\nclass Slow:\n  def __repr__(self):\n    try: time.sleep(1)\n    except BaseException: pass\n    time.sleep(0.5); return 'slow'\nkeep = 7; x = Slow()")
        question = self.send_question(wire.VARIABLES)
        execution = self.daemon.start("keep = 8\nwhile True: pass")
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, execution)
        frames = [self.daemon.step()]
        while frames[-1].execution != execution or frames[-1].type != wire.DONE:
            frames.append(self.daemon.step())
        self.assertEqual([wire.ANSWER], [frame.type for frame in frames if frame.execution == question])
        reply = self.daemon.replies[execution]
        self.assertEqual(("interrupted", True), (reply.done["outcome"], reply.done["state_kept"]))

    def test_a_worker_that_dies_of_it(self) -> None:
        self.run_cell("import os\nclass Dies:\n  def __repr__(self): os._exit(3)\nx = Dies()")
        kind, answer = self.ask(wire.VARIABLES)
        self.assertEqual((wire.REJECT, "failed"), (kind, answer["code"]))
        self.assert_alive()

    def test_garbage(self) -> None:
        for kind in sorted(wire.QUESTIONS):
            for payload in (b"", b"{", b"[]", b'{"code": 7}', b"\xff", b'{"code": "x", "cursor": "y"}', b'{"code": "\\ud800", "cursor": 1}'):
                question = uuid.uuid4().bytes
                self.daemon.seq = -1
                self.daemon.send(kind, payload, question)
                while (frame := self.daemon.step()).execution != question:
                    pass
                self.assertIn(frame.type, (wire.ANSWER, wire.REJECT))
        kind, answer = self.ask(wire.IS_COMPLETE, code="x" * (7 * wire.MAX_QUESTION))
        self.assertEqual((wire.REJECT, "failed"), (kind, answer["code"]))
        self.assert_alive()

    def test_answers_that_nobody_asked_for(self) -> None:
        # What a worker does that user code has taken over: it says ANSWER, before and after a question.
        forge = ("import gc, struct\nfrom fastpyrepl_driver.channel import Channel\n"
                 "channel = next(c for c in gc.get_objects() if type(c) is Channel)\n"
                 "for n in range(3): channel.send(0x15, b'{\"forged\": 1}', n)\n"
                 "channel.send(0x15, b'x' * 70_000, 1)\n")
        self.assertEqual("ok", self.run_cell(forge).done["outcome"])
        self.assertEqual(["print"], self.complete("prin"))
        self.assert_alive()

    def test_another_daemon_hears_no_answer_of_the_last_ones(self) -> None:
        self.run_cell("import time\nclass Slow:\n  def __repr__(self): time.sleep(0.1); return 'slow'\nx = Slow()")
        self.send_question(wire.VARIABLES)
        self.daemon.attach(padded=True)
        self.run_cell("1")  # behind which an answer would have come
        kind, answer = self.ask(wire.COMPLETE, code="prin", cursor=4)
        self.assertEqual((wire.ANSWER, ["print"]), (kind, answer["matches"]))


if __name__ == "__main__":
    unittest.main()
