"""Frames between the daemon and the supervisor.

sandbox/wire/PROTOCOL.md is the authority, sandbox/wire/testdata holds the vectors that this module and the Go one share.
"""

from __future__ import annotations

import struct
from zlib import crc32

VERSION = 1
MAGIC = b"FPY1"
HEADER_SIZE = 40  # bytes
MAX_PAYLOAD = 64 << 10  # bytes of one frame's payload
MAX_MESSAGE = 16 << 20  # bytes of a JSON message joined from frames
WINDOW = 1 << 20  # bytes of blobs under way without a grant
MAX_META = 4 << 10  # bytes of an EXECUTE's meta
MAX_QUESTION = 256 << 10  # bytes of the code of a question
FILE_WINDOW_SIZE = 256 << 10  # bytes of a transfer under way, each way, without a grant
MAX_TRANSFERS = 16  # open at once
OWN_NAME = ".fastpyrepl"  # directory of the driver's below the working directory
MORE = 1  # flag: the message goes on in the next frame of the same type and execution
NO_EXECUTION = bytes(16)

HELLO, EXECUTE, DATA, INTERRUPT, INPUT, PING, LIMITS, SHUTDOWN, ACK, VARIABLES, COMPLETE, IS_COMPLETE, INSPECT = range(0x01, 0x0E)
FILE_OPEN, FILE_DATA, FILE_END, FILE_WINDOW, FILE_CANCEL = range(0x20, 0x25)
(READY, STDOUT, STDERR, DISPLAY, RESULT, ERROR, LOCALS, INPUT_REQUEST, DONE, REJECT, WINDOW_GRANT, PONG, STATE,
 BACKGROUND_STDOUT, BACKGROUND_STDERR, FAULT, CUT, FILES, ANSWER) = range(0x81, 0x94)
FILE_INFO, FILE_BYTES, FILE_GRANT, FILE_DONE = range(0xA0, 0xA4)

QUESTIONS = frozenset((VARIABLES, COMPLETE, IS_COMPLETE, INSPECT))
OF_FILES = frozenset((*range(FILE_OPEN, FILE_CANCEL + 1), *range(FILE_INFO, FILE_DONE + 1)))
FROM_DAEMON = frozenset((*range(HELLO, INSPECT + 1), *range(FILE_OPEN, FILE_CANCEL + 1)))
FROM_DRIVER = frozenset((*range(READY, ANSWER + 1), *range(FILE_INFO, FILE_DONE + 1)))
STREAMS = frozenset((DATA, STDOUT, STDERR, BACKGROUND_STDOUT, BACKGROUND_STDERR)) | OF_FILES  # every frame stands alone

_HEADER = struct.Struct(">4sBBHII16sII")
_CHECKED = struct.Struct(">BBHII16sI")  # bytes 4..35, which the checksum covers


class BadFrame(Exception):
    """Bytes that are not a frame. Its text is one of magic, flags, reserved, length, checksum, type, message."""


class Frame:
    """One frame or, from a Decoder, one message."""

    __slots__ = ("type", "more", "epoch", "seq", "execution", "payload", "size")

    def __init__(self, type: int, more: bool, epoch: int, seq: int, execution: bytes, payload: bytes, size: int) -> None:
        self.type = type
        self.more = more
        self.epoch = epoch
        self.seq = seq
        self.execution = execution
        self.payload = payload
        self.size = size  # bytes on the wire


def head(type: int, epoch: int, execution: bytes, payload: bytes, more: bool = False, seq: int = 0) -> bytes:
    """Returns the header of one frame, whose payload must not be longer than MAX_PAYLOAD."""
    checked = _CHECKED.pack(type, MORE if more else 0, 0, epoch, seq, execution, len(payload))
    return MAGIC + checked + crc32(payload, crc32(checked)).to_bytes(4, "big")


def encode(type: int, epoch: int, execution: bytes, payload: bytes, more: bool = False, seq: int = 0) -> bytes:
    """Returns one frame."""
    return head(type, epoch, execution, payload, more, seq) + payload


