"""The worker's end of its control socket."""

from __future__ import annotations

import _thread
import os
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
        if self._sock is None:
            raise Closed
        packet, ancillary, _, _ = self._sock.recvmsg(control.MAX_PACKET, _ANCILLARY)
        if not packet:
            raise Closed
        kind, number, size = control.FIRST.unpack_from(packet)
        body = packet[control.FIRST.size :]
        if len(body) < size:
            parts = bytearray(body)
            while len(parts) < size:
                packet = self._sock.recv(control.MAX_PACKET)
                if not packet:
                    raise Closed
                parts += memoryview(packet)[1:]
            body = bytes(parts)
        return Message(kind, number, body, control.received(ancillary) if ancillary else [])

    def fileno(self) -> int:
        return -1 if self._sock is None else self._sock.fileno()

    def _abandon(self) -> None:
        """A forked child must never speak for the worker."""
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._sending = _thread.allocate_lock()
