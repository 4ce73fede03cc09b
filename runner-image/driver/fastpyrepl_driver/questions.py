"""The question that the worker is at: one at a time, and nobody waits for its answer for long."""

from __future__ import annotations

import math

from . import control, wire
from .outbox import Outbox
from .process import Worker

PATIENCE = 3.0  # seconds for the worker to answer
MAX_SIZE = 6 * wire.MAX_QUESTION + 1024  # bytes of a question: each of its code's may be escaped


class Questions:
    """Passes questions to the worker, and its answers to the daemon. Each has exactly one reply."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._number = 0  # of the last one, by which the worker answers
        self._busy = False  # the worker has not answered it
        self._id = b""  # of the one whose answer is waited for
        self.late_at = math.inf  # when that is no longer waited for

    def ask(self, frame: wire.Frame, worker: Worker | None, idle: bool, now: float) -> None:
        """Has the worker answer, or says why it does not."""
        if len(frame.payload) > MAX_SIZE:
            self._reject(frame.execution, "failed", f"the question has more than {MAX_SIZE} bytes")
        elif not idle or self._busy or worker is None or not worker.ready:
            self._reject(frame.execution, "busy", "the session is at something else")
        else:
            self._number += 1
            self._busy, self._id, self.late_at = True, frame.execution, now + PATIENCE
            worker.send(control.QUESTION, self._number, bytes((frame.type,)) + frame.payload)

    def hear(self, packet: bytes) -> None:
        """Takes the worker's answer, which is empty when it could not say."""
        if len(packet) < control.FIRST.size:
            return
        _, number, size = control.FIRST.unpack_from(packet)
        body = packet[control.FIRST.size :]
        if not self._busy or number != self._number or size != len(body):
            return  # nobody asked, or not for that much
        self._busy = False
        if not self._id:
            return  # it is late
        if body:
            self._outbox.send(wire.ANSWER, self._id, body)
            self._forget()
        else:
            self._refuse("failed", "the session's process could not say")

    def give_up(self) -> None:
        """Says that the answer is late. The worker goes on with it."""
        self._refuse("late", f"the session's process did not answer within {PATIENCE:g} s")

    def worker_ended(self) -> None:
        self._busy = False
        if self._id:
            self._refuse("failed", "the session's process died")

    def attached(self) -> None:
        """Another daemon is there, which has asked nothing."""
        self._forget()

    def _refuse(self, code: str, message: str) -> None:
        self._reject(self._id, code, message)
        self._forget()

    def _forget(self) -> None:
        self._id, self.late_at = b"", math.inf

    def _reject(self, question: bytes, code: str, message: str) -> None:
        self._outbox.say(wire.REJECT, {"code": code, "message": message}, question)
