"""The working directory, as the file server reaches it.

Everything below it is in the hands of hostile code, which changes it at the same time. So nothing is ever reached by a path of more
than one component: each is opened in the directory before it, never through a link, and what was opened is looked at before it is used.
"""

from __future__ import annotations

import errno
import os
import stat

from . import wire

OWN = wire.OWN_NAME.encode()  # directory below the working directory, for files that are not whole yet
MAX_NAME = 255  # bytes
MAX_PATH = 4096  # bytes
MAX_STALE = 1000  # files that a dead file server may have left

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
_REASONS = {
    errno.ENOSPC: ("no_space", "the session's disk is full"),
    errno.EDQUOT: ("no_space", "the session's disk is full"),
    errno.ENOMEM: ("no_space", "the session's memory is full"),
    errno.EFBIG: ("too_large", "the file is larger than the session may write"),
    errno.ENOENT: ("not_found", "no such file or directory"),
    errno.ENOTEMPTY: ("conflict", "the directory is not empty"),
    errno.EEXIST: ("conflict", "something is there already"),
    errno.EISDIR: ("conflict", "a directory is there"),
    errno.ENOTDIR: ("conflict", "a part of the path is not a directory, or a link, which is not followed"),
    errno.ELOOP: ("conflict", "it is a link, which is not followed"),
    errno.ENXIO: ("conflict", "it is not a regular file"),
    errno.EACCES: ("conflict", "the session's own permissions do not allow it"),
    errno.EPERM: ("conflict", "the session's own permissions do not allow it"),
    errno.ENAMETOOLONG: ("invalid", "the path is too long"),
    errno.EMFILE: ("busy", "the session has too many open files"),
    errno.ENFILE: ("busy", "the machine has too many open files"),
}

Path = tuple[bytes, ...]  # components


class Refused(Exception):
    """An operation cannot be done: one of the protocol's codes, and why. file is what is there, where that tells more."""

    def __init__(self, code: str, message: str, file: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.file = file

    @classmethod
    def by(cls, error: Exception) -> Refused:
        """Returns what an error means."""
        if isinstance(error, MemoryError):
            return cls(*_REASONS[errno.ENOMEM])
        number = error.errno if isinstance(error, OSError) else None
        return cls(*_REASONS.get(number, ("failed", f"{type(error).__name__} {errno.errorcode.get(number, '')}".strip())))


def parse(path: object) -> Path:
    """Returns the components of a path of the protocol's. Raises Refused."""
    if not isinstance(path, str):
        raise Refused("invalid", "path must be a string")
    if not path:
        return ()
    try:
        data = path.encode()
    except UnicodeEncodeError:
        raise Refused("invalid", "the path is not UTF-8") from None
    parts = tuple(data.split(b"/"))
    if len(data) > MAX_PATH or any(part in (b"", b".", b"..") or b"\0" in part or len(part) > MAX_NAME for part in parts):
        raise Refused("invalid", "the path has a component that is empty, dots, or too long")
    if parts[0] == OWN:
        raise Refused("invalid", f"{wire.OWN_NAME} is the driver's own")
    return parts


def describe(status: os.stat_result) -> dict[str, object]:
    """Returns what the protocol calls info."""
    return {
        "type": _TYPES.get(stat.S_IFMT(status.st_mode), "other"),
        "size": status.st_size,
        "mtime": max(-(2**63), min(status.st_mtime_ns, 2**63 - 1)),  # a program may set any
        "mode": stat.S_IMODE(status.st_mode),
        # With the time of change, for the time of modification can be set to anything.
        "tag": f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}",
    }


