"""One cell in the worker, from its EXECUTE to its report."""

from __future__ import annotations

from .private import BUILTINS, os, time  # first: see there

__builtins__ = BUILTINS

import json
import marshal
import resource
import sys

from . import changes, control, system, tracebacks, values, wire
from .channel import Message
from .limits import Budget
from .text import name_of_type, to_json, type_name

TYPE_CHECKING = False  # typing is not worth importing for this
if TYPE_CHECKING:
    from .worker import Worker

MIN_RECURSION = 200  # frames that this program needs, whatever user code set


class Cell:
    """A cell. Every stage that may run user code is an attempt of the worker's: a failure in one does not spoil the next."""

    def __init__(self, worker: Worker, message: Message) -> None:
        self._worker = worker
        self._number = message.number
        self._pipes = message.fds
        body = message.body
        count, deadline, self.stale, size = control.TASK.unpack_from(body)
        end = control.TASK.size + size
        (name, self._context_kind, self._context_size, self._stdin_size, self._asks, self._locals,
         self._max_display, self._figures) = marshal.loads(body[control.TASK.size : end])
        self._budget = Budget(deadline)
        self._name = f"Cell [{count}]" if name is None else name
        self._code = str(body[end:], "utf-8")
        self._raised = False
        self._told = False  # the one ERROR was sent
        self._cut_by = "Exception"  # what kind of it came out of run; it did unless
        self._whole = False  # nothing was left out
        self._looked = False  # at the files that were there before it
        self._duration = 0.0
        self._cpu = _cpu_time(resource.getrusage(resource.RUSAGE_SELF))

    def run(self) -> None:
        """Runs it, and sends all that it has to say but the report."""
        worker = self._worker
        attempt = worker.attempt
        worker.output.begin(self._pipes)
        worker.display.begin(self._max_display, self._budget, self._figures)
        value, error = attempt(self._run)
        _stop_tracing()
        if worker.forked():
            self._leave_child(error)
        self._check(error)
        if error is None and value is not None:
            self._check(attempt(worker.display.result, value)[1])
        del value, error
        if worker.display.has_figures():
            self._check(attempt(worker.display.figures)[1])
        if self._locals is not None:
            self._check(attempt(self._tell_locals)[1])
        if self._looked and not worker.changes.untouched():
            files, error = attempt(worker.changes.end)
            if files is not None or error is not None:
                worker.say(wire.FILES, files or changes.unknown())
        self._whole = True
        worker.output.end()

    def cut_short(self, error: BaseException) -> None:
        """Notes what came out of run: of a signal handler of the user's, say, that raised while no code of the cell ran."""
        self._cut_by = type_name(error)

    def end(self) -> None:
        """Sends the report. It may be sent twice: the supervisor takes the first of this number."""
        if not self._whole:
            self._tell_cut()
        used = resource.getrusage(resource.RUSAGE_SELF)
        kept = control.KEPT if self._worker.output.kept else control.NOT_KEPT
        report = control.REPORT.pack(self._raised or not self._whole, kept, self._duration, _cpu_time(used) - self._cpu, used.ru_maxrss << 10)
        self._worker.say(control.DONE, report, self._number)
        system.reset_peak()

    def _tell_cut(self) -> None:
        """Reports that some of the cell, or all, was not run, unless it is known to have failed already."""
        if self._told:
            return
        self._told = True
        message = "raised outside the cell's code, of which a part, or all, was not run (too many open files, or a signal handler?)"
        line = f"{self._cut_by}: {message}"
        self._worker.say(wire.ERROR, to_json({"type": self._cut_by, "message": message, "traceback": [line]}))

    def _receive(self) -> None:
        """Takes the context and the stdin that follow the EXECUTE."""
        size = self._context_size + self._stdin_size
        if not size and not self._context_kind:
            self._worker.input.begin(b"", self._asks)
            return
        received = bytearray()
        while len(received) < size:
            message = self._worker.channel.receive()
            if message.kind == control.BLOB:
                received += message.body
            else:
                self._worker.between(message)
        if self._context_kind:
            view = memoryview(received)[: self._context_size]
            text = str(view, "utf-8")
            self._worker.interpreter.namespace["context"] = text if self._context_kind == "text" else json.loads(text)
        self._worker.input.begin(bytes(received[self._context_size :]), self._asks)

    def _run(self) -> object:
        self._receive()
        self._worker.changes.begin()
        self._looked = True
        started = time.perf_counter()
        try:
            return self._worker.interpreter.run(self._code, self._name)
        finally:
            self._duration = time.perf_counter() - started
            _stop_tracing()
            self._worker.output.flush()
            system.flush_c_streams()

    def _check(self, error: BaseException | None) -> None:
        """Reports the first exception, if there was one. An exit without a code is none."""
        if error is None or self._raised:
            return
        worker = self._worker
        if issubclass(type(error), MemoryError):
            worker.memory.breathe()
        self._raised = True
        report, failure = worker.attempt(self._describe, error)
        if failure is not None:
            name = type_name(error)
            report = name, "", f"{name}\n", f"{name}: its traceback could not be formatted ({type_name(failure)})\n", 0
        if report is None:
            self._raised = False
            return
        name, message, traceback, shown, left_out = report
        _write_all(2, shown.encode("utf-8", "backslashreplace"))
        self._told = True
        worker.left_out(wire.ERROR, left_out)
        worker.say(wire.ERROR, to_json({"type": name, "message": message, "traceback": traceback.splitlines()}))

    def _describe(self, error: BaseException) -> tuple[str, str, str, str, int] | None:
        """Returns the exception's type, message and traceback, what stderr shows of it, and how many bytes of the three are left out.

        None for a plain exit.
        """
        (name, of_name), (message, of_message) = name_of_type(error), tracebacks.message(error)
        left_out = of_name + of_message
        if not isinstance(error, SystemExit):
            text, of_text = tracebacks.render(error, self._worker.interpreter.awaited)
            return name, message, text, text, left_out + of_text
        code = error.code
        if code is None or (isinstance(code, int) and code == 0):
            return None
        line = f"{name}: {message}\n"
        return name, message, line, "" if isinstance(code, int) else message + "\n", left_out

    def _tell_locals(self) -> None:
        keys, max_value, max_total = self._locals
        worker = self._worker
        worker.memory.tighten(max_value)
        try:
            payload, left_out = values.locals_message(worker.interpreter.namespace, keys, max_value, max_total, self._budget)
        finally:
            worker.memory.relax()
        worker.left_out(wire.LOCALS, left_out)
        worker.say(wire.LOCALS, payload)

    def _leave_child(self, error: BaseException | None) -> None:
        """Ends a process that the code forked and that returned from it: it answers nothing and runs no other cell."""
        status = 0
        try:
            if error is not None:
                report = self._describe(error)
                if report is not None:
                    status = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
                    _write_all(2, report[3].encode("utf-8", "backslashreplace"))
        finally:
            os._exit(status & 0xFF)


def _stop_tracing() -> None:
    """Takes user code's trace functions off, and its limits away, from the driver's own."""
    while True:
        try:
            sys.setprofile(None)
            sys.settrace(None)
            break
        except BaseException:
            continue  # a profile function that raises is called once
    if sys.getrecursionlimit() < MIN_RECURSION:
        sys.setrecursionlimit(1000)


def _cpu_time(own: resource.struct_rusage) -> float:
    """Returns the CPU time of this process and of its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except OSError:
            return  # user code closed it
