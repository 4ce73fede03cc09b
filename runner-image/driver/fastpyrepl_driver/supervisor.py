"""The supervisor: PID 1, the only process that talks to the daemon.

One thread, one poll loop. It never waits for the worker, for the daemon or for user code: whatever they do, frames are read and
deadlines kept. All that it allocates is bounded by the protocol's own bounds.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections import deque

from . import VERSION, control, process, system, wire
from .execution import NOTHING, Execution, Invalid, Request, Violation
from .files import Files
from .outbox import Outbox
from .pipes import Pipes
from .process import Worker
from .questions import Questions
from .starter import Starter

READ_SIZE = wire.MAX_PAYLOAD  # bytes of stdin at a time
MAX_BLOBS = wire.WINDOW + READ_SIZE  # bytes of blobs that may wait for the worker
MAX_PACKETS = 16  # of the worker, before others have their turn
REMEMBERED = 256  # ids of executions
TICK = 1.0  # seconds
FIRST_LEASE = 60.0  # seconds that a daemon has for its first HELLO
SILENCE = 2.0  # seconds for a process that closed its control socket to end: a large one takes long to free its memory

_RELAYED = frozenset((wire.DISPLAY, wire.RESULT, wire.ERROR, wire.LOCALS, wire.FILES))
# What an error is whose worker could not say: the code took Python itself apart.
_UNTOLD = {"type": "Exception", "message": "the code failed, and its process could not say how",
           "traceback": ["Exception: the code failed, and its process could not say how"]}
_REASONS = ("interrupted", "cancelled", "timeout")


class Supervisor:
    """Serves the daemon on two descriptors until it is told to stop, its lease ends, or stdin does."""

    def __init__(self, stdin: int, stdout: int) -> None:
        self._stdin = stdin
        self._decoder = wire.Decoder()
        self._outbox = Outbox(stdout)
        self._stopped = False
        self._stdin_ended = False

        self._nonce: str | None = None  # of the HELLO that waits for READY
        self._lease = FIRST_LEASE  # seconds, 0 is never
        self._unheard = 0.0  # seconds without a frame, in ticks

        self._starter = Starter()
        self._worker: Worker | None = None
        self._running: Execution | None = None
        self._interrupted = False  # this worker was, so that an interrupt may come late
        self._count = 0  # of executions that have a number in their name
        self._lost_at = 0  # the execution at which the worker died, 0 once another has begun, which tells it
        self._executions = 0
        self._recent: deque[bytes] = deque(maxlen=REMEMBERED)
        self._asked = Request(NOTHING)  # by the last EXECUTE; the next one mostly asks for the same

        self._ticked = time.monotonic()
        self._poll = select.poll()
        self._polled: dict[int, int] = {}  # what _poll watches: fd -> events
        self._pipes = Pipes(self._outbox)
        self._questions = Questions(self._outbox)
        self._files = Files(self._outbox)
        self._oom = system.OomCounter()
        self._wakeup, self._wakeup_writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self) -> int:
        """Serves. Returns the exit status; raises Forked in forked children."""
        system.ignore_signals()
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the wake-up is all that is wanted
        system.set_dumpable(False)
        if os.getpid() != 1:
            system.become_subreaper()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._outbox.fd, False)
        self._start_worker()
        while not self._stopped:
            self._step()
        self._outbox.write()
        self._starter.kill_all(self._worker, self._files.pid)
        return 0

    # The loop.

    def _step(self) -> None:
        now = time.monotonic()
        self._watch(now)
        fds = dict(self._poll.poll(max(0.0, (self._wakes_at(now) - now) * 1000)))
        now = time.monotonic()
        if self._stdin in fds:
            self._read_stdin()
        worker = self._worker
        if worker is not None and worker.fd in fds:
            self._read_worker(worker)
        if self._pipes.read(self._running, fds, now) and worker is self._worker:
            self._read_worker(worker)
        self._files.read(fds)
        if self._wakeup in fds:
            os.read(self._wakeup, 4096)
            self._reap()
        self._keep_time(time.monotonic())
        self._outbox.write()
        if self._outbox.broken:
            self._stopped = True

    def _watch(self, now: float) -> None:
        """Tells poll what to wait for now."""
        wanted = {self._wakeup: select.POLLIN}
        if not self._stdin_ended:
            wanted[self._stdin] = select.POLLIN
        if self._outbox.waits():
            wanted[self._outbox.fd] = select.POLLOUT
        held = self._outbox.full()
        worker = self._worker
        if worker is not None and not worker.silent_since:
            if events := (0 if held else select.POLLIN) | (select.POLLOUT if worker.waiting else 0):
                wanted[worker.fd] = events
        self._files.watch(wanted, held)
        if not held:
            self._pipes.watch(wanted, now)
        polled = self._polled
        if wanted != polled:
            for fd in polled.keys() - wanted.keys():
                self._poll.unregister(fd)
            for fd, events in wanted.items():
                if polled.get(fd) != events:
                    self._poll.register(fd, events)
            self._polled = wanted

    def _wakes_at(self, now: float) -> float:
        """Returns when to wake without an event."""
        at = min(self._ticked + TICK, self._pipes.wakes_at(now), self._questions.late_at)
        worker, running = self._worker, self._running
        if worker is not None:
            if not worker.ready:
                at = min(at, worker.give_up)
            if worker.silent_since:
                at = min(at, worker.silent_since + SILENCE)
        if running is not None:
            at = min(at, running.wakes_at())
        return at

    def _keep_time(self, now: float) -> None:
        """Does what is due."""
        worker, running = self._worker, self._running
        if worker is not None:
            if worker.silent_since and now >= worker.silent_since + SILENCE:
                self._overstayed(worker)
            elif not worker.ready and now >= worker.give_up:
                self._end_worker({"kind": "killed", "message": "the worker was not ready in time"})
        if running is not None and running is self._running and now >= running.wakes_at():
            if running.reason:
                self._end_worker({"kind": "killed", "message": f"it did not end within {running.request.grace:g} s more, and was killed"})
            else:
                self._interrupt("timeout", now)
        if now >= self._questions.late_at:
            self._questions.give_up()
        if now >= self._ticked + TICK:
            self._ticked = now
            self._unheard += TICK  # a paused container has not been unheard all the while
            self._reap()
            self._files.tick(now)
            if self._lease and self._unheard > self._lease:
                self._stopped = True

    # The daemon.

    def _read_stdin(self) -> None:
        try:
            data = os.read(self._stdin, READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            self._stdin_ended = True
            self._stopped = self._running is None
            return
        decoder = self._decoder
        decoder.feed(data)
        while (frame := decoder.next()) is not None:
            self._tell_faults()
            if frame.type == wire.HELLO:
                self._attach(frame)
            elif frame.epoch == self._outbox.epoch:
                self._unheard = 0.0
                self._handle(frame)
        self._tell_faults()

    def _tell_faults(self) -> None:
        for reason in self._decoder.faults:
            if self._outbox.epoch:
                self._outbox.say(wire.FAULT, {"message": f"bytes were skipped: bad {reason}"})
        self._decoder.faults.clear()

    def _attach(self, frame: wire.Frame) -> None:
        try:
            hello = json.loads(frame.payload)
            nonce, lease, memory = hello["nonce"], float(hello.get("lease", 0)), int(hello.get("memory", 0))
            if not frame.epoch or not isinstance(nonce, str) or not lease >= 0 or not 0 <= memory < 1 << 63:
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._decoder.lose("HELLO")
            return
        self._nonce, self._lease, self._unheard = nonce, lease, 0.0
        self._outbox.begin(frame.epoch)
        self._questions.attached()
        self._files.attached()
        self._outbox.keeper.set_memory(memory)
        self._starter.set_limits(memory, 0.0, self._worker)
        self._say_ready()

    def _say_ready(self) -> None:
        worker = self._worker
        if self._nonce is None or worker is None or not worker.ready:
            return
        running = self._running
        self._outbox.say(wire.READY, {
            "protocol": wire.VERSION,
            "nonce": self._nonce,
            "driver": VERSION,
            "python": sys.version.partition(" ")[0],
            "execution_count": self._count,
            "running": None if running is None else _uuid(running.id),
            "worker": self._starter.workers,
            "state_lost_at": self._lost_at,
            "executions": self._outbox.keeper.describe(_uuid),
        })
        self._nonce = None
        self._outbox.replay()

    def _handle(self, frame: wire.Frame) -> None:
        kind, running = frame.type, self._running
        if kind == wire.EXECUTE:
            self._execute(frame)
        elif kind in wire.OF_FILES:
            if not self._files.handle(frame):
                self._decoder.lose("window")
        elif kind == wire.PING:
            self._outbox.send(wire.PONG, wire.NO_EXECUTION, b"")
        elif kind == wire.SHUTDOWN:
            self._stopped = True
        elif kind == wire.LIMITS:
            limits = _fields(frame.payload)
            memory, cpus = limits.get("memory"), limits.get("cpus", 0)
            if isinstance(memory, int) and 0 <= memory < 1 << 63 and isinstance(cpus, (int, float)) and 0 <= cpus < 1 << 20:
                self._outbox.keeper.set_memory(memory)
                self._starter.set_limits(memory, float(cpus), self._worker)
        elif kind == wire.ACK:
            self._outbox.keeper.acknowledge(frame.execution)
        elif kind in wire.QUESTIONS:
            self._questions.ask(frame, self._worker, running is None, time.monotonic())
        elif running is None or frame.execution != running.id:
            pass  # it has ended meanwhile
        elif kind == wire.DATA:
            self._pass_blob(running, frame.payload)
        elif kind == wire.INTERRUPT:
            reason = _fields(frame.payload).get("reason")
            self._interrupt(reason if reason in _REASONS else "interrupted", time.monotonic())
        elif kind == wire.INPUT and running.input_number:
            text = _fields(frame.payload).get("text")
            answer = control.HAS_INPUT + text.encode("utf-8", "replace") if isinstance(text, str) else control.NO_INPUT
            self._to_worker(control.INPUT, running.input_number, answer)
            running.input_number = 0

    def _execute(self, frame: wire.Frame) -> None:
        now = time.monotonic()
        if self._running is not None:
            self._reject(frame.execution, "busy", "another execution runs")
        elif frame.execution in self._recent:
            self._reject(frame.execution, "duplicate", "this execution was run already")
        else:
            head, newline, code = frame.payload.partition(b"\n")
            try:
                if head != self._asked.head:
                    self._asked = Request(head)
                if not newline:
                    raise Invalid("EXECUTE has no code")
                str(code, "utf-8")
            except (Invalid, UnicodeDecodeError) as error:
                self._reject(frame.execution, "invalid", str(error))
                return
            self._recent.append(frame.execution)
            self._executions += 1
            self._begin(Execution(frame.execution, self._executions, self._asked, now), code, now)

    def _reject(self, execution: bytes, code: str, message: str) -> None:
        self._outbox.say(wire.REJECT, {"code": code, "message": message}, execution)

    def _begin(self, running: Execution, code: bytes, now: float) -> None:
        if running.request.name is None:
            self._count += 1
        running.count = self._count
        running.lost_at, self._lost_at = self._lost_at, 0
        self._outbox.keeper.begin(running.id, running.request.meta, 0 if running.request.name else self._count)
        running.stale = self._interrupted
        self._interrupted = False
        self._running = running
        writers = self._pipes.begin(running, now)
        if writers:
            self._to_worker(control.MAKE_ROOM)
        self._to_worker(control.EXECUTE, running.number, running.request.task(running.count, running.deadline, running.stale, code), writers)
        self._oom.rose()  # what was killed before was not this execution's

    def _pass_blob(self, running: Execution, data: bytes) -> None:
        data = data[: running.blobs_left]
        running.blobs_left -= len(data)
        worker = self._worker
        if worker is not None and data:
            if worker.waiting > MAX_BLOBS:
                self._decoder.lose("window")
                return
            for start in range(0, len(data), control.ROOM):
                self._to_worker(control.BLOB, 0, data[start : start + control.ROOM])

    def _to_worker(self, kind: int, number: int = 0, body: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        if self._worker is None:
            process.close_all(fds)
            return
        self._worker.send(kind, number, body, fds)
        self._grant()

    def _grant(self) -> None:
        """Tells the daemon how much of the blobs the worker's socket took."""
        running, worker = self._running, self._worker
        if running is not None and worker is not None and (total := running.grant(worker.waiting)):
            self._outbox.say(wire.WINDOW_GRANT, {"consumed": total}, running.id)

    # The worker.

    def _start_worker(self) -> None:
        self._worker = self._starter.start()
        self._pipes.worker_made()
        self._interrupted = False

    def _read_worker(self, worker: Worker) -> None:
        if worker.flush():
            self._grant()
        try:
            for _ in range(MAX_PACKETS):
                packet, pid = worker.receive()
                if packet is None or self._worker is not worker:
                    return
                if not packet:
                    self._fell_silent(worker)
                    return
                if worker.pid in (0, pid):  # anyone else is a child that kept the socket
                    self._hear(worker, pid, packet)
                    if self._running is None:
                        return  # what else there is can wait until the daemon has its DONE
        except Violation as violation:
            self._end_worker({"kind": "unknown", "message": f"the worker broke its protocol: {violation}"})

    def _hear(self, worker: Worker, pid: int, packet: bytes) -> None:
        running = self._running
        if running is None or not worker.ready:
            if packet[0] == control.READY and not worker.ready:
                worker.pid, worker.ready = pid, True
                self._starter.started()
                self._say_ready()
            elif packet[0] == control.ANSWER:
                self._questions.hear(packet)
            return  # else a thread that an ended cell left behind
        if packet[0] == control.MORE:
            self._relay(running, packet[1:])
            return
        if len(packet) < control.FIRST.size:
            raise Violation("a short packet")
        kind, number, size = control.FIRST.unpack_from(packet)
        body = packet[control.FIRST.size :]
        if kind == control.DONE and size == len(body) == control.REPORT.size and not running.relaying():
            if number == running.number:
                self._cell_ended(running, body)
        elif kind in _RELAYED:
            running.begin_relay(kind, number, size)
            self._pipes.drain(running)
            self._relay(running, body)
        elif kind == wire.INPUT_REQUEST and size == len(body) and running.request.input:
            self._pipes.drain(running)
            running.input_number = number
            self._outbox.send(kind, running.id, body)
        elif kind == control.LEFT_OUT and size == len(body) == control.COUNT.size:
            running.left_out(body)
        elif kind == control.ANSWER:
            self._questions.hear(packet)  # a late one
        elif kind == control.CLEARED:
            running.stale = False
            if running.reason:
                self._interrupted = True
                worker.interrupt()
        else:
            raise Violation(f"message {kind} of {size} bytes")

    def _relay(self, running: Execution, data: bytes) -> None:
        number = running.relay(data, lambda kind, part, more: self._outbox.send(kind, running.id, part, more))
        if number:
            self._to_worker(control.ACK, number)

    def _interrupt(self, reason: str, now: float) -> None:
        running, worker = self._running, self._worker
        if running is not None and running.interrupt(reason, now) and worker is not None and worker.ready and not running.stale:
            self._interrupted = True
            worker.interrupt()

    def _cell_ended(self, running: Execution, report: bytes) -> None:
        outcome = running.reason or ("error" if report[0] else "ok")
        if outcome == "error" and running.begin_error():
            self._outbox.say(wire.ERROR, _UNTOLD, running.id)
        self._finish(running, outcome, True, None, report)

    def _finish(self, running: Execution, outcome: str, state_kept: bool, cause: dict[str, object] | None, report: bytes) -> None:
        """Sends the last output and DONE."""
        self._pipes.finish(running)
        now = time.monotonic()
        self._outbox.send(wire.DONE, running.id, running.done(now, outcome, state_kept, cause, report))
        self._outbox.write()
        self._running = None
        if self._worker is not None:
            self._worker.discard(control.BLOB)  # nobody wants them any more
        self._pipes.retire(running, report[1:2] == control.KEPT, now)
        if self._stdin_ended:
            self._stopped = True

    # The end of workers.

    def _reap(self) -> None:
        ended = dict(process.reap())
        for pid in ended:
            self._starter.reaped(pid)
            self._files.reaped(pid)
        worker = self._worker
        if worker is not None and worker.pid in ended:
            self._died(worker, ended[worker.pid])

    def _died(self, worker: Worker, status: int) -> None:
        self._drain_worker(worker)
        self._end_worker(self._cause(status))

    def _cause(self, status: int) -> dict[str, object]:
        cause = process.ending(status)
        if cause.get("signal") == signal.SIGKILL and self._oom.rose():
            cause = {"kind": "oom", "signal": int(signal.SIGKILL), "message": "the kernel killed the worker at the container's memory limit"}
        return cause

    def _fell_silent(self, worker: Worker) -> None:
        """Its control socket is closed: it is ending, or something else now runs in its place."""
        worker.silent_since = time.monotonic()
        if worker.pid and not worker.exiting():
            self._replaced()

    def _overstayed(self, worker: Worker) -> None:
        """It is silent for long. One that is still on its way out has its true status already, which killing it does not change."""
        if not worker.pid or not worker.exiting(certainly=True):
            self._replaced()
        else:
            self._end_worker(None)

    def _replaced(self) -> None:
        self._end_worker({"kind": "exec", "message": "the worker was replaced by another program (exec), or its control socket was closed"})

    def _drain_worker(self, worker: Worker) -> None:
        """Hears what a dead worker had still said."""
        try:
            while self._worker is worker and self._running is not None:
                packet, pid = worker.receive()
                if not packet:
                    return
                if pid == worker.pid:
                    self._hear(worker, pid, packet)
        except Violation:
            pass  # it is dead already

    def _end_worker(self, cause: dict[str, object] | None) -> None:
        """Kills every process, makes a new worker, and tells the daemon of the old one's end. Without a cause its status is one."""
        worker, self._worker = self._worker, None
        running = self._running
        had_state = worker is not None and worker.ready
        if had_state:
            self._lost_at = max(self._count, 1)
        ended = self._starter.kill_all(worker, self._files.pid)
        self._files.killed()
        if cause is None:
            status = ended.get(worker.pid) if worker is not None else None
            cause = {"kind": "unknown", "message": "the worker ended"} if status is None else self._cause(status)
        if worker is not None:
            worker.close()
        self._questions.worker_ended()
        if running is not None:
            outcome = running.reason or ("oom" if cause["kind"] == "oom" else "crashed")
            self._finish(running, outcome, False, cause, b"")
        elif had_state and self._outbox.epoch:
            self._outbox.say(wire.STATE, {"cause": cause})
        if not self._stopped:
            self._start_worker()


def _fields(payload: bytes) -> dict[str, object]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _uuid(id: bytes) -> str:
    text = id.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
