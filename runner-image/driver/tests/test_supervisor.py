"""The supervisor, played through its own stdin and stdout: attachments, executions, every way in which they end."""

import json
import os
import signal
import sys
import time
import unittest
import uuid

from harness import DRIVER, Daemon, DriverTest, Reply, execute, wire


class Attaching(unittest.TestCase):
    def daemon(self, **options) -> Daemon:
        daemon = Daemon(**options)
        self.addCleanup(daemon.close)
        return daemon

    def test_ready_says_who_it_is(self):
        daemon = self.daemon()
        ready = daemon.attach(epoch=0xFFFFFFFF)
        self.assertEqual((1, "f" * 8, None, 0, 1), (ready["protocol"], ready["nonce"][-8:], ready["running"], ready["execution_count"], ready["worker"]))
        self.assertRegex(ready["python"], r"^3\.\d+\.\d+")

    def test_nothing_is_said_before_hello(self):
        daemon = self.daemon()
        daemon.write(b"garbage" + wire.encode(wire.EXECUTE, 1, uuid.uuid4().bytes, b"{}"))
        with self.assertRaises(TimeoutError):
            daemon.next(0.3)
        daemon.attach()
        self.assertEqual([], daemon.faults)

    def test_half_a_frame_of_a_dead_daemon_then_one_plus_one(self):
        daemon = self.daemon()
        daemon.attach()
        request = wire.encode(wire.EXECUTE, 1, uuid.uuid4().bytes, execute("x = 1"))
        for cut in (1, 3, 4, 39, 40, 41, len(request) - 1):
            daemon.write(request[:cut])
            daemon.attach(padded=True)
            self.assertEqual("2", daemon.run("1+1").result["data"]["text/plain"])

    def test_a_fault_is_told_and_frames_are_not_acted_upon(self):
        daemon = self.daemon()
        daemon.attach()
        daemon.write(b"FPY1" + bytes([wire.PING, 9]) + bytes(34))
        self.assertEqual({"message": "bytes were skipped: bad flags"}, json.loads(daemon.next().payload))
        daemon.send(wire.SHUTDOWN, b"")
        daemon.attach()
        self.assertEqual("2", daemon.run("1+1").result["data"]["text/plain"])

    def test_frames_of_another_epoch_are_ignored(self):
        daemon = self.daemon()
        daemon.attach(epoch=5)
        daemon.epoch = 4
        daemon.send(wire.SHUTDOWN, b"")
        daemon.epoch = 5
        daemon.send(wire.PING, b"")
        self.assertEqual((wire.PONG, 5), ((frame := daemon.next()).type, frame.epoch))

    def test_a_new_daemon_finds_the_running_execution(self):
        daemon = self.daemon()
        daemon.attach()
        running = daemon.start("import time\nwhile True: time.sleep(0.01)")
        ready = daemon.attach(padded=True)
        self.assertEqual(str(uuid.UUID(bytes=running)), ready["running"])
        daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
        self.assertEqual("interrupted", daemon.finish(running).done["outcome"])
        self.assertEqual(1, daemon.attach()["execution_count"])

    def test_bad_hellos_are_skipped(self):
        daemon = self.daemon()
        daemon.attach()
        for payload in (b"", b"[]", b"{}", b'{"nonce": 1}', b'{"nonce": "x", "lease": "y"}', b'{"nonce": "x", "memory": -1}', b"\xff"):
            daemon.write(wire.encode(wire.HELLO, 9, wire.NO_EXECUTION, payload))
            self.assertEqual(wire.FAULT, daemon.next().type)
            daemon.attach()

    def test_shutdown_exits_0(self):
        daemon = self.daemon()
        daemon.attach()
        daemon.start("import time; time.sleep(100)")
        self.assertEqual(0, daemon.close())

    def test_the_lease_ends_an_orphan_and_frames_renew_it(self):
        daemon = self.daemon(lease=2)
        daemon.attach()
        until = time.monotonic() + 4
        while time.monotonic() < until:
            daemon.send(wire.PING, b"")
            self.assertEqual(wire.PONG, daemon.next().type)
            time.sleep(0.5)  # the renewal is what is tested
        self.assertEqual(0, daemon.process.wait(10))

    def test_a_daemon_that_never_says_hello_leaves_no_orphan(self):
        code = (f"import sys; sys.path.insert(0, {DRIVER!r}); from fastpyrepl_driver import main, supervisor; "
                "supervisor.FIRST_LEASE = 1.0; main.main()")
        daemon = self.daemon(command=[sys.executable, "-I", "-c", code])
        self.assertEqual(0, daemon.process.wait(10))

    def test_the_end_of_stdin_lets_the_execution_finish(self):
        daemon = self.daemon()
        daemon.attach()
        running = daemon.start("import time; time.sleep(0.3); print('done')")
        daemon.process.stdin.close()
        reply = daemon.finish(running)
        self.assertEqual((b"done\n", "ok"), (reply.stdout, reply.done["outcome"]))
        self.assertEqual(0, daemon.process.wait(10))


