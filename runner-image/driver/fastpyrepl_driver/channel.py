"""The worker's end of its control socket."""

from __future__ import annotations

from .private import BUILTINS, os  # first: see there

__builtins__ = BUILTINS

import _thread
import signal

import _signal  # without the enums of signal, which cost more than the calls
import _socket

from . import control

_ALL_SIGNALS = frozenset(map(int, signal.valid_signals()))
_ANCILLARY = _socket.CMSG_SPACE(8)  # two descriptors


class Closed(Exception):
    """There is no supervisor to talk to: this is a process that user code forked, or its socket was closed."""


class Message:
    """A message from the supervisor."""

    __slots__ = ("kind", "number", "body", "fds")

    def __init__(self, kind: int, number: int, body: bytes, fds: list[int]) -> None:
        self.kind = kind
        self.number = number
        self.body = body
        self.fds = fds


class Channel:
    """Sends from any thread; receives in the main thread only."""

    def __init__(self, sock: _socket.socket) -> None:
        self._sock: _socket.socket | None = sock
        self._sending = _thread.allocate_lock()
        self._number = 0
        self._parts = bytearray()  # of the message that is being received
        self._head: tuple[int, int, int, list[int]] | None = None  # and what its first packet said
        os.register_at_fork(after_in_child=self._abandon)

    def number(self) -> int:
        """Returns a new number for a message that is to be answered."""
        self._number += 1
        return self._number

    def send(self, kind: int, body: bytes = b"", number: int = 0) -> None:
        """Sends a message whole, whatever signals arrive. A display within a signal handler that interrupted another fails."""
        packets = control.packets(kind, number, body)
        if len(packets) == 1 and self._sending.acquire(False):
            try:
                self._send(packets)
            finally:
                self._sending.release()
            return
        before = _signal.pthread_sigmask(_signal.SIG_SETMASK, _ALL_SIGNALS)
        try:
            with self._sending:
                self._send(packets)
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, before)

    def _send(self, packets: list[bytes]) -> None:
        if self._sock is None:
            raise Closed
        for packet in packets:
            self._sock.send(packet)

    def receive(self) -> Message:
        """Waits for the next message. Raises Closed when the supervisor is gone."""
        while self._sock is not None:
            packet, ancillary, _, _ = self._sock.recvmsg(control.MAX_PACKET, _ANCILLARY)
            if not packet:
                break
            if packet[0] != control.MORE:
                kind, number, size = control.FIRST.unpack_from(packet)
                fds = control.received(ancillary) if ancillary else []
                parts = packet[control.FIRST.size :]
                if len(parts) == size:
                    return Message(kind, number, parts, fds)
                self._parts = bytearray(parts)
                self._head = kind, number, size, fds
            elif self._head is not None:  # else the rest of a message whose receiver was interrupted
                self._parts += memoryview(packet)[1:]
                kind, number, size, fds = self._head
                if len(self._parts) == size:
                    body, self._parts, self._head = bytes(self._parts), bytearray(), None
                    return Message(kind, number, body, fds)
        raise Closed

    def fileno(self) -> int:
        return -1 if self._sock is None else self._sock.fileno()

    def _abandon(self) -> None:
        """A forked child must never speak for the worker."""
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._sending = _thread.allocate_lock()