def parse(buffer: bytes | bytearray, start: int, known: frozenset[int]) -> Frame | None:
    """Returns the frame at start, None while its end is not there yet. Raises BadFrame."""
    there = len(buffer) - start
    if there < HEADER_SIZE:
        if not MAGIC.startswith(buffer[start : start + len(MAGIC)]):
            raise BadFrame("magic")
        return None
    magic, type, flags, reserved, epoch, seq, execution, length, checksum = _HEADER.unpack_from(buffer, start)
    if magic != MAGIC:
        raise BadFrame("magic")
    if flags & ~MORE or (flags and type in STREAMS):
        raise BadFrame("flags")
    if reserved:
        raise BadFrame("reserved")
    if length > MAX_PAYLOAD:
        raise BadFrame("length")
    size = HEADER_SIZE + length
    if there < size:
        return None
    payload = bytes(buffer[start + HEADER_SIZE : start + size])
    if crc32(payload, crc32(buffer[start + 4 : start + 36])) != checksum:
        raise BadFrame("checksum")
    if type not in known:
        raise BadFrame("type")
    return Frame(type, flags == MORE, epoch, seq, execution, payload, size)


class Decoder:
    """Finds the daemon's messages in the bytes of stdin, across what dead daemons left there.

    It holds at most one frame beside the message being joined, as long as next is called until it returns None.
    """

    def __init__(self) -> None:
        self._data = b""
        self._at = 0  # up to where it was taken
        self._synced = False
        self._joined: Frame | None = None  # a split message so far
        self._parts = bytearray()
        self.faults: list[str] = []  # why bytes were skipped; the caller empties it

    def feed(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data
        self._at = 0

    def next(self) -> Frame | None:
        """Returns the next message, None when more bytes are needed."""
        while self._at < len(self._data):
            frame = self._next_frame() if self._synced else self._seek_hello()
            if frame is None:
                return None
            self._at += frame.size
            if frame.type != HELLO and not frame.more and self._joined is None:
                return frame
            try:
                message = self._join(frame)
            except BadFrame as bad:
                self.lose(str(bad))
                continue
            if message is not None:
                return message
        return None

    def lose(self, reason: str) -> None:
        """Gives the framing up until the next HELLO."""
        self.faults.append(reason)
        self._synced = False
        self._forget()

    def _next_frame(self) -> Frame | None:
        data = self._data
        if not data[self._at]:  # padding
            self._at = len(data) - len(data[self._at :].lstrip(b"\0"))
        try:
            return parse(data, self._at, FROM_DAEMON)
        except BadFrame as bad:
            self.lose(str(bad))
            self._at += 1
            return self._seek_hello()

    def _seek_hello(self) -> Frame | None:
        """Skips to the next whole HELLO, byte by byte, for what looks like another frame may be the inside of one."""
        data, start = self._data, self._at
        while (start := data.find(MAGIC, start)) >= 0:
            kind = data[start + 4 : start + 5]
            if not kind or kind[0] == HELLO:
                try:
                    frame = parse(data, start, FROM_DAEMON)
                except BadFrame:
                    start += 1
                    continue
                self._at = start
                self._synced = frame is not None
                return frame
            start += 1
        self._at = max(self._at, len(data) - len(MAGIC) + 1)  # its end may begin a magic
        return None

    def _join(self, frame: Frame) -> Frame | None:
        if frame.type == HELLO:
            self._forget()  # the rest of what another daemon began will not come
        first = self._joined
        if first is None:
            if not frame.more:
                return frame
            self._joined = first = frame
        elif frame.type != first.type:
            if frame.more:
                raise BadFrame("message")
            return frame
        elif frame.execution != first.execution:
            raise BadFrame("message")
        if len(self._parts) + len(frame.payload) > MAX_MESSAGE:
            raise BadFrame("message")
        self._parts += frame.payload
        if frame.more:
            return None
        frame.payload = bytes(self._parts)
        self._forget()
        return frame

    def _forget(self) -> None:
        self._joined = None
        self._parts = bytearray()
