"""Variables as JSON: exact, or a bounded repr that says so."""

import json
import math
import sys
import threading
import time
import unittest

from harness import limits, values


def describe(namespace: dict, keys: list | None = None, max_value: int = 10_000, max_total: int = 100_000) -> dict:
    payload, left_out = values.locals_message(namespace, keys, max_value, max_total, limits.Budget(time.monotonic() + 60))
    described = json.loads(payload, object_pairs_hook=unique)
    described["left_out"] = left_out
    return described


def unique(pairs: list) -> dict:
    assert len({key for key, _ in pairs}) == len(pairs), "a key twice"
    return dict(pairs)


class Exact(unittest.TestCase):
    def test_what_json_can_say(self):
        for value in (None, True, 0, -1, 2**64, 10**4299, 1.5, -0.0, 5e-324, "", "é😀\0\x1b", [], [1, [2, "x"]], {}, {"a": {"b": [None]}}, "x" * 9000):
            with self.subTest(str(value)[:30]):
                described = describe({"v": value})
                self.assertEqual([], described["inexact"])
                self.assertEqual(value, described["values"]["v"])
                self.assertIs(type(value), type(described["values"]["v"]))

    def test_tuples_become_lists_and_keys_strings(self):
        described = describe({"v": (1, (2,)), "w": {1: "a", None: "b", 2.5: "c"}, "x": {False: 0}})
        self.assertEqual({"v": [1, [2]], "w": {"1": "a", "null": "b", "2.5": "c"}, "x": {"false": 0}}, described["values"])
        self.assertEqual([], described["inexact"])


class Inexact(unittest.TestCase):
    def assert_inexact(self, value: object, expected: str | None = None) -> str:
        described = describe({"good": 1, "v": value, "also": [2]})
        self.assertEqual(["v"], described["inexact"])
        self.assertEqual((1, [2]), (described["values"]["good"], described["values"]["also"]))
        shown = described["values"]["v"]
        self.assertIsInstance(shown, str)
        self.assertLessEqual(len(shown), values.MAX_REPR)
        if expected is not None:
            self.assertEqual(expected, shown)
        return shown

    def test_values_beyond_json(self):
        for value in (math.nan, math.inf, [1.0, -math.inf], {1, 2}, b"\xff", 1j, range(3), [object], {"k": {1}}, {(1, 2): 3}, {math.nan: 1}, len, Exception("x")):
            with self.subTest(repr(value)):
                self.assert_inexact(value, repr(value))

    def test_keys_that_would_collide(self):
        self.assert_inexact({1: "a", "1": "b"}, "{1: 'a', '1': 'b'}")

    def test_lone_surrogates(self):
        self.assert_inexact("\ud800", r"'\ud800'")
        self.assert_inexact({"\udfff": 1}, r"{'\udfff': 1}")

    def test_ints_too_long_to_print(self):
        self.assertIn("unrepresentable int: ValueError", self.assert_inexact(10**4300))
        self.assertIn("unrepresentable list: ValueError", self.assert_inexact([1, 10**5000]))

    def test_cycles_and_depth(self):
        cycle: list = [1]
        cycle.append(cycle)
        self.assert_inexact(cycle, repr(cycle))
        table: dict = {}
        table["self"] = table
        self.assert_inexact(table, repr(table))
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        self.assertTrue(self.assert_inexact(deep).startswith("[[["))

    def test_large_values_are_cut_without_making_their_repr(self):
        started = time.monotonic()
        self.assertTrue(self.assert_inexact([[0] * 1000] * 10_000_000).startswith("[[0, 0,"))
        self.assertTrue(self.assert_inexact("x" * 300_000_000).startswith("'xxx"))
        self.assertTrue(self.assert_inexact(dict.fromkeys(range(1_000_000))).startswith("{0: None"))
        self.assertLess(time.monotonic() - started, 5)

    def test_subclasses_are_not_trusted_to_be_what_they_extend(self):
        class Liar(dict):
            def items(self):
                raise SystemExit("no")

        class Number(int):
            def __repr__(self):
                return "not a number"

        self.assert_inexact(Liar(a=1), "{'a': 1}")
        self.assert_inexact(Number(5), "not a number")

    def test_hostile_reprs_spoil_nothing_else(self):
        class Raises:
            def __repr__(self):
                raise ValueError("ha")

        class Exits:
            def __repr__(self):
                sys.exit(3)

        class NoText:
            def __repr__(self):
                return 5

        class Endless:
            def __repr__(self):
                while True:
                    pass

        class Recursive:
            def __repr__(self):
                return repr(self)

        class Text(str):
            def __getitem__(self, key):
                raise RuntimeError

            def __len__(self):
                return -1

        class Odd:
            def __repr__(self):
                return Text("fine")

        self.assert_inexact(Raises(), "<unrepresentable Raises: ValueError: ha>")
        self.assert_inexact(Exits(), "<unrepresentable Exits: SystemExit: 3>")
        self.assertIn("unrepresentable NoText: TypeError", self.assert_inexact(NoText()))
        self.assertIn("took longer than 1 s", self.assert_inexact(Endless()))
        self.assertIn("unrepresentable Recursive: RecursionError", self.assert_inexact(Recursive()))
        self.assert_inexact(Odd(), "fine")
        self.assertIn("took longer", self.assert_inexact([Endless()]))

    def test_a_class_that_hides_its_name(self):
        class Meta(type):
            @property
            def __name__(cls):
                raise ValueError

        class Hidden(metaclass=Meta):
            def __repr__(self):
                raise ValueError

        self.assertIn("<unrepresentable Hidden: ValueError", self.assert_inexact(Hidden()))


