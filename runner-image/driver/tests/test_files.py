"""Files of the working directory, through the supervisor's stdin and stdout: transfers, and what hostile code does to them."""

import json
import os
import time
import unittest
import uuid

from harness import DriverTest, Transfer, wire

# Runs in cells. The file server is the child of the supervisor's that is not the worker.
FIND = """
import os, signal
def servers():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getppid() and int(pid) != os.getpid() and fields[0] != "Z":
            found.append(int(pid))
    return found
"""


class Files(DriverTest):
    def put(self, path: str, data: bytes = b"x", **fields) -> dict:
        done = self.daemon.put(path, data, **fields).done
        self.assertIsNone(done.get("error"))
        return done

    def code(self, op: str, path: str, **fields) -> str:
        return self.daemon.file(op, path, **fields).code

    def cell(self, code: str) -> str:
        """Runs code and returns what it printed."""
        reply = self.run_cell(code)
        self.assertEqual("ok", reply.done["outcome"], reply.stderr)
        return reply.stdout.decode()

    def names(self, path: str = "", **fields) -> list[str]:
        transfer = self.daemon.file("list", path, **fields)
        self.assertEqual("", transfer.code, transfer.done)
        return [entry["path"] for entry in transfer.entries]


class Operations(Files):
    def test_what_is_written_is_read(self):
        for path, data in (("a", b"hello"), ("a b/ü/日本.txt", b"\x00\xff" * 1000), ("n" * 255, b""), ("-rf *;$(x)\n\x1b[0m\t\"'\\", b"1"), (".hidden", b"2")):
            with self.subTest(path):
                done = self.put(path, data)
                self.assertEqual(("file", len(data), 0o644, True), (done["file"]["type"], done["file"]["size"], done["file"]["mode"], done["created"]))
                read = self.daemon.file("read", path)
                self.assertEqual((data, 0, len(data), done["file"]), (bytes(read.data), read.info["start"], read.info["length"], read.info["file"]))
                self.assertEqual(done["file"], self.daemon.file("stat", path).done["file"])
                self.assertEqual(f"{data!r}\n", self.cell(f"print(open({path!r}, 'rb').read())"))

    def test_a_write_replaces_and_keeps_the_mode(self):
        first = self.put("script", b"1")
        self.cell("import os; os.chmod('script', 0o750); os.link('script', 'other')")
        second = self.put("script", b"22")
        self.assertEqual((False, 0o750), (second["created"], second["file"]["mode"]))
        self.assertNotEqual(first["file"]["tag"], second["file"]["tag"])
        self.assertEqual(b"1", self.daemon.file("read", "other").data)  # a hard link is another name of what was there
        third = self.put("script", b"3", mode=0o600, mtime=10**18)
        self.assertEqual((0o600, 10**18), (third["file"]["mode"], third["file"]["mtime"]))

    def test_100_mib_up_and_down_while_a_cell_runs_to_its_deadline(self):
        data = os.urandom(1 << 20) * 100
        running = self.daemon.start("import time\nwhile True: time.sleep(0.01)", timeout=0.3, grace=1)
        upload = self.daemon.open("write", "large", size=len(data))
        started = time.monotonic()
        self.daemon.upload(upload, data)
        self.daemon.send(wire.FILE_END, b"", upload)
        self.assertEqual("", self.daemon.end(upload).code)
        done = self.daemon.finish(running).done
        self.assertEqual(("timeout", True), (done["outcome"], done["state_kept"]))
        self.assertLess(done["usage"]["wall_time"], 0.3 + 1 + 0.5)
        self.assertLess(0.3, time.monotonic() - started)
        read = self.daemon.file("read", "large")
        self.assertTrue(data == read.data)

    def test_ranges(self):
        self.put("f", b"0123456789")
        for wanted, data, start in (([0, None], b"0123456789", 0), ([3, 5], b"345", 3), ([9, 100], b"9", 9), ([None, 4], b"6789", 6), ([None, 100], b"0123456789", 0)):
            with self.subTest(wanted):
                read = self.daemon.file("read", "f", range=wanted)
                self.assertEqual((data, start, len(data), 10), (bytes(read.data), read.info["start"], read.info["length"], read.info["file"]["size"]))
        for wanted in ([10, None], [5, 4], [None, 0]):
            with self.subTest(wanted):
                done = self.daemon.file("read", "f", range=wanted).done
                self.assertEqual(("range", 10), (done["error"]["code"], done["file"]["size"]))
        for wanted in ([1], [-1, 2], ["a", None], [1.5, None], [True, None], 7):
            with self.subTest(wanted):
                self.assertEqual("invalid", self.code("read", "f", range=wanted))
        self.put("empty", b"")
        self.assertEqual("range", self.code("read", "empty", range=[0, None]))

    def test_paths_that_are_none(self):
        self.put("f")
        for path in ("/", "/f", "f/", "a//b", ".", "..", "../x", "a/../b", "a/./b", "a\0b", "a" * 256, "é" * 128, "a/" * 2048 + "a", ".fastpyrepl",
                     ".fastpyrepl/x", "\ud800", 7, None, ["f"]):
            for op in ("stat", "read", "write", "list", "remove", "mkdir"):
                with self.subTest(path=path, op=op):
                    self.assertEqual("invalid", self.code(op, path))
        self.assertEqual(["f"], self.names(recursive=True))

    def test_a_path_of_4096_bytes(self):
        path = "/".join(["d" * 255] * 16)
        self.assertEqual(4095, len(path))
        self.put(path, b"deep")
        self.assertEqual(b"deep", self.daemon.file("read", path).data)
        self.assertEqual(16, len(self.names(recursive=True)))
        self.assertEqual("", self.code("remove", "d" * 255, recursive=True))
        self.assertEqual([], self.names())

    def test_what_is_not_there_or_is_something_else(self):
        self.put("d/f")
        for op, path, code in (("read", "x", "not_found"), ("stat", "d/x", "not_found"), ("remove", "x/y", "not_found"), ("list", "x", "not_found"),
                               ("read", "d/f/x", "conflict"), ("write", "d/f/x", "conflict"), ("mkdir", "d/f", "conflict"), ("list", "d/f", "conflict"),
                               ("write", "d", "conflict"), ("write", "", "conflict"), ("remove", "", "conflict"), ("remove", "d", "conflict"),
                               ("read", "", "conflict"), ("read", "d", "conflict")):
            with self.subTest(op=op, path=path):
                done = self.daemon.file(op, path).done
                self.assertEqual(code, done["error"]["code"])
                if op == "read" and code == "conflict" and path in ("", "d"):
                    self.assertEqual("directory", done["file"]["type"])
        self.assertEqual(["d", "d/f"], self.names(recursive=True))

    def test_operations_that_are_none(self):
        for payload in (b"", b"[]", b"{}", b'{"op": "format", "path": ""}', b'{"op": ["stat"], "path": ""}', b"\xff", b"[" * 60_000,
                        b'{"op": "list", "path": "", "limit": 0}', b'{"op": "list", "path": "", "limit": 10001}', b'{"op": "list", "path": "", "after": "x"}',
                        b'{"op": "list", "path": "", "recursive": 1}', b'{"op": "write", "path": "f", "size": "1"}', b'{"op": "write", "path": "f", "if_match": "x"}'):
            with self.subTest(payload[:50]):
                id = uuid.uuid4().bytes
                self.daemon.transfers[id] = Transfer()
                self.daemon.send(wire.FILE_OPEN, payload, id)
                self.assertEqual("invalid", self.daemon.end(id).code)
        self.assertEqual([], self.names())

    def test_conditions(self):
        tag = self.put("f", b"1")["file"]["tag"]
        self.assertEqual("precondition", self.daemon.put("f", b"2", if_match=["other"]).code)
        self.assertEqual("precondition", self.daemon.put("f", b"2", if_none_match=True).code)
        self.assertEqual("precondition", self.daemon.put("g", b"2", if_match=["*"]).code)
        self.assertEqual("precondition", self.code("remove", "f", if_match=["other"]))
        self.assertEqual(b"1", self.daemon.file("read", "f").data)
        self.assertEqual(["f"], self.names())
        second = self.put("f", b"2", if_match=["other", tag])["file"]["tag"]
        self.put("new", b"3", if_none_match=True)
        self.assertEqual(self.daemon.file("stat", "new").done["file"]["tag"], self.daemon.file("read", "new").info["file"]["tag"])
        self.assertEqual("", self.code("remove", "f", if_match=[second]))
        self.assertEqual("", self.code("remove", "new", if_match=["*"]))

    def test_a_condition_holds_at_the_end_of_an_upload(self):
        tag = self.put("f", b"1")["file"]["tag"]
        slow = self.daemon.open("write", "f", if_match=[tag])
        new = self.daemon.open("write", "new", if_none_match=True)
        self.cell("open('f', 'w').write('cell'); open('new', 'w').write('cell')")
        for id in (slow, new):
            self.daemon.upload(id, b"2")
            self.daemon.send(wire.FILE_END, b"", id)
            self.assertEqual("precondition", self.daemon.end(id).code)
        self.assertEqual((b"cell", b"cell"), (self.daemon.file("read", "f").data, self.daemon.file("read", "new").data))

    def test_the_tag_changes_with_the_content_also_when_its_time_is_set_back(self):
        before = self.put("f", b"1")["file"]
        self.cell(f"import os\nopen('f', 'r+').write('2')\nos.utime('f', ns=({before['mtime']}, {before['mtime']}))")
        after = self.daemon.file("stat", "f").done["file"]
        self.assertEqual((before["size"], before["mtime"]), (after["size"], after["mtime"]))
        self.assertNotEqual(before["tag"], after["tag"])

    def test_directories(self):
        self.assertTrue(self.daemon.file("mkdir", "a/b/c").done["created"])
        self.assertFalse(self.daemon.file("mkdir", "a/b").done["created"])
        self.assertFalse(self.daemon.file("mkdir", "").done["created"])
        self.assertEqual(["a", "a/b", "a/b/c"], self.names(recursive=True))
        self.assertEqual(["b"], self.names("a"))
        self.assertEqual("conflict", self.code("remove", "a"))
        self.assertEqual("", self.code("remove", "a/b/c"))
        self.assertEqual("", self.code("remove", "a", recursive=True))
        self.assertEqual([], self.names())

    def test_lists_are_ordered_and_go_on_where_they_ended(self):
        paths = sorted(("a/%d" % n for n in range(30)), key=lambda path: path.split("/")) + ["a.b", "b/c/d", "b/c/e", "é", "日"]
        for path in reversed(paths):
            self.put(path)
        want = ["a", *paths[:30], "a.b", "b", "b/c", "b/c/d", "b/c/e", "é", "日"]
        self.assertEqual(want, self.names(recursive=True))
        self.assertEqual(["a", "a.b", "b", "é", "日"], self.names())
        for limit in (1, 2, 7, len(want) - 1, len(want)):
            got, after = [], ""
            while after is not None:
                transfer = self.daemon.file("list", recursive=True, limit=limit, after=after)
                self.assertLessEqual(len(transfer.entries), limit)
                got += [entry["path"] for entry in transfer.entries]
                after = transfer.done["next"]
            self.assertEqual(want, got, limit)
        # What the list is to go on after need not be there any more.
        first = self.daemon.file("list", recursive=True, limit=5).done["next"]
        self.cell("import shutil; shutil.rmtree('a')")
        self.assertEqual(want[31:], self.names(recursive=True, after=first))

    def test_a_list_tells_what_everything_is(self):
        self.put("file", b"12345")
        self.cell("import os, socket\nos.mkdir('directory')\nos.symlink('file', 'link')\nsocket.socket(socket.AF_UNIX).bind('socket')\nopen(b'\\xff\\xfe', 'w')")
        entries = self.daemon.file("list").entries
        self.assertEqual(["directory", "file", "link", "socket", "\ufffd\ufffd"], [entry["path"] for entry in entries])
        self.assertEqual(["directory", "file", "link", "other", "file"], [entry["type"] for entry in entries])
        self.assertEqual([None] * 4 + [True], [entry.get("odd") for entry in entries])
        self.assertEqual((5, 0o644), (entries[1]["size"], entries[1]["mode"]))

    def test_a_directory_of_20_000_entries(self):
        self.cell("import os\nos.mkdir('many')\nfor n in range(20_000): os.symlink('x', f'many/{n:05}')")
        names = self.names("many")
        self.assertEqual([f"{n:05}" for n in range(10_000)], names)
        transfer = self.daemon.file("list", "many", limit=3)
        last = self.daemon.file("list", "many", after=transfer.done["next"], limit=2)
        self.assertEqual(["00003", "00004"], [entry["path"] for entry in last.entries])
        self.assertEqual("", self.code("remove", "many", recursive=True))
        self.assertEqual("not_found", self.code("stat", "many"))


