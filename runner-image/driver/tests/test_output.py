"""The caps on output, the pipes it comes from, and the frames that wait to be written."""

import os
import random
import tempfile
import time
import unittest

from harness import execution, outbox, output, pipes, system, wire

Background, Cap, Pipe = output.Background, output.Cap, output.Pipe
REQUEST = execution.Request(b'{"timeout":1,"grace":0,"max_stdout":10000000,"max_stderr":1000,"max_display":0}')


class Caps(unittest.TestCase):
    def feed(self, limit: int, data: bytes, seed: int) -> tuple[bytes, bytes, int]:
        noise = random.Random(seed)
        cap = Cap(limit)
        head = b""
        while data:
            size = noise.randrange(1, 50)
            head += cap.feed(data[:size])
            data = data[size:]
        tail = cap.finish()
        return head, tail, cap.dropped

    def test_all_of_what_fits_is_sent(self):
        for size in range(102):
            data = bytes(range(256))[:size]
            head, tail, dropped = self.feed(101, data, size)
            self.assertEqual((data, 0), (head + tail, dropped))

    def test_head_tail_and_count_add_up(self):
        for limit in (0, 1, 3, 4, 100, 1001):
            for size in (limit + 1, limit + 2, 2 * limit + 3, 5000):
                data = bytes(byte & 0x7F for byte in random.Random(size).randbytes(size))
                head, tail, dropped = self.feed(limit, data, size)
                with self.subTest(limit=limit, size=size):
                    self.assertEqual(data[: limit - limit // 4], head)
                    self.assertEqual(data[size - limit // 4 :], tail)
                    self.assertEqual(size, len(head) + len(tail) + dropped)

    def test_no_character_is_cut_in_two(self):
        for character in ("é", "€", "🐍", "aé€🐍"):
            text = (character * 1000)[:1000].encode()
            for limit in range(60):
                for seed in range(4):
                    with self.subTest(character=character, limit=limit, seed=seed):
                        head, tail, dropped = self.feed(limit, text, seed)
                        self.assertTrue(text.startswith(head) and text.endswith(tail))
                        head.decode(), tail.decode()
                        self.assertEqual(len(text), len(head) + len(tail) + dropped)
                        self.assertLessEqual(limit - 6, len(head) + len(tail))
                        self.assertLessEqual(len(head) + len(tail), limit)

    def test_all_that_fits_is_sent_whatever_it_is(self):
        noise = random.Random(7)
        for size in range(60):
            for seed in range(20):
                data = noise.choice((noise.randbytes(size), ("é€🐍" * 60).encode()[seed % 9 :][:size], bytes([0xF0]) * size, bytes([0x80]) * size))
                self.assertEqual((data, 0), ((parts := self.feed(size, data, seed))[0] + parts[1], parts[2]))

    def test_what_is_no_character_is_kept(self):
        for data in (b"\x80" * 500, b"\xff" * 500, b"\xc0\x80" * 250, b"a\x80" * 250, b"\xf8\x80\x80\x80\x80" * 100, b"\xed\xa0\x80" * 200):
            for limit in range(8, 60):
                head, tail, dropped = self.feed(limit, data, limit)
                with self.subTest(data=data[:5], limit=limit):
                    self.assertEqual(limit, len(head) + len(tail))
                    self.assertEqual(data, head + data[len(head) : len(data) - len(tail)] + tail)
                    self.assertEqual(len(data), limit + dropped)

    def test_a_flood_is_not_kept(self):
        cap = Cap(1 << 20)
        for _ in range(1000):
            cap.feed(bytes(64 << 10))
        self.assertLessEqual(len(cap._tail), 1 << 18)


class Births:
    """Plays the kernel."""

    def __init__(self, last: bytes) -> None:
        self.now = last

    def last(self) -> bytes:
        return self.now

    def check(self) -> None:
        pass


class Cells(unittest.TestCase):
    def setUp(self):
        self.read, write = os.pipe()
        os.set_blocking(write, False)
        os.set_blocking(self.read, False)
        self.addCleanup(os.close, self.read)
        self.addCleanup(os.close, write)
        self.outbox = outbox.Outbox(write)
        self.pipes = pipes.Pipes(self.outbox)
        self.births = self.pipes._births = Births(b"7\n")
        self.writers: tuple[int, ...] = ()
        self.cells = 0

    def begin(self) -> execution.Execution:
        self.cells += 1
        running = execution.Execution(bytes([self.cells]) * 16, self.cells, REQUEST, 0.0)
        if writers := self.pipes.begin(running, time.monotonic()):
            self.writers = writers
            for fd in writers:
                self.addCleanup(os.close, fd)
        return running

    def end(self, running: execution.Execution, kept: bool = True) -> None:
        self.pipes.finish(running)
        self.pipes.retire(running, kept, time.monotonic())

    def said(self) -> list[tuple[int, int, bytes]]:
        """Returns the frames sent since the last call: type, number of the cell, payload."""
        data = bytearray()
        while self.outbox.waits():
            self.outbox.write()
            data += os.read(self.read, 1 << 20)
        frames = []
        while data:
            frame = wire.parse(data, 0, wire.FROM_DRIVER)
            del data[: frame.size]
            frames.append((frame.type, frame.execution[0], frame.payload))
        return frames

    def test_the_next_cell_goes_on_with_the_pipes_that_nobody_else_has(self):
        self.end(self.begin())
        first = self.writers
        for n in range(2, 5):
            running = self.begin()
            self.assertEqual(first, self.writers)
            os.write(first[0], b"out")
            os.write(first[1], b"err")
            self.end(running)
            self.assertEqual([(wire.STDOUT, n, b"out"), (wire.STDERR, n, b"err")], self.said())

    def test_it_gets_its_own_when_somebody_else_may_have_them(self):
        for why, kept, last in (("a birth", True, b"8\n"), ("the worker lost them", False, b"8\n"), ("the kernel does not tell", True, b"")):
            with self.subTest(why):
                self.end(self.begin(), kept)
                before, self.births.now = self.writers, last
                running = self.begin()
                self.assertNotEqual(before, self.writers)
                os.write(before[0], b"late")
                os.write(self.writers[0], b"now")
                self.pipes.read(running, {fd: 1 for fd in range(1000)}, time.monotonic())
                self.end(running)
                self.assertEqual([(wire.STDOUT, self.cells, b"now"), (wire.BACKGROUND_STDOUT, self.cells - 1, b"late")], self.said())

    def test_a_new_worker_has_none(self):
        self.end(self.begin())
        before = self.writers
        self.pipes.worker_made()
        self.begin()
        self.assertNotEqual(before, self.writers)

    def test_what_comes_between_two_cells_is_background_of_the_first(self):
        self.end(self.begin())
        os.write(self.writers[0], b"x" * 65536)  # by a signal handler: nobody was born
        running = self.begin()
        os.write(self.writers[0], b"y")
        self.end(running)
        self.assertEqual([(wire.BACKGROUND_STDOUT, 1, b"x" * 65536), (wire.STDOUT, 2, b"y")], self.said())

    def test_the_end_of_a_cell_takes_all_that_was_written(self):
        running = self.begin()
        output.widen(self.writers[0])
        os.set_blocking(self.writers[0], False)
        written = os.write(self.writers[0], bytes(1 << 20))
        self.end(running)
        self.assertEqual(written, sum(len(payload) for _, _, payload in self.said()))

    def test_a_birth_is_seen(self):
        births = system.Births()
        before = births.last()
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)
        births.check()
        self.assertNotIn(births.last(), (before, b""))

    def test_a_kernel_that_counts_no_births_is_not_believed(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0.00 0.00 0.00 0/0 0\n")  # as gVisor's has it
            file.flush()
            births = system.Births(file.name)
            self.assertEqual(b"0\n", births.last())
            births.check()
            self.assertEqual(b"", births.last())
        self.assertEqual(b"", system.Births("/no/such/file").last())


class Outboxes(unittest.TestCase):
    def test_frames_leave_whole_whatever_the_pipe_takes(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        os.set_blocking(write, False)
        box = outbox.Outbox(write)
        noise = random.Random(3)
        sent = [noise.randbytes(noise.choice((0, 1, 50, 70_000, 200_000))) for _ in range(60)]
        for payload in sent:
            box.send(wire.STDOUT, bytes(16), payload)
        self.assertTrue(box.full())
        data = bytearray()
        while box.waits():
            box.write()
            data += os.read(read, noise.randrange(1, 100_000))
        os.set_blocking(read, False)
        try:
            while part := os.read(read, 1 << 20):
                data += part
        except BlockingIOError:
            pass
        got = b""
        while data:
            frame = wire.parse(data, 0, wire.FROM_DRIVER)
            del data[: frame.size]
            got += frame.payload
        self.assertEqual(b"".join(sent), got)
        self.assertFalse(box.full())


class Pipes(unittest.TestCase):
    def test_pending_counts_what_can_be_read(self):
        pipe = Pipe()
        self.addCleanup(pipe.close)
        self.addCleanup(os.close, pipe.writer)
        self.assertEqual(0, pipe.pending())
        self.assertIsNone(pipe.read())
        os.write(pipe.writer, b"12345")
        self.assertEqual(5, pipe.pending())
        self.assertEqual(b"12345", pipe.read())


class BackgroundOutput(unittest.TestCase):
    def test_it_refills_with_time_and_no_further(self):
        bucket = Background(0.0)
        flood = bytes(1 << 20)
        self.assertEqual(Background.BURST, len(bucket.take(flood, 0.0)))
        self.assertEqual(0, len(bucket.take(flood, 0.0)))
        self.assertEqual(Background.RATE, len(bucket.take(flood, 1.0)))
        self.assertEqual(Background.BURST, len(bucket.take(flood, 1000.0)))