class LeftOut(unittest.TestCase):
    def assert_counted(self, value: object) -> None:
        whole = repr(value)
        for limit in (1, 4, 50, 1000, 5000, 100_000):
            shown, left_out = values.represent(value, limit, 60, time.monotonic() + 60)
            with self.subTest(whole[:40], limit=limit):
                self.assertLessEqual(len(shown), max(limit, 3))
                if len(whole) <= limit:
                    self.assertEqual((whole, 0), (shown, left_out))
                else:
                    self.assertTrue(shown.endswith("...") and whole.startswith(shown[:-3]), shown[-50:])
                    self.assertEqual(len(whole.encode()), len(shown[:-3].encode()) + left_out)

    def test_every_byte_that_a_repr_is_short_of_is_counted(self):
        class Odd:
            def __repr__(self):
                return "é" * 3000

        text = "".join(map(chr, range(0x20, 0x3000)))
        for value in (list(range(5000)), tuple(range(3000)), (1,) * 1024 + (Odd(),), set(range(3000)), frozenset(map(str, range(2000))), {n: [n] for n in range(2000)},
                      {str(n): n for n in range(3000)}, [[1, (2, {3: {4}})]] * 1000, ["x" * 3000] * 5, [1.5, None, True, 2j, range(3), len] * 500, [Odd()] * 10, Odd(),
                      [[], (), set(), frozenset({1}), (1,), {}] * 300, "plain" * 30_000, "it's " * 30_000, 'a "word" ' * 30_000, "it's a \"word\" " * 30_000,
                      "é😀\ud800\0\n" * 20_000, text * 20, b"it's \xff" * 30_000, b"'" * 70_000 + b'"' * 70_000, bytearray(b"a'\"" * 50_000), ["it's", 'a "word"'] * 2000):
            self.assert_counted(value)

    def test_what_is_too_deep_to_be_shown_is_counted(self):
        deep: object = list(range(1000))
        for _ in range(50):
            deep = [deep]
        shown, left_out = values.represent(deep, 5000, 60, time.monotonic() + 60)
        self.assertEqual("[" * 22 + "..." + "]" * 22, shown)
        self.assertEqual(len(repr(deep)) - 44, left_out)

    def test_counting_ends_in_time_and_calls_for_no_placeholder(self):
        class Raises:
            def __repr__(self):
                raise ValueError

        class Endless:
            def __repr__(self):
                endless()

        started = time.monotonic()
        for last in (Raises(), Endless()):
            shown, left_out = values.represent([*range(10_000), last], 100, 0.5, time.monotonic() + 60)
            self.assertTrue(shown.startswith("[0, 1, 2"))
            self.assertEqual(len(repr(list(range(10_000)))) - 1 - 97, left_out - len(", "))
        shown, left_out = values.represent([[0] * 1000] * 10_000_000, 100, 60, time.monotonic() + 0.1)
        self.assertTrue(shown.startswith("[[0, 0, "))
        self.assertLess(0, left_out)
        self.assertLess(time.monotonic() - started, 20)

    def test_the_variables_of_a_message_are_counted_together(self):
        described = describe({"list": list(range(100_000)), "text": "é" * 50_000, "small": 1})
        self.assertEqual(["list", "text"], described["inexact"])
        whole = len(repr(list(range(100_000)))) + 100_002
        shown = sum(len(described["values"][name][:-3].encode()) for name in ("list", "text"))
        self.assertEqual(whole - shown, described["left_out"])

    def test_ten_megabytes_are_counted(self):
        value = list(range(1_500_000))  # in time: it takes a quarter of what it may, on a machine that is not busy
        shown, left_out = values.represent(value, values.MAX_REPR, 60, time.monotonic() + 60)
        self.assertEqual(len(repr(value)), len(shown[:-3]) + left_out)


