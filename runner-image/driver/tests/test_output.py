"""The caps on output."""

import os
import random
import unittest

from harness import output

Background, Cap, Pipe = output.Background, output.Cap, output.Pipe


class Caps(unittest.TestCase):
    def feed(self, limit: int, data: bytes, seed: int) -> tuple[bytes, bytes, int]:
        noise = random.Random(seed)
        cap = Cap(limit)
        head = b""
        while data:
            size = noise.randrange(1, 50)
            head += cap.feed(data[:size])
            data = data[size:]
        return head, cap.finish(), cap.dropped

    def test_all_of_what_fits_is_sent(self):
        for size in range(102):
            data = bytes(range(256))[:size]
            head, tail, dropped = self.feed(101, data, size)
            self.assertEqual((data, 0), (head + tail, dropped))

    def test_head_tail_and_count_add_up(self):
        for limit in (0, 1, 3, 4, 100, 1001):
            for size in (limit + 1, limit + 2, 2 * limit + 3, 5000):
                data = random.Random(size).randbytes(size)
                head, tail, dropped = self.feed(limit, data, size)
                with self.subTest(limit=limit, size=size):
                    self.assertEqual(data[: limit - limit // 4], head)
                    self.assertEqual(data[size - limit // 4 :], tail)
                    self.assertEqual(size, len(head) + len(tail) + dropped)

    def test_a_flood_is_not_kept(self):
        cap = Cap(1 << 20)
        for _ in range(1000):
            cap.feed(bytes(64 << 10))
        self.assertLessEqual(len(cap._tail), 1 << 18)


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
