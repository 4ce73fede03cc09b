"""The worker: the process that user code runs in."""

from __future__ import annotations

from .private import BUILTINS, os  # first: see there

__builtins__ = BUILTINS

import builtins
import importlib
import math
import select
import sys
from collections.abc import Callable

import _signal
import _socket
import _thread

from . import control, system, wire
from .cell import Cell
from .changes import Changes
from .channel import Channel, Closed, Message
from .display import Display
from .hooks import AfterImport
from .interpreter import Interpreter
from .limits import Memory
from .streams import Input, Output
from .text import shorten, to_json

OOM_SCORE = 1000  # the kernel takes workers first
MAX_FAILED = 100  # steps in a row, after which nothing will work any more: user code took the interpreter apart
EXIT_RUINED = 71
MAX_PROMPT = 8 << 10  # characters
IDLE = 50  # milliseconds without work before what most sessions need sooner or later is imported


def leave_supervisor(sock: _socket.socket) -> None:
    """Closes every descriptor of the supervisor's but the control socket, and restores what it changed."""
    keep = sock.fileno()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))
    os.setsid()
    system.restore_signals()


def main(sock: _socket.socket) -> None:
    """Serves the supervisor until it is gone."""
    leave_supervisor(sock)
    system.set_dumpable(True)  # or it could not write its own score
    system.set_oom_score(OOM_SCORE)
    fd = sock.detach()
    sock = _socket.socket(fileno=system.duplicate_high(fd))
    os.close(fd)
    Worker(Channel(sock)).serve()


class Worker:
    """Runs cells. Whatever user code does to its process, the supervisor is told the truth about the cell or finds it dead."""

    def __init__(self, channel: Channel) -> None:
        self.pid = os.getpid()
        self._thread = _thread.get_ident()
        self.channel = channel
        self.memory = Memory()
        self.interpreter = Interpreter()
        self.output = Output()
        self.input = Input(self._ask)
        self.display = Display(self)
        self.changes = Changes(os.getcwd())
        self._cell: Cell | None = None
        self._interrupted = False  # while no user code ran
        _set_up_process()
        self.display.install()
        builtins.input = self.input.input
        AfterImport({
            "getpass": lambda module: setattr(module, "getpass", self.input.getpass),
            "matplotlib.pyplot": lambda module: setattr(module, "show", lambda *_, **__: self.display.figures()),
        }).install()

    def serve(self) -> None:
        """Runs cells until the supervisor is gone."""
        _signal.signal(_signal.SIGINT, self._note_interrupt)
        self.channel.send(control.READY)
        self._import_when_idle()
        failed = 0
        while failed < MAX_FAILED:
            try:
                self._step()
                failed = 0
            except Closed:
                return
            except BaseException as error:
                failed += 1  # a signal handler of the user's that raises when no cell runs; the step is taken again
                if type(error) is MemoryError:
                    self.memory.breathe()
                if self._cell is not None:
                    self._cell.cut_short(error)
        os._exit(EXIT_RUINED)

    def _step(self) -> None:
        """Ends the cell that was begun, or waits for the next message. It can be interrupted anywhere and taken again."""
        if self._cell is not None:
            self._cell.end()
            self._cell = None
            return
        message = self.channel.receive()
        if message.kind == control.EXECUTE:
            self._cell = cell = Cell(self, message)
            if cell.stale:
                self._interrupted = False
                self.channel.send(control.CLEARED)
            cell.run()
        elif message.kind == control.QUESTION:
            from . import introspection  # most sessions are asked nothing

            self.channel.send(control.ANSWER, introspection.answer(self, message.body), message.number)
        else:
            self.between(message)

    def between(self, message: Message) -> None:
        """Handles a message that is nobody's answer."""
        if message.kind == control.MAKE_ROOM:
            self.output.make_room()
        elif message.kind == control.LIMITS:
            memory, cpus = control.LIMITS_BODY.unpack(message.body)
            self.memory.set(memory)
            if cpus:
                _set_threads(cpus)

    def attempt(self, function: Callable[..., object], *args: object) -> tuple[object, BaseException | None]:
        """Calls function, which may run code of the user, and lets interrupts through for as long. Returns its value or its exception."""
        value = error = None
        try:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt
            value = function(*args)
        except BaseException as raised:
            error = raised
        while True:
            try:
                _signal.signal(_signal.SIGINT, self._note_interrupt)
                return value, error
            except BaseException as raised:  # what came at the last moment
                error = error or raised

    def say(self, kind: int, body: bytes, number: int = 0, wait: bool = False) -> None:
        """Sends a message and, when it is to wait and may, waits until it was passed on."""
        if wait and self._may_wait():
            number = self.channel.number()
            self.channel.send(kind, body, number)
            self._answer(control.ACK, number)
        else:
            self.channel.send(kind, body, number)

    def left_out(self, kind: int, size: int) -> None:
        """Tells that so many bytes of a message of this kind were left out."""
        if size:
            self.say(control.LEFT_OUT, control.COUNT.pack(kind, size))

    def _ask(self, prompt: str, hidden: bool) -> str | None:
        """Asks for a line of input."""
        if not self._may_wait():
            raise EOFError("input() works in the main thread only")
        text, left_out = shorten(prompt, MAX_PROMPT)
        self.left_out(wire.INPUT_REQUEST, left_out)
        number = self.channel.number()
        self.channel.send(wire.INPUT_REQUEST, to_json({"prompt": text, "password": hidden}), number)
        answer = self._answer(control.INPUT, number).body
        return answer[1:].decode("utf-8", "surrogateescape") if answer[:1] == control.HAS_INPUT else None

    def forked(self) -> bool:
        """Tells whether this is a process that user code forked."""
        return os.getpid() != self.pid

    def in_main_thread(self) -> bool:
        return _thread.get_ident() == self._thread

    def _may_wait(self) -> bool:
        """Tells whether this is the place to wait for an answer: between cells it would be taken from the next one."""
        return self._cell is not None and not self.forked() and self.in_main_thread()

    def _answer(self, kind: int, number: int) -> Message:
        """Waits for the answer to the message of this number. What answers an earlier one, that was interrupted, is dropped."""
        while True:
            message = self.channel.receive()
            if message.kind == kind and message.number == number:
                return message
            self.between(message)

    def _note_interrupt(self, *_: object) -> None:
        self._interrupted = True

    def _import_when_idle(self) -> None:
        """Imports what the first error would, unless there is work at once."""
        poll = select.poll()
        poll.register(self.channel.fileno(), select.POLLIN)
        if not poll.poll(IDLE):
            importlib.import_module("traceback")


def _set_threads(cpus: float) -> None:
    """Tells numeric libraries, those that are not loaded yet, how many threads are worth having."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = str(math.ceil(cpus))


def _set_up_process() -> None:
    sys.argv = [""]
    sys.path[0] = ""  # the working directory; it was the driver's
    sys.dont_write_bytecode = True
    os.environ["PYTHONUNBUFFERED"] = "1"  # for child processes: what they print is seen when they do
    os.environ.setdefault("MPLBACKEND", "agg")