class Uploads(Files):
    def test_nothing_is_there_before_the_end(self):
        self.put("old", b"old")
        for path in ("old", "new/deep"):
            id = self.daemon.open("write", path)
            self.daemon.upload(id, b"x" * 100_000)
            seen = self.cell("import os\nprint(os.path.exists('new'), open('old').read())")
            self.assertEqual("False old\n", seen)
            self.assertEqual(["old"], self.names(recursive=True))
            self.daemon.send(wire.FILE_CANCEL, b"", id)
            self.assertEqual("cancelled", self.daemon.end(id).code)
        self.assertEqual("['old']\n", self.cell("print(os.listdir('.'))"))

    def test_a_new_attachment_ends_the_transfers_of_the_old_one(self):
        self.put("long", os.urandom(1 << 20))
        upload = self.daemon.open("write", "half")
        self.daemon.upload(upload, b"x" * 100_000)
        download = self.daemon.open("read", "long")
        while len(self.daemon.transfers[download].data) < wire.FILE_WINDOW_SIZE:
            self.daemon.step()
        self.daemon.attach(padded=True)
        self.daemon.send(wire.FILE_DATA, b"y", upload)
        self.daemon.send(wire.FILE_END, b"", upload)
        self.daemon.send(wire.FILE_WINDOW, {"consumed": 1 << 20}, download)
        self.assertEqual(["long"], self.names())
        self.assertEqual("['long']\n", self.cell("import os; print(os.listdir('.'))"))
        self.assertIsNone(self.daemon.transfers[upload].done)
        for _ in range(3):  # nothing of the old ones takes a place
            for id in [self.daemon.open("write", f"f{n}") for n in range(wire.MAX_TRANSFERS)]:
                self.daemon.send(wire.FILE_END, b"", id)
                self.assertEqual("", self.daemon.end(id).code)

    def test_more_transfers_than_may_be_are_busy(self):
        ids = [self.daemon.open("write", f"f{n}") for n in range(wire.MAX_TRANSFERS)]
        self.assertEqual("busy", self.code("stat", ""))
        self.daemon.send(wire.FILE_CANCEL, b"", ids[0])
        self.assertEqual("cancelled", self.daemon.end(ids[0]).code)
        self.assertEqual("", self.code("stat", ""))
        for id in ids[1:]:
            self.daemon.upload(id, b"x" * 300_000)
        for id in ids[1:]:
            self.daemon.send(wire.FILE_END, b"", id)
            self.assertEqual("", self.daemon.end(id).code)
        self.assertEqual(wire.MAX_TRANSFERS - 1, len(self.names()))

    def test_data_beyond_the_window_is_a_fault(self):
        self.put("f")
        self.cell(FIND + "for pid in servers(): os.kill(pid, signal.SIGSTOP)")
        id = self.daemon.open("write", "x")
        self.daemon.transfers[id].granted = 1 << 40  # which is not so
        try:
            self.daemon.upload(id, bytes(8 << 20))
        except (TimeoutError, BrokenPipeError):
            pass
        self.assertEqual({"message": "bytes were skipped: bad window"}, json.loads(self.daemon.wait_for(wire.FAULT).payload))
        self.daemon.attach(padded=True)
        self.assert_alive()
        self.assertEqual(["f"], self.names())

    def test_frames_of_transfers_that_are_not_open_are_dropped(self):
        for kind in (wire.FILE_DATA, wire.FILE_END, wire.FILE_WINDOW, wire.FILE_CANCEL):
            self.daemon.send(kind, b"{}", uuid.uuid4().bytes)
        self.assertEqual([], self.names())
        for kind in (wire.FILE_DATA, wire.FILE_END, wire.FILE_WINDOW, wire.FILE_CANCEL):
            self.daemon.send(kind, b"{}", uuid.uuid4().bytes)
        self.assert_alive()


