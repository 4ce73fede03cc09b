"""The processes below the supervisor: making, watching and ending them."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable

import _socket

from . import control

KILL_SECONDS = 2.0  # for every process in the container to be gone after SIGKILL


class Forked(BaseException):
    """Raised in a forked child, to leave the supervisor's frames before it becomes something else."""

    def __init__(self, become: Callable[[_socket.socket], None], control: _socket.socket) -> None:
        self.become = become
        self.control = control


class Unkillable(Exception):
    """Processes outlived SIGKILL: the container must end."""


class Peer:
    """The supervisor's end of a control socket, and what waits to be sent over it."""

    def __init__(self, sock: _socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.fd = sock.fileno()
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self.waiting = 0  # bytes

    def send(self, kind: int, number: int = 0, body: bytes = b"", fds: tuple[int, ...] = ()) -> None:
        """Sends a message, or as much of it as the socket takes now. Descriptors are closed once sent."""
        for packet in control.packets(kind, number, body):
            self._waiting.append((packet, fds))
            self.waiting += len(packet)
            fds = ()
        self.flush()

    def pass_on(self, packet: bytes) -> None:
        """Sends a packet that is not of this program's making, or lets it wait."""
        self._waiting.append((packet, ()))
        self.waiting += len(packet)
        self.flush()

    def flush(self) -> int:
        """Sends what waits. Returns how many bytes went."""
        sent = 0
        while self._waiting:
            packet, fds = self._waiting[0]
            try:
                self.sock.sendmsg([packet], control.descriptors(*fds) if fds else [])
            except BlockingIOError:
                break
            except OSError:
                self.discard()  # its process is gone, which is noticed elsewhere
                break
            close_all(fds)
            self._waiting.popleft()
            sent += len(packet)
        self.waiting -= min(sent, self.waiting)
        return sent

    def discard(self, kind: int | None = None) -> None:
        """Forgets what waits, or those packets of it that are whole messages of a kind."""
        kept: deque[tuple[bytes, tuple[int, ...]]] = deque()
        for packet, fds in self._waiting:
            if kind is None or packet[0] == kind:
                close_all(fds)
                self.waiting -= len(packet)
            else:
                kept.append((packet, fds))
        self._waiting = kept

    def close(self) -> None:
        self.discard()
        self.sock.close()


class Worker(Peer):
    """The process that runs user code, as the supervisor sees it."""

    def __init__(self, sock: _socket.socket, pid: int, patience: float) -> None:
        super().__init__(sock)
        self.pid = pid  # 0 until READY, when the template forks it
        self.ready = False
        self.give_up = time.monotonic() + patience  # when it should have been ready
        self.silent_since = 0.0  # its control socket is closed since then

    def receive(self) -> tuple[bytes | None, int]:
        """Returns a packet and its sender's pid: None when there is none now, b"" at the end."""
        try:
            packet, ancillary, _, _ = self.sock.recvmsg(control.MAX_PACKET, control.CREDENTIALS_SPACE)
        except BlockingIOError:
            return None, 0
        except OSError:
            return b"", 0
        return packet, control.sender(ancillary)

    def interrupt(self) -> None:
        """Interrupts its process group, also when that is stopped."""
        for number in (signal.SIGINT, signal.SIGCONT):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return

    def exiting(self, certainly: bool = False) -> bool:
        """Tells whether it is on its way out, or may be. False when it lives on with its socket closed."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:
                fields = file.read(4096).rpartition(b")")[2].split()
            state, flags = fields[0], int(fields[6])
        except (OSError, ValueError, IndexError):
            return True
        return state in (b"Z", b"X") or bool(flags & 0x4) or not (flags or certainly)  # PF_EXITING; gVisor has no flags


def fork(become: Callable[[_socket.socket], None], patience: float = KILL_SECONDS) -> tuple[int, _socket.socket]:
    """Forks a child that becomes what is given, with a control socket. Returns its pid and our end. Raises OSError after patience."""
    here, there = control.pair()
    give_up = time.monotonic() + patience
    while True:
        try:
            pid = os.fork()
            break
        except OSError:  # the container is at its limits for a moment
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    if pid == 0:
        here.detach()  # closed with all else that the child does not need
        raise Forked(become, there)
    there.close()
    return pid, here


def reap() -> list[tuple[int, int]]:
    """Collects every child that ended: (pid, wait status)."""
    ended = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def kill_all(mine: list[int]) -> list[tuple[int, int]]:
    """Kills every process of the container and reaps them. Raises Unkillable.

    Outside a container, in tests, "every process" is the sessions of mine.
    """
    ended = []
    give_up = time.monotonic() + KILL_SECONDS
    while True:
        alone = _kill_everyone() if os.getpid() == 1 else _kill_sessions(mine)
        ended += reap()
        if alone:
            return ended
        if time.monotonic() > give_up:
            raise Unkillable
        time.sleep(0.0005)


def _kill_everyone() -> bool:
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return True
    return False


def _kill_sessions(mine: list[int]) -> bool:
    alone = True
    for pid in mine:
        for kill in (os.killpg, os.kill):
            try:
                kill(pid, signal.SIGKILL)
                alone = False
            except (ProcessLookupError, PermissionError):
                pass
    return alone


def close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def ending(status: int) -> dict[str, object]:
    """Says how a process ended, as the cause in DONE and STATE."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return {"kind": "exit", "status": code, "message": f"the worker exited with status {code}"}
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return {"kind": "signal", "signal": -code, "message": f"the worker was killed by {name}"}
