"""The supervisor's stdout: frames that wait to be written."""

from __future__ import annotations

import json
import os

from . import wire
from .output import widen

MAX_UNSENT = 1 << 20  # bytes, beyond which nothing more is read from the worker


class Outbox:
    """Sends frames with the epoch of the attachment, without ever waiting for whoever reads them."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.epoch = 0  # 0 until the first HELLO
        self.broken = False  # nobody can read any more
        self._unsent = bytearray()
        self._wide = False

    def send(self, kind: int, execution: bytes, payload: bytes, more: bool = False) -> None:
        """Queues a message: one frame, or as many as the payload takes."""
        while len(payload) > wire.MAX_PAYLOAD:
            self._unsent += wire.encode(kind, self.epoch, execution, payload[: wire.MAX_PAYLOAD], more or kind not in wire.STREAMS)
            payload = payload[wire.MAX_PAYLOAD :]
        self._unsent += wire.encode(kind, self.epoch, execution, payload, more)

    def say(self, kind: int, fields: dict[str, object], execution: bytes = wire.NO_EXECUTION) -> None:
        """Queues a JSON message."""
        self.send(kind, execution, json.dumps(fields).encode())

    def write(self) -> None:
        """Writes what the pipe takes now."""
        if self._unsent:
            try:
                del self._unsent[: os.write(self.fd, self._unsent)]
                if self._unsent and not self._wide:
                    self._wide = widen(self.fd)
            except BlockingIOError:
                pass
            except BrokenPipeError:
                self.broken = True

    def waits(self) -> bool:
        """Tells whether there is something to write."""
        return bool(self._unsent)

    def full(self) -> bool:
        """Tells whether so much waits that nothing should be added that can wait elsewhere."""
        return len(self._unsent) > MAX_UNSENT
