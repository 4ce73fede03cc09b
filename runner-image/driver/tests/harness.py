"""A daemon for tests: it starts the supervisor over pipes, and speaks the wire protocol to it."""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

DRIVER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, DRIVER)

from fastpyrepl_driver import execution, kept, limits, outbox, output, pipes, system, values, wire  # noqa: E402

__all__ = ["COMMAND", "DRIVER", "Daemon", "DriverTest", "Reply", "Transfer", "execute", "execution", "kept", "limits", "outbox", "output", "pipes", "system", "values", "wire"]

PATIENCE = 30.0  # seconds for a reply, also on a machine that is busy
# What starts the supervisor. Another command runs the same tests against it as PID 1: docker run --rm -i ... as the daemon does.
COMMAND = shlex.split(os.environ.get("FASTPYREPL_TEST_DRIVER", "")) or [sys.executable, "-I", DRIVER]


def execute(code: str, **fields: object) -> bytes:
    """Returns the payload of an EXECUTE."""
    return json.dumps(fields).encode() + b"\n" + code.encode()


class Reply:
    """What one execution said."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []  # whole messages, in order
        self.stdout = b""
        self.stderr = b""
        self.displays: list[dict] = []
        self.result: dict | None = None
        self.error: dict | None = None
        self.locals: dict | None = None
        self.reject: dict | None = None
        self.done: dict = {}
        self.seq = 0  # of the last frame; one that comes again is not heard
        self.files: dict | None = None


class Transfer:
    """What one transfer said, and how far its bytes went."""

    def __init__(self) -> None:
        self.info: dict | None = None
        self.data = bytearray()
        self.done: dict | None = None
        self.sent = 0
        self.granted = 0
        self.consumed = 0

    @property
    def code(self) -> str:
        """The code of its error, "" for none."""
        return (self.done.get("error") or {}).get("code", "")

    @property
    def entries(self) -> list[dict]:
        return [json.loads(line) for line in self.data.splitlines()]


class Daemon:
    """An attachment to a supervisor."""

    def __init__(self, command: list[str] | None = None, env: dict[str, str] | None = None, memory: int = 0, lease: float = 0) -> None:
        self.home = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(command or COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, **(env or {})}, bufsize=0, cwd=self.home.name)
        self.epoch = 0
        self.memory, self.lease = memory, lease
        self.background: list[tuple[int, bytes, bytes]] = []
        self.states: list[dict] = []
        self.faults: list[dict] = []
        self._buffer = bytearray()
        self._parts: dict[int, bytes] = {}
        self._poll = select.poll()
        self._poll.register(self.process.stdout, select.POLLIN)
        self.seq = 0
        self.replies: dict[bytes, Reply] = {}
        self.granted: dict[bytes, int] = {}
        self.transfers: dict[bytes, Transfer] = {}

    def attach(self, padded: bool = False, epoch: int | None = None) -> dict:
        """Says HELLO and returns READY."""
        self.epoch = epoch or self.epoch + 1
        if padded:
            self.write(bytes(wire.MAX_PAYLOAD + wire.HEADER_SIZE))
        self.send(wire.HELLO, {"protocol": 1, "nonce": f"{self.epoch:032x}", "lease": self.lease, "memory": self.memory})
        while True:
            frame = self.next()
            if frame.type == wire.READY and frame.epoch == self.epoch:
                return json.loads(frame.payload)

    def write(self, data: bytes) -> None:
        self.process.stdin.write(data)

    def send(self, kind: int, fields: dict | bytes, execution: bytes = wire.NO_EXECUTION) -> None:
        payload = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        seq = 0
        ours = kind not in wire.OF_FILES and execution != wire.NO_EXECUTION
        while True:
            part, payload = payload[: wire.MAX_PAYLOAD], payload[wire.MAX_PAYLOAD :]
            if ours:
                self.seq += 1
                seq = self.seq
            self.write(wire.encode(kind, self.epoch, execution, part, bool(payload) and kind not in wire.STREAMS, seq))
            if not payload:
                return

    def next(self, patience: float = PATIENCE) -> wire.Frame:
        """Returns the next whole message. Raises when the stream breaks the protocol, ends, or is silent."""
        until = time.monotonic() + patience
        while True:
            frame = wire.parse(self._buffer, 0, wire.FROM_DRIVER) if self._buffer else None
            if frame is not None:
                del self._buffer[: frame.size]
                if frame.more:
                    self._parts[frame.type] = self._parts.get(frame.type, b"") + frame.payload
                    continue
                frame.payload = self._parts.pop(frame.type, b"") + frame.payload
                if frame.type == wire.DONE:
                    self._parts.clear()
                return frame
            if not self._poll.poll(max(0, (until - time.monotonic()) * 1000)):
                raise TimeoutError("the supervisor is silent")
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError(f"the supervisor ended: {self.process.wait(PATIENCE)}")
            self._buffer += data

    def start(self, code: str, execution: bytes | None = None, **fields: object) -> bytes:
        """Sends an EXECUTE and returns its id."""
        execution = execution or uuid.uuid4().bytes
        self.seq = 0
        self.replies[execution] = Reply()
        self.send(wire.EXECUTE, execute(code, **{"timeout": 20, "grace": 1, "max_stdout": 1 << 20, "max_stderr": 1 << 20,
                                                 "max_display": 1 << 20, **fields}), execution)
        return execution

    def step(self, patience: float = PATIENCE) -> wire.Frame:
        """Takes one message and files it."""
        frame = self.next(patience)
        reply = self.replies.get(frame.execution)
        if frame.type in (wire.BACKGROUND_STDOUT, wire.BACKGROUND_STDERR):
            self.background.append((frame.type, frame.execution, frame.payload))
        elif frame.type == wire.STATE:
            self.states.append(json.loads(frame.payload))
        elif frame.type == wire.FAULT:
            self.faults.append(json.loads(frame.payload))
        elif frame.type == wire.WINDOW_GRANT:
            self.granted[frame.execution] = json.loads(frame.payload)["consumed"]
        elif frame.type in wire.OF_FILES:
            self._file(frame)
        elif reply is not None and frame.seq and frame.seq <= reply.seq:
            pass  # told again to a daemon that attached anew
        elif reply is not None:
            reply.seq = frame.seq
            assert not reply.done and not reply.reject, "a frame after DONE"
            reply.frames.append((frame.type, frame.payload))
            if frame.type == wire.STDOUT:
                reply.stdout += frame.payload
            elif frame.type == wire.STDERR:
                reply.stderr += frame.payload
            elif frame.type == wire.DISPLAY:
                reply.displays.append(json.loads(frame.payload))
            else:
                name = {wire.RESULT: "result", wire.ERROR: "error", wire.LOCALS: "locals", wire.REJECT: "reject",
                        wire.DONE: "done", wire.FILES: "files"}.get(frame.type)
                if name:
                    assert not getattr(reply, name), f"a second {name}"
                    setattr(reply, name, json.loads(frame.payload))
        return frame

    def finish(self, execution: bytes) -> Reply:
        """Waits for the end of an execution."""
        reply = self.replies[execution]
        while not reply.done and not reply.reject:
            self.step()
        return reply

    def run(self, code: str, **fields: object) -> Reply:
        return self.finish(self.start(code, **fields))

    def wait_for(self, kind: int) -> wire.Frame:
        """Waits for a message of a type."""
        while (frame := self.step()).type != kind:
            pass
        return frame

    def send_blobs(self, execution: bytes, data: bytes) -> None:
        """Sends blobs as far as the window allows, until they are all sent or the execution ends."""
        sent = 0
        while sent < len(data) and not self.replies[execution].done:
            room = self.granted.get(execution, 0) + wire.WINDOW - sent
            if room <= 0:
                self.step()
                continue
            part = data[sent : sent + min(room, wire.MAX_PAYLOAD)]
            self.send(wire.DATA, part, execution)
            sent += len(part)

    def _file(self, frame: wire.Frame) -> None:
        transfer = self.transfers[frame.execution]
        assert transfer.done is None, "a frame after FILE_DONE"
        assert frame.seq == 0
        if frame.type == wire.FILE_BYTES:
            transfer.data += frame.payload
            assert len(transfer.data) <= transfer.consumed + wire.FILE_WINDOW_SIZE, "beyond the window"
            return
        fields = json.loads(frame.payload)
        if frame.type == wire.FILE_INFO:
            transfer.info = fields
        elif frame.type == wire.FILE_GRANT:
            transfer.granted = fields["consumed"]
        else:
            transfer.done = fields

    def open(self, op: str, path: str = "", **fields: object) -> bytes:
        """Sends a FILE_OPEN and returns the transfer's id."""
        id = uuid.uuid4().bytes
        self.transfers[id] = Transfer()
        self.send(wire.FILE_OPEN, {"op": op, "path": path, **fields}, id)
        return id

    def consume(self, id: bytes) -> None:
        """Grants a transfer what has come of it."""
        transfer = self.transfers[id]
        transfer.consumed = len(transfer.data)
        self.send(wire.FILE_WINDOW, {"consumed": transfer.consumed}, id)

    def end(self, id: bytes) -> Transfer:
        """Waits for the end of a transfer, and takes all that comes."""
        transfer = self.transfers[id]
        while transfer.done is None:
            if len(transfer.data) - transfer.consumed >= wire.FILE_WINDOW_SIZE // 4:
                self.consume(id)
            self.step()
        return transfer

    def file(self, op: str, path: str = "", **fields: object) -> Transfer:
        return self.end(self.open(op, path, **fields))

    def upload(self, id: bytes, data: bytes) -> None:
        """Sends bytes of a write as far as the window allows, until they are all sent or the transfer ends."""
        transfer, sent = self.transfers[id], 0
        while sent < len(data) and transfer.done is None:
            room = transfer.granted + wire.FILE_WINDOW_SIZE - transfer.sent
            if room <= 0:
                self.step()
                continue
            part = data[sent : sent + min(room, wire.MAX_PAYLOAD)]
            self.send(wire.FILE_DATA, part, id)
            sent += len(part)
            transfer.sent += len(part)

    def put(self, path: str, data: bytes, **fields: object) -> Transfer:
        """Writes a file."""
        id = self.open("write", path, **fields)
        self.upload(id, data)
        self.send(wire.FILE_END, b"", id)
        return self.end(id)

    def close(self) -> int:
        """Ends the supervisor as a daemon does. Returns its exit status."""
        try:
            if self.process.poll() is None:
                try:
                    self.send(wire.SHUTDOWN, {})
                except BrokenPipeError:
                    pass
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.home.cleanup()


class DriverTest(unittest.TestCase):
    """A test case with an attached supervisor of its own."""

    env: dict[str, str] = {}
    memory = 0

    def setUp(self) -> None:
        self.daemon = Daemon(env=self.env, memory=self.memory)
        self.addCleanup(self.daemon.close)
        self.ready = self.daemon.attach()

    def run_cell(self, code: str, **fields: object) -> Reply:
        return self.daemon.run(code, **fields)

    def assert_alive(self, value: str = "1+1", expected: str = "2") -> None:
        reply = self.daemon.run(value)
        self.assertEqual("ok", reply.done["outcome"], reply.stderr)
        self.assertEqual(expected, reply.result["data"]["text/plain"])
