"""Which files a cell changes below the working directory: what is there after it, compared with what was there before.

The worker looks, for it is there at both moments and costs nobody a wake-up. So this is its own word, like all that it says of a cell;
of a cell that kills its process nothing is known.
"""

from __future__ import annotations

from .private import BUILTINS, os, time  # first: see there

__builtins__ = BUILTINS

from . import wire
from .text import to_json

MAX_ENTRIES = 2000  # files and directories that are looked at, those nearest to the root first
MAX_NAMES = 64 << 10  # characters of all paths that are told
CLOCK = 20_000_000  # nanoseconds by which the clock of a file system may be late

_FILE, _DIRECTORY, _KIND = 0o100000, 0o040000, 0o170000
_ROOT = ""
_lstat = os.lstat


def unknown() -> bytes:
    """Returns the FILES of a cell of which nothing is known."""
    return to_json({"created": [], "modified": [], "deleted": [], "truncated": True})


class Directory:
    """A directory as it was when its names were read."""

    __slots__ = ("mark", "settled", "whole", "files", "directories")

    def __init__(self, mark: tuple[int, int]) -> None:
        self.mark = mark  # inode and time of change
        self.settled = time.time_ns() - mark[1] > CLOCK  # that time tells: it was not so recent that another change could have the same
        self.whole = False  # all names are here: it could be read, and was not too large
        self.files: list[str] = []  # paths, of anything but directories
        self.directories: list[str] = []

    def size(self) -> int:
        return len(self.files) + len(self.directories)


class Snapshot:
    """What was seen at one moment."""

    __slots__ = ("files", "unseen")

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, int, int]] = {}  # the version of each regular file, by path
        self.unseen: set[str] = set()  # directories in which, and below which, there may be more

    def covers(self, path: str) -> bool:
        """Tells whether a file at this path would have been seen."""
        unseen = self.unseen
        if not unseen:
            return True
        if _ROOT in unseen:
            return False
        end = path.find("/")
        while end >= 0:
            if path[:end] in unseen:
                return False
            end = path.find("/", end + 1)
        return True


class Changes:
    """Looks at a directory before and after each cell."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/") + "/"
        self._directories: dict[str, Directory] = {}
        self._before: Snapshot | None = None
        self._empty = 0  # time of change of the root, where that had nothing in it and tells

    def begin(self) -> None:
        """Looks before a cell."""
        if self.untouched():
            self._before = Snapshot()
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
        """Looks after a cell. Returns what a FILES says, None when nothing changed. Of what was not seen at one of the two moments it
        is never said that it was not there."""
        before = self._before
        after = None if before is None else self._look()
        if after is None:
            return unknown()
        gone = self._gone(before, after)
        truncated = bool(before.unseen or after.unseen)
        if after.files == before.files and not truncated:
            return None
        old, new = before.files, after.files
        told = {
            "created": [path for path in new if path not in old and before.covers(path)],
            "modified": [path for path, file in new.items() if old.get(path, file) != file],
            "deleted": gone,
            "truncated": truncated,
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

    def _gone(self, before: Snapshot, after: Snapshot) -> list[str]:
        """Returns the files that are there no more. Where there was more after the cell than was seen, those from before are looked at
        one by one, and what is there still joins the rest."""
        lstat, root, new = _lstat, self._root, after.files
        gone = []
        for path in before.files:
            if path in new:
                continue
            if not after.covers(path):
                try:
                    version = _version(lstat(root + path))
                except (FileNotFoundError, NotADirectoryError):
                    version = None
                except OSError:
                    continue  # nobody knows
                if version is not None:
                    new[path] = version
                    continue
            gone.append(path)
        return gone

    def _look(self) -> Snapshot | None:
        """Returns what is there, None when nothing is known."""
        self._empty = 0
        try:
            return self._walk()
        except Exception:  # no memory
            self._directories.clear()
            return None

    def _walk(self) -> Snapshot:
        """Looks at one directory after another. One that cannot be read, and what is beyond the bound, is noted as unseen."""
        lstat, root, known = _lstat, self._root, self._directories
        found = Snapshot()
        seen: dict[str, Directory] = {}
        paths = [_ROOT]
        left = MAX_ENTRIES
        for path in paths:
            try:
                status = lstat(root + path)
            except FileNotFoundError:
                continue  # it has gone in this moment
            except OSError:
                found.unseen.add(path)
                continue
            mark = status.st_ino, status.st_ctime_ns
            directory = known.get(path)
            if directory is None or directory.mark != mark or not directory.settled or not directory.whole or directory.size() > left:
                directory = self._read(path, mark, left)
            seen[path] = directory
            left -= directory.size()
            if not directory.whole:
                found.unseen.add(path)
            for name in directory.files:
                try:
                    version = _version(lstat(root + name))
                except FileNotFoundError:
                    continue
                except OSError:
                    found.unseen.add(path)
                    continue
                if version is not None:
                    found.files[name] = version
            paths += directory.directories
        self._directories = seen
        root = seen.get(_ROOT)
        if root is not None and root.whole and root.settled and not root.files and not root.directories:
            self._empty = root.mark[1]
        return found

    def _read(self, path: str, mark: tuple[int, int], most: int) -> Directory:
        """Reads the names in a directory, as many as that at most."""
        directory = Directory(mark)
        prefix = path and path + "/"
        try:
            with os.scandir(self._root + path) as entries:
                for entry in entries:
                    if (most := most - 1) < 0:
                        return directory
                    if entry.is_dir(follow_symlinks=False):
                        if prefix or entry.name != wire.OWN_NAME:
                            directory.directories.append(prefix + entry.name)
                    else:
                        directory.files.append(prefix + entry.name)
        except Exception:  # it may not be read, its path is too long, an audit hook of the user's
            return directory
        directory.whole = True
        return directory


def _version(status: os.stat_result) -> tuple[int, int, int] | None:
    """Returns what tells one version of a regular file from another, None for anything else."""
    if status.st_mode & _KIND != _FILE:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sayable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