class Downloads(Files):
    def test_no_more_comes_than_was_granted(self):
        data = os.urandom(1 << 20)
        self.put("f", data)
        id = self.daemon.open("read", "f")
        transfer = self.daemon.transfers[id]
        while len(transfer.data) < wire.FILE_WINDOW_SIZE:
            self.daemon.step()
        self.assert_alive()  # which shows that others have their turn, and that nothing more comes
        self.assertEqual(wire.FILE_WINDOW_SIZE, len(transfer.data))
        self.daemon.consume(id)
        self.assertTrue(data == self.daemon.end(id).data)

    def test_a_file_that_shrinks_ends_it_as_aborted_and_one_that_grows_as_long_as_it_was(self):
        data = os.urandom(1 << 20)
        for change, code, size in (("os.truncate('f', 300_000)", "aborted", 300_000), ("open('f', 'ab').write(bytes(1 << 20))", "", 1 << 20)):
            self.put("f", data)
            id = self.daemon.open("read", "f")
            while len(self.daemon.transfers[id].data) < wire.FILE_WINDOW_SIZE:
                self.daemon.step()
            self.cell("import os\n" + change)
            self.assertEqual(code, self.daemon.end(id).code)
            self.assertEqual((size, 1 << 20), (len(self.daemon.transfers[id].data), self.daemon.transfers[id].info["length"]))

    def test_a_replaced_file_is_read_as_it_was(self):
        data = os.urandom(1 << 20)
        self.put("f", data)
        id = self.daemon.open("read", "f")
        while len(self.daemon.transfers[id].data) < wire.FILE_WINDOW_SIZE:
            self.daemon.step()
        self.put("f", b"new")
        self.assertTrue(data == self.daemon.end(id).data)


