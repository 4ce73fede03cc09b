"""Writes the vectors that the Go and the Python codec share: python3 make_vectors.py.

They are committed, and tests check that they are what this program writes. A change of the protocol begins in
sandbox/wire/PROTOCOL.md and here.
"""

from __future__ import annotations

import json
import os
import uuid
from zlib import crc32

from harness import DRIVER, wire

TESTDATA = os.path.join(os.path.dirname(os.path.dirname(DRIVER)), "sandbox", "wire", "testdata")
EXECUTION = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8").bytes
NONCE = "ab" * 16


def raw(kind: int, flags: int = 0, reserved: int = 0, epoch: int = 7, seq: int = 0, execution: bytes = EXECUTION, payload: bytes = b"",
        magic: bytes = wire.MAGIC, length: int | None = None, checksum: int | None = None) -> bytes:
    """Builds a frame of any fields, wrong ones too. It shares no code with the codec."""
    checked = (bytes([kind, flags]) + reserved.to_bytes(2, "big") + epoch.to_bytes(4, "big") + seq.to_bytes(4, "big") + execution
               + (len(payload) if length is None else length).to_bytes(4, "big"))
    if checksum is None:
        checksum = crc32(checked + payload)
    return magic + checked + checksum.to_bytes(4, "big") + payload


def good(name: str, kind: int, payload: bytes, flags: int = 0, epoch: int = 7, seq: int = 0, execution: bytes = EXECUTION) -> dict:
    return {"name": name, "hex": raw(kind, flags, 0, epoch, seq, execution, payload).hex(), "frame": described(kind, flags, epoch, seq, execution, payload)}


def described(kind: int, flags: int, epoch: int, seq: int, execution: bytes, payload: bytes) -> dict:
    return {"type": kind, "flags": flags, "epoch": epoch, "seq": seq, "execution": str(uuid.UUID(bytes=execution)), "payload_hex": payload.hex()}


def bad(name: str, error: str, frame: bytes) -> dict:
    return {"name": name, "hex": frame.hex(), "error": error}


def frames() -> list[dict]:
    none = wire.NO_EXECUTION
    sample = b'{"timeout": 1}\n1+1'
    correct = raw(wire.EXECUTE, payload=sample)
    return [
        good("hello", wire.HELLO, b'{"protocol": 1, "nonce": "%s", "lease": 0, "memory": 0}' % NONCE.encode(), epoch=1, execution=none),
        good("execute", wire.EXECUTE, sample, seq=1),
        good("part of an execute", wire.EXECUTE, b'{"timeout": 1}\nprint(', flags=1, seq=1),
        good("empty data", wire.DATA, b"", seq=2),
        good("ping", wire.PING, b"", execution=none),
        good("stdout that is not UTF-8", wire.STDOUT, b"\xff\x00FPY1\x1b[0m"),
        good("part of locals", wire.LOCALS, b'{"values": {', flags=1),
        good("highest epoch and seq", wire.DONE, b"{}", epoch=0xFFFFFFFF, seq=0xFFFFFFFF),
        good("cut", wire.CUT, b'{"stream": "stdout", "bytes": 5}'),
        good("complete", wire.COMPLETE, b'{"code": "pri", "cursor": 3}'),
        good("answer", wire.ANSWER, b'{"matches": ["print"], "start": 0, "end": 3, "omitted": 0}'),
        good("a frame within a payload", wire.STDERR, correct),
        good("files that changed", wire.FILES, b'{"created": ["a b/\xc3\xa9"], "modified": [], "deleted": [], "truncated": false}', seq=3),
        good("a transfer of a file", wire.FILE_OPEN, b'{"op": "read", "path": "a b/\xc3\xa9", "range": [1, null]}'),
        good("the end of an upload", wire.FILE_END, b""),
        good("bytes of a file", wire.FILE_BYTES, b"\xff\x00FPY1"),
        good("the end of a transfer", wire.FILE_DONE, b'{"error": {"code": "not_found", "message": "no such file"}}'),
        bad("wrong version in the magic", "magic", raw(wire.PING, magic=b"FPY2")),
        bad("one byte late", "magic", correct[1:] + b"F"),
        bad("unknown flag", "flags", raw(wire.EXECUTE, flags=2, payload=sample)),
        bad("MORE on a stream", "flags", raw(wire.STDOUT, flags=1, payload=b"x")),
        bad("MORE on DATA", "flags", raw(wire.DATA, flags=1, payload=b"x")),
        bad("MORE on a FILE_OPEN", "flags", raw(wire.FILE_OPEN, flags=1, payload=b"{")),
        bad("reserved bytes", "reserved", raw(wire.EXECUTE, reserved=1, payload=sample)),
        bad("one byte too long", "length", raw(wire.STDOUT, length=wire.MAX_PAYLOAD + 1)),
        bad("4 GiB", "length", raw(wire.STDOUT, length=0xFFFFFFFF)),
        bad("checksum of nothing", "checksum", raw(wire.EXECUTE, payload=sample, checksum=0)),
        bad("one bit in the payload", "checksum", correct[:-1] + bytes([correct[-1] ^ 1])),
        bad("one bit in the epoch", "checksum", correct[:11] + bytes([correct[11] ^ 1]) + correct[12:]),
        bad("type 0", "type", raw(0x00)),
        bad("a type kept for later", "type", raw(0x0E)),
        bad("the type after the last", "type", raw(0x94)),
        bad("the type after the daemon's last of files", "type", raw(0x25)),
        bad("the type after the driver's last of files", "type", raw(0xA4)),
    ]


