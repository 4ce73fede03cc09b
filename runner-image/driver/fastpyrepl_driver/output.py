"""Pipes that a cell's processes write to, and the caps on what is sent of them."""

from __future__ import annotations

import fcntl
import os
import select
import struct

from . import system

READ_SIZE = 64 << 10  # bytes
WIDE = 1 << 20  # bytes of a pipe between two programs that are in a hurry, what any user may ask for

_INT = struct.Struct("i")


class Cap:
    """Lets the first 3/4 of a limit through at once, keeps the last 1/4 for the end, and counts what lies between."""

    def __init__(self, limit: int) -> None:
        self._tail_limit = limit // 4
        self._head_left = limit - self._tail_limit
        self._tail = bytearray()
        self.dropped = 0  # bytes

    def feed(self, data: bytes) -> bytes:
        """Returns what may be sent now."""
        if self._head_left >= len(data):
            self._head_left -= len(data)
            return data
        now, later = data[: self._head_left], data[self._head_left :]
        self._head_left = 0
        self._tail += later
        over = len(self._tail) - self._tail_limit
        if over > 0:
            del self._tail[:over]
            self.dropped += over
        return now

    def finish(self) -> bytes:
        """Returns the end of the output."""
        tail, self._tail = bytes(self._tail), bytearray()
        return tail


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
