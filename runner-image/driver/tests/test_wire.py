"""The codec: the vectors shared with Go, and what a decoder makes of cut, padded and broken streams."""

import os
import random
import unittest
import uuid

import make_vectors
from harness import execute, wire

NAMES = {value: name for name, value in vars(wire).items() if name.isupper() and isinstance(value, int)}
ALL = wire.FROM_DAEMON | wire.FROM_DRIVER


def drain(decoder: wire.Decoder) -> list[wire.Frame]:
    return list(iter(decoder.next, None))


def hello(epoch: int = 2) -> bytes:
    return wire.encode(wire.HELLO, epoch, wire.NO_EXECUTION, b'{"protocol": 1}')


class Vectors(unittest.TestCase):
    def test_committed_files_are_what_the_generator_writes(self):
        for name, text in make_vectors.texts().items():
            with open(os.path.join(make_vectors.TESTDATA, name)) as file:
                self.assertEqual(text, file.read(), f"{name} is out of date: run make_vectors.py")

    def test_frames(self):
        for vector in make_vectors.frames():
            with self.subTest(vector["name"]):
                data = bytes.fromhex(vector["hex"])
                if "error" in vector:
                    with self.assertRaises(wire.BadFrame) as raised:
                        wire.parse(bytearray(data), 0, ALL)
                    self.assertEqual(vector["error"], str(raised.exception))
                    continue
                frame = wire.parse(bytearray(data), 0, ALL)
                got = make_vectors.described(frame.type, int(frame.more), frame.epoch, frame.seq, frame.execution, frame.payload)
                self.assertEqual(vector["frame"], got)
                self.assertEqual(len(data), frame.size)
                self.assertEqual(data, wire.encode(frame.type, frame.epoch, frame.execution, frame.payload, frame.more, frame.seq))

    def test_streams_that_the_driver_reads(self):
        for vector in make_vectors.streams():
            if vector["reader"] != "driver":
                continue
            data = bytes.fromhex(vector["hex"])
            for size in (len(data), 1, 7):
                with self.subTest(vector["name"], size=size):
                    decoder = wire.Decoder()
                    found = []
                    for start in range(0, len(data), size):
                        decoder.feed(data[start : start + size])
                        found += [NAMES[frame.type] for frame in drain(decoder)]
                    self.assertEqual(vector["types"], found)
                    self.assertEqual(vector["faults"], len(decoder.faults))


class Decoding(unittest.TestCase):
    def setUp(self):
        self.decoder = wire.Decoder()
        self.decoder.feed(hello(1))
        self.assertEqual(1, len(drain(self.decoder)))

    def test_a_request_cut_at_every_byte_leaves_the_next_daemon_heard(self):
        request = wire.encode(wire.EXECUTE, 1, uuid.uuid4().bytes, execute("1+1", timeout=1))
        for cut in range(len(request)):
            decoder = wire.Decoder()
            decoder.feed(hello(1) + request[:cut] + bytes(wire.MAX_PAYLOAD + wire.HEADER_SIZE) + hello(2))
            self.assertEqual([1, 2], [frame.epoch for frame in drain(decoder)], f"cut at {cut}")

    def test_a_long_message_is_joined_around_other_frames(self):
        id = uuid.uuid4().bytes
        parts = [b"a" * wire.MAX_PAYLOAD, b"b" * wire.MAX_PAYLOAD, b"c"]
        for index, part in enumerate(parts):
            self.decoder.feed(wire.encode(wire.EXECUTE, 1, id, part, more=index < 2))
            self.decoder.feed(wire.encode(wire.PING, 1, wire.NO_EXECUTION, b""))
        frames = drain(self.decoder)
        self.assertEqual([wire.PING, wire.PING, wire.EXECUTE, wire.PING], [frame.type for frame in frames])
        self.assertEqual(b"".join(parts), frames[2].payload)

    def test_a_message_without_end_is_a_bad_frame(self):
        part = wire.encode(wire.EXECUTE, 1, uuid.uuid4().bytes, bytes(wire.MAX_PAYLOAD), more=True)
        for _ in range(wire.MAX_MESSAGE // wire.MAX_PAYLOAD + 1):
            self.assertEqual([], self.decoder.faults)
            self.decoder.feed(part)
            self.assertEqual([], drain(self.decoder))
        self.assertEqual(["message"], self.decoder.faults)

    def test_parts_of_two_executions_do_not_mix(self):
        for _ in range(2):
            self.decoder.feed(wire.encode(wire.EXECUTE, 1, uuid.uuid4().bytes, b"{", more=True))
        self.assertEqual([], drain(self.decoder))
        self.assertEqual(["message"], self.decoder.faults)

    def test_garbage_between_frames_is_skipped_and_never_held(self):
        noise = random.Random(1)
        for _ in range(200):
            garbage = bytes(noise.choices(b"FPY1\x00\x01\x02\xff", k=noise.randrange(1, 500)))
            self.decoder.feed(garbage)
            drain(self.decoder)
        # What looks like a HELLO so far may hold the decoder up for one frame, which padding completes.
        self.decoder.feed(bytes(wire.MAX_PAYLOAD + wire.HEADER_SIZE) + hello(9))
        self.assertEqual([9], [frame.epoch for frame in drain(self.decoder)])
        self.assertLess(len(self.decoder._data) - self.decoder._at, 4)

    def test_random_cuts_and_flips_never_act_on_what_was_not_sent(self):
        noise = random.Random(2)
        sent = [wire.encode(wire.EXECUTE, 1, uuid.UUID(int=n).bytes, execute("x" * n)) for n in range(40)]
        valid = {frame[wire.HEADER_SIZE :] for frame in sent}
        for _ in range(300):
            stream = bytearray(hello(1) + b"".join(noise.sample(sent, 5)))
            for _ in range(noise.randrange(3)):
                stream[noise.randrange(len(stream))] ^= 1 << noise.randrange(8)
            del stream[(at := noise.randrange(len(stream))) : at + noise.randrange(30)]
            decoder = wire.Decoder()
            while stream:
                size = noise.randrange(1, 100)
                decoder.feed(bytes(stream[:size]))
                del stream[:size]
                for frame in drain(decoder):
                    self.assertTrue(frame.type == wire.HELLO or frame.payload in valid)