class Selection(unittest.TestCase):
    def test_all_variables_without_modules_and_dunder_names(self):
        described = describe({"__name__": "__main__", "__builtins__": {}, "sys": sys, "_private": 1, "x": 2})
        self.assertEqual({"_private": 1, "x": 2}, described["values"])

    def test_keys_and_missing_ones(self):
        described = describe({"a": 1, "b": 2, "sys": sys}, ["b", "missing", "b", "a\ud800"])
        self.assertEqual({"b": 2, "missing": None, "a\\ud800": None}, described["values"])
        self.assertEqual([], described["inexact"])

    def test_names_that_would_be_one_key_are_said_once(self):
        described = describe({"a\ud800": 1, "a\\ud800": 2})
        self.assertEqual({"a\\ud800": 1}, described["values"])
        self.assertEqual(1, described["omitted"])

    def test_a_value_over_its_cap_is_inexact(self):
        self.assertEqual([], describe({"v": "x" * 98}, max_value=100)["inexact"])
        self.assertEqual(["v"], describe({"v": "x" * 99}, max_value=100)["inexact"])
        self.assertEqual(["v"], describe({"v": "é" * 50}, max_value=100)["inexact"])

    def test_the_total_is_kept_and_the_rest_counted(self):
        described = describe({f"v{n}": "x" * 100 for n in range(100)}, max_total=1000)
        self.assertEqual(100, len(described["values"]) + described["omitted"])
        self.assertLess(len(json.dumps(described["values"])), 1000)
        self.assertEqual(described["omitted"] * 102, described["left_out"])


class Within(unittest.TestCase):
    def test_a_timer_of_the_user_goes_on(self):
        import signal

        rung = threading.Event()
        before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with self.assertRaises(limits.Expired):
            limits.within(0.05, endless)
        self.assertFalse(rung.is_set())
        deadline = time.monotonic() + 10
        while not rung.is_set() and time.monotonic() < deadline:
            signal.pause()
        self.assertTrue(rung.is_set())

    def test_a_call_within_another_leaves_it_its_timer(self):
        def nested():
            with self.assertRaises(limits.Expired):
                limits.within(0.01, endless)
            endless()

        started = time.monotonic()
        with self.assertRaises(limits.Expired):
            limits.within(0.2, nested)
        self.assertGreaterEqual(time.monotonic() - started, 0.2)

    def test_another_thread_has_no_timer(self):
        told = []
        thread = threading.Thread(target=lambda: told.append(limits.within(0.001, lambda: time.sleep(0.01) or values.represent({1}, 100, 1, 0))))
        thread.start()
        thread.join()
        self.assertEqual([("{1}", 0)], told)

    def test_catching_what_ends_it_helps_only_once(self):
        def stubborn():
            for _ in range(3):
                try:
                    endless()
                except BaseException:
                    pass
            return "out"

        self.assertEqual("out", limits.within(0.01, stubborn))


def endless() -> None:
    while True:
        pass
