"""Transfers of files, as the supervisor sees them: it passes frames on, and never touches the file system itself.

The file server does, a process that is forked when it is needed: it may wait, for a file system or for memory, and the supervisor
must not. User code can kill or stop it, as it can any process but the supervisor; that costs the transfers under way. It can neither
read nor trace it, nor reach its socket.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

import _socket

from . import process, wire
from .outbox import Outbox
from .process import Peer

HEAD = 17  # bytes of a packet between the two before its payload: a frame's type, and the transfer
MAX_PACKET = HEAD + wire.MAX_PAYLOAD
MAX_WAITING = wire.MAX_TRANSFERS * (wire.FILE_WINDOW_SIZE + MAX_PACKET)  # bytes that may wait for the file server
MAX_PACKETS = 8  # of the file server, before others have their turn
IDLE = 10.0  # seconds without a transfer, after which the file server ends
PATIENCE = 5.0  # seconds for a transfer to end that was cancelled

_DIED = "the process that served it was killed from inside the session, or with everything else in it"


class Files:
    """The supervisor's end of all transfers."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._server: Peer | None = None
        self.pid = 0  # of the file server
        self._open: dict[bytes, bool] = {}  # transfers that it knows of -> whether a daemon wants to hear of them
        self._cancelled: dict[bytes, float] = {}  # those of them that were cancelled -> when they should have ended
        self._idle_since = 0.0

    def handle(self, frame: wire.Frame) -> bool:
        """Passes a frame of the daemon's on. Returns False when it is beyond the window."""
        kind, id = frame.type, frame.execution
        server = self._server
        if kind == wire.FILE_OPEN:
            if id in self._open:
                return True
            if len(self._open) >= wire.MAX_TRANSFERS:
                self._fail(id, "busy", f"{wire.MAX_TRANSFERS} transfers are open, which is the most that may be")
                return True
            if server is None and (server := self._start()) is None:
                self._fail(id, "aborted", "the session has too many processes for one that serves files")
                return True
            self._open[id] = True
        elif server is None or not self._open.get(id):
            return True  # it has ended meanwhile
        elif kind == wire.FILE_CANCEL:
            self._cancelled[id] = time.monotonic() + PATIENCE
        elif kind == wire.FILE_DATA and server.waiting > MAX_WAITING:
            return False
        server.pass_on(bytes((kind,)) + id + frame.payload)
        return True

    def attached(self) -> None:
        """Ends the transfers of an earlier attachment."""
        for id, wanted in self._open.items():
            if wanted and self._server is not None:
                self._open[id] = False
                self._cancelled[id] = time.monotonic() + PATIENCE
                self._server.pass_on(bytes((wire.FILE_CANCEL,)) + id)

    def watch(self, wanted: dict[int, int], held: bool) -> None:
        """Adds the file server's socket to what poll waits for."""
        server = self._server
        if server is not None and (events := (0 if held else select.POLLIN) | (select.POLLOUT if server.waiting else 0)):
            wanted[server.fd] = events

    def read(self, ready: dict[int, int]) -> None:
        """Passes on what the file server says."""
        server = self._server
        if server is None or server.fd not in ready:
            return
        server.flush()
        for _ in range(MAX_PACKETS):
            if self._outbox.full():
                return
            try:
                packet = server.sock.recv(MAX_PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._died()
                return
            kind, id = packet[0], packet[1:HEAD]
            if self._open.get(id):
                self._outbox.send(kind, id, packet[HEAD:])
            if kind == wire.FILE_DONE:
                self._open.pop(id, None)
                self._cancelled.pop(id, None)
                self._idle_since = time.monotonic()

    def tick(self, now: float) -> None:
        """Is called now and then, for what is due."""
        server = self._server
        if server is None:
            return
        if not self._open:
            if now >= self._idle_since + IDLE:
                self._close()  # which ends it, unless user code has stopped it
                self._signal(signal.SIGKILL)
        elif any(now >= due for due in self._cancelled.values()):
            self._signal(signal.SIGKILL)
        else:
            self._signal(signal.SIGCONT)  # user code may have stopped it

    def reaped(self, pid: int) -> None:
        """Notes that a child ended: the file server, perhaps. Its socket tells the rest."""
        if pid == self.pid:
            self.pid = 0

    def killed(self) -> None:
        """Notes that every process was killed."""
        self.pid = 0

    def _start(self) -> Peer | None:
        """Starts the file server. Returns None when there is no room for another process."""
        try:
            self.pid, sock = process.fork(_become, 0)
        except OSError:
            return None
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 0)  # nobody else has the other end
        self._server = Peer(sock)
        self._idle_since = time.monotonic()
        return self._server

    def _died(self) -> None:
        self._close()
        for id, wanted in self._open.items():
            if wanted:
                self._fail(id, "aborted", _DIED)
        self._cancelled.clear()
        if self._open:
            self._open.clear()
            self._start()  # at once, for it begins with removing what the last one had half written

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _signal(self, number: int) -> None:
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def _fail(self, id: bytes, code: str, message: str) -> None:
        self._outbox.send(wire.FILE_DONE, id, json.dumps({"error": {"code": code, "message": message}}).encode())


def _become(sock: _socket.socket) -> None:
    from . import fileserver  # here, for the supervisor need not hold it

    fileserver.main(sock)