class Hostile(Files):
    def test_links_are_never_followed(self):
        self.put("real/f", b"inside")
        self.cell("import os\nos.symlink('/etc', 'etc')\nos.symlink('/etc/passwd', 'passwd')\nos.symlink('real', 'loop')\nos.symlink('self', 'self')\n"
                  "os.symlink('/proc/self', 'proc')\nos.symlink('..', 'up')\nos.symlink('/nowhere', 'dangling')")
        for path in ("etc/passwd", "passwd", "loop/f", "self", "self/x", "proc/environ", "up/x", "dangling", "up"):
            for op in ("read", "list"):
                with self.subTest(op=op, path=path):
                    transfer = self.daemon.file(op, path)
                    self.assertEqual(("conflict", b"", None), (transfer.code, bytes(transfer.data), transfer.info))
        for path in ("etc/x", "loop/x", "up/x", "self/x", "dangling/x"):
            self.assertEqual("conflict", self.daemon.put(path, b"x").code)
            self.assertEqual("conflict", self.code("mkdir", path))
            self.assertEqual("conflict", self.code("remove", path, recursive=True))
        self.assertEqual(["real", "real/f"], [path for path in self.names(recursive=True) if path.startswith("real")])
        self.assertEqual([], [path for path in self.names(recursive=True) if path.startswith(("etc/", "loop/", "up/", "proc/"))])
        # A link is replaced, and removed, itself.
        self.put("passwd", b"mine")
        self.put("dangling", b"mine")
        self.assertEqual("False False mine\n", self.cell("print(os.path.islink('passwd'), os.path.exists('/nowhere'), open('dangling').read())"))
        self.assertEqual("", self.code("remove", "loop", recursive=True))
        self.assertEqual(b"inside", self.daemon.file("read", "real/f").data)
        self.assertEqual("", self.code("remove", "etc"))

    def test_only_regular_files_are_read(self):
        self.cell("import os, socket\nsocket.socket(socket.AF_UNIX).bind('socket')\ntry:\n    os.mkfifo('pipe')\nexcept OSError:\n    pass")
        for name in self.names():
            with self.subTest(name):
                self.assertEqual("conflict", self.code("read", name))
                self.put(name, b"now a file")
                self.assertEqual(b"now a file", self.daemon.file("read", name).data)

    def test_a_directory_that_is_swapped_for_a_link_all_the_time(self):
        outside = self.cell("import os, tempfile\noutside = tempfile.mkdtemp()\nopen(outside + '/f', 'w').write('outside')\nos.mkdir('d')\n"
                            "open('d/f', 'w').write('inside')\nos.symlink(outside, 'l')\nprint(outside)").strip()
        swapping = self.daemon.start("""
import ctypes, os
exchange = ctypes.CDLL(None).renameat2
while not os.path.exists('stop'):
    exchange(-100, b'd', -100, b'l', 2)
""", timeout=60)
        codes = set()
        for n in range(300):
            read = self.daemon.file("read", "d/f")
            self.assertNotIn(b"outside", read.data)
            codes.add(read.code)
            codes.add(self.daemon.put(f"d/{n}", b"x").code)
            codes.add(self.code("remove", "d/f2"))
            self.assertEqual([], [name for name in self.names(recursive=True) if name.startswith("l/") and name.endswith("outside")])
        self.put("stop")
        self.assertEqual("ok", self.daemon.finish(swapping).done["outcome"])
        self.assertIn("conflict", codes)
        self.assertEqual("['f']\n", self.cell(f"print(os.listdir({outside!r}))"))
        self.cell("import shutil; shutil.rmtree(outside)")

    def test_a_tree_that_is_being_filled_while_it_is_removed(self):
        filling = self.daemon.start("""
import os, threading
def fill(n):
    while not os.path.exists('stop'):
        try:
            os.makedirs(f'tree/{n}/a/b', exist_ok=True)
            open(f'tree/{n}/a/b/c', 'w').close()
        except OSError:
            pass
threads = [threading.Thread(target=fill, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""", timeout=60)
        codes = {self.code("remove", "tree", recursive=True) for _ in range(30)}
        self.assertLessEqual(codes, {"", "conflict", "not_found"})
        self.put("stop")
        self.daemon.finish(filling)
        self.assertIn(self.code("remove", "tree", recursive=True), ("", "not_found"))
        self.assertEqual(["stop"], self.names(recursive=True))

    def test_directories_nested_too_deeply(self):
        self.cell("import os\nhome = os.getcwd()\nos.mkdir('deep'); os.chdir('deep')\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nos.chdir(home)")
        self.put("other")
        for op in ("list", "remove"):
            transfer = self.daemon.file(op, "deep" if op == "remove" else "", recursive=True)
            self.assertEqual("conflict", transfer.code)
            self.assertIn("in each other", transfer.done["error"]["message"])
        self.assertEqual(["deep", "other"], self.names())
        self.assertEqual(["d"], self.names("deep" + "/d" * 2000))
        self.cell("""
os.chdir('deep')
for _ in range(3000): os.chdir('d')
for _ in range(3000): os.chdir('..'); os.rmdir('d')
os.chdir(home); os.rmdir('deep')""")

    def test_a_file_server_that_is_killed(self):
        self.put("f", os.urandom(1 << 20))
        upload = self.daemon.open("write", "half")
        self.daemon.upload(upload, b"x" * 200_000)
        download = self.daemon.open("read", "f")
        while len(self.daemon.transfers[download].data) < wire.FILE_WINDOW_SIZE:
            self.daemon.step()
        self.cell(FIND + "for pid in servers(): os.kill(pid, signal.SIGKILL)")
        for id in (upload, download):
            transfer = self.daemon.end(id)
            self.assertEqual("aborted", transfer.code)
            self.assertIn("killed from inside the session", transfer.done["error"]["message"])
        self.assertEqual(["f"], self.names(recursive=True))
        self.assertEqual("['f']\n", self.cell("print(os.listdir('.'))"))
        self.put("half", b"whole")

    def test_other_signals_do_nothing(self):
        upload = self.daemon.open("write", "f")
        self.daemon.upload(upload, b"x" * 100_000)
        self.cell(FIND + """
for pid in servers():
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            try: os.kill(pid, number)
            except OSError: pass
    os.kill(pid, signal.SIGSTOP)  # undone within a second
""")
        self.daemon.upload(upload, b"y" * 1_000_000)
        self.daemon.send(wire.FILE_END, b"", upload)
        self.assertEqual(1_100_000, self.daemon.end(upload).done["file"]["size"])

    def test_a_kill_of_everything_ends_transfers_and_the_next_one_works(self):
        upload = self.daemon.open("write", "half")
        self.daemon.upload(upload, b"x" * 100_000)
        reply = self.run_cell("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", timeout=0.3, grace=0.2)
        self.assertEqual(("timeout", False), (reply.done["outcome"], reply.done["state_kept"]))
        self.assertEqual("aborted", self.daemon.end(upload).code)
        self.put("half", b"whole")
        self.assertEqual(["half"], self.names(recursive=True))

    def test_what_stands_in_the_driver_s_own_place(self):
        self.cell("import os; os.symlink('/tmp', '.fastpyrepl')")
        self.put("a")
        self.cell("open('.fastpyrepl', 'w').write('x')")
        self.put("b")
        self.cell("os.mkdir('.fastpyrepl'); os.mkdir('.fastpyrepl/mine'); open('.fastpyrepl/x', 'w')")
        self.put("c")
        self.assertEqual(["a", "b", "c"], self.names(recursive=True))