class Executing(DriverTest):
    def test_variables_live_from_cell_to_cell(self):
        reply = self.run_cell("x = 2\nprint(x)")
        self.assertEqual((b"2\n", b"", None, "ok", True, 1), (reply.stdout, reply.stderr, reply.result, reply.done["outcome"],
                                                             reply.done["state_kept"], reply.done["execution_count"]))
        self.assertEqual("4", self.run_cell("x + 2").result["data"]["text/plain"])

    def test_done_carries_what_was_used(self):
        done = self.run_cell("sum(range(10**6))\nimport time; time.sleep(0.05)\nb = bytearray(50_000_000)").done
        self.assertLess(0.05, done["duration"])
        self.assertLessEqual(done["duration"], done["usage"]["wall_time"])
        self.assertLess(0, done["usage"]["cpu_time"])
        self.assertLess(50_000_000, done["usage"]["memory_peak"])
        self.assertIsNone(done["cause"])
        self.assertEqual({}, done["truncated"])
        self.run_cell("del b")
        self.assertLess(self.run_cell("1").done["usage"]["memory_peak"], 50_000_000)

    def test_named_code_does_not_count(self):
        reply = self.run_cell("1/0", name="Setup")
        self.assertIn(b'File "Setup", line 1, in <module>', reply.stderr)
        self.assertEqual(0, reply.done["execution_count"])
        self.assertEqual(1, self.run_cell("1").done["execution_count"])

    def test_a_second_execution_is_busy_and_a_repeated_one_a_duplicate(self):
        first = self.daemon.start("input()", input=True)
        self.daemon.wait_for(wire.INPUT_REQUEST)
        second = self.daemon.start("1")
        self.assertEqual("busy", self.daemon.finish(second).reject["code"])
        self.daemon.send(wire.INPUT, {"text": "x"}, first)
        self.assertEqual("ok", self.daemon.finish(first).done["outcome"])
        self.assertEqual("duplicate", self.daemon.finish(self.daemon.start("1", first)).reject["code"])
        for _ in range(256):
            self.run_cell("1")
        self.assertEqual("ok", self.daemon.finish(self.daemon.start("1", first)).done["outcome"])

    def test_an_execute_that_is_wrong_is_refused_with_the_reason(self):
        for fields, says in (({"timeout": 0}, "timeout"), ({"timeout": "x"}, "timeout"), ({"grace": -1}, "grace"),
                             ({"max_stdout": None}, "max_stdout"), ({"max_stderr": True}, "max_stderr"), ({"max_display": 1.5}, "max_display"),
                             ({"context": {"kind": "xml", "size": 1}}, "context.kind"), ({"stdin": {"size": -1}}, "stdin.size"), ({"context": 7}, "context"),
                             ({"locals": {"keys": [1], "max_value": 1, "max_total": 1}}, "locals.keys"), ({"name": 1}, "name")):
            with self.subTest(fields):
                reject = self.daemon.finish(self.daemon.start(**{"code": "1", **fields})).reject
                self.assertEqual("invalid", reject["code"])
                self.assertIn(says, reject["message"])
        good = execute("1", timeout=1, grace=1, max_stdout=1, max_stderr=1, max_display=1)
        self.daemon.send(wire.EXECUTE, good, id := uuid.uuid4().bytes)
        self.daemon.replies[id] = Reply()
        self.daemon.finish(id)
        for payload in (b"", b"\n1", b"[]\n1", b"{\n1", b'{"timeout": NaN}\n1', b"\xff\n1", b"[" * 100_000 + b"\n1", good.removesuffix(b"\n1"), good + b"\xff"):
            execution = uuid.uuid4().bytes
            self.daemon.send(wire.EXECUTE, payload, execution)
            frame = self.daemon.next()
            self.assertEqual((wire.REJECT, "invalid"), (frame.type, json.loads(frame.payload)["code"]))
        self.assert_alive()

    def test_code_longer_than_a_frame(self):
        text = "x" * (3 * wire.MAX_PAYLOAD)
        self.assertEqual(str(len(text)), self.run_cell(f"text = '{text}'\nlen(text)").result["data"]["text/plain"])

    def test_ping_is_answered_while_code_runs(self):
        running = self.daemon.start("while True: pass")
        self.daemon.send(wire.PING, b"")
        self.daemon.wait_for(wire.PONG)
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
        self.assertEqual("interrupted", self.daemon.finish(running).done["outcome"])


