"""The sys.stdout, sys.stderr and sys.stdin of cells."""

from __future__ import annotations

from .private import BUILTINS, os  # first: see there

__builtins__ = BUILTINS

import _thread
import builtins
import io
import sys
import types
from collections.abc import Callable

from . import system

_builtin_input = builtins.input


class Output:
    """Keeps sys.stdout and sys.stderr of the current cell's pipes, and lets threads of earlier cells write to their own cell's.

    Writes go through at once, so that text and what C code or child processes write stay in order. The streams stay the same from
    cell to cell, for whoever keeps them (logging handlers do) means "where output goes now". They are as fast as C is as long as no
    thread was left by an earlier cell.
    """

    def __init__(self) -> None:
        self._owners: dict[int, _Owner] = {}  # by the ident of a thread of an earlier cell
        self._streams = [_Stream(fd, self.owner) for fd in (1, 2)]
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = [stream.text() for stream in self._streams]
        self._pipes: list[int] = []  # duplicates of 1 and 2, for the next cell to go on with
        self.kept = False  # it can: nobody else writes to them

    def make_room(self) -> None:
        """Lets the next cell's pipes in, also when user code has opened all the files that it may."""
        while self._pipes:
            try:
                os.close(self._pipes.pop())
            except OSError:
                pass  # user code closed it

    def begin(self, pipes: list[int]) -> None:
        """Begins a cell with its own pipes, of which it takes the descriptors over; without any it goes on with the last cell's."""
        self._prune()
        kept, self.kept = self.kept, False
        if len(pipes) == 2:
            self._take(*pipes)
        elif pipes or not kept:
            raise OSError("too many open files")
        sys.stdout, sys.stderr = self._streams[0].text(), self._streams[1].text()

    def _take(self, stdout: int, stderr: int) -> None:
        if min(stdout, stderr) < 3:  # the last cell closed its own, and these took their numbers
            stdout, stderr = system.duplicate_high(stdout), system.duplicate_high(stderr)
        for target, fd in ((1, stdout), (2, stderr)):
            os.dup2(fd, target)
            os.close(fd)
        try:
            for fd in (1, 2):
                self._pipes.append(system.duplicate_high(fd))
        except OSError:
            pass  # user code lowered the limit, or closed everything

    def flush(self) -> None:
        """Writes out what user code's own streams hold back. The cell's are never behind."""
        for name in ("stdout", "stderr"):
            try:
                getattr(sys, name).flush()
            except Exception:
                pass  # deleted, replaced, closed, or hostile

    def end(self) -> None:
        """Ends a cell: threads that it leaves behind keep writing to its pipes, and so may the next one, whatever this one did to 1 and 2."""
        left: set[int] = set()
        if _thread._count():
            self._prune()
            if left := _busy() - self._owners.keys():
                pipes = system.duplicate_high(1), system.duplicate_high(2)
                self._owners.update((ident, _Owner(_thread_of(ident), pipes)) for ident in left)
                self._route()
        if len(self._pipes) == 2:
            try:
                os.dup2(self._pipes[0], 1)
                os.dup2(self._pipes[1], 2)
                self.kept = not left
            except OSError:
                pass  # user code closed them

    def owner(self) -> _Owner | None:
        """Returns what the calling thread was left with by an earlier cell, None when it is one of the current cell's."""
        ident = _thread.get_ident()
        owner = self._owners.get(ident)
        return owner if owner is not None and owner.has(ident) else None

    def _prune(self) -> None:
        if not self._owners:
            return
        busy, before = _busy(), self._owners
        self._owners = {ident: owner for ident, owner in before.items() if ident in busy and owner.has(ident)}
        for pipes in {owner.pipes for owner in before.values()} - {owner.pipes for owner in self._owners.values()}:
            for fd in pipes:
                try:
                    os.close(fd)
                except OSError:
                    pass  # user code closed it
        self._route()

    def _route(self) -> None:
        for stream in self._streams:
            stream.route(bool(self._owners))


class _Owner:
    """What a thread was left with by its cell."""

    __slots__ = ("thread", "pipes")

    def __init__(self, thread: object, pipes: tuple[int, int]) -> None:
        self.thread = thread  # its Thread, None where it has none
        self.pipes = pipes  # its cell's stdout and stderr

    def has(self, ident: int) -> bool:
        """Tells whether this is still the thread's ident: of one that has ended it may be a new thread's."""
        return self.thread is None or self.thread is _thread_of(ident)


def _thread_of(ident: int) -> object:
    """Returns the Thread that has this ident now."""
    active = getattr(sys.modules.get("threading"), "_active", None)
    return active.get(ident) if type(active) is dict else None


def _busy() -> set[int]:
    """Returns the idents of the other threads that have something to do."""
    mine = _thread.get_ident()
    busy: set[int] = set()
    waiting: dict[int, tuple[object, set[int]]] = {}  # by the id of the pool, whose hash may be the user's
    for ident, frame in sys._current_frames().items():
        if ident == mine:
            continue
        pool = _waits_in(frame)
        if pool is None:
            busy.add(ident)
        else:
            waiting.setdefault(id(pool), (pool, set()))[1].add(ident)
    for pool, idents in waiting.values():
        if _idle(pool) < len(idents):  # some were handed work, which no frame shows before they begin
            busy |= idents
    return busy