class Idle(Files):
    def test_the_file_server_ends_when_nothing_is_to_be_done(self):
        self.put("f")
        self.assertEqual("1\n", self.cell(FIND + "print(len(servers()))"))
        self.assertEqual("0\n", self.cell("import time\nuntil = time.monotonic() + 15\nwhile servers() and time.monotonic() < until: time.sleep(0.1)\nprint(len(servers()))"))
        self.assertEqual(["f"], self.names())


class Changed(Files):
    def changes(self, code: str) -> tuple:
        files = self.run_cell(code).files
        return None if files is None else (files["created"], files["modified"], files["deleted"], files["truncated"])

    def test_a_cell_says_which_files_it_changed(self):
        self.put("uploaded", b"1")
        self.assertIsNone(self.changes("1"))
        self.assertEqual((["a", "d/b", "é\n"], [], [], False), self.changes("import os\nopen('a', 'w').write('1'); os.mkdir('d'); open('d/b', 'w'); open('é\\n', 'w')"))
        self.assertEqual(([], ["a", "uploaded"], ["d/b"], False), self.changes("open('a', 'w').write('22'); open('uploaded', 'a').write('2'); os.remove('d/b')"))
        self.assertIsNone(self.changes("open('a').read(); os.mkdir('e'); os.symlink('a', 'l'); open('t', 'w'); os.remove('t')"))
        self.assertEqual((["e/a"], [], ["a"], False), self.changes("os.rename('a', 'e/a')"))
        self.assertEqual((["f/a"], [], ["e/a"], False), self.changes("os.rename('e', 'f')"))
        self.assertEqual(([], [], ["f/a"], False), self.changes("import shutil; shutil.rmtree('f')"))

    def test_what_is_uploaded_between_cells_is_no_cell_s(self):
        self.assertEqual((["a"], [], [], False), self.changes("open('a', 'w').write('1')"))
        for n in range(20):
            self.put("a", b"%02d" % n)
            self.put("b/c", b"1")
            self.assertIsNone(self.changes("1"))
            self.assertEqual(([], ["a"], [], False), self.changes(f"open('a', 'r+').write('{n:02}')"))
            self.assertEqual("", self.code("remove", "b", recursive=True))
            self.assertIsNone(self.changes("1"))

    def test_a_directory_whose_time_is_set_back_is_looked_at(self):
        back = "s = os.stat('.'); open({!r}, 'w'); os.utime('.', ns=(s.st_atime_ns, s.st_mtime_ns))"
        self.assertIsNone(self.changes("import os, time; time.sleep(0.03)"))  # the clock's CLOCK: from here on times tell
        self.assertEqual((["a"], [], [], False), self.changes(back.format("a")))
        self.assertIsNone(self.changes("time.sleep(0.03)"))
        self.assertIsNone(self.changes("1"))
        self.assertEqual((["b"], [], [], False), self.changes(back.format("b")))

    def test_unfinished_uploads_are_not_told(self):
        id = self.daemon.open("write", "up")
        self.daemon.upload(id, b"x" * 100_000)
        self.assertIsNone(self.changes("1"))
        self.daemon.send(wire.FILE_CANCEL, b"", id)
        self.daemon.end(id)
        self.assertIsNone(self.changes("1"))

    def test_an_error_and_an_interrupt_tell_too(self):
        self.assertEqual((["a"], [], [], False), self.changes("open('a', 'w')\n1/0"))
        running = self.daemon.start("open('b', 'w')\nimport time; time.sleep(100)")
        while "b" not in self.names():
            pass
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
        self.assertEqual(["b"], self.daemon.finish(running).files["created"])
        self.assertIsNone(self.changes("open('c', 'w')\nimport os; os._exit(1)"))
        self.assertIsNone(self.changes("1"))

    def test_too_many_are_not_looked_at_and_too_long_names_not_told(self):
        self.assertEqual(([], [], [], True), self.changes("import os\nfor n in range(2001): os.symlink('x', str(n))"))
        self.assertEqual(([], [], [], True), self.changes("1"))
        self.assertEqual(([], [], [], True), self.changes("for n in range(2001): os.remove(str(n))"))
        created, modified, deleted, truncated = self.changes("for n in range(300): open(f'{n:0250}', 'w')")
        self.assertEqual((262, [], [], True), (len(created), modified, deleted, truncated))
        self.assertEqual([f"{n:0250}" for n in range(262)], created)
        self.changes("for n in range(300): os.remove(f'{n:0250}')")
        self.assertEqual((["ok"], [], [], True), self.changes("open(b'\\xff', 'w'); open('ok', 'w')"))

    def test_a_directory_that_may_not_be_read_hides_itself_alone(self):
        # Root may read everything: as root, the cell gives that up.
        self.run_cell("import os\nif os.geteuid() == 0: os.chown('.', 65534, 65534); os.setegid(65534); os.seteuid(65534)")
        self.assertEqual((["n1"], [], [], True), self.changes("os.mkdir('n'); open('n/hidden', 'w').close(); os.chmod('n', 0); open('n1', 'w')"))
        self.assertEqual((["d/n2"], ["n1"], [], True), self.changes("os.mkdir('d'); open('d/n2', 'w').close(); open('n1', 'w').write('1')"))
        self.assertEqual(([], [], ["n1"], True), self.changes("os.remove('n1')"))
        self.assertEqual(([], [], [], True), self.changes("1"))
        self.assertEqual(([], [], [], True), self.changes("os.chmod('n', 0o755)"))  # its file may be old
        self.assertIsNone(self.changes("1"))
        self.assertEqual(([], [], [], True), self.changes("os.chmod('n', 0o444)"))  # with names, but nothing behind them
        self.assertEqual(([], [], [], True), self.changes("os.chmod('n', 0o755)"))
        self.assertEqual(([], [], [], True), self.changes("os.chmod('.', 0o300)"))
        self.assertEqual(([], [], [], True), self.changes("os.chmod('.', 0o700)"))
        self.assertEqual((["n3"], [], ["n/hidden"], False), self.changes("os.remove('n/hidden'); open('n3', 'w').close()"))

    def test_a_path_that_is_too_long_hides_itself_alone(self):
        self.assertEqual((["f"], [], [], True), self.changes("""
import os
for n in range(20): os.mkdir('d' * 250); os.chdir('d' * 250)
open('hidden', 'w').close()
for n in range(20): os.chdir('..')
open('f', 'w').close()"""))
        self.assertEqual(([], [], ["f"], True), self.changes("os.remove('f')"))

    def test_of_too_many_files_what_was_seen_is_told(self):
        self.assertEqual((["a/1", "b", "c"], [], [], False), self.changes("import os\nos.mkdir('a')\nfor f in ('a/1', 'b', 'c'): open(f, 'w').close()"))
        created, modified, deleted, truncated = self.changes("""
os.mkdir('many')
for n in range(3000): open(f'many/{n}', 'w').close()
os.remove('a/1'); open('b', 'w').write('1')""")
        self.assertEqual((["b"], ["a/1"], True), (modified, deleted, truncated))
        self.assertTrue(created and all(path.startswith("many/") for path in created), created)
        self.assertLessEqual(len(created), 2000)
        self.assertEqual((["d"], [], ["c"], True), self.changes("os.rename('c', 'd')"))
        # What was not seen before the cell, and is now, is told as nothing; what has gone and was seen is told.
        created, modified, deleted, truncated = self.changes("for n in range(3000): os.remove(f'many/{n}')")
        self.assertEqual(([], [], True), (created, modified, truncated))
        self.assertTrue(0 < len(deleted) <= 2000, len(deleted))
        self.assertEqual((["many/1"], [], [], False), self.changes("open('many/1', 'w').close()"))
        self.assertIsNone(self.changes("1"))

    def test_a_hook_of_the_user_s_does_not_spoil_a_cell(self):
        self.run_cell("import sys\ndef hook(event, args):\n    if event == 'os.scandir': raise RuntimeError('no')\nsys.addaudithook(hook)")
        reply = self.run_cell("open('a', 'w'); 7")
        self.assertEqual(("ok", "7", True), (reply.done["outcome"], reply.result["data"]["text/plain"], reply.files["truncated"]))


if __name__ == "__main__":
    unittest.main()
