"""The pipes of the running cell and of those before it: when to read them, and what to send of it."""

from __future__ import annotations

import select
import time

from . import system, wire
from .execution import Execution
from .outbox import Outbox
from .output import READ_SIZE, Background, Cap, Pair, Pipe

SMALL = 4 << 10  # bytes: a reader that gets less at a time is ahead of the writer
MAX_READS = 8  # of a pipe that is full, before others have their turn
PAUSE = 0.001  # seconds before such a pipe is read again, so that many small writes become one frame
MAX_OLD = 16  # pipes of ended cells
OLD_PAUSE = 0.02  # seconds between two reads of the output of ended cells

_NAMES = {wire.STDOUT: "stdout", wire.STDERR: "stderr"}
_BACKGROUND = {wire.STDOUT: wire.BACKGROUND_STDOUT, wire.STDERR: wire.BACKGROUND_STDERR}


class Pipes:
    """The cells' stdout and stderr.

    A cell has a pair of its own, which tells its output from that of processes and threads that an earlier one left. When no process or
    thread was made since the last cell began, nobody but the worker can write to its pair, and the next cell goes on with it.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._births = system.Births()
        self._pair = Pair()  # of the running cell, or of the next where that gets one of its own
        self._given_at = b""  # births when the worker got it; b"" is never
        self._spare: Pair | None = None
        self._running: dict[Pipe, tuple[int, Cap]] = {}  # -> wire type, cap
        self._old: dict[Pipe, tuple[int, bytes]] = {}  # -> wire type, execution
        self._old_rest_until = 0.0
        self._background = Background(time.monotonic())

    def worker_made(self) -> None:
        """Is called after a worker was made. It has no pipes yet."""
        self._births.check()
        self._given_at = b""

    def begin(self, running: Execution, now: float) -> tuple[int, ...]:
        """Begins a cell. Returns the ends to write to, which are the caller's to close; none when the worker goes on with those it has."""
        births = self._births.last()
        writers: tuple[int, ...] = ()
        if births and births == self._given_at:
            for pipe in self._pair.ready():
                left = pipe.pending()  # what a signal handler has written since the last cell
                while left > 0:
                    left -= self._read_old(pipe, now) or left
            del self._old[self._pair.stdout], self._old[self._pair.stderr]
        else:
            if self._pair.stdout.writer < 0:
                self._pair, self._spare = self._spare or Pair(), None
            writers = self._pair.writers()
            self._given_at = births
        stdout, stderr = self._pair.stdout, self._pair.stderr
        self._running = {
            stdout: (wire.STDOUT, Cap(running.request.max_stdout)),
            stderr: (wire.STDERR, Cap(running.request.max_stderr)),
        }
        # A short cell's output leaves with its DONE: one wake-up and one write, here and all the way to the daemon.
        stdout.rest_until = stderr.rest_until = now + PAUSE
        return writers

    def watch(self, wanted: dict[int, int], now: float) -> None:
        """Adds the pipes that are worth reading to what poll waits for."""
        for pipe in self._running:
            if pipe.rest_until <= now:
                wanted[pipe.fd] = select.POLLIN
        if self._old_rest_until <= now:
            for pipe in self._old:
                wanted[pipe.fd] = select.POLLIN

    def wakes_at(self, now: float) -> float:
        """Returns when a pipe that rests becomes worth reading."""
        at = self._old_rest_until if self._old and self._old_rest_until > now else float("inf")
        for pipe in self._running:
            if now < pipe.rest_until < at:
                at = pipe.rest_until
        return at

    def read(self, running: Execution | None, ready: dict[int, int], now: float) -> bool:
        """Reads the pipes that are ready. Returns whether the running cell may have ended with what it wrote."""
        small = False
        for pipe, (kind, cap) in self._running.items():
            if running is None or pipe.fd not in ready:
                continue
            for _ in range(MAX_READS):
                data = pipe.read()
                if data:
                    self._pass(running, kind, cap, data)
                if not data or len(data) < READ_SIZE:
                    break
            if data is not None and len(data) < SMALL:
                pipe.rest_until = now + PAUSE if data else float("inf")  # everybody closed it
                small = small or bool(data)
        for pipe in list(self._old):
            if pipe.fd in ready:
                self._read_old(pipe, now)
        return small

    def drain(self, running: Execution) -> None:
        """Reads what was written so far: not until there is nothing, for a child may write for ever."""
        for pipe in self._pair.ready():
            kind, cap = self._running[pipe]
            data = pipe.read()
            left = pipe.pending() if data and len(data) == READ_SIZE else 0
            while data:
                self._pass(running, kind, cap, data)
                data = pipe.read(left) if left > 0 else None
                left -= len(data or b"")

    def finish(self, running: Execution) -> None:
        """Sends the end of the output."""
        self.drain(running)
        for kind, cap in self._running.values():
            tail = cap.finish()
            if cap.dropped:
                running.cut(_NAMES[kind], cap.dropped)
                self._outbox.say(wire.CUT, {"stream": _NAMES[kind], "bytes": cap.dropped}, running.id)
            if tail:
                self._outbox.send(kind, running.id, tail)

    def retire(self, running: Execution, kept: bool, now: float) -> None:
        """Watches the pipes of a cell that has ended, for what it left behind. kept tells that the worker can go on with them."""
        if not kept:
            self._given_at = b""
        self._old_rest_until = now + OLD_PAUSE  # the next cell may come at once, and the ends that nobody needs are about to close
        for pipe, (kind, _) in self._running.items():
            self._old[pipe] = _BACKGROUND[kind], running.id
        self._running = {}
        if len(self._old) > MAX_OLD:
            for pipe in list(self._old):
                self._read_old(pipe, time.monotonic())  # most are at their end
        while len(self._old) > MAX_OLD:
            self._close_old(next(iter(self._old)))
        if self._spare is None:
            self._spare = Pair()

    def _pass(self, running: Execution, kind: int, cap: Cap, data: bytes) -> None:
        if part := cap.feed(data):
            self._outbox.send(kind, running.id, part)

    def _read_old(self, pipe: Pipe, now: float) -> int:
        """Reads what processes and threads of an ended cell write. A flood is slowed down, and mostly dropped."""
        data = pipe.read()
        if data:
            self._old_rest_until = now + OLD_PAUSE
            kind, execution = self._old[pipe]
            if part := self._background.take(data, now):
                self._outbox.send(kind, execution, part)
        elif data is not None:
            self._close_old(pipe)
        return len(data or b"")

    def _close_old(self, pipe: Pipe) -> None:
        del self._old[pipe]
        pipe.close()
        if pipe in (self._pair.stdout, self._pair.stderr):
            self._given_at = b""
