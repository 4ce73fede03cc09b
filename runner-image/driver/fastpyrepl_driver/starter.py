"""Where workers come from: forked from the supervisor or, with preloaded libraries, from a template."""

from __future__ import annotations

import os

from . import control, process, template, worker
from .process import Peer, Unkillable, Worker

START_PATIENCE = 10.0  # seconds for a worker to be ready
PRELOAD_PATIENCE = 120.0  # seconds when the template has to import first
MAX_FAILED = 5  # workers in a row that were never ready


class Starter:
    """Makes workers, and the template. It remembers what every new one must be told."""

    def __init__(self) -> None:
        self._preload = any(os.environ.get(template.PRELOAD, "").split(","))
        self._template: Peer | None = None
        self._template_pid = 0
        self._limits = 0, 0.0  # bytes and cores, 0 is unknown
        self._failed = 0
        self.workers = 0  # there have been

    def start(self) -> Worker:
        """Starts a worker, which will say READY. Raises Unkillable when none ever does."""
        self._failed += 1
        if self._failed > MAX_FAILED:
            raise Unkillable("no worker would start")
        if self._preload:
            made = self._from_template()
        else:
            pid, sock = process.fork(worker.main)
            made = Worker(sock, pid, START_PATIENCE)
        self.workers += 1
        if any(self._limits):
            made.send(control.LIMITS, 0, control.LIMITS_BODY.pack(*self._limits))
        return made

    def started(self) -> None:
        """Notes that the last worker became ready."""
        self._failed = 0

    def set_limits(self, memory: int, cpus: float, current: Worker | None) -> None:
        """Tells the worker, and every later one, the container's limits. 0 cpus leaves them as they are."""
        limits = memory, cpus or self._limits[1]
        if limits == self._limits:
            return
        self._limits = limits
        if current is not None:
            current.send(control.LIMITS, 0, control.LIMITS_BODY.pack(*limits))

    def reaped(self, pid: int) -> None:
        """Notes that a child ended: the template, perhaps. It is remade when it is needed."""
        if pid == self._template_pid and self._template is not None:
            self._template.close()
            self._template = None

    def kill_all(self, current: Worker | None, other: int) -> dict[int, int]:
        """Kills every process of the container but this one. Returns the wait status of each, by pid. other is a child besides."""
        mine = [pid for pid in (self._template_pid, current.pid if current is not None else 0, other) if pid]
        ended = dict(process.kill_all(mine))
        for pid in ended:
            self.reaped(pid)
        return ended

    def _from_template(self) -> Worker:
        patience = START_PATIENCE
        if self._template is None:
            self._template_pid, sock = process.fork(template.main)
            self._template = Peer(sock)
            patience = PRELOAD_PATIENCE
        here, there = control.pair()
        fd = there.detach()
        self._template.send(control.FORK, 0, b"", (fd,))
        return Worker(here, 0, patience)
