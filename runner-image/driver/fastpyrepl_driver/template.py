"""The template: a process that has imported the preloaded libraries, and forks workers that have them at once."""

from __future__ import annotations

import gc
import importlib
import os

import _socket

from . import control, system, worker

PRELOAD = "FASTPYREPL_PRELOAD"  # environment variable: names of modules, between commas
OOM_SCORE = 500  # after the workers, before the supervisor


def main(sock: _socket.socket) -> None:
    """Serves FORK until the supervisor is gone. In a forked worker it does not return."""
    worker.leave_supervisor(sock)
    system.set_oom_score(OOM_SCORE)
    system.set_dumpable(False)  # a worker could write into the next one's modules
    for name in os.environ[PRELOAD].split(","):
        try:
            importlib.import_module(name)
        except BaseException:
            pass  # whoever imports it will see why
    gc.collect()
    gc.freeze()
    while (control_fd := _next(sock)) >= 0:
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                sock.close()
                worker.main(_socket.socket(fileno=control_fd))
            os._exit(0)  # the worker is now PID 1's child
        os.close(control_fd)
        os.waitpid(child, 0)


def _next(sock: _socket.socket) -> int:
    """Returns the socket of the worker to make, -1 at the end."""
    packet, ancillary, _, _ = sock.recvmsg(control.MAX_PACKET, _socket.CMSG_SPACE(4))
    fds = control.received(ancillary)
    return fds[0] if packet and fds else -1