class Blobs(DriverTest):
    def test_context_of_64_mib_arrives_through_the_window(self):
        text = ("0123456789abcdeé" * 61681)[: 1 << 20] * 64
        data = text.encode()
        execution = self.daemon.start("import hashlib\nprint(len(context), hashlib.md5(context.encode()).hexdigest())",
                                      context={"kind": "text", "size": len(data)}, timeout=60)
        self.daemon.send_blobs(execution, data)
        import hashlib

        self.assertEqual(f"{len(text)} {hashlib.md5(data).hexdigest()}\n", self.daemon.finish(execution).stdout.decode())
        self.assertEqual(len(data), self.daemon.granted[execution])

    def test_json_context_and_stdin(self):
        context, stdin = b'{"a": [1, null]}', "one\ntwo é\n".encode()
        execution = self.daemon.start("print(context, input(), input())\ntry: input()\nexcept EOFError: print('end')",
                                      context={"kind": "json", "size": len(context)}, stdin={"size": len(stdin)})
        self.daemon.send_blobs(execution, context + stdin)
        self.assertEqual("{'a': [1, None]} one two é\nend\n", self.daemon.finish(execution).stdout.decode())
        self.assertEqual("{'a': [1, None]}", self.run_cell("context").result["data"]["text/plain"])

    def test_an_empty_context_needs_no_data(self):
        self.assertEqual("''", self.run_cell("context", context={"kind": "text", "size": 0}).result["data"]["text/plain"])

    def test_bad_context_is_an_error_of_the_cell(self):
        for kind, data, says in (("text", b"\xff", "UnicodeDecodeError"), ("json", b"{", "JSONDecodeError")):
            execution = self.daemon.start("print('not run')", context={"kind": kind, "size": len(data)})
            self.daemon.send_blobs(execution, data)
            reply = self.daemon.finish(execution)
            self.assertEqual(("error", says, b""), (reply.done["outcome"], reply.error["type"], reply.stdout))

    def test_an_interrupt_while_blobs_are_still_coming(self):
        execution = self.daemon.start("1", context={"kind": "text", "size": 50_000_000})
        self.daemon.send(wire.DATA, b"x" * 1000, execution)
        self.daemon.send(wire.INTERRUPT, {"reason": "cancelled"}, execution)
        reply = self.daemon.finish(execution)
        self.assertEqual(("cancelled", True), (reply.done["outcome"], reply.done["state_kept"]))
        self.daemon.send(wire.DATA, b"x" * 1000, execution)
        self.assert_alive()

    def test_blobs_that_never_come_end_at_the_deadline(self):
        reply = self.run_cell("1", context={"kind": "text", "size": 10}, timeout=0.3)
        self.assertEqual(("timeout", True), (reply.done["outcome"], reply.done["state_kept"]))

    def test_more_data_than_announced_is_dropped(self):
        execution = self.daemon.start("len(context)", context={"kind": "text", "size": 3})
        self.daemon.send(wire.DATA, b"abcdef", execution)
        self.assertEqual("3", self.daemon.finish(execution).result["data"]["text/plain"])
        self.assert_alive()

    def test_data_beyond_the_window_is_a_fault(self):
        self.run_cell("import os, signal, threading\nthreading.Timer(0.2, os.kill, [os.getpid(), signal.SIGSTOP]).start()")
        time.sleep(0.4)  # until it has stopped and takes nothing
        execution = self.daemon.start("1", context={"kind": "text", "size": 1 << 30})
        for _ in range(2 * wire.WINDOW // wire.MAX_PAYLOAD):
            self.daemon.send(wire.DATA, bytes(wire.MAX_PAYLOAD), execution)
        self.assertEqual({"message": "bytes were skipped: bad window"}, json.loads(self.daemon.wait_for(wire.FAULT).payload))
        self.daemon.attach(padded=True)
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, execution)
        self.assertEqual("interrupted", self.daemon.finish(execution).done["outcome"])
        self.assert_alive()


