"""Checks a runner image from inside, the way a session runs it: read-only, without network, as an unknown uid. Fed to python3 by build.sh."""

import importlib
import io
import os
import stat
import subprocess
import sys
import unittest


class Slim(unittest.TestCase):
    def test_standard_library_is_whole(self):
        for name in "asyncio bz2 ctypes curses dbm.sqlite3 decimal lzma readline sqlite3 ssl uuid zlib".split():
            importlib.import_module(name)
        import sqlite3
        import zoneinfo

        self.assertEqual(sqlite3.connect(":memory:").execute("select 6*7").fetchone(), (42,))
        self.assertIn("Europe/Berlin", zoneinfo.available_timezones())

    def test_byte_code_is_there(self):
        import json

        self.assertTrue(os.path.exists(json.__cached__), json.__cached__)
        self.assertTrue(os.path.isdir("/opt/fastpyrepl/driver/__pycache__"))
        self.assertFalse(os.path.exists("/opt/fastpyrepl/driver/tests"))

    def test_only_home_and_tmp_can_be_written(self):
        self.assertEqual(os.getcwd(), "/home/user")
        for path in ("/home/user", "/tmp"):
            with open(os.path.join(path, "probe"), "w") as f:
                f.write("x")
        for path in ("/", "/etc", "/usr", "/var/tmp", "/opt/fastpyrepl"):
            with self.assertRaises(OSError, msg=path):
                open(os.path.join(path, "probe"), "w")

    def test_no_file_gains_privileges(self):
        found = []
        for top, _, names in os.walk("/", onerror=None):
            if top.startswith(("/proc", "/sys")):
                continue
            for name in names:
                mode = os.lstat(os.path.join(top, name)).st_mode
                if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH):
                    found.append(os.path.join(top, name))
        self.assertEqual(found, [])

    def test_no_compiler_and_no_package_manager(self):
        for name in ("gcc", "cc", "g++", "ld", "as", "apt-get", "dpkg", "perl", "curl", "wget", "mount", "su"):
            for folder in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin"):
                self.assertFalse(os.path.exists(os.path.join(folder, name)), name)


class Default(Slim):
    def test_shell_and_coreutils(self):
        line = "printf 'b\\na\\n' | sort | head -n1 | sed s/a/A/ && seq 3 | awk '{s+=$1} END {print s}' && find /home/user -maxdepth 0"
        self.assertEqual(subprocess.check_output(["bash", "-c", line], text=True), "A\n6\n/home/user\n")
        self.assertEqual(os.system("test -x /bin/sh"), 0)

    def test_numpy_uses_openblas(self):
        import numpy as np

        a = np.random.default_rng(1).random((300, 300))
        np.testing.assert_allclose(a @ np.linalg.inv(a), np.eye(300), atol=1e-8)
        with open("/proc/self/maps") as f:
            self.assertIn("libopenblas", f.read())

    def test_scipy_and_sklearn(self):
        from scipy import optimize
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier

        for name in ("fft", "integrate", "interpolate", "linalg", "ndimage", "signal", "sparse", "spatial", "special", "stats"):
            importlib.import_module("scipy." + name)
        self.assertAlmostEqual(optimize.brentq(lambda x: x * x - 2, 0, 2), 2**0.5)
        data, target = load_iris(return_X_y=True)
        self.assertGreater(RandomForestClassifier(n_estimators=10).fit(data, target).score(data, target), 0.9)

    def test_sympy_and_networkx(self):
        import networkx
        import sympy

        x = sympy.Symbol("x")
        self.assertEqual(sympy.integrate(2 * x, x), x**2)
        self.assertEqual(networkx.shortest_path(networkx.path_graph(3), 0, 2), [0, 1, 2])

    def test_pandas_reads_and_writes_tables(self):
        import pandas as pd

        frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        frame.to_excel("t.xlsx", index=False)
        self.assertTrue(pd.read_excel("t.xlsx").equals(frame))
        self.assertTrue(pd.read_html(io.StringIO(frame.to_html(index=False)))[0].equals(frame))
        self.assertIn("|   a | b   |", frame.to_markdown(index=False))
        self.assertIn("<table", frame.style.to_html())

    def test_lxml_bs4_and_pillow(self):
        import bs4
        from lxml import etree
        from PIL import Image

        self.assertEqual(bs4.BeautifulSoup("<p>hi", "lxml").p.text, "hi")
        self.assertEqual(etree.fromstring("<a><b/></a>")[0].tag, "b")
        for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
            Image.new("RGB", (8, 8)).save(io.BytesIO(), kind)

    def test_matplotlib_draws_without_looking_for_fonts(self):
        import matplotlib
        import matplotlib.pyplot as plt

        self.assertEqual(plt.get_backend(), "agg")
        # A list made in this session would lie beside the link, or replace it.
        for name in os.listdir("/opt/fastpyrepl/matplotlib"):
            self.assertTrue(os.path.islink(os.path.join(matplotlib.get_cachedir(), name)), name)
        plt.title(r"$\sqrt{x^2}$ – ü")
        plt.plot([1, 2, 3])
        for kind in ("png", "svg", "pdf"):
            plt.savefig(f"figure.{kind}")
            self.assertGreater(os.path.getsize(f"figure.{kind}"), 1000)


if __name__ == "__main__":
    case = {"default": Default, "slim": Slim}[sys.argv[1]]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    sys.exit(not unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite).wasSuccessful())