def streams() -> list[dict]:
    """What an end reads after another died: bytes, and the frames that it must find in them."""
    hello = raw(wire.HELLO, epoch=2, execution=wire.NO_EXECUTION, payload=b'{"protocol": 1, "nonce": "%s"}' % NONCE.encode())
    ready = raw(wire.READY, epoch=2, execution=wire.NO_EXECUTION, payload=b'{"protocol": 1, "nonce": "%s"}' % NONCE.encode())
    old_ready = raw(wire.READY, epoch=1, execution=wire.NO_EXECUTION, payload=b'{"protocol": 1, "nonce": "%s"}' % NONCE.encode())
    forged = raw(wire.READY, epoch=2, execution=wire.NO_EXECUTION, payload=b'{"protocol": 1, "nonce": "%s"}' % (b"cd" * 16))
    execute = raw(wire.EXECUTE, epoch=1, seq=1, payload=b'{"timeout": 1}\n1+1')
    ping = raw(wire.PING, epoch=2, execution=wire.NO_EXECUTION)
    pong = raw(wire.PONG, epoch=2, execution=wire.NO_EXECUTION)
    stdout = raw(wire.STDOUT, epoch=1, payload=b"old")
    pad = bytes(200)  # as much as completes the half frames here

    def reads(end: str, name: str, data: bytes, found: list[str], faults: int = 0) -> dict:
        return {"name": name, "reader": end, "hex": data.hex(), "epoch": 2, "nonce": NONCE, "types": found, "faults": faults}

    return [
        reads("driver", "a fresh container", hello + ping, ["HELLO", "PING"]),
        reads("driver", "padding only", pad + hello + ping, ["HELLO", "PING"], 0),
        reads("driver", "frames before the first HELLO", execute + hello + ping, ["HELLO", "PING"]),
        reads("driver", "half a frame before the first HELLO", execute[:-3] + pad + hello + ping, ["HELLO", "PING"]),
        reads("driver", "half a frame of a dead daemon", hello + execute[:50] + pad + hello + ping, ["HELLO", "HELLO", "PING"], 1),
        reads("driver", "half a header of a dead daemon", hello + execute[:9] + pad + hello + ping, ["HELLO", "HELLO", "PING"], 1),
        reads("driver", "half a HELLO of a dead daemon", hello + hello[:-1] + pad + hello + ping, ["HELLO", "HELLO", "PING"], 1),
        reads("driver", "a half message of a dead daemon", hello + raw(wire.EXECUTE, 1, epoch=2, seq=1, payload=b"{") + hello + ping, ["HELLO", "HELLO", "PING"]),
        reads("driver", "half of a file's bytes of a dead daemon", hello + raw(wire.FILE_DATA, epoch=2, payload=b"x" * 100)[:-7] + pad + hello + ping,
              ["HELLO", "HELLO", "PING"], 1),
        reads("driver", "frames after a bad one are not acted upon", hello + b"x" + ping + execute + hello + ping, ["HELLO", "HELLO", "PING"], 1),
        reads("daemon", "a fresh container", ready + pong, ["READY", "PONG"]),
        reads("daemon", "frames of an older epoch", stdout + old_ready + ready + pong, ["READY", "PONG"]),
        reads("daemon", "the end of a frame, and a forged READY", stdout[13:] + stdout + b"FPY FPY1" + forged + ready + pong, ["READY", "PONG"]),
    ]


def texts() -> dict[str, str]:
    """Returns the files by name."""
    return {name: json.dumps(vectors, indent=1) + "\n" for name, vectors in (("frames.json", frames()), ("streams.json", streams()))}


if __name__ == "__main__":
    os.makedirs(TESTDATA, exist_ok=True)
    for file_name, text in texts().items():
        with open(os.path.join(TESTDATA, file_name), "w") as file:
            file.write(text)
