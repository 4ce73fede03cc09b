"""Values of the libraries in the default image. The slim image, and most hosts, have none of them: nothing is left to test there."""

import base64
import importlib.util
import os
import unittest

from harness import DriverTest

HAVE = "FASTPYREPL_TEST_DRIVER" in os.environ or all(map(importlib.util.find_spec, ("numpy", "pandas", "matplotlib", "sympy", "PIL")))
LOCALS = {"keys": None, "max_value": 10_000, "max_total": 100_000}


class Libraries(DriverTest):
    memory = 1 << 30

    def test_numpy_scalars_are_exact_and_arrays_are_not(self):
        reply = self.run_cell("import numpy as np\na, b, c, d = np.float64(1.5), np.int64(2), np.bool_(True), np.str_('s')\n"
                              "e, f, g = [np.int8(1), {'k': np.float32(0.5)}], np.arange(3), np.float64('nan')", locals=LOCALS)
        values = reply.locals["values"]
        self.assertEqual([1.5, 2, True, "s", [1, {"k": 0.5}], "array([0, 1, 2])", "np.float64(nan)"], [values[name] for name in "abcdefg"], values)
        self.assertEqual(["f", "g"], reply.locals["inexact"])

    def test_one_huge_array_is_a_memory_error(self):
        self.assertIn("MemoryError", self.run_cell("import numpy as np\nnp.ones(10**9)").error["type"])
        self.assertEqual("ok", self.run_cell("x = np.ones(10**7); y = x @ x").done["outcome"])

    def test_data_frames_are_tables(self):
        reply = self.run_cell("import pandas as pd, datetime\npd.DataFrame({'n': [1, 2, None], 's': ['a', 'b', None], 'd': [datetime.date(2020, 1, n) for n in (1, 2, 3)]})")
        data = reply.result["data"]
        self.assertIn("<table", data["text/html"])
        self.assertEqual({"columns": ["n", "s", "d"], "index": {"names": [None], "rows": [[0], [1], [2]]}, "rows": [[1.0, "a", "2020-01-01"], [2.0, "b", "2020-01-02"], [None, None, "2020-01-03"]],
                          "total_rows": 3, "total_columns": 3}, data["application/vnd.fastpyrepl.table+json"])
        table = self.run_cell("pd.DataFrame([[n] * 100 for n in range(10_000)])").result["data"]["application/vnd.fastpyrepl.table+json"]
        reply = self.run_cell("pd.DataFrame({'s': ['x' * 2000]})")
        self.assertEqual("x" * 1021 + "...", reply.result["data"]["application/vnd.fastpyrepl.table+json"]["rows"][0][0])
        self.assertEqual({"result": 2000 - 1021}, reply.done["truncated"])
        self.assertEqual((200, 50, 10_000, 100), (len(table["rows"]), len(table["columns"]), table["total_rows"], table["total_columns"]))
        self.assertEqual([[n] for n in range(200)], table["index"]["rows"])

    def table(self, code: str, **fields) -> dict:
        return self.run_cell(code, **fields).result["data"]["application/vnd.fastpyrepl.table+json"]

    def test_a_table_has_its_index(self):
        self.run_cell("import pandas as pd\ndf = pd.DataFrame({'k': ['a', 'b', 'b'], 'm': [1, 2, 2], 'v': [1, 2, 3]})")
        for code, names, rows in (("df.groupby('k').sum(numeric_only=True)[['v']]", ["k"], [["a"], ["b"]]), ("df.groupby(['k', 'm']).sum()", ["k", "m"], [["a", 1], ["b", 2]]),
                                  ("df.set_index(['k', 'k'])", ["k", "k"], [["a", "a"], ["b", "b"], ["b", "b"]]), ("df[['v']].set_index(pd.to_datetime(['2020-01-01', '2020-01-02', None]))", [None], [["2020-01-01 00:00:00"], ["2020-01-02 00:00:00"], [None]]),
                                  ("df.set_index([[0.5, None, 2.0], ['x', 'y', 'z']])", [None, None], [[0.5, "x"], [None, "y"], [2.0, "z"]]), ("df.head(0)", [None], []), ("df.set_index(pd.Index([(1, 2)] * 3, tupleize_cols=False))", [None], [["(1, 2)"]] * 3)):
            with self.subTest(code):
                self.assertEqual({"names": names, "rows": rows}, self.table(code)["index"])
        index = self.table("pd.DataFrame({'v': [0] * 500}, index=pd.MultiIndex.from_arrays([['x' * 2000] * 500] + [['y'] * 500] * 59))", max_display=16 << 20)["index"]
        self.assertEqual((200, {50}, 50, "x" * 1021 + "..."), (len(index["rows"]), set(map(len, index["rows"])), len(index["names"]), index["rows"][0][0]))

    def test_subclasses_have_the_forms_of_what_they_extend(self):
        self.assertEqual([[1]], self.table("import pandas as pd\nclass Mine(pd.DataFrame): pass\nMine({'v': [1]})")["rows"])
        self.assertIn("image/png", self.run_cell("from matplotlib.figure import Figure\nclass Mine(Figure): pass\nMine()").result["data"])

    def test_a_table_in_a_thread(self):
        data = self.run_cell("import pandas as pd, threading\nt = threading.Thread(target=display, args=(pd.DataFrame({'n': [1]}),)); t.start(); t.join()").displays[0]["data"]
        self.assertEqual({"text/html", "text/plain", "application/vnd.fastpyrepl.table+json"}, set(data))

    def test_sympy_is_latex(self):
        self.assertEqual(r"$\displaystyle \frac{x}{2}$", self.run_cell("import sympy\nsympy.Symbol('x') / 2").result["data"]["text/latex"])

    def test_images_are_png(self):
        data = self.run_cell("from PIL import Image\nImage.new('RGB', (3, 2))").result["data"]
        self.assertTrue(base64.b64decode(data["image/png"]).startswith(b"\x89PNG"))


