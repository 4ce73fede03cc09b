"""The file server: the process that touches the working directory for the daemon. See files, which starts it.

One thread. Transfers are generators that take turns: each yields what it waits for, and does a bounded piece of work in between.
"""

from __future__ import annotations

import json
import os
from collections import deque

import _socket

from . import files, system, wire, worker
from .fileops import DATA, TURN, begin
from .filetree import Refused, Tree

GRANT = wire.FILE_WINDOW_SIZE // 4  # bytes that are worth a grant


def main(sock: _socket.socket) -> None:
    """Serves until the supervisor closes the socket."""
    worker.leave_supervisor(sock)
    system.ignore_signals()
    system.set_dumpable(False)
    Server(sock).serve()
    os._exit(0)


class Transfer:
    """One operation under way."""

    def __init__(self, server: Server, id: bytes) -> None:
        self._server = server
        self._id = id
        self.work = None  # see fileops
        self.waits_for = TURN
        self.credit = wire.FILE_WINDOW_SIZE  # bytes that may be sent
        self._sent = 0
        self._taken = 0  # bytes of the daemon's
        self._granted = 0
        self.received: deque[bytes | None] = deque()  # None is the end

    def ready(self) -> bool:
        """Tells whether it can go on."""
        if self.waits_for == DATA:
            return bool(self.received)
        return self.waits_for == TURN or self.credit >= wire.MAX_PAYLOAD

    def take(self) -> bytes | None:
        """Returns the next bytes of the daemon's, None at their end."""
        data = self.received.popleft()
        if data is not None:
            self._taken += len(data)
            if self._taken - self._granted >= GRANT:
                self._granted = self._taken
                self.say(wire.FILE_GRANT, {"consumed": self._taken})
        return data

    def consumed(self, total: int) -> None:
        """Notes what the daemon has taken."""
        self.credit = wire.FILE_WINDOW_SIZE - (self._sent - total)

    def say(self, kind: int, fields: dict[str, object]) -> None:
        self._server.send(kind, self._id, json.dumps(fields, ensure_ascii=False).encode())

    def send(self, data: bytes) -> None:
        """Sends bytes of its own, at most MAX_PAYLOAD, for which it had credit."""
        self._sent += len(data)
        self.credit -= len(data)
        self._server.send(wire.FILE_BYTES, self._id, data)


class Server:
    """Serves transfers, all at once."""

    def __init__(self, sock: _socket.socket) -> None:
        self._sock = sock
        self._tree = Tree()
        self._open: dict[bytes, Transfer] = {}

    def serve(self) -> None:
        """Returns when the supervisor has closed the socket."""
        self._tree.clean()
        while True:
            ready = [(id, transfer) for id, transfer in self._open.items() if transfer.ready()]
            while True:
                try:
                    packet = self._sock.recv(files.MAX_PACKET, _socket.MSG_DONTWAIT if ready else 0)
                except BlockingIOError:
                    break
                if not packet:
                    return
                self._hear(packet[0], packet[1 : files.HEAD], packet[files.HEAD :])
                if not ready:
                    break
            for id, transfer in ready:
                if id in self._open:
                    self._step(id, transfer)

    def send(self, kind: int, id: bytes, payload: bytes) -> None:
        """Sends a packet, which may wait: the supervisor always takes it sooner or later."""
        self._sock.send(bytes((kind,)) + id + payload)

    def _hear(self, kind: int, id: bytes, payload: bytes) -> None:
        transfer = self._open.get(id)
        if kind == wire.FILE_OPEN:
            self._begin(id, payload)
        elif transfer is None:
            pass  # it has ended meanwhile
        elif kind == wire.FILE_DATA:
            transfer.received.append(payload)
        elif kind == wire.FILE_END:
            transfer.received.append(None)
        elif kind == wire.FILE_WINDOW:
            transfer.consumed(json.loads(payload)["consumed"])
        elif kind == wire.FILE_CANCEL:
            transfer.work.close()
            self._end(id, Refused("cancelled", "nobody wants it any more"))

    def _begin(self, id: bytes, payload: bytes) -> None:
        transfer = self._open[id] = Transfer(self, id)
        try:
            transfer.work = begin(self._tree, transfer, payload)
        except Refused as refused:
            self._end(id, refused)

    def _step(self, id: bytes, transfer: Transfer) -> None:
        try:
            transfer.waits_for = transfer.work.send(transfer.take() if transfer.waits_for == DATA else None)
        except StopIteration as done:
            self._end(id, None, **done.value)
        except Refused as refused:
            self._end(id, refused)
        except Exception as error:
            self._end(id, Refused.by(error))

    def _end(self, id: bytes, refused: Refused | None, **fields: object) -> None:
        transfer = self._open.pop(id)
        if refused is not None:
            fields = {"error": {"code": refused.code, "message": str(refused)}, "file": refused.file}
        transfer.say(wire.FILE_DONE, fields)
