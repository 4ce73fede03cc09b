"""Pipes that a cell's processes write to, and the caps on what is sent of them."""

from __future__ import annotations

import fcntl
import os
import select
import struct

from . import system

READ_SIZE = 64 << 10  # bytes
WIDE = 1 << 20  # bytes of a pipe between two programs that are in a hurry, what any user may ask for
LONGEST = 4  # bytes of a character

_INT = struct.Struct("i")


class Cap:
    """Lets the first 3/4 of a limit through at once, keeps the last 1/4 for the end, and counts what lies between.

    No character of UTF-8 is cut in two: one that ends beyond the 3/4 goes to the rest whole, and of one that begins before the 1/4 nothing is
    sent.
    """

    def __init__(self, limit: int) -> None:
        self._tail_limit = limit // 4
        self._head_left = limit - self._tail_limit
        self._tail = bytearray()
        self._last = b""  # of the bytes that were dropped, the last ones
        self.dropped = 0  # bytes

    def feed(self, data: bytes) -> bytes:
        """Returns what may be sent now."""
        now = data[: self._head_left]
        begun, missing = _unfinished(now)
        left = self._head_left - len(now)
        if left >= missing and len(now) == len(data):
            self._head_left = left
            return data
        if left < missing:
            now = now[: len(now) - begun]
            self._tail_limit += begun + left
        self._head_left = 0
        self._tail += data[len(now) :]
        if (over := len(self._tail) - self._tail_limit) > 0:
            self._drop(over)
        return now

    def _drop(self, size: int) -> None:
        self._last = (self._last + self._tail[max(0, size - LONGEST) : size])[-LONGEST:]
        del self._tail[:size]
        self.dropped += size

    def finish(self) -> bytes:
        """Returns the end of the output. Where what was dropped ends within a character, the rest of that is dropped, too."""
        begun, missing = _unfinished(self._last)
        if missing:
            try:
                (self._last[-begun:] + self._tail[:missing]).decode()
            except UnicodeDecodeError:
                pass  # it is none
            else:
                self._drop(missing)
        tail, self._tail = bytes(self._tail), bytearray()
        return tail


def _unfinished(data: bytes) -> tuple[int, int]:
    """Returns how many bytes at the end of data begin a character, and how many it needs besides; 0 and 0 for none."""
    for begun in range(1, min(LONGEST, len(data) + 1)):
        byte = data[-begun]
        if byte < 0x80:
            break
        if byte >= 0xC2:
            missing = (byte >= 0xE0) + (byte >= 0xF0) + 2 - begun
            return (begun, missing) if missing > 0 and byte < 0xF5 else (0, 0)
    return 0, 0


class Pipe:
    """The reading end of one stream of one cell."""

    def __init__(self) -> None:
        self.fd, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.fd, False)
        self.rest_until = 0.0  # not worth reading before
        self._wide = False

    def read(self, size: int = READ_SIZE) -> bytes | None:
        """Returns what is there, b"" at the end of file, None when there is nothing now."""
        try:
            data = os.read(self.fd, size)
        except BlockingIOError:
            return None
        if len(data) == READ_SIZE and not self._wide:
            self._wide = widen(self.fd)
        return data

    def pending(self) -> int:
        """Returns how many bytes can be read now."""
        return _INT.unpack(fcntl.ioctl(self.fd, system.FIONREAD, bytes(4)))[0]

    def close(self) -> None:
        os.close(self.fd)


class Pair:
    """A stdout and a stderr."""

    def __init__(self) -> None:
        self.stdout, self.stderr = Pipe(), Pipe()
        self._pipes = {self.stdout.fd: self.stdout, self.stderr.fd: self.stderr}
        self._poll = select.poll()
        for fd in self._pipes:
            self._poll.register(fd, select.POLLIN)

    def writers(self) -> tuple[int, int]:
        """Returns the ends to write to, which are the caller's to close."""
        writers = self.stdout.writer, self.stderr.writer
        self.stdout.writer = self.stderr.writer = -1
        return writers

    def ready(self) -> list[Pipe]:
        """Returns those that have something, or are at their end."""
        return [self._pipes[fd] for fd, _ in self._poll.poll(0)]


def widen(fd: int) -> bool:
    """Lets a pipe hold more, so that its ends take fewer turns. Returns True, also when the system refuses."""
    try:
        fcntl.fcntl(fd, system.F_SETPIPE_SZ, WIDE)
    except OSError:
        pass  # no pipe, or the user has too many
    return True


class Background:
    """How much output of ended cells may be sent: a bucket that refills."""

    BURST = 256 << 10  # bytes
    RATE = 64 << 10  # bytes a second

    def __init__(self, now: float) -> None:
        self._left = float(self.BURST)
        self._filled = now

    def take(self, data: bytes, now: float) -> bytes:
        """Returns the part of data that may be sent."""
        self._left = min(self.BURST, self._left + (now - self._filled) * self.RATE)
        self._filled = now
        allowed = data[: int(self._left)]
        self._left -= len(allowed)
        return allowed