def _waits_in(frame: types.FrameType) -> object:
    """Returns the pool whose thread this is, if it waits for work: what it does next is what a later cell asks for."""
    if frame.f_code.co_name != "_worker" or frame.f_globals.get("__name__") != "concurrent.futures.thread":
        return None
    try:
        names = frame.f_locals
        return names["executor_reference"]() if names["work_queue"].empty() and names.get("work_item") is None else None
    except Exception:
        return None  # it has just begun, or is no pool's


def _idle(pool: object) -> int:
    """Returns how many threads a pool takes for idle. It counts one that is handed work as busy at once."""
    try:
        return pool._idle_semaphore._value
    except Exception:
        return 0


class _Stream:
    """Makes a text stream over a descriptor, anew when user code has closed the last."""

    def __init__(self, fd: int, owner: Callable[[], _Owner | None]) -> None:
        self._fd, self._owner = fd, owner
        self._raw: _Raw | None = None
        self._text: io.TextIOWrapper | None = None

    def text(self) -> io.TextIOWrapper:
        if self._text is None or self._broken():
            routed = type(self._raw) is _Routed
            self._raw = raw = _Raw(self._fd, "wb", closefd=False)
            raw.name = "<stdout>" if self._fd == 1 else "<stderr>"
            raw.owner = self._owner
            self.route(routed)
            errors = "surrogateescape" if self._fd == 1 else "backslashreplace"  # as Python does in a C or UTF-8 locale
            self._text = io.TextIOWrapper(raw, "utf-8", errors, newline="\n", write_through=True)
            self._text.mode = "w"
        return self._text

    def route(self, routed: bool) -> None:
        """Lets threads of earlier cells write to their own cell's pipes, or all threads to the descriptor."""
        self._raw.__class__ = _Routed if routed else _Raw

    def _broken(self) -> bool:
        try:
            return self._text.closed or not self._text.write_through or self._text.encoding != "utf-8"
        except ValueError:  # detached
            return True


class _Raw(io.FileIO):
    """Writes to its descriptor."""

    owner: Callable[[], _Owner | None]


class _Routed(_Raw):
    """Writes to the pipe of the cell that the writing thread belongs to."""

    def write(self, data: bytes) -> int:
        owner = self.owner()
        return super().write(data) if owner is None else os.write(owner.pipes[self.fileno() - 1], data)


class Input:
    """What sys.stdin and input() read: the bytes that came with the execution, then lines that are asked for, or nothing."""

    def __init__(self, ask: Callable[[str, bool], str | None]) -> None:
        self._ask = ask  # a prompt, and whether to hide the answer -> a line, None at the end
        self._asks = False
        self._prompt: tuple[str, bool] | None = None  # of the input() that waits
        self._rest = memoryview(b"")
        self._used = False
        self._text = self._open()

    def begin(self, blob: bytes, asks: bool) -> None:
        """Begins a cell. Past the end of blob it asks, if it may."""
        if self._used or self._broken():
            self._text = self._open()  # what was read ahead is the last cell's
        self._rest, self._asks, self._prompt = memoryview(blob), asks, None
        sys.stdin = self._text

    def input(self, prompt: object = "", /) -> str:
        """Read a line from standard input, without its line end. Raises EOFError at the end of input."""
        return self._line(str(prompt), False)

    def getpass(self, prompt: object = "Password: ", stream: object = None, **_: object) -> str:
        """Read a line like input, and ask whoever answers to hide it."""
        return self._line(str(prompt), True)

    def _line(self, prompt: str, hidden: bool) -> str:
        if sys.stdin is not self._text:
            return _builtin_input(prompt)
        self._prompt = (prompt, hidden) if self._asks else None
        if not self._asks:
            _show(prompt)
        line = self._text.readline()
        if self._prompt is not None:  # the line was there, nobody was asked
            self._prompt = None
            _show(prompt)
        if not line:
            raise EOFError("EOF when reading a line")
        return line[:-1] if line.endswith("\n") else line

    def read_into(self, buffer: memoryview) -> int:
        """Reads what is there, or asks."""
        self._used = True
        if not self._rest and self._asks:
            (prompt, hidden), self._prompt = self._prompt or ("", False), None
            line = self._ask(prompt, hidden)
            if line is not None:
                self._rest = memoryview(line.encode("utf-8", "surrogateescape") + b"\n")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def _broken(self) -> bool:
        try:
            return self._text.closed
        except ValueError:  # detached
            return True

    def _open(self) -> io.TextIOWrapper:
        self._used = False
        text = io.TextIOWrapper(io.BufferedReader(_Reader(self.read_into)), "utf-8", "surrogateescape")
        text.mode = "r"
        return text


class _Reader(io.RawIOBase):
    name = "<stdin>"

    def __init__(self, read: Callable[[memoryview], int]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0  # /dev/null, for child processes

    def readinto(self, buffer: memoryview) -> int:
        return self._read(buffer)


def _show(prompt: str) -> None:
    if prompt:
        sys.stdout.write(prompt)
        sys.stdout.flush()
