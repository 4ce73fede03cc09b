"""What a daemon hears that attaches after another died."""

from __future__ import annotations

import unittest

from harness import DriverTest, Reply, kept, wire

ONE, TWO = b"1" * 16, b"2" * 16


def payloads(keeper: kept.Keeper, execution: bytes) -> list[bytes]:
    return [payload for _, owner, payload, _, _ in keeper.replay() if owner == execution]


class KeeperTest(unittest.TestCase):
    def test_frames_are_numbered_and_told_again_in_order(self):
        keeper = kept.Keeper()
        keeper.begin(ONE, "meta", 1)
        self.assertEqual([1, 2, 3], [keeper.add(kind, ONE, b"%d" % kind, False) for kind in (wire.STDOUT, wire.STDERR, wire.DONE)])
        self.assertEqual(0, keeper.add(wire.BACKGROUND_STDOUT, ONE, b"later", False))
        self.assertEqual(0, keeper.add(wire.STDOUT, TWO, b"of nobody", False))
        self.assertEqual([(wire.STDOUT, 1), (wire.STDERR, 2), (wire.DONE, 3)], [(kind, seq) for kind, _, _, _, seq in keeper.replay()])

    def test_what_comes_during_a_replay_is_in_it(self):
        keeper = kept.Keeper()
        keeper.begin(ONE, "", 1)
        keeper.add(wire.STDOUT, ONE, b"a", False)
        replay = keeper.replay()
        next(replay)
        keeper.add(wire.DONE, ONE, b"b", False)
        self.assertEqual([b"b"], [frame[2] for frame in replay])

    def test_acknowledged_ones_are_forgotten_once_they_have_ended(self):
        keeper = kept.Keeper()
        keeper.begin(ONE, "", 1)
        keeper.acknowledge(ONE)
        self.assertEqual(1, len(keeper.describe(bytes.hex)))
        keeper.add(wire.DONE, ONE, b"", False)
        keeper.acknowledge(ONE)
        keeper.acknowledge(TWO)
        self.assertEqual([], keeper.describe(bytes.hex))

    def test_those_that_have_ended_make_room_for_the_one_that_runs(self):
        keeper = kept.Keeper()
        keeper.set_memory(64 << 20)  # 2 MiB of room
        for execution in (ONE, TWO):
            keeper.begin(execution, "", 1)
            keeper.add(wire.STDOUT, execution, bytes(1200 << 10), False)
            keeper.add(wire.DONE, execution, b"", False)
        self.assertEqual([TWO.hex()], [one["id"] for one in keeper.describe(bytes.hex)])

    def test_without_room_whole_messages_are_left_out_and_counted_but_never_the_end(self):
        keeper = kept.Keeper()
        keeper.set_memory(1)  # the least room
        keeper.begin(ONE, "", 1)
        keeper.add(wire.STDOUT, ONE, b"first", False)
        part = bytes(300 << 10)
        numbers = [keeper.add(wire.DISPLAY, ONE, part, more) for more in (True, True, True, True, False)]
        self.assertEqual([2, 3, 4, 5, 6], numbers)
        keeper.add(wire.STDOUT, ONE, bytes(kept.LEAST_ROOM), False)
        keeper.add(wire.STDOUT, ONE, b"small enough", False)
        keeper.add(wire.DONE, ONE, bytes(kept.LEAST_ROOM), False)
        self.assertEqual([b"first", b"small enough", bytes(kept.LEAST_ROOM)], payloads(keeper, ONE))
        self.assertEqual(5 * len(part) + kept.LEAST_ROOM, keeper.describe(bytes.hex)[0]["missing"])

    def test_the_number_of_executions_is_bounded(self):
        keeper = kept.Keeper()
        for i in range(kept.MAX_EXECUTIONS + 1):
            keeper.begin(i.to_bytes(16, "big"), "", i)
            keeper.add(wire.DONE, i.to_bytes(16, "big"), b"", False)
        self.assertEqual((kept.MAX_EXECUTIONS, 1), (len(all := keeper.describe(bytes.hex)), all[0]["count"]))


