"""The supervisor's stdout: frames that wait to be written."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from itertools import islice

from . import wire
from .kept import Keeper
from .output import widen

MAX_UNSENT = 1 << 20  # bytes, beyond which nothing more is read from the worker
REFILL = 256 << 10  # bytes, below which a replay goes on
MAX_PIECES = 256  # in one write


class Outbox:
    """Sends frames with the epoch of the attachment, without ever waiting for whoever reads them."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.epoch = 0  # 0 until the first HELLO
        self.broken = False  # nobody can read any more
        self.keeper = Keeper()
        self._unsent: deque[bytes | memoryview] = deque()  # headers and payloads in turn; the first may be the rest of one
        self._size = 0  # bytes of them
        self._replay: Iterator[tuple[int, bytes, bytes, bool, int]] | None = None
        self._wide = False

    def begin(self, epoch: int) -> None:
        """Begins an attachment. What the last one has not taken is dropped: it was kept, or nobody's."""
        self.epoch = epoch
        self._unsent.clear()
        self._size = 0
        self._replay = None

    def replay(self) -> None:
        """Sends what is kept once more, before anything else of an execution's."""
        self._replay = self.keeper.replay()
        self._refill()

    def send(self, kind: int, execution: bytes, payload: bytes, more: bool = False) -> None:
        """Queues a message: one frame, or as many as the payload takes."""
        while len(payload) > wire.MAX_PAYLOAD:
            self._queue(kind, execution, payload[: wire.MAX_PAYLOAD], more or kind not in wire.STREAMS)
            payload = payload[wire.MAX_PAYLOAD :]
        self._queue(kind, execution, payload, more)

    def say(self, kind: int, fields: dict[str, object], execution: bytes = wire.NO_EXECUTION) -> None:
        """Queues a JSON message."""
        self.send(kind, execution, json.dumps(fields).encode())

    def _queue(self, kind: int, execution: bytes, payload: bytes, more: bool) -> None:
        seq = self.keeper.add(kind, execution, payload, more)
        if self._replay is None or not seq:  # else its turn comes
            self._append(kind, execution, payload, more, seq)

    def _refill(self) -> None:
        while self._replay is not None and self._size < REFILL:
            frame = next(self._replay, None)
            if frame is None:
                self._replay = None
            else:
                self._append(*frame)

    def _append(self, kind: int, execution: bytes, payload: bytes, more: bool, seq: int) -> None:
        self._unsent.append(wire.head(kind, self.epoch, execution, payload, more, seq))
        if payload:
            self._unsent.append(payload)
        self._size += wire.HEADER_SIZE + len(payload)

    def write(self) -> None:
        """Writes what the pipe takes now."""
        if not self._unsent:
            return
        try:
            sent = os.writev(self.fd, list(islice(self._unsent, MAX_PIECES)))
        except BlockingIOError:
            sent = 0
        except BrokenPipeError:
            self.broken = True
            return
        self._size -= sent
        while sent:
            piece = self._unsent.popleft()
            if sent < len(piece):
                self._unsent.appendleft(memoryview(piece)[sent:])
                break
            sent -= len(piece)
        if self._size and not self._wide:
            self._wide = widen(self.fd)
        if self._replay is not None:
            self._refill()

    def waits(self) -> bool:
        """Tells whether there is something to write."""
        return self._size > 0

    def full(self) -> bool:
        """Tells whether so much waits that nothing should be added that can wait elsewhere."""
        return self._size > MAX_UNSENT or self._replay is not None
