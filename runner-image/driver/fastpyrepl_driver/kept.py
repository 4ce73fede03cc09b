"""What was said of executions that no daemon has acknowledged: a daemon that comes later hears it again from the start."""

from __future__ import annotations

import time
from collections.abc import Iterator

from . import wire

MAX_EXECUTIONS = 256
DEFAULT_ROOM = 8 << 20  # bytes, as long as the container's memory is unknown
MOST_ROOM = 32 << 20
LEAST_ROOM = 1 << 20
SHARE = 32  # of the container's memory, one part
OVERHEAD = 128  # bytes that a message takes beside its payload

_BACKGROUND = frozenset((wire.BACKGROUND_STDOUT, wire.BACKGROUND_STDERR, wire.REJECT, wire.WINDOW_GRANT))


class Kept:
    """The messages of one execution, in the frames that they were sent in."""

    def __init__(self, meta: str, count: int) -> None:
        self.meta = meta
        self.count = count
        self.running = True
        self.size = 0  # bytes
        self.missing = 0  # bytes of messages for which there was no room
        self.seq = 0  # of the last frame
        self.frames: list[tuple[int, int, bytes, bool]] = []  # seq, type, payload, more
        self._began = time.monotonic()
        self._split = -1  # where the message that is not whole yet begins in frames, -1 for none
        self._skips = False  # the rest of a message that is not kept

    def add(self, kind: int, payload: bytes, more: bool, room: int) -> int:
        """Keeps a frame if there is room. Returns its number."""
        self.seq += 1
        size = len(payload) + OVERHEAD
        if self._skips or (size > room and kind != wire.DONE):
            self._skip(len(payload), more)
            return self.seq
        if more and self._split < 0:
            self._split = len(self.frames)
        elif not more:
            self._split = -1
        self.frames.append((self.seq, kind, payload, more))
        self.size += size
        return self.seq

    def _skip(self, size: int, more: bool) -> None:
        """Leaves a frame out, and with it what there is already of its message."""
        self.missing += size
        self._skips = more
        if self._split >= 0:
            for _, _, payload, _ in self.frames[self._split :]:
                self.missing += len(payload)
                self.size -= len(payload) + OVERHEAD
            del self.frames[self._split :]
            self._split = -1

    def age(self, now: float) -> float:
        return now - self._began


class Keeper:
    """Keeps executions, the oldest first, within a number of bytes. Those that have ended make room for the one that runs."""

    def __init__(self) -> None:
        self._room = DEFAULT_ROOM
        self._kept: dict[bytes, Kept] = {}
        self._size = 0

    def set_memory(self, memory: int) -> None:
        """Follows the container's memory limit; 0 is unknown."""
        self._room = min(MOST_ROOM, max(LEAST_ROOM, memory // SHARE)) if memory else DEFAULT_ROOM

    def begin(self, execution: bytes, meta: str, count: int) -> None:
        """Keeps what is said of an execution from now on."""
        if len(self._kept) >= MAX_EXECUTIONS:
            self._forget(next(iter(self._kept)))
        self._kept[execution] = Kept(meta, count)

    def add(self, kind: int, execution: bytes, payload: bytes, more: bool) -> int:
        """Returns the number of a frame that is about to be sent, 0 where it is none of an execution's."""
        kept = self._kept.get(execution)
        if kept is None or not kept.running or kind in _BACKGROUND:
            return 0
        size = len(payload) + OVERHEAD
        while self._size + size > self._room and (oldest := next(iter(self._kept))) != execution:
            self._forget(oldest)
        self._size -= kept.size
        seq = kept.add(kind, payload, more, self._room - self._size - kept.size)
        self._size += kept.size
        if kind == wire.DONE:
            kept.running = False
        return seq

    def acknowledge(self, execution: bytes) -> None:
        """Forgets an execution that has ended: a daemon knows of it."""
        kept = self._kept.get(execution)
        if kept is not None and not kept.running:
            self._forget(execution)

    def _forget(self, execution: bytes) -> None:
        self._size -= self._kept.pop(execution).size

    def describe(self, name: object) -> list[dict[str, object]]:
        """Says what is kept, as READY does. name turns an execution's id into text."""
        now = time.monotonic()
        return [{"id": name(execution), "meta": kept.meta, "count": kept.count, "age": kept.age(now), "running": kept.running,
                 "missing": kept.missing} for execution, kept in self._kept.items()]

    def replay(self) -> Iterator[tuple[int, bytes, bytes, bool, int]]:
        """Yields every frame that is kept, also those that are added meanwhile: type, execution, payload, more, number."""
        for execution in list(self._kept):
            kept = self._kept[execution] if execution in self._kept else None
            at = 0
            while kept is not None and at < len(kept.frames):
                seq, kind, payload, more = kept.frames[at]
                at += 1
                yield kind, execution, payload, more, seq
