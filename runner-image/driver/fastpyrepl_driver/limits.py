"""Bounds on user code that the driver calls: a repr that does not end, a JSON encoding that does not fit."""

from __future__ import annotations

from .private import BUILTINS, time  # first: see there

__builtins__ = BUILTINS

import math
import resource
from collections.abc import Callable

import _signal

# Memory of the container that the worker leaves to the supervisor, to child processes and to the page tables.
_RESERVE = 24 << 20  # bytes
_HEADROOM = 64 << 20  # bytes that formatting values may take
_BREATH = 2 << 20  # bytes more after a MemoryError

_LEAST = 0.01  # seconds that are worth calling anything for
_ELSEWHERE = object()  # another thread than the main one

_armed = False
_interrupted = False  # somebody sent an interrupt while the timer ran
_on_interrupt = _signal.default_int_handler  # what it does then


class Expired(BaseException):
    """Code of the user took longer than it was given."""


class Unsent(Exception):
    """Code of the user raised a KeyboardInterrupt, its cause, and nobody had sent an interrupt."""


class Budget:
    """How long code of the user may take that formats the values of one cell: all of it no longer than half of what is left of the cell's
    time. So a cell that ended well does not become a timeout, however many values have a repr that does not end.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._left = math.inf

    def left(self) -> float:
        """Returns how many seconds it may take, 0 for none."""
        self._left = min(self._left, (self._deadline - time.monotonic()) / 2)
        return self._left if self._left >= _LEAST else 0.0

    def spend(self, seconds: float) -> None:
        self._left -= seconds


def within(seconds: float, function: Callable[..., object], *args: object) -> object:
    """Calls function, and raises Expired in it when it takes longer, or at once when there is no time. A timer of the user's is kept.

    A KeyboardInterrupt from function is one that somebody sent; another becomes Unsent.
    Signals are for the main thread only: in another function may take as long as it likes.
    """
    if seconds <= 0:
        raise Expired
    try:
        alarm = _signal.signal(_signal.SIGALRM, _expire)
    except ValueError:
        alarm = _ELSEWHERE
    if alarm is _ELSEWHERE:
        return function(*args)
    return _timed(seconds, alarm, function, args)


def _timed(seconds: float, alarm: object, function: Callable[..., object], args: tuple[object, ...]) -> object:
    global _armed, _interrupted, _on_interrupt
    armed = _armed  # by a call that this one is within
    interrupt = _signal.getsignal(_signal.SIGINT)
    started = time.monotonic()
    before = _signal.setitimer(_signal.ITIMER_REAL, seconds, 0.1)  # again, should the code catch what it raises
    try:
        if callable(interrupt) and interrupt is not _interrupt:
            _interrupted, _on_interrupt = False, interrupt
            _signal.signal(_signal.SIGINT, _interrupt)
        try:
            _armed = True
            return function(*args)
        except KeyboardInterrupt as error:
            if _interrupted:
                raise
            raise Unsent from error
        finally:
            _armed = False
    finally:
        _armed = False  # also when it expired between the two
        left = max(before[0] - (time.monotonic() - started), 0.000001) if before[0] else 0.0
        _signal.setitimer(_signal.ITIMER_REAL, left, before[1])
        _signal.signal(_signal.SIGALRM, _signal.SIG_DFL if alarm is None else alarm)
        if _signal.getsignal(_signal.SIGINT) is _interrupt:
            _signal.signal(_signal.SIGINT, interrupt)
        _armed = armed


def _expire(*_: object) -> None:
    if _armed:
        raise Expired


def _interrupt(number: int, frame: object) -> None:
    global _interrupted
    _interrupted = True
    _on_interrupt(number, frame)


class Memory:
    """Keeps this process a little below the container's limit, so that what is too large is a MemoryError and not its end."""

    def __init__(self) -> None:
        self._limit = self._most = resource.RLIM_INFINITY

    def set(self, container: int) -> None:
        """Follows the container's memory limit; 0 is unknown."""
        if container:
            self._limit = max(container - max(_RESERVE, container // 16), container // 2)
            self._most = self._limit + (container - self._limit) // 3
        else:
            self._limit = self._most = resource.RLIM_INFINITY
        self._apply(self._limit)

    def breathe(self) -> None:
        """Gives a little more after a MemoryError, a few times: what filled the memory is still there, and the next cell may free it."""
        if self._limit < self._most:
            self._limit = min(self._limit + _BREATH, self._most)
            self._apply(self._limit)

    def tighten(self, size: int) -> None:
        """Leaves room for formatting values of so many bytes, and not much more. Undone by relax."""
        if self._limit != resource.RLIM_INFINITY:
            with open("/proc/self/statm", "rb") as file:
                used = int(file.read().split()[5]) * resource.getpagesize()
            self._apply(min(self._limit, used + _HEADROOM + 8 * size))

    def relax(self) -> None:
        """Undoes tighten."""
        if self._limit != resource.RLIM_INFINITY:
            self._apply(self._limit)

    def _apply(self, soft: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
            soft = hard
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        except (OSError, ValueError):
            pass  # user code lowered the hard limit; the container's limit stands