class RestartTest(DriverTest):
    def again(self, *executions: bytes) -> dict:
        """Attaches as a daemon that has heard nothing of these executions."""
        for execution in executions:
            self.daemon.replies[execution] = Reply()
        return self.daemon.attach(padded=True)

    def test_a_running_execution_is_told_from_its_start(self):
        running = self.daemon.start("print('early')\nimport time\nwhile True: time.sleep(0.01)", meta="mine")
        while self.daemon.replies[running].stdout != b"early\n":  # the line and its end may come one by one
            self.daemon.step()
        ready = self.again(running)
        self.assertEqual([("mine", 1, True, 0)], [(one["meta"], one["count"], one["running"], one["missing"]) for one in ready["executions"]])
        self.daemon.send(wire.INTERRUPT, {"reason": "interrupted"}, running)
        reply = self.daemon.finish(running)
        self.assertEqual((b"early\n", "interrupted"), (reply.stdout, reply.done["outcome"]))

    def test_ended_ones_are_told_until_they_are_acknowledged(self):
        first, second = self.daemon.start("print(1)\n'one'"), None
        self.daemon.finish(first)
        second = self.daemon.start("1/0")
        self.daemon.finish(second)
        self.daemon.send(wire.ACK, b"", first)
        ready = self.again(second)
        self.assertEqual([False], [one["running"] for one in ready["executions"]])
        reply = self.daemon.finish(second)
        self.assertEqual(("ZeroDivisionError", "error"), (reply.error["type"], reply.done["outcome"]))
        self.daemon.send(wire.ACK, b"", second)
        self.assertEqual([], self.again()["executions"])
        self.assert_alive()

    def test_a_flood_and_large_displays_are_told_whole(self):
        code = "import os\nfor _ in range(64): os.write(1, bytes([120]) * (16 << 10))\ndisplay({'text/plain': 'y' * (600 << 10)}, raw=True)\n'z'"
        execution = self.daemon.start(code)
        before = self.daemon.finish(execution)
        self.again(execution)
        after = self.daemon.finish(execution)
        self.assertEqual((1 << 20, 1, "'z'"), (len(after.stdout), len(after.displays), after.result["data"]["text/plain"]))
        self.assertEqual((before.displays, before.done), (after.displays, after.done))

    def test_a_daemon_that_hears_nothing_delays_nothing(self):
        execution = self.daemon.start("print('x' * (1 << 19))")
        self.daemon.finish(execution)
        for _ in range(3):  # each leaves more behind than a pipe holds
            self.daemon.epoch += 1
            self.daemon.send(wire.HELLO, {"protocol": 1, "nonce": "0" * 32})
        self.again(execution)
        self.assertEqual(1 << 19, len(self.daemon.finish(execution).stdout) - 1)
        self.assert_alive()

    def test_the_loss_of_the_variables_is_told_until_the_next_execution(self):
        self.run_cell("import os\nos._exit(3)")
        self.assertEqual(1, self.again()["state_lost_at"])
        self.run_cell("1")
        self.assertEqual(0, self.again()["state_lost_at"])

    def test_the_next_execution_keeps_that_the_variables_were_lost(self):
        self.run_cell("import os, threading, time\nz = 5\nthreading.Thread(target=lambda: (time.sleep(0.1), os._exit(0))).start()")
        self.daemon.wait_for(wire.STATE)
        execution = self.daemon.start("'z' in globals()")
        self.assertEqual(1, self.daemon.finish(execution).done["state_lost_at"])
        self.again(execution)
        self.assertEqual(1, self.daemon.finish(execution).done["state_lost_at"])
        self.assertNotIn("state_lost_at", self.run_cell("1").done)

    def test_code_runs_on_while_nobody_is_attached(self):
        execution = self.daemon.start("import time\nfor i in range(20):\n    print(i)\n    time.sleep(0.01)\ni")
        self.daemon.wait_for(wire.STDOUT)
        while self.again(execution)["executions"][0]["running"]:
            pass  # dead daemons, one after the other
        reply = self.daemon.finish(execution)
        self.assertEqual("".join(f"{i}\n" for i in range(20)), reply.stdout.decode())
        self.assertEqual("19", reply.result["data"]["text/plain"])

    def test_meta_is_bounded(self):
        self.assertIn("meta must have at most", self.run_cell("1", meta="x" * (wire.MAX_META + 1)).reject["message"])

    def test_cpus_become_the_threads_of_numeric_libraries(self):
        self.daemon.send(wire.LIMITS, {"memory": 0, "cpus": 2.5})
        self.assertEqual("3", self.run_cell("import os; os.environ['OMP_NUM_THREADS']").result["data"]["text/plain"].strip("'"))


if __name__ == "__main__":
    unittest.main()


