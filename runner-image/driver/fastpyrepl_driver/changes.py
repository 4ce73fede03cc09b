"""Which files a cell changes below the working directory: what is there after it, compared with what was there before.

The worker looks, for it is there at both moments and costs nobody a wake-up. So this is its own word, like all that it says of a cell;
of a cell that kills its process nothing is known.
"""

from __future__ import annotations

from .private import BUILTINS, os, time  # first: see there

__builtins__ = BUILTINS

from . import wire
from .text import to_json

MAX_ENTRIES = 2000  # files and directories that are looked at
MAX_NAMES = 64 << 10  # characters of all paths that are told
CLOCK = 20_000_000  # nanoseconds by which the clock of a file system may be late

_FILE, _DIRECTORY, _KIND = 0o100000, 0o040000, 0o170000
_ROOT = ""
_lstat = os.lstat


def unknown() -> bytes:
    """Returns the FILES of a cell of which nothing is known."""
    return to_json({"created": [], "modified": [], "deleted": [], "truncated": True})


class TooMuch(Exception):
    """There is more than is looked at."""


class Directory:
    """A directory as it was when its names were read."""

    __slots__ = ("mark", "settled", "files", "directories")

    def __init__(self, mark: tuple[int, int], settled: bool, files: list[str], directories: list[str]) -> None:
        self.mark = mark  # inode and time of change
        self.settled = settled  # that time tells: it was not so recent that another change could have the same
        self.files = files  # paths, of anything but directories
        self.directories = directories


class Changes:
    """Looks at a directory before and after each cell."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/") + "/"
        self._directories: dict[str, Directory] = {}
        self._before: dict[str, tuple[int, int, int]] | None = None
        self._empty = 0  # time of change of the root, where that had nothing in it and tells

    def begin(self) -> None:
        """Looks before a cell."""
        if self.untouched():
            self._before = {}
        else:
            self._before = None
            self._before = self._look()

    def untouched(self) -> bool:
        """Tells, as cheaply as can be, that an empty directory still is: most are, in most sessions."""
        try:
            return self._empty > 0 and _lstat(self._root).st_ctime_ns == self._empty
        except OSError:
            return False

    def end(self) -> bytes | None:
        """Looks after a cell. Returns what a FILES says, None when nothing changed."""
        before = self._before
        after = None if before is None else self._look()
        if after is None:
            return unknown()
        if after == before:
            return None
        told = {
            "created": [path for path in after if path not in before],
            "modified": [path for path, file in after.items() if before.get(path, file) != file],
            "deleted": [path for path in before if path not in after],
            "truncated": False,
        }
        room = MAX_NAMES
        for kind in ("created", "modified", "deleted"):
            paths = []
            for path in sorted(told[kind]):
                room -= len(path)
                if room < 0 or not _sayable(path):
                    told["truncated"] = True
                else:
                    paths.append(path)
            told[kind] = paths
        return to_json(told)

    def _look(self) -> dict[str, tuple[int, int, int]] | None:
        """Returns what tells one version of each regular file from another, None when there is too much to look at."""
        self._empty = 0
        try:
            return self._walk()
        except Exception:  # TooMuch, a directory that may not be read, an audit hook of the user's
            self._directories.clear()
            return None

    def _walk(self) -> dict[str, tuple[int, int, int]]:
        lstat, root, known = _lstat, self._root, self._directories
        files: dict[str, tuple[int, int, int]] = {}
        seen: dict[str, Directory] = {}
        stack = [_ROOT]
        left = MAX_ENTRIES
        while stack:
            path = stack.pop()
            try:
                status = lstat(root + path)
                mark = status.st_ino, status.st_ctime_ns
                directory = known.get(path)
                if directory is None or directory.mark != mark or not directory.settled:
                    directory = self._read(path, mark, left)
            except FileNotFoundError:
                continue  # it has gone in this moment
            seen[path] = directory
            left -= len(directory.files) + len(directory.directories)
            if left < 0:
                raise TooMuch
            for name in directory.files:
                try:
                    status = lstat(root + name)
                except FileNotFoundError:
                    continue
                if status.st_mode & _KIND == _FILE:
                    files[name] = status.st_ino, status.st_size, status.st_mtime_ns
            stack += directory.directories
        self._directories = seen
        root = seen.get(_ROOT)
        if root is not None and root.settled and not root.files and not root.directories:
            self._empty = root.mark[1]
        return files

    def _read(self, path: str, mark: tuple[int, int], most: int) -> Directory:
        """Reads the names in a directory."""
        settled = time.time_ns() - mark[1] > CLOCK
        files: list[str] = []
        directories: list[str] = []
        prefix = path and path + "/"
        with os.scandir(self._root + path) as entries:
            for entry in entries:
                if (most := most - 1) < 0:
                    raise TooMuch
                if entry.is_dir(follow_symlinks=False):
                    if prefix or entry.name != wire.OWN_NAME:
                        directories.append(prefix + entry.name)
                else:
                    files.append(prefix + entry.name)
        return Directory(mark, settled, files, directories)


def _sayable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
