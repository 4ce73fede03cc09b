"""One execution as the supervisor keeps it: what was asked for, how far it is, and what its worker may still say."""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable

from . import control, wire

MAX_SECONDS = 10 * 365 * 86400.0
MAX_BYTES = 1 << 40
MAX_ERROR = 2 << 20  # bytes of ERROR, above what tracebacks' bounds allow
LOCALS_SLACK = 512 << 10  # bytes of LOCALS beyond the cap on its values
MAX_FILES = 512 << 10  # bytes of FILES, above what the bounds of changes allow

# What DONE calls the bytes left out of a message.
_PARTS = {wire.DISPLAY: "display", wire.RESULT: "result", wire.ERROR: "exception", wire.LOCALS: "locals", wire.INPUT_REQUEST: "input_request"}
_CAPPED = (wire.DISPLAY, wire.RESULT)


NOTHING = b'{"timeout":1,"grace":0,"max_stdout":0,"max_stderr":0,"max_display":0}'  # the least that an EXECUTE can ask for


class Invalid(Exception):
    """The EXECUTE cannot be run. Its text says why."""


class Violation(Exception):
    """The worker broke the control protocol. Its text says how."""


class Request:
    """What an EXECUTE asks for beside its code, validated. Executions that ask for the same may share one."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        try:
            fields = _decode(head.decode())
        except (ValueError, RecursionError) as error:
            raise Invalid(f"EXECUTE does not begin with JSON: {error}") from None
        if not isinstance(fields, dict):
            raise Invalid("EXECUTE must begin with an object")
        get = fields.get
        self.name = None if get("name") is None else _string(get("name"), "name")
        self.timeout = _seconds(get("timeout"), "timeout")
        if self.timeout == 0:
            raise Invalid("timeout must be above 0")
        self.grace = _seconds(get("grace"), "grace")
        self.max_stdout = _size(get("max_stdout"), "max_stdout")
        self.max_stderr = _size(get("max_stderr"), "max_stderr")
        max_display = _size(get("max_display"), "max_display")
        self.max_display = max_display
        self.input = get("input", False) is True
        self.meta = _string(get("meta", ""), "meta")
        if len(self.meta) > wire.MAX_META:
            raise Invalid(f"meta must have at most {wire.MAX_META} characters")
        context_kind = ""
        context_size = stdin_size = 0
        if (blob := _object(get("context"), "context")) is not None:
            context_kind = _string(blob.get("kind"), "context.kind")
            if context_kind not in ("text", "json"):
                raise Invalid("context.kind must be text or json")
            context_size = _size(blob.get("size"), "context.size")
        if (blob := _object(get("stdin"), "stdin")) is not None:
            stdin_size = _size(blob.get("size"), "stdin.size")
        self.blobs = context_size + stdin_size  # bytes
        figures = get("figures", ["png"])
        if not isinstance(figures, list) or not all(name in ("png", "svg") for name in figures):
            raise Invalid("figures must be a list of png and svg")
        self.locals: tuple[list[str] | None, int, int] | None = None
        if (asked := _object(get("locals"), "locals")) is not None:
            keys = asked.get("keys")
            if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
                raise Invalid("locals.keys must be a list of strings or null")
            self.locals = keys, _size(asked.get("max_value"), "locals.max_value"), _size(asked.get("max_total"), "locals.max_total")
        # For the worker: see cell.Cell.
        self._options = marshal.dumps((self.name, context_kind, context_size, stdin_size, self.input, self.locals, max_display, figures))

    def task(self, count: int, deadline: float, stale: bool, code: bytes) -> bytes:
        """Returns what the worker gets of it."""
        return control.TASK.pack(count, deadline, stale, len(self._options)) + self._options + code


class Execution:
    """The running execution. Its deadline counts from the moment it was read."""

    def __init__(self, id: bytes, number: int, request: Request, now: float) -> None:
        self.id = id
        self.number = number  # by which the worker knows it
        self.request = request
        self.count = 0
        self.lost_at = 0  # the execution at which the variables were lost since the one before, 0 when they were not
        self.started = now
        self.deadline = now + request.timeout
        self.kill_at = 0.0  # when the grace ends, once interrupted
        self.reason = ""  # of the interrupt: timeout, interrupted, cancelled
        self.stale = False  # an earlier interrupt may still be pending in the worker, which will say CLEARED
        self.input_number = 0  # of the INPUT_REQUEST that waits for an answer
        self.blobs_left = request.blobs  # bytes that are still to come
        self._granted = 0  # bytes of them that the daemon was told of
        self.truncated: dict[str, int] = {}
        self._display_left = request.max_display
        self._once = {wire.RESULT, wire.ERROR, wire.FILES}  # those still allowed
        self._most = {wire.ERROR: MAX_ERROR, wire.FILES: MAX_FILES}  # bytes of one
        if request.locals is not None:
            self._once.add(wire.LOCALS)
            self._most[wire.LOCALS] = request.locals[2] + LOCALS_SLACK
        self._relay = 0  # wire type of the message that is passing through
        self._relay_left = 0  # bytes of it
        self._relay_number = 0  # to acknowledge it with, 0 when the worker does not wait
        self._relay_dropped = False

    def begin_relay(self, kind: int, number: int, size: int) -> None:
        """Checks the head of a message that the worker has for the daemon. Raises Violation."""
        if self._relay_left:
            raise Violation("a message began within another")
        if not 0 < size <= min(wire.MAX_MESSAGE, self._most.get(kind, wire.MAX_MESSAGE)):
            raise Violation(f"a message of {size} bytes")
        if kind != wire.DISPLAY:
            if kind not in self._once:
                raise Violation("a second result, error, locals or files, or locals that were not asked for")
            self._once.remove(kind)
        self._relay, self._relay_number, self._relay_left, self._relay_dropped = kind, number, size, False
        if kind in _CAPPED:
            if size > self._display_left:
                self._relay_dropped = True
                self.cut(_PARTS[kind], size)
            else:
                self._display_left -= size

    def relay(self, data: bytes, send: Callable[[int, bytes, bool], None]) -> int:
        """Passes a part of the message on. Returns the message's number after its last part, else 0. Raises Violation."""
        if not self._relay_left:
            return 0  # a thread's, that began before this execution
        if not data or len(data) > self._relay_left:
            raise Violation("a message that is longer than it said")
        self._relay_left -= len(data)
        if not self._relay_dropped:
            send(self._relay, data, self._relay_left > 0)
        return 0 if self._relay_left else self._relay_number

    def begin_error(self) -> bool:
        """Tells whether no ERROR was sent yet, and counts one as sent."""
        missing = wire.ERROR in self._once
        self._once.discard(wire.ERROR)
        return missing

    def relaying(self) -> bool:
        """Tells whether a message has begun that is not whole yet."""
        return self._relay_left > 0

    def cut(self, part: str, size: int) -> None:
        """Counts what was left out."""
        self.truncated[part] = min(MAX_BYTES, self.truncated.get(part, 0) + size)

    def left_out(self, body: bytes) -> None:
        """Counts what the worker says it left out. Raises Violation."""
        kind, size = control.COUNT.unpack(body)
        if kind not in _PARTS or not size:
            raise Violation(f"{size} bytes left out of message {kind}")
        self.cut(_PARTS[kind], size)

    def interrupt(self, reason: str, now: float) -> bool:
        """Notes that it is being interrupted. Returns False when it was already."""
        if self.reason:
            return False
        self.reason = reason
        self.kill_at = now + self.request.grace
        return True

    def wakes_at(self) -> float:
        """Returns when something must be done about it."""
        return self.kill_at if self.reason else self.deadline

    def grant(self, waiting: int) -> int:
        """Returns the total to grant the daemon when that is worth a frame, else 0. Waiting is what the worker has not taken."""
        total = self.request.blobs
        consumed = total - self.blobs_left - waiting
        if consumed - self._granted < min(wire.WINDOW // 4, max(1, total - self._granted)):
            return 0
        self._granted = consumed
        return consumed

    def done(self, now: float, outcome: str, state_kept: bool, cause: dict[str, object] | None, report: bytes) -> bytes:
        """Returns the payload of DONE. The report is the worker's own, or empty."""
        wall = now - self.started
        duration = cpu_time = -1.0
        peak = 0
        if report:
            _, _, duration, cpu_time, peak = control.REPORT.unpack(report)
        lost = f',"state_lost_at":{self.lost_at}' if self.lost_at else ""
        # On every cell's way; json.dumps of the whole takes four times as long.
        return (
            f'{{"outcome":"{outcome}","state_kept":{"true" if state_kept else "false"},"execution_count":{self.count}'
            f',"duration":{_within(duration, wall, wall):.6f},"cause":{json.dumps(cause) if cause else "null"}'
            f',"usage":{{"cpu_time":{_within(cpu_time, 0.0, MAX_SECONDS):.6f},"wall_time":{wall:.6f},"memory_peak":{min(peak, MAX_BYTES)}}}'
            f',"truncated":{json.dumps(self.truncated) if self.truncated else "{}"}{lost}}}'
        ).encode()


def _within(value: float, otherwise: float, most: float) -> float:
    return value if 0 <= value <= most else otherwise  # also when it is not a number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode  # json.loads would make one for every call


def _string(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{key} must be a string")
    return value


def _object(value: object, key: str) -> dict[str, object] | None:
    if value is not None and not isinstance(value, dict):
        raise Invalid(f"{key} must be an object or null")
    return value


def _seconds(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_SECONDS:
        raise Invalid(f"{key} must be seconds, at least 0")
    return float(value)


def _size(value: object, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_BYTES:
        raise Invalid(f"{key} must be bytes, at least 0")
    return value