class Endings(DriverTest):
    def assert_ended(self, reply, outcome: str, state_kept: bool, kind: str | None = None, within: float = 10) -> None:
        self.assertEqual((outcome, state_kept), (reply.done["outcome"], reply.done["state_kept"]), (reply.done, reply.stderr))
        self.assertEqual(kind, reply.done["cause"] and reply.done["cause"]["kind"])
        self.assertLess(reply.done["usage"]["wall_time"], within)

    def test_an_exception(self):
        reply = self.run_cell("def f():\n    1/0\nf()")
        self.assert_ended(reply, "error", True)
        self.assertEqual(("ZeroDivisionError", "division by zero"), (reply.error["type"], reply.error["message"]))
        self.assertEqual(reply.stderr.decode().splitlines(), reply.error["traceback"])

    def test_exit_ends_the_cell_and_not_the_session(self):
        self.run_cell("kept = 1")
        for code in ("exit()", "quit()", "exit(0)", "import sys; sys.exit()", "raise SystemExit", "raise SystemExit(None)", "exit(False)"):
            with self.subTest(code):
                reply = self.run_cell(code + "\nprint('not reached')")
                self.assert_ended(reply, "ok", True)
                self.assertEqual((b"", b"", None), (reply.stdout, reply.stderr, reply.error))
        for code, message, stderr in (("exit(3)", "3", b""), ("import sys; sys.exit('bye')", "bye", b"bye\n"), ("raise SystemExit(1, 2)", "(1, 2)", b"(1, 2)\n")):
            with self.subTest(code):
                reply = self.run_cell(code)
                self.assert_ended(reply, "error", True)
                self.assertEqual(("SystemExit", message, stderr), (reply.error["type"], reply.error["message"], reply.stderr))
        self.assert_alive("kept", "1")

    def test_a_deadline_that_the_code_heeds(self):
        self.run_cell("kept = 1")
        for code in ("while True: pass", "import time; time.sleep(100)", "input()", "import subprocess; subprocess.run(['sleep', '100'])",
                     "import threading; threading.Event().wait()", "import asyncio; await asyncio.sleep(100)"):
            with self.subTest(code):
                reply = self.run_cell(code, timeout=0.5, grace=5, input=True)
                self.assert_ended(reply, "timeout", True, within=4)
                self.assertEqual("KeyboardInterrupt", reply.error["type"])
        self.assert_alive("kept", "1")

    def test_a_deadline_that_the_code_does_not_heed(self):
        for code in ("import signal; signal.signal(signal.SIGINT, lambda *_: None)\nwhile True: pass",
                     "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
                     "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
                     "sum(range(10**12))"):
            with self.subTest(code):
                self.run_cell("lost = 1")
                started = time.monotonic()
                reply = self.run_cell(code, timeout=0.5, grace=0.3)
                self.assert_ended(reply, "timeout", False, "killed")
                self.assertEqual("it did not end within 0.3 s more, and was killed", reply.done["cause"]["message"])
                self.assertLess(time.monotonic() - started, 0.5 + 0.3 + 1)
                self.assertIn("NameError", self.run_cell("lost").error["type"])

    def test_a_stopped_process_is_continued_and_interrupted(self):
        reply = self.run_cell("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass", timeout=0.5, grace=5)
        self.assert_ended(reply, "timeout", True)

    def test_an_interrupt_right_after_the_execute(self):
        for _ in range(20):
            running = self.daemon.start("import time; time.sleep(100)", grace=5)
            self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
            self.assert_ended(self.daemon.finish(running), "interrupted", True, within=4)
            self.assert_alive()

    def test_an_interrupt_that_comes_too_late_hits_nothing(self):
        for _ in range(50):
            running = self.daemon.start("pass")
            self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
            self.daemon.finish(running)
            self.assertEqual("ok", self.run_cell("x = sum(range(1000))").done["outcome"])

    def test_an_interrupt_of_another_execution_is_ignored(self):
        running = self.daemon.start("import time; time.sleep(0.3)")
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, uuid.uuid4().bytes)
        self.assert_ended(self.daemon.finish(running), "ok", True)

    def test_a_worker_that_dies(self):
        for code, kind, detail in (("import os; os._exit(3)", "exit", ("status", 3)), ("import os; os._exit(0)", "exit", ("status", 0)),
                                   ("import os; os.abort()", "signal", ("signal", signal.SIGABRT)), ("import os; os.kill(os.getpid(), 9)", "signal", ("signal", 9)),
                                   ("import ctypes; ctypes.string_at(0)", "signal", ("signal", signal.SIGSEGV)),
                                   ("import os; os.execv('/bin/sleep', ['sleep', '100'])", "exec", ("kind", "exec")),
                                   ("import os; os.closerange(3, 1000)\nwhile True: pass", "exec", ("kind", "exec"))):
            with self.subTest(code):
                reply = self.run_cell("print('before', flush=True)\n" + code)
                self.assert_ended(reply, "crashed", False, kind, within=3)
                self.assertEqual(detail[1], reply.done["cause"][detail[0]])
                self.assertEqual(b"before\n", reply.stdout)
                self.assert_alive()

    def test_a_large_worker_that_dies_has_its_true_cause(self):
        fill = "import mmap, os\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1\nprint('before', flush=True)\n"
        for code, kind, detail in (("os._exit(3)", "exit", ("status", 3)), ("os.kill(os.getpid(), 9)", "signal", ("signal", 9))):
            with self.subTest(code):
                reply = self.run_cell(fill + code, timeout=60)
                self.assert_ended(reply, "crashed", False, kind, within=60)
                self.assertEqual(detail[1], reply.done["cause"][detail[0]])
                self.assertEqual(b"before\n", reply.stdout)
        self.assert_alive()

    def test_messages_that_nobody_asked_for_end_the_worker(self):
        """The daemon gives a whole session up for them."""
        asked = {"keys": [], "max_value": 10, "max_total": 1000}
        for kind, size, fields, says in ((wire.INPUT_REQUEST, 2, {}, "message 136"), (wire.LOCALS, 2, {}, "not asked for"),
                                         (wire.LOCALS, 1000 + (512 << 10) + 1, {"locals": asked}, "bytes"), (wire.ERROR, (2 << 20) + 1, {}, "bytes"),
                                         (wire.INPUT_REQUEST, (64 << 10) + 1, {"input": True}, "bytes")):
            with self.subTest(kind=kind, size=size):
                reply = self.run_cell("import os, socket, time\n"
                                      "fd = next(fd for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
                                      f"socket.socket(fileno=os.dup(fd)).send(bytes([{kind}]) + bytes(4) + ({size}).to_bytes(4, 'big') + b'{{}}')\ntime.sleep(5)", **fields)
                self.assert_ended(reply, "crashed", False, "unknown", within=4)
                self.assertIn(says, reply.done["cause"]["message"])
                self.assertEqual([], [sent for sent, _ in reply.frames if sent == kind])
                self.assert_alive()

    def test_an_error_that_the_worker_did_not_tell_is_told(self):
        reply = self.run_cell("import os, socket, struct, time\n"
                              "fd = next(fd for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
                              "report = struct.pack('>BcddQ', 1, b'-', 0, 0, 0)\n"
                              "socket.socket(fileno=os.dup(fd)).send(struct.pack('>BII', 0x12, 1, len(report)) + report)")
        self.assertEqual(("error", "Exception"), (reply.done["outcome"], reply.error["type"]))

    def test_a_worker_that_dies_while_idle_is_told_of(self):
        self.run_cell("import os, threading; threading.Timer(0.2, os._exit, [7]).start()")
        state = json.loads(self.daemon.wait_for(wire.STATE).payload)
        self.assertEqual(("exit", 7), (state["cause"]["kind"], state["cause"]["status"]))
        self.assert_alive()
        self.assertEqual(2, self.daemon.attach()["worker"])

    def test_a_forked_child_that_returns_from_the_cell_answers_nothing(self):
        reply = self.run_cell("import os\npid = os.fork()\nif pid: print('status', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\nelse: print('child')\npid and 5",
                              locals={"keys": ["pid"], "max_value": 100, "max_total": 100})
        self.assert_ended(reply, "ok", True)
        self.assertEqual((b"child\nstatus 0\n", "5"), (reply.stdout, reply.result["data"]["text/plain"]))
        reply = self.run_cell("pid = os.fork()\nif not pid: 1/0\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])")
        self.assertEqual("1", reply.result["data"]["text/plain"])
        self.assertIn(b"ZeroDivisionError", reply.stderr)
        self.assertIsNone(reply.error)
        self.assert_alive()

    def test_a_forged_answer_of_a_child_is_not_heard(self):
        reply = self.run_cell(
            "import os, socket, ctypes\n"
            "control = [fd for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}')]\n"
            "print(len(control))\n"
            "pid = ctypes.CDLL(None).fork()\n"  # the interpreter does not notice, and does not close the socket
            "if not pid:\n"
            "    forged = socket.socket(fileno=control[0])\n"
            "    forged.send(bytes([0x12]) + bytes(8) + bytes(26))\n"
            "    os._exit(0)\n"
            "os.waitpid(pid, 0)\n"
            "print('the true end')")
        self.assert_ended(reply, "ok", True)
        self.assertEqual(b"1\nthe true end\n", reply.stdout)

    def test_forged_messages_of_the_worker_break_nothing(self):
        for data in ("b'\\xff'", "b''", "bytes([0x7f]) + b'x' * 1000", "bytes([0x84]) + bytes(4) + b'\\xff\\xff\\xff\\xff' + b'{}'", "bytes([0x11])",
                     "bytes([0x88]) + bytes(4) + b'\\x00\\x00\\x00\\x05' + b'{}'", "bytes([0x12]) + bytes(8)", "bytes([0x84]) + bytes(8)",
                     "bytes([0x14]) + bytes(7) + b'\\x09' + b'\\x84' + bytes(8)", "bytes([0x14]) + bytes(7) + b'\\x09' + b'\\x89' + b'\\xff' * 8"):
            with self.subTest(data):
                reply = self.run_cell("import os, socket\n"
                                      "fd = next(fd for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
                                      f"s = socket.socket(fileno=os.dup(fd))\nfor _ in range(3): s.send({data})\n'fine'", timeout=5)
                self.assertIn(reply.done["outcome"], ("ok", "crashed"))
                self.assert_alive()

    def test_a_forged_count_stays_a_count(self):
        reply = self.run_cell("import os, socket\n"
                              "fd = next(fd for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
                              "s = socket.socket(fileno=os.dup(fd))\nfor _ in range(3): s.send(bytes([0x14]) + bytes(7) + b'\\x09' + b'\\x87' + b'\\xff' * 8)")
        self.assertEqual(("ok", {"locals": 1 << 40}), (reply.done["outcome"], reply.done["truncated"]))

    def test_a_result_may_be_forged_but_only_one(self):
        reply = self.run_cell("import os, socket\n"
                              "fd = next(fd for fd in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{fd}') and 'socket' in os.readlink(f'/proc/self/fd/{fd}'))\n"
                              "s = socket.socket(fileno=os.dup(fd))\n"
                              "for _ in range(2): s.send(bytes([0x85]) + bytes(4) + (2).to_bytes(4, 'big') + b'{}')\nimport time; time.sleep(5)")
        self.assert_ended(reply, "crashed", False, "unknown")
        self.assertIn("second result", reply.done["cause"]["message"])
        self.assert_alive()


