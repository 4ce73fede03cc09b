"""The operations on files, as generators: see fileserver. Each returns the fields of its FILE_DONE."""

from __future__ import annotations

import json
import os
import stat
from collections import deque
from collections.abc import Generator

from . import wire
from .filetree import MAX_PATH, OWN, Path, Refused, Temporary, Tree, describe, parse

DATA, CREDIT, TURN = range(3)  # what a transfer waits for: bytes of the daemon's, room for bytes of its own, others

MAX_ENTRIES = 10_000  # of one list
MAX_DEPTH = 256  # directories in each other, that list and remove go down
SLICE = 256  # entries that are worth a turn
MAX_VISITS = 3  # of a directory that does not become empty

Work = Generator[int, "bytes | None", dict[str, object]]


def begin(tree: Tree, transfer: object, payload: bytes) -> Work:
    """Returns the work that a FILE_OPEN asks for. Raises Refused. transfer is a fileserver.Transfer."""
    try:
        fields = json.loads(payload)
        operation = _OPERATIONS[fields["op"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused("invalid", f"op must be one of {', '.join(_OPERATIONS)}") from None
    return operation(tree, parse(fields.get("path")), Fields(fields), transfer)


class Fields:
    """The keys of a FILE_OPEN, of which each has a default. Raises Refused for what is of the wrong type."""

    def __init__(self, fields: dict[str, object]) -> None:
        self._fields = fields

    def flag(self, name: str) -> bool:
        return self._get(name, False, bool)

    def number(self, name: str, default: int) -> int:
        return self._get(name, default, int)

    def text(self, name: str) -> str:
        return self._get(name, "", str)

    def texts(self, name: str) -> list[str] | None:
        return self._get(name, None, list)

    def _get(self, name: str, default: object, kind: type) -> object:
        value = self._fields.get(name)
        if value is None:
            return default
        if type(value) is not kind:
            raise Refused("invalid", f"{name} has the wrong type")
        return value


def _stat(tree: Tree, path: Path, fields: Fields, transfer: object) -> Work:
    yield TURN
    return {"file": describe(tree.look(path))}


def _read(tree: Tree, path: Path, fields: Fields, transfer: object) -> Work:
    yield TURN
    if not path:
        raise Refused("conflict", "it is a directory", describe(tree.look(path)))
    fd, status = tree.read(path)
    try:
        start, length = _extent(fields.texts("range"), status)
        transfer.say(wire.FILE_INFO, {"file": describe(status), "start": start, "length": length})
        end = start + length
        while start < end:
            yield CREDIT
            data = os.pread(fd, min(end - start, wire.MAX_PAYLOAD), start)
            if not data:
                raise Refused("aborted", "the file became shorter while it was read")
            transfer.send(data)
            start += len(data)
    finally:
        os.close(fd)
    return {"file": describe(status)}


def _extent(wanted: list[object] | None, status: os.stat_result) -> tuple[int, int]:
    """Returns which bytes a range means, first and number."""
    size = status.st_size
    if wanted is None:
        return 0, size
    if len(wanted) != 2 or any(edge is not None and (type(edge) is not int or edge < 0) for edge in wanted):
        raise Refused("invalid", "range must be two numbers or null")
    first, last = wanted
    if first is None:
        first, last = max(0, size - (last or 0)), None
    if first >= size or (last is not None and last < first):
        raise Refused("range", f"the file has {size} bytes", describe(status))
    return first, (size if last is None else min(last + 1, size)) - first


def _write(tree: Tree, path: Path, fields: Fields, transfer: object) -> Work:
    yield TURN
    if not path:
        raise Refused("conflict", "a directory is there")
    size, mode, mtime = fields.number("size", -1), fields.number("mode", -1), fields.number("mtime", -1)
    only_new = fields.flag("if_none_match")
    wanted = fields.texts("if_match")
    _check(tree, path, wanted, only_new)
    tree.needs(size)
    temporary = tree.temporary()
    try:
        while (data := (yield DATA)) is not None:
            temporary.write(data)
        return _put(tree, path, temporary, mode, mtime, wanted, only_new)
    finally:
        temporary.close()


def _put(tree: Tree, path: Path, temporary: Temporary, mode: int, mtime: int, wanted: list[str] | None, only_new: bool) -> dict[str, object]:
    """Gives a file that is whole its place."""
    before = _check(tree, path, wanted, only_new)
    if mode < 0:
        mode = stat.S_IMODE(before.st_mode) if before is not None and stat.S_ISREG(before.st_mode) else 0o644
    os.fchmod(temporary.fd, mode & 0o777)
    if mtime >= 0:
        os.utime(temporary.fd, ns=(mtime, mtime))
    parent, made = tree.make(path[:-1])
    try:
        temporary.put(path[-1], parent, only_new)
    except FileExistsError:
        raise Refused("precondition", "something is there already") from None
    except OSError:
        tree.unmake(made)
        raise
    finally:
        os.close(parent)
    return {"file": describe(os.fstat(temporary.fd)), "created": before is None}


def _check(tree: Tree, path: Path, wanted: list[str] | None, only_new: bool) -> os.stat_result | None:
    """Returns what is there, None for nothing. Raises Refused when it may not be replaced."""
    try:
        status = tree.look(path)
    except FileNotFoundError:
        status = None
    if only_new and status is not None:
        raise Refused("precondition", "something is there already")
    if wanted is not None and (status is None or not ("*" in wanted or describe(status)["tag"] in wanted)):
        raise Refused("precondition", "the file is not there" if status is None else "the file is another one by now")
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise Refused("conflict", "a directory is there")
    return status


def _mkdir(tree: Tree, path: Path, fields: Fields, transfer: object) -> Work:
    yield TURN
    fd, made = tree.make(path, fields.number("mode", 0o755) & 0o777)
    try:
        return {"file": describe(os.fstat(fd)), "created": bool(made)}
    finally:
        os.close(fd)


def _list(tree: Tree, path: Path, fields: Fields, transfer: object) -> Work:
    yield TURN
    directory = tree.look(path)
    if not stat.S_ISDIR(directory.st_mode):
        raise _no_directory(directory)
    limit = fields.number("limit", MAX_ENTRIES)
    if not 0 < limit <= MAX_ENTRIES:
        raise Refused("invalid", f"limit must be 1 to {MAX_ENTRIES}")
    after = _cursor(fields.text("after"))
    recursive = fields.flag("recursive")
    walk = Walk(tree, path, after, limit)
    lines = bytearray()
    count, last, more = 0, (), False
    while (entry := (yield from walk.next(recursive))) is not None:
        if count == limit:
            more = True
            break
        last, status = entry
        count += 1
        lines += _line(last, status)
        while len(lines) >= wire.MAX_PAYLOAD:
            yield CREDIT
            transfer.send(bytes(lines[: wire.MAX_PAYLOAD]))
            del lines[: wire.MAX_PAYLOAD]
    if lines:
        yield CREDIT
        transfer.send(bytes(lines))
    return {"file": describe(directory), "next": b"/".join(last).hex() if more else None}


def _no_directory(status: os.stat_result) -> Refused:
    return Refused("conflict", "it is not a directory", describe(status))


def _cursor(text: str) -> Path:
    """Returns the entry that a list is to go on after, in hex: its names need not be UTF-8."""
    try:
        return tuple(bytes.fromhex(text).split(b"/")) if text else ()
    except ValueError:
        raise Refused("invalid", "after is not what a list gave as next") from None


def _line(path: Path, status: os.stat_result) -> bytes:
    name = b"/".join(path)
    fields = describe(status)
    try:
        fields["path"] = name.decode()
    except UnicodeDecodeError:
        fields["path"] = name.decode("utf-8", "replace")
        fields["odd"] = True
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


class Walk:
    """Goes through a directory in order, a directory before what is in it. What vanishes meanwhile is passed over."""

    def __init__(self, tree: Tree, path: Path, after: Path, limit: int) -> None:
        self._tree = tree
        self._base = path
        self._after = after  # () once the walk is beyond it
        self._limit = limit  # names that are held of one directory
        self._stack: list[Level] = []
        self._enter: Path | None = ()  # the directory to go on in

    def next(self, recursive: bool) -> Generator[int, None, tuple[Path, os.stat_result] | None]:
        """Returns the next entry, None at the end."""
        while True:
            if self._enter is not None:
                inner, self._enter = self._enter, None
                if recursive or not inner:
                    yield from self._open(inner)
            if not self._stack:
                return None
            level = self._stack[-1]
            if not level.names:
                if level.more:
                    yield from self._read(level, level.last, beyond=True)
                else:
                    self._stack.pop()
                continue
            level.last = level.names.popleft()
            path = (*level.path, level.last)
            passed = path == self._after[: len(path)]  # it was told already
            if not passed or len(path) == len(self._after):
                self._after = ()
            try:
                status = self._tree.look(self._base + path)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                self._enter = path
            if not passed:
                return path, status

    def _open(self, path: Path) -> Generator[int, None, None]:
        if len(path) > MAX_DEPTH or len(b"/".join(self._base + path)) > MAX_PATH:
            raise Refused("conflict", f"directories are nested too deeply: more than {MAX_DEPTH} in each other, or {MAX_PATH} bytes of path")
        level = Level(path)
        first = self._after[len(path)] if len(self._after) > len(path) else b""
        try:
            yield from self._read(level, first, beyond=False)
        except OSError:
            if not path:
                raise
            return  # it may not be read, or is none any more
        self._stack.append(level)

    def _read(self, level: Level, first: bytes, beyond: bool) -> Generator[int, None, None]:
        """Reads the names in a directory from first on, or those after it: of very many those that come first."""
        level.more = False
        names: list[bytes] = []
        fd = self._tree.scan(self._base + level.path)
        try:
            with os.scandir(fd) as entries:
                for count, entry in enumerate(entries, 1):
                    name = os.fsencode(entry.name)
                    if name > first or (name == first and not beyond):
                        names.append(name)
                    if len(names) > 2 * self._limit:
                        names.sort()
                        del names[self._limit :]
                        level.more = True
                    if count % SLICE == 0:
                        yield TURN
        finally:
            os.close(fd)
        names.sort()
        if level.more:
            del names[self._limit :]
        level.names.extend(names)
        if not self._base + level.path and OWN in names:
            level.names.remove(OWN)


class Level:
    """A directory that a walk is in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: deque[bytes] = deque()  # that come next
        self.more = False  # there are others after these
        self.last = b""  # the one before them


def _remove(tree: Tree, path: Path, fields: Fields, transfer: object) -> Work:
    yield TURN
    if not path:
        raise Refused("conflict", "the working directory itself stays")
    status = tree.look(path)
    wanted = fields.texts("if_match")
    if wanted is not None and not ("*" in wanted or describe(status)["tag"] in wanted):
        raise Refused("precondition", "the file is another one by now")
    if not stat.S_ISDIR(status.st_mode):
        tree.remove(path, directory=False)
    elif not fields.flag("recursive"):
        tree.remove(path, directory=True)
    else:
        yield from _clear(tree, path)
    return {}


def _clear(tree: Tree, path: Path) -> Generator[int, None, None]:
    """Removes a directory with all that is in it."""
    stack = [[path, 0]]  # directories, and how often each was visited
    while stack:
        here, visits = stack[-1]
        if visits == MAX_VISITS:
            raise Refused("conflict", "the directory does not become empty")
        if len(here) - len(path) > MAX_DEPTH:
            raise Refused("conflict", f"there are more than {MAX_DEPTH} directories in each other")
        stack[-1][1] += 1
        inner = []
        try:
            fd = tree.scan(here)
            try:
                with os.scandir(fd) as entries:
                    for count, entry in enumerate(entries, 1):
                        if entry.is_dir(follow_symlinks=False):
                            inner.append([(*here, os.fsencode(entry.name)), 0])
                        else:
                            _forget(entry.name, fd)
                        if count % SLICE == 0:
                            yield TURN
            finally:
                os.close(fd)
            if inner:
                stack += inner
                continue
            tree.remove(here, directory=True)
        except FileNotFoundError:
            pass  # somebody else was faster
        except OSError as error:
            if Refused.by(error).code == "conflict" and visits + 1 < MAX_VISITS:
                yield TURN  # something was made in it meanwhile, or it is another thing now
                continue
            raise
        stack.pop()
        yield TURN


def _forget(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        pass  # swapped in this moment: the next visit sees


_OPERATIONS = {"stat": _stat, "read": _read, "write": _write, "list": _list, "remove": _remove, "mkdir": _mkdir}
