"""What the driver needs of Linux and the standard library does not offer plainly."""

from __future__ import annotations

from .private import BUILTINS, os  # first: see there

__builtins__ = BUILTINS

import _ctypes
import fcntl
import signal

# The ctypes package would cost PID 1 megabytes for two calls of plain integers.
_LIBC = _ctypes.dlopen(None, 0)
_PRCTL = _ctypes.dlsym(_LIBC, "prctl")
_FFLUSH = _ctypes.dlsym(_LIBC, "fflush")

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

F_SETPIPE_SZ = 1031
FIONREAD = 0x541B  # ioctl: bytes that can be read now; termios is not loaded for one number


def _prctl(option: int, value: int) -> None:
    if _ctypes.call_function(_PRCTL, (option, value, 0, 0, 0)) != 0:
        raise OSError(f"prctl({option}, {value})")


def set_dumpable(dumpable: bool) -> None:
    """An un-dumpable process cannot be read, written or traced by others of its uid."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable))


def become_subreaper() -> None:
    """Makes orphans below this process its children, as they are PID 1's in a container."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def flush_c_streams() -> None:
    """Writes out what C code left in its stdio buffers."""
    _ctypes.call_function(_FFLUSH, (0,))


def duplicate_high(fd: int) -> int:
    """Returns a duplicate of fd out of the way of user code, which like any program opens its first file at 3."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)
    except OSError:  # the limit of open files is lower
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def _catchable() -> list[int]:
    kept = (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD)
    return [number for number in sorted(signal.valid_signals()) if number not in kept]


def ignore_signals() -> None:
    """Makes this process deaf, so that nothing inside the container ends it."""
    for number in _catchable():
        signal.signal(number, signal.SIG_IGN)


def restore_signals() -> None:
    """Gives this process the signal handlers that Python starts with."""
    for number in _catchable():
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def set_oom_score(score: int) -> None:
    """Tells the kernel whom to take first. It can only be raised here, and matters only under a memory limit."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(score))
    except OSError:
        pass  # not on this kernel; the worker is still the largest process


def reset_peak() -> None:
    """Makes this process's peak of memory its present size, so that a cell's can be told."""
    try:
        fd = os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # not on this kernel: the peak stays that of the process
    os.write(fd, b"5")
    os.close(fd)


class Births:
    """Tells whether any process or thread was made in this container: by the last number that was given to one."""

    def __init__(self, path: str = "/proc/loadavg") -> None:
        self._file = -1
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass
        self._first = self.last()

    def last(self) -> bytes:
        """Returns what changes with every birth; b"" where the kernel does not tell."""
        return os.pread(self._file, 128, 0).rpartition(b" ")[2] if self._file >= 0 else b""

    def check(self) -> None:
        """Is called after a birth: a kernel that did not count it (gVisor's) does not tell."""
        if self._file >= 0 and self.last() == self._first:
            os.close(self._file)
            self._file = -1


class OomCounter:
    """Counts the processes that the kernel killed at the container's memory limit."""

    _PATHS = ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events")  # cgroup v1, v2

    def __init__(self) -> None:
        self._file = -1
        for path in self._PATHS:
            try:
                self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                break
            except OSError:
                continue
        self._seen = 0
        self.rose()

    def rose(self) -> bool:
        """Tells whether it counted since the last call. False where the kernel does not say."""
        if self._file < 0:
            return False
        try:
            text = os.pread(self._file, 4096, 0)
        except OSError:
            return False
        for line in text.splitlines():
            key, _, value = line.partition(b" ")
            if key == b"oom_kill" and value.isdigit():
                before, self._seen = self._seen, int(value)
                return self._seen > before
        return False