class Outputs(DriverTest):
    def test_output_arrives_while_the_code_runs(self):
        running = self.daemon.start("import time\nprint('.', end='')\ntime.sleep(3)")
        started = time.monotonic()
        self.assertEqual(b".", self.daemon.wait_for(wire.STDOUT).payload)
        self.assertLess(time.monotonic() - started, 1)
        self.daemon.finish(running)

    def test_a_flood_is_cut_and_counted(self):
        for stream in ("stdout", "stderr"):
            reply = self.run_cell(f"import sys\nfor n in range(200_000): print(n, file=sys.{stream})", max_stdout=1000, max_stderr=1000, timeout=60)
            whole = "".join(f"{n}\n" for n in range(200_000)).encode()
            sent = getattr(reply, stream)
            self.assertEqual(whole[:750] + whole[-250:], sent)
            self.assertEqual({stream: len(whole) - 1000}, reply.done["truncated"])
            cut = [json.loads(payload) for kind, payload in reply.frames if kind == wire.CUT]
            self.assertEqual([{"stream": stream, "bytes": len(whole) - 1000}], cut)
            cut_at = [kind for kind, _ in reply.frames].index(wire.CUT)
            self.assertEqual(750, sum(len(payload) for kind, payload in reply.frames[:cut_at] if kind in (wire.STDOUT, wire.STDERR)))

    def test_all_ways_of_writing_are_captured_in_order(self):
        reply = self.run_cell("import sys, os, subprocess, ctypes\n"
                              "print('a')\nos.write(1, b'b\\n')\nsubprocess.run(['echo', 'c'])\nsys.stdout.buffer.write(b'd\\xff\\n')\n"
                              "ctypes.CDLL(None).puts(b'e')\nprint('\\udcfe')\nprint('f', file=sys.__stdout__)\nsys.stdout.write('g')")
        self.assertEqual(b"a\nb\nc\nd\xff\n\xfe\nf\ngee\n".replace(b"ee\n", b"e\n"), reply.stdout)

    def test_a_million_small_writes_become_few_frames(self):
        reply = self.run_cell("import sys\nfor _ in range(200_000): sys.stdout.write('x')", timeout=60)
        self.assertEqual(200_000, len(reply.stdout))
        self.assertLess(len(reply.frames), 20_000)

    def test_stdout_survives_what_a_cell_did_to_it(self):
        for code in ("import sys; sys.stdout.close()", "import sys; sys.stdout = None", "import sys; sys.stdout.detach()", "import os; os.close(1); os.close(2)",
                     "import sys; sys.stdout.reconfigure(encoding='utf-16')", "import sys, io; sys.stdout = io.StringIO(); print('lost')", "del __import__('sys').stdout"):
            with self.subTest(code):
                self.run_cell(code)
                reply = self.run_cell("print('heard')")
                self.assertEqual((b"heard\n", "ok"), (reply.stdout, reply.done["outcome"]))

    def test_a_stream_kept_from_an_earlier_cell_writes_to_this_one(self):
        self.run_cell("import logging\nlogging.basicConfig(format='%(message)s')")
        self.assertEqual(b"late\n", self.run_cell("logging.warning('late')").stderr)

    def test_a_child_left_behind_writes_in_the_background_and_delays_nothing(self):
        cell = self.daemon.start("import subprocess; p = subprocess.Popen('sleep 0.3; echo late; echo err >&2; sleep 100', shell=True)")
        self.assertLess(self.daemon.finish(cell).done["usage"]["wall_time"], 0.3)
        while len(self.daemon.background) < 2:
            self.daemon.step()
        self.assertEqual({(wire.BACKGROUND_STDOUT, cell, b"late\n"), (wire.BACKGROUND_STDERR, cell, b"err\n")}, set(self.daemon.background))
        self.run_cell("p.kill()")

    def test_a_child_that_floods_after_its_cell_delays_no_answer(self):
        self.run_cell("import subprocess; p = subprocess.Popen(['yes'])")
        for _ in range(20):
            started = time.monotonic()
            self.assert_alive()
            self.assertLess(time.monotonic() - started, 1)
        self.assertLess(sum(len(data) for _, _, data in self.daemon.background), 1 << 20)
        self.run_cell("p.kill()")

    def test_threads_write_to_the_cell_that_began_them(self):
        cell = self.daemon.start("import threading\nevent, done = threading.Event(), threading.Event()\n"
                                 "def later():\n    event.wait()\n    print('from the thread')\n    done.set()\nthreading.Thread(target=later).start()")
        self.daemon.finish(cell)
        reply = self.run_cell("event.set(); done.wait(); print('from the cell')")
        self.assertEqual(b"from the cell\n", reply.stdout)
        while b"".join(data for _, _, data in self.daemon.background) != b"from the thread\n":
            self.daemon.step()
        self.assertEqual({(wire.BACKGROUND_STDOUT, cell)}, {(kind, execution) for kind, execution, _ in self.daemon.background})

    def heard_later(self, text: bytes) -> set[tuple[int, bytes]]:
        """Waits for text in the background. Returns on which streams of which executions there was any."""
        while text not in b"".join(data for _, _, data in self.daemon.background):
            self.daemon.step()
        return {(kind, execution) for kind, execution, _ in self.daemon.background}

    def test_a_thread_that_was_left_logs_to_its_own_cell(self):
        cell = self.daemon.start("import logging, sys, threading\nlogging.basicConfig(format='%(message)s')\nkept = sys.stdout\nevent, done = threading.Event(), threading.Event()\n"
                                 "def later():\n    event.wait()\n    logging.warning('logged')\n    print('kept', file=kept)\n    kept.buffer.write(b'raw\\n')\n    done.set()\n"
                                 "threading.Thread(target=later).start()")
        self.daemon.finish(cell)
        reply = self.run_cell("event.set(); done.wait(); logging.warning('now'); print('and here', file=kept)")
        self.assertEqual((b"and here\n", b"now\n"), (reply.stdout, reply.stderr))
        self.assertEqual({(wire.BACKGROUND_STDOUT, cell), (wire.BACKGROUND_STDERR, cell)}, self.heard_later(b"raw\n") | self.heard_later(b"logged\n"))
        self.assertEqual(b"after\n", self.run_cell("print('after', file=kept)").stdout)

    def test_a_display_of_a_thread_that_was_left_is_not_the_running_cell_s(self):
        cell = self.daemon.start("import threading\nevent, done = threading.Event(), threading.Event()\n"
                                 "def later():\n    event.wait()\n    display(1)\n    done.set()\nthreading.Thread(target=later).start()")
        self.daemon.finish(cell)
        reply = self.run_cell("event.set(); done.wait(); display(2)")
        self.assertEqual([{"text/plain": "2"}], [display["data"] for display in reply.displays])
        self.assertEqual({(wire.BACKGROUND_STDERR, cell)}, self.heard_later(b"display: not shown, for the execution that began this thread has ended\n"))

    def test_a_pool_s_threads_do_the_work_of_the_cell_that_gives_it_to_them(self):
        self.run_cell("import asyncio, threading\nfrom concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\nawait asyncio.to_thread(int)\n_ = list(pool.map(int, [1, 2]))")
        for code in ("_ = list(pool.map(display, [1])), list(pool.map(print, [2]))", "await asyncio.to_thread(display, 1)\nawait asyncio.to_thread(print, 2)"):
            for _ in range(2):
                reply = self.run_cell(code)
                self.assertEqual(([{"text/plain": "1"}], b"2\n"), ([display["data"] for display in reply.displays], reply.stdout))
        cell = self.daemon.start("event = threading.Event()\ndef later():\n    event.wait()\n    print('late')\n_ = pool.submit(later)")
        self.daemon.finish(cell)
        self.assertEqual(b"", self.run_cell("event.set(); pool.shutdown()").stdout)
        self.assertEqual({(wire.BACKGROUND_STDOUT, cell)}, self.heard_later(b"late\n"))

    def test_a_new_thread_with_the_ident_of_one_that_was_left_is_the_running_cell_s(self):
        self.run_cell("import threading\nevent = threading.Event()\nold = threading.Thread(target=event.wait); old.start()")
        reply = self.run_cell("event.set(); old.join()\nwork = lambda: (print('x'), display(1))\n"
                              "for n in range(1000):\n    new = threading.Thread(target=work); new.start(); new.join()\n    if new.ident == old.ident: break\n(n + 1, new.ident == old.ident)")
        count = len(reply.displays)
        self.assertEqual((f"({count}, True)", b"x\n" * count), (reply.result["data"]["text/plain"], reply.stdout))

    def test_a_reader_that_does_not_read_stops_the_program_but_no_deadline(self):
        running = self.daemon.start("while True: print('x' * 1000)", max_stdout=1 << 30, timeout=1, grace=1)
        time.sleep(1.5)  # nobody reads stdout meanwhile
        reply = self.daemon.finish(running)
        self.assertEqual("timeout", reply.done["outcome"])
        self.assertLess(reply.done["usage"]["wall_time"], 3.5)