class Figures(DriverTest):
    def setUp(self):
        super().setUp()
        self.assertEqual("ok", self.run_cell("import matplotlib.pyplot as plt").done["outcome"])

    def pngs(self, reply) -> int:
        return sum(base64.b64decode(display["data"]["image/png"]).startswith(b"\x89PNG") for display in reply.displays)

    def test_open_figures_are_shown_at_the_end_of_the_cell_once(self):
        reply = self.run_cell("plt.plot([1, 2])\nplt.figure()\nprint('x')")
        self.assertEqual((2, b"", "ok"), (self.pngs(reply), reply.stderr, reply.done["outcome"]))
        self.assertEqual([], self.run_cell("1").displays)

    def test_show_shows_at_that_point(self):
        reply = self.run_cell("plt.plot([1])\nprint('before')\nplt.show()\nprint('after')")
        self.assertEqual("before\nDafter\n", "".join(payload.decode() if kind == 0x82 else "D" for kind, payload in reply.frames if kind in (0x82, 0x84)))
        self.assertEqual(1, self.pngs(reply))

    def test_use_agg_and_a_figure_as_the_result(self):
        reply = self.run_cell("import matplotlib\nmatplotlib.use('Agg')\nfig, ax = plt.subplots()\nfig")
        self.assertTrue(base64.b64decode(reply.result["data"]["image/png"]).startswith(b"\x89PNG"))
        self.assertEqual([], reply.displays)

    def test_figures_are_svg_on_request(self):
        for code in ("plt.plot([1, 2])", "display(plt.figure())"):
            data = self.run_cell(code, figures=["svg", "png"]).displays[0]["data"]
            self.assertIn("<svg", data["image/svg+xml"])
            self.assertIn("image/png", data)
        self.assertNotIn("image/svg+xml", self.run_cell("plt.plot([1, 2])").displays[0]["data"])

    def test_a_figure_that_cannot_be_drawn_is_an_error(self):
        reply = self.run_cell("plt.title(r'$\\nosuchcommand{$')")
        self.assertEqual(("error", "ValueError"), (reply.done["outcome"], reply.error["type"]))
        self.assertEqual([], self.run_cell("1").displays)


class PreloadedLibraries(DriverTest):
    env = {"FASTPYREPL_PRELOAD": "numpy,pandas,matplotlib.pyplot"}

    def test_they_are_there_at_once_and_figures_still_shown(self):
        self.assertEqual("True", self.run_cell("import sys\n'pandas' in sys.modules").result["data"]["text/plain"])
        reply = self.run_cell("import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()")
        self.assertEqual(["image/png", "text/plain"], list(reply.displays[0]["data"]))
        self.assertEqual("ok", self.run_cell("import numpy as np\nx = np.ones((500, 500)); y = x @ x").done["outcome"])


def load_tests(loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str) -> unittest.TestSuite:
    return tests if HAVE else unittest.TestSuite()