class Tree:
    """The directory that this process was started in."""

    def __init__(self) -> None:
        self._root = os.open(".", _DIRECTORY)
        self._made = 0  # temporary files

    def enter(self, path: Path) -> int:
        """Opens a directory for use as dir_fd. The descriptor is the caller's."""
        here = os.dup(self._root)
        try:
            for part in path:
                inner = os.open(part, _DIRECTORY, dir_fd=here)
                os.close(here)
                here = inner
        except BaseException:
            os.close(here)
            raise
        return here

    def look(self, path: Path) -> os.stat_result:
        """Returns what is there. A link is itself."""
        if not path:
            return os.fstat(self._root)
        parent = self.enter(path[:-1])
        try:
            return os.stat(path[-1], dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)

    def scan(self, path: Path) -> int:
        """Opens a directory for reading. The descriptor is the caller's."""
        directory = self.enter(path)
        try:
            return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        finally:
            os.close(directory)

    def read(self, path: Path) -> tuple[int, os.stat_result]:
        """Opens a regular file. The descriptor is the caller's."""
        status = self.look(path)
        if not stat.S_ISREG(status.st_mode):  # before it is opened: a pipe would notice
            raise _no_file(status)
        parent = self.enter(path[:-1])
        try:
            fd = os.open(path[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=parent)
        finally:
            os.close(parent)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):  # it was swapped in this moment
            os.close(fd)
            raise _no_file(status)
        return fd, status

    def make(self, path: Path, mode: int = 0o755) -> tuple[int, list[Path]]:
        """Opens a directory as enter does, and makes it and those on the way where they are not there. Returns which it made."""
        made: list[Path] = []
        here = os.dup(self._root)
        try:
            for number, part in enumerate(path, 1):
                try:
                    inner = os.open(part, _DIRECTORY, dir_fd=here)
                except FileNotFoundError:
                    os.mkdir(part, mode if number == len(path) else 0o755, dir_fd=here)
                    made.append(path[:number])
                    inner = os.open(part, _DIRECTORY, dir_fd=here)
                os.close(here)
                here = inner
        except BaseException:
            os.close(here)
            self.unmake(made)
            raise
        return here, made

    def unmake(self, made: list[Path]) -> None:
        """Removes directories that make has made, unless something is in them by now."""
        for path in reversed(made):
            try:
                self.remove(path, directory=True)
            except OSError:
                pass

    def remove(self, path: Path, directory: bool) -> None:
        """Removes an empty directory, or anything else; of a link, itself."""
        parent = self.enter(path[:-1])
        try:
            (os.rmdir if directory else os.unlink)(path[-1], dir_fd=parent)
        finally:
            os.close(parent)

    def needs(self, size: int) -> None:
        """Raises Refused when a new file of that many bytes cannot fit. Of a size that is not known, -1, the file alone."""
        status = os.fstatvfs(self._root)
        if status.f_files and not status.f_favail:  # 0 of 0 is a file system that does not count them
            raise Refused("no_space", "no more files fit on the session's disk")
        if size > status.f_bavail * status.f_frsize:
            raise Refused("no_space", f"{size} bytes do not fit on the session's disk")

    # Files that are not whole yet.

    def clean(self) -> None:
        """Removes what a file server that died left."""
        try:
            own = self.scan((OWN,))
        except OSError:
            return
        try:
            with os.scandir(own) as entries:
                names = [entry.name for _, entry in zip(range(MAX_STALE), entries)]
            for name in names:
                try:
                    os.unlink(name, dir_fd=own)
                except OSError:
                    pass
        finally:
            os.close(own)
            self.tidy()

    def tidy(self) -> None:
        """Removes the directory of those files when there are none."""
        try:
            os.rmdir(OWN, dir_fd=self._root)
        except OSError:
            pass

    def temporary(self) -> Temporary:
        return Temporary(self)

    def own(self) -> int:
        """Opens the directory of files that are not whole yet, and makes it. What user code put in its place makes way."""
        try:
            os.mkdir(OWN, 0o700, dir_fd=self._root)
        except FileExistsError:
            pass
        try:
            return os.open(OWN, _DIRECTORY, dir_fd=self._root)
        except NotADirectoryError:
            os.unlink(OWN, dir_fd=self._root)
            os.mkdir(OWN, 0o700, dir_fd=self._root)
            return os.open(OWN, _DIRECTORY, dir_fd=self._root)

    def next_name(self) -> bytes:
        """Returns a name that no file has which is not whole yet."""
        self._made += 1
        return f"{os.getpid()}-{self._made}".encode()


class Temporary:
    """A file that is not whole yet. It is gone when closed, unless it was put in its place."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._directory = tree.own()
        self._name = tree.next_name()
        self._there = False
        self.fd = -1
        try:
            self.fd = os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory)
            self._there = True
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]

    def put(self, name: bytes, parent: int, only_new: bool) -> None:
        """Gives it its name, in the place of what has it, or only if nothing has."""
        if only_new:
            os.link(self._name, name, src_dir_fd=self._directory, dst_dir_fd=parent, follow_symlinks=False)
            os.unlink(self._name, dir_fd=self._directory)
        else:
            os.rename(self._name, name, src_dir_fd=self._directory, dst_dir_fd=parent)
        self._there = False

    def close(self) -> None:
        if self._there:
            try:
                os.unlink(self._name, dir_fd=self._directory)
            except OSError:
                pass
            self._there = False
        for fd in (self.fd, self._directory):
            if fd >= 0:
                os.close(fd)
        self.fd = self._directory = -1
        self._tree.tidy()


def _no_file(status: os.stat_result) -> Refused:
    what = {"directory": "a directory", "link": "a link, which is not followed"}.get(describe(status)["type"], "neither a file nor a directory")
    return Refused("conflict", f"it is {what}", describe(status))