class Input(DriverTest):
    def test_input_asks_and_gets_lines(self):
        running = self.daemon.start("a = input('name? ')\nimport sys\nb = sys.stdin.readline()\nimport getpass\nc = getpass.getpass()\n(a, b, c)", input=True)
        asked = []
        for answer in ("Ann", "two é", "secret"):
            asked.append(json.loads(self.daemon.wait_for(wire.INPUT_REQUEST).payload))
            self.daemon.send(wire.INPUT, {"text": answer}, running)
        reply = self.daemon.finish(running)
        self.assertEqual("('Ann', 'two é\\n', 'secret')", reply.result["data"]["text/plain"])
        self.assertEqual([("name? ", False), ("", False), ("Password: ", True)], [(one["prompt"], one["password"]) for one in asked])

    def test_what_is_cut_of_a_prompt_is_counted(self):
        running = self.daemon.start("input('é' * 10_000)", input=True)
        prompt = json.loads(self.daemon.wait_for(wire.INPUT_REQUEST).payload)["prompt"]
        self.assertEqual("é" * (8192 - 3) + "...", prompt)
        self.daemon.send(wire.INPUT, {"text": ""}, running)
        self.assertEqual({"input_request": 2 * (10_000 - 8189)}, self.daemon.finish(running).done["truncated"])

    def test_null_is_the_end_of_input(self):
        running = self.daemon.start("input()", input=True)
        self.daemon.wait_for(wire.INPUT_REQUEST)
        self.daemon.send(wire.INPUT, {"text": None}, running)
        self.assertEqual("EOFError", self.daemon.finish(running).error["type"])

    def test_without_input_it_is_at_its_end_at_once(self):
        reply = self.run_cell("import sys\nprint(repr(sys.stdin.read()), repr(sys.stdin.buffer.read()))\ninput('prompt ')")
        self.assertEqual(b"'' b''\nprompt ", reply.stdout)
        self.assertEqual("EOFError", reply.error["type"])

    def test_an_interrupted_question_does_not_get_the_next_one_s_answer(self):
        running = self.daemon.start("try: input('first')\nexcept KeyboardInterrupt: pass\nx = input('second')", input=True, grace=10)
        self.daemon.wait_for(wire.INPUT_REQUEST)
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
        self.assertEqual("second", json.loads(self.daemon.wait_for(wire.INPUT_REQUEST).payload)["prompt"])
        self.daemon.send(wire.INPUT, {"text": "right"}, running)
        self.daemon.finish(running)
        self.assert_alive("x", "'right'")

    def test_what_a_cell_left_unread_is_not_the_next_one_s(self):
        execution = self.daemon.start("input()", stdin={"size": 8})
        self.daemon.send_blobs(execution, b"one\ntwo\n")
        self.daemon.finish(execution)
        self.assertEqual("EOFError", self.run_cell("input()").error["type"])


