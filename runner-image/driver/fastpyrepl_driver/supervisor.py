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

from . import VERSION, control, output, process, system, wire
from .execution import Execution, Invalid, Request, Violation
from .output import Background, Pipe
from .process import Worker
from .starter import Starter

READ_SIZE = wire.MAX_PAYLOAD  # bytes of stdin at a time
MAX_UNSENT = 1 << 20  # bytes for stdout, beyond which nothing more is read from the worker
MAX_BLOBS = wire.WINDOW + READ_SIZE  # bytes of blobs that may wait for the worker
MAX_PACKETS = 16  # of the worker, before others have their turn
REMEMBERED = 256  # ids of executions
OLD_PIPES = 16  # of ended cells
TICK = 1.0  # seconds
SMALL = 4 << 10  # bytes: a reader that gets less at a time is ahead of the writer
PAUSE = 0.001  # seconds before such a pipe is read again, so that many small writes become one frame
OLD_PAUSE = 0.02  # seconds between two reads of the output of ended cells
SILENCE = 0.1  # seconds for a process that closed its control socket to end

_RELAYED = frozenset((wire.DISPLAY, wire.RESULT, wire.ERROR, wire.LOCALS))
_REASONS = ("interrupted", "cancelled", "timeout")


class Supervisor:
    """Serves the daemon on two descriptors until it is told to stop, its lease ends, or stdin does."""

    def __init__(self, stdin: int, stdout: int) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._decoder = wire.Decoder()
        self._unsent = bytearray()
        self._wide = False  # stdout holds more than pipes do at first
        self._stopped = False
        self._stdin_ended = False

        self._epoch = 0
        self._nonce: str | None = None  # of the HELLO that waits for READY
        self._lease = 0.0  # seconds, 0 is never
        self._unheard = 0.0  # seconds without a frame, in ticks

        self._starter = Starter()
        self._worker: Worker | None = None
        self._running: Execution | None = None
        self._interrupted = False  # this worker was, so that an interrupt may come late
        self._count = 0  # of executions that have a number in their name
        self._executions = 0
        self._recent: deque[bytes] = deque(maxlen=REMEMBERED)

        now = time.monotonic()
        self._ticked = now
        self._poll = select.poll()
        self._polled: dict[int, int] = {}  # what _poll watches: fd -> events
        self._spare = (Pipe(), Pipe())  # for the next cell
        self._old: dict[Pipe, tuple[int, bytes]] = {}  # pipes of ended cells -> wire type, execution
        self._old_rest_until = 0.0
        self._background = Background(now)
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
        os.set_blocking(self._stdout, False)
        self._start_worker()
        while not self._stopped:
            self._step()
        self._write()
        self._starter.kill_all(self._worker)
        return 0

    # The loop.

    def _step(self) -> None:
        now = time.monotonic()
        self._watch(now)
        fds = dict(self._poll.poll(max(0.0, (self._wakes_at(now) - now) * 1000)))
        now = time.monotonic()
        if self._stdin in fds:
            self._read_stdin()
        glance = self._read_pipes(fds, now)
        worker = self._worker
        if worker is not None and (worker.fd in fds or glance):
            self._read_worker(worker)
        if self._wakeup in fds:
            os.read(self._wakeup, 4096)
            self._reap()
        self._keep_time(time.monotonic())
        if self._unsent:
            self._write()

    def _watch(self, now: float) -> None:
        """Tells poll what to wait for now."""
        wanted = {self._wakeup: select.POLLIN}
        if not self._stdin_ended:
            wanted[self._stdin] = select.POLLIN
        if self._unsent:
            wanted[self._stdout] = select.POLLOUT
        held = len(self._unsent) > MAX_UNSENT
        worker = self._worker
        if worker is not None and not worker.silent_since:
            if events := (0 if held else select.POLLIN) | (select.POLLOUT if worker.waiting else 0):
                wanted[worker.fd] = events
        if not held:
            if self._running is not None:
                for pipe in self._running.pipes:
                    if pipe.rest_until <= now:
                        wanted[pipe.fd] = select.POLLIN
            if self._old_rest_until <= now:
                for pipe in self._old:
                    wanted[pipe.fd] = select.POLLIN
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
        at = self._ticked + TICK
        worker, running = self._worker, self._running
        if worker is not None:
            if not worker.ready:
                at = min(at, worker.give_up)
            if worker.silent_since:
                at = min(at, worker.silent_since + SILENCE)
        if running is not None:
            at = min(at, running.wakes_at())
            for pipe in running.pipes:
                if pipe.rest_until > now:
                    at = min(at, pipe.rest_until)
        if self._old and self._old_rest_until > now:
            at = min(at, self._old_rest_until)
        return at

    def _keep_time(self, now: float) -> None:
        """Does what is due."""
        worker, running = self._worker, self._running
        if worker is not None:
            if worker.silent_since and now >= worker.silent_since + SILENCE:
                self._replaced()
            elif not worker.ready and now >= worker.give_up:
                self._end_worker({"kind": "killed", "message": "the worker was not ready in time"})
        if running is not None and running is self._running and now >= running.wakes_at():
            if running.reason:
                self._end_worker({"kind": "killed", "message": f"{running.reason}: the code did not end within the grace time, all was killed"})
            else:
                self._interrupt("timeout", now)
        if now >= self._ticked + TICK:
            self._ticked = now
            self._unheard += TICK  # a paused container has not been unheard all the while
            self._reap()
            if self._lease and self._unheard > self._lease:
                self._stopped = True
            if self._worker is None and not self._stopped:
                self._start_worker()

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
            elif frame.epoch == self._epoch:
                self._unheard = 0.0
                self._handle(frame)
        self._tell_faults()

    def _tell_faults(self) -> None:
        for reason in self._decoder.faults:
            if self._epoch:
                self._send(wire.FAULT, wire.NO_EXECUTION, json.dumps({"message": f"bytes were skipped: bad {reason}"}).encode())
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
        self._epoch, self._nonce, self._lease, self._unheard = frame.epoch, nonce, lease, 0.0
        self._starter.set_memory(memory, self._worker)
        self._say_ready()

    def _say_ready(self) -> None:
        worker = self._worker
        if self._nonce is None or worker is None or not worker.ready:
            return
        running = self._running
        self._send(wire.READY, wire.NO_EXECUTION, json.dumps({
            "protocol": wire.VERSION,
            "nonce": self._nonce,
            "driver": VERSION,
            "python": sys.version.partition(" ")[0],
            "execution_count": self._count,
            "running": None if running is None else _uuid(running.id),
            "worker": self._starter.workers,
        }).encode())
        self._nonce = None

    def _handle(self, frame: wire.Frame) -> None:
        kind, running = frame.type, self._running
        if kind == wire.EXECUTE:
            self._execute(frame)
        elif kind == wire.PING:
            self._send(wire.PONG, wire.NO_EXECUTION, b"")
        elif kind == wire.SHUTDOWN:
            self._stopped = True
        elif kind == wire.LIMITS:
            limits = _fields(frame.payload)
            memory = limits.get("memory")
            if isinstance(memory, int) and 0 <= memory < 1 << 63:
                self._starter.set_memory(memory, self._worker)
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
            try:
                request = Request(frame.payload)
            except Invalid as error:
                self._reject(frame.execution, "invalid", str(error))
                return
            self._recent.append(frame.execution)
            self._executions += 1
            self._begin(Execution(frame.execution, self._executions, request, now), now)

    def _reject(self, execution: bytes, code: str, message: str) -> None:
        self._send(wire.REJECT, execution, json.dumps({"code": code, "message": message}).encode())

    def _begin(self, running: Execution, now: float) -> None:
        request = running.request
        name = request.name
        if name is None:
            self._count += 1
            name = f"Cell [{self._count}]"
        running.count = self._count
        running.stale = self._interrupted
        self._interrupted = False
        stdout, stderr = self._spare
        running.pipes = {
            stdout: (wire.STDOUT, output.Cap(request.max_stdout)),
            stderr: (wire.STDERR, output.Cap(request.max_stderr)),
        }
        # A short cell's output leaves with its DONE: one wake-up and one write, here and all the way to the daemon.
        stdout.rest_until = stderr.rest_until = now + PAUSE
        self._running = running
        self._old_rest_until = now + OLD_PAUSE  # the last cell's pipes are about to close, which is not worth a wake-up
        if self._worker is None:
            self._start_worker()
        writers = stdout.writer, stderr.writer
        stdout.writer = stderr.writer = -1
        self._to_worker(control.EXECUTE, running.number, request.for_worker(name, running.deadline, running.stale), writers)
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
            self._send(wire.WINDOW_GRANT, running.id, json.dumps({"consumed": total}).encode())

    def _send(self, kind: int, execution: bytes, payload: bytes, more: bool = False) -> None:
        """Queues one frame, or as many as the payload takes."""
        while len(payload) > wire.MAX_PAYLOAD:
            self._unsent += wire.encode(kind, self._epoch, execution, payload[: wire.MAX_PAYLOAD], more or kind not in wire.STREAMS)
            payload = payload[wire.MAX_PAYLOAD :]
        self._unsent += wire.encode(kind, self._epoch, execution, payload, more)

    def _write(self) -> None:
        try:
            del self._unsent[: os.write(self._stdout, self._unsent)]
            if self._unsent and not self._wide:
                self._wide = output.widen(self._stdout)
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._stopped = True  # nobody can attach any more

    # The worker.

    def _start_worker(self) -> None:
        self._worker = self._starter.start()
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
        except Violation as violation:
            self._end_worker({"kind": "unknown", "message": f"the worker broke its protocol: {violation}"})

    def _hear(self, worker: Worker, pid: int, packet: bytes) -> None:
        running = self._running
        kind = packet[0]
        if kind == control.READY and not worker.ready:
            worker.pid, worker.ready = pid, True
            self._starter.started()
            self._say_ready()
        elif running is None or not worker.ready:
            pass  # a thread that an ended cell left behind
        elif kind == control.MORE:
            self._relay(running, packet[1:])
        elif len(packet) < control.FIRST.size:
            raise Violation("a short packet")
        else:
            kind, number, size = control.FIRST.unpack_from(packet)
            body = packet[control.FIRST.size :]
            if kind in _RELAYED:
                running.begin_relay(kind, number, size)
                self._drain(running)
                self._relay(running, body)
            elif kind == wire.INPUT_REQUEST and size == len(body):
                self._drain(running)
                running.input_number = number
                self._send(kind, running.id, body)
            elif kind == control.DONE and size == len(body) == control.REPORT.size and not running.relaying():
                if number == running.number:
                    self._cell_ended(running, body)
            elif kind == control.CLEARED:
                running.stale = False
                if running.reason:
                    worker.interrupt()
            else:
                raise Violation(f"message {kind} of {size} bytes")

    def _relay(self, running: Execution, data: bytes) -> None:
        number = running.relay(data, lambda kind, part, more: self._send(kind, running.id, part, more))
        if number:
            self._to_worker(control.ACK, number)

    def _interrupt(self, reason: str, now: float) -> None:
        running, worker = self._running, self._worker
        if running is not None and running.interrupt(reason, now) and worker is not None and worker.ready and not running.stale:
            self._interrupted = True
            worker.interrupt()

    def _cell_ended(self, running: Execution, report: bytes) -> None:
        outcome = running.reason or ("error" if report[0] else "ok")
        self._finish(running, outcome, True, None, report)

    def _finish(self, running: Execution, outcome: str, state_kept: bool, cause: dict[str, object] | None, report: bytes) -> None:
        """Sends the last output and DONE."""
        self._drain(running)
        for pipe, (kind, cap) in running.pipes.items():
            if cap.dropped:
                stream = "stdout" if kind == wire.STDOUT else "stderr"
                running.cut(stream, cap.dropped)
                self._send(wire.CUT, running.id, json.dumps({"stream": stream, "bytes": cap.dropped}).encode())
            if tail := cap.finish():
                self._send(kind, running.id, tail)
        self._send(wire.DONE, running.id, running.done(time.monotonic(), outcome, state_kept, cause, report))
        self._write()
        self._running = None
        if self._worker is not None:
            self._worker.discard(control.BLOB)  # nobody wants them any more
        for pipe, (kind, _) in running.pipes.items():
            self._old[pipe] = (wire.BACKGROUND_STDOUT if kind == wire.STDOUT else wire.BACKGROUND_STDERR), running.id
        if len(self._old) > OLD_PIPES:
            for pipe in list(self._old):
                self._read_old(pipe, time.monotonic())  # most are at their end
        while len(self._old) > OLD_PIPES:
            self._close_old(next(iter(self._old)))
        self._spare = (Pipe(), Pipe())
        if self._stdin_ended:
            self._stopped = True

    # The end of workers.

    def _reap(self) -> None:
        ended = dict(process.reap())
        for pid in ended:
            self._starter.reaped(pid)
        worker = self._worker
        if worker is not None and worker.pid in ended:
            self._died(worker, ended[worker.pid])

    def _died(self, worker: Worker, status: int) -> None:
        self._drain_worker(worker)
        cause = process.ending(status)
        if cause.get("signal") == signal.SIGKILL and self._oom.rose():
            cause = {"kind": "oom", "signal": int(signal.SIGKILL), "message": "the kernel killed the worker at the container's memory limit"}
        self._end_worker(cause)

    def _fell_silent(self, worker: Worker) -> None:
        """Its control socket is closed: it is ending, or something else now runs in its place."""
        worker.silent_since = time.monotonic()
        if worker.pid and not worker.exiting():
            self._replaced()

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

    def _end_worker(self, cause: dict[str, object]) -> None:
        """Kills every process, makes a new worker, and tells the daemon of the old one's end."""
        worker, self._worker = self._worker, None
        running = self._running
        had_state = worker is not None and worker.ready
        self._starter.kill_all(worker)
        if worker is not None:
            worker.close()
        if running is not None:
            outcome = running.reason or ("oom" if cause["kind"] == "oom" else "crashed")
            self._finish(running, outcome, False, cause, b"")
        elif had_state and self._epoch:
            self._send(wire.STATE, wire.NO_EXECUTION, json.dumps({"cause": cause}).encode())
        if not self._stopped:
            self._start_worker()

    # Output.

    def _read_pipes(self, fds: dict[int, int], now: float) -> bool:
        """Reads the pipes in fds. Returns whether the running cell may have ended with what it wrote."""
        glance = False
        running = self._running
        if running is not None:
            for pipe, (kind, cap) in list(running.pipes.items()):
                if pipe.fd in fds:
                    data = pipe.read()
                    if data:
                        if part := cap.feed(data):
                            self._send(kind, running.id, part)
                        if len(data) < SMALL:
                            pipe.rest_until = now + PAUSE
                            glance = True
                    elif data is not None:
                        pipe.rest_until = float("inf")  # everybody closed it
        for pipe in list(self._old):
            if pipe.fd in fds:
                self._read_old(pipe, now)
        return glance

    def _read_old(self, pipe: Pipe, now: float) -> None:
        """Reads what processes and threads of an ended cell write. A flood is slowed down, and mostly dropped."""
        data = pipe.read()
        if data:
            self._old_rest_until = now + OLD_PAUSE
            kind, execution = self._old[pipe]
            if part := self._background.take(data, now):
                self._send(kind, execution, part)
        elif data is not None:
            self._close_old(pipe)

    def _close_old(self, pipe: Pipe) -> None:
        del self._old[pipe]
        pipe.close()

    def _drain(self, running: Execution) -> None:
        """Reads what was written so far: not until there is nothing, for a child may write for ever."""
        for pipe, (kind, cap) in running.pipes.items():
            left = pipe.pending()
            while left > 0:
                data = pipe.read(left)
                if not data:
                    break
                left -= len(data)
                if part := cap.feed(data):
                    self._send(kind, running.id, part)


def _fields(payload: bytes) -> dict[str, object]:
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _uuid(id: bytes) -> str:
    text = id.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