class Preloading(DriverTest):
    env = {"FASTPYREPL_PRELOAD": "decimal,no_such_module,fractions"}

    def test_workers_have_the_modules_and_are_remade_from_the_template(self):
        for _ in range(3):
            reply = self.run_cell("import sys\n{'decimal', 'fractions'} <= set(sys.modules), 'no_such_module' in sys.modules")
            self.assertEqual("(True, False)", reply.result["data"]["text/plain"])
            self.assertEqual(3, self.run_cell("import os; os._exit(3)").done["cause"]["status"])
        self.assertEqual("ModuleNotFoundError", self.run_cell("import no_such_module").error["type"])

    def test_a_template_that_was_killed_is_remade(self):
        template = self.run_cell(
            "import os\n"
            "me, parent = os.getpid(), os.getppid()\n"
            "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
            "    try: stat = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()\n"
            "    except OSError: continue\n"
            "    if int(stat[1]) == parent and int(pid) != me: os.kill(int(pid), 9); print('killed')")
        self.assertEqual(b"killed\n", template.stdout)
        self.run_cell("import os; os._exit(1)")
        self.assertEqual("True", self.run_cell("import sys; 'decimal' in sys.modules").result["data"]["text/plain"])


class Memory(DriverTest):
    memory = 512 << 20

    def test_one_huge_allocation_is_a_memory_error_and_the_variables_live(self):
        self.run_cell("kept = 1")
        self.assertEqual("MemoryError", self.run_cell("x = 'x' * 10**9").error["type"])
        self.assert_alive("kept", "1")

    def test_a_new_limit_is_followed(self):
        self.daemon.send(wire.LIMITS, {"memory": 4 << 30})
        self.assertEqual("ok", self.run_cell("x = bytes(10**9); del x").done["outcome"])
        self.daemon.send(wire.LIMITS, {"memory": 256 << 20})
        self.assertEqual("MemoryError", self.run_cell("x = bytes(3 * 10**8)").error["type"])

    def test_a_repr_that_eats_memory_spoils_nothing_else(self):
        reply = self.run_cell("class Greedy:\n    def __repr__(self): return 'x' * (200 << 20)\nv, w = Greedy(), 1",
                              locals={"keys": ["v", "w"], "max_value": 1000, "max_total": 10_000})
        self.assertEqual(1, reply.locals["values"]["w"])
        self.assertIn("unrepresentable Greedy: MemoryError", reply.locals["values"]["v"])
        self.assertEqual("ok", self.run_cell("x = bytes(200 << 20); del x").done["outcome"])


class Hygiene(DriverTest):
    def test_many_cells_leak_no_descriptor_thread_or_memory(self):
        count = "import os\nlen(os.listdir('/proc/self/fd'))"
        self.run_cell(count)
        before = self.run_cell(count).result["data"]["text/plain"]
        supervisor = self.run_cell("len(os.listdir(f'/proc/{os.getppid()}/fd'))").result if os.getuid() == 0 else None
        for n in range(300):
            self.run_cell(f"print({n}); display({n})" if n % 3 else "1/0")
        self.assertEqual(before, self.run_cell(count).result["data"]["text/plain"])
        if supervisor is not None:
            after = self.run_cell("len(os.listdir(f'/proc/{os.getppid()}/fd'))").result
            self.assertLessEqual(int(after["data"]["text/plain"]), int(supervisor["data"]["text/plain"]) + 20)  # pipes of the last cells

    def test_the_worker_gets_no_descriptor_but_its_own(self):
        reply = self.run_cell("import os\nsorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}'))[:4]")
        self.assertTrue(reply.result["data"]["text/plain"].startswith("[0, 1, 2, "))
        self.assertEqual("3", self.run_cell("open('/dev/null').fileno()").result["data"]["text/plain"])

    def test_the_supervisor_cannot_be_read_or_killed_by_signals(self):
        reply = self.run_cell("import os, signal\nfailed = []\n"
                              "for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:\n    os.kill(os.getppid(), number)\n'sent'")
        self.assertEqual("'sent'", reply.result["data"]["text/plain"])
        self.assert_alive()


class Threads(DriverTest):
    def test_display_and_print_from_many_threads(self):
        reply = self.run_cell("import threading\n"
                              "def work(n):\n    for i in range(50): display({'n': n, 'text': 'x' * 70_000 if i == 25 else ''}); print(n)\n"
                              "threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]\n"
                              "for t in threads: t.start()\nfor t in threads: t.join()", max_display=16 << 20)
        self.assertEqual("ok", reply.done["outcome"], reply.stderr)
        self.assertEqual(400, len(reply.displays))
        self.assertEqual(800, reply.stdout.count(b"\n") + sum(reply.stdout.count(str(n).encode()) for n in range(8)))

    def test_a_display_in_a_thread_has_all_its_forms(self):
        self.run_cell("class Rich:\n    def _repr_html_(self): return '<b>x</b>'\n    def __repr__(self): return 'rich'")
        for code, expected in (("from concurrent.futures import ThreadPoolExecutor\n_ = list(ThreadPoolExecutor(1).map(display, [1, 'a']))", [{"text/plain": "1"}, {"text/plain": "'a'"}]),
                               ("import asyncio\nawait asyncio.to_thread(display, Rich())", [{"text/html": "<b>x</b>", "text/plain": "rich"}])):
            with self.subTest(code):
                self.assertEqual(expected, [display["data"] for display in self.run_cell(code).displays])

    def test_a_thread_that_displays_between_cells_breaks_nothing(self):
        self.run_cell("import threading, time\nstop = threading.Event()\n"
                      "def work():\n    while not stop.is_set(): display('x' * 100_000)\nthreading.Thread(target=work).start()")
        for _ in range(20):
            self.assert_alive()
        self.assertEqual("ok", self.run_cell("stop.set()").done["outcome"])

    def test_input_in_a_thread_is_at_its_end(self):
        reply = self.run_cell("import threading\ndef ask():\n    try: input()\n    except EOFError as e: print(e)\nt = threading.Thread(target=ask); t.start(); t.join()", input=True)
        self.assertEqual(b"input() works in the main thread only\n", reply.stdout)
