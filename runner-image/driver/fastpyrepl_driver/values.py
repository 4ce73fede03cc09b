"""Values of user code as JSON, exactly where JSON can be exact, and as a bounded repr where it cannot."""

from __future__ import annotations

from .private import BUILTINS, time  # first: see there

__builtins__ = BUILTINS

import sys
from itertools import islice

from .limits import Expired, within
from .text import shorten, to_json, type_name, wellformed

MAX_DEPTH = 100
MAX_REPR = 4 << 10  # characters
MAX_REPR_DEPTH = 20
MAX_REPR_SECONDS = 1.0
MAX_TOTAL = 15 << 20  # bytes of all variables together: they are one message

_SCALARS = frozenset((int, str, float, bool, type(None)))
_BRACKETS = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}"}


_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


class Inexact(Exception):
    """JSON cannot say this value exactly, or not within its bounds."""


def encode(value: object, limit: int) -> bytes:
    """Returns value as JSON of at most limit bytes. Raises Inexact. Calls no code of the user."""
    try:
        plain = _Plain(limit).of(value, 0)
        encoded = to_json(plain)
    except (ValueError, TypeError, RecursionError, MemoryError):  # NaN, lone surrogates, ints of more than 4300 digits
        raise Inexact from None
    if len(encoded) > limit:
        raise Inexact
    return encoded


class _Plain:
    """Turns values into what json.dumps encodes exactly. It goes by exact types, so that no method of a subclass is called."""

    def __init__(self, limit: int) -> None:
        self._left = limit  # bytes that the JSON may still take, roughly; encode measures

    def of(self, value: object, depth: int) -> object:
        kind = type(value)
        if kind in _SCALARS:
            self._spend(len(value) if kind is str else 1)
            return value
        if depth > MAX_DEPTH:
            raise Inexact
        if kind is list or kind is tuple:
            return self._list(value, depth)
        if kind is dict:
            return self._dict(value, depth)
        return self.of(_numpy_item(value, kind), depth)

    def _list(self, value: list[object] | tuple[object, ...], depth: int) -> object:
        self._spend(2 * len(value) + 1)
        kinds = set(map(type, value))
        if kinds <= _SCALARS:
            if str in kinds:
                self._spend(sum(len(item) for item in value if type(item) is str))
            return value
        return [self.of(item, depth + 1) for item in value]

    def _dict(self, value: dict[object, object], depth: int) -> object:
        self._spend(4 * len(value) + 1)
        if not set(map(type, value)) <= _SCALARS:
            raise Inexact
        plain = {_key(key): self.of(item, depth + 1) for key, item in value.items()}
        if len(plain) != len(value):
            raise Inexact  # 1 and "1" would be one key
        self._spend(sum(map(len, plain)))
        return plain

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Inexact


def _key(key: object) -> str:
    return key if type(key) is str else to_json(key).decode()


def _numpy_item(value: object, kind: type) -> object:
    """Returns the Python scalar of a numpy scalar."""
    numpy = sys.modules.get("numpy")
    generic = vars(numpy).get("generic") if type(numpy) is _Module else None
    # A class that Python code made is not numpy's, whatever it is called.
    if type(generic) is type and not generic.__flags__ & _HEAP_TYPE and type(kind) is type and generic in kind.__mro__:
        item = generic.item(value) if hasattr(generic, "item") else value
        if type(item) in _SCALARS:
            return item
    raise Inexact


def represent(value: object, limit: int = MAX_REPR, seconds: float = MAX_REPR_SECONDS) -> str:
    """Returns repr(value), or its beginning, or a placeholder when it raises or does not end."""
    try:
        return wellformed(within(seconds, bounded_repr, value, limit))
    except KeyboardInterrupt:
        raise
    except Expired:
        return f"<unrepresentable {type_name(value)}: its repr took longer than {seconds:.3g} s>"
    except BaseException as error:
        return f"<unrepresentable {type_name(value)}: {type_name(error)}{_reason(error)}>"


def _reason(error: BaseException) -> str:
    try:
        text = shorten(str(error), 200)
    except BaseException:
        return ""
    return ": " + wellformed(text) if text else ""


def bounded_repr(value: object, limit: int) -> str:
    """Returns repr(value), or its beginning, without making all of a large container's first."""
    pieces: list[str] = []
    _Repr(limit, pieces).add(value, 0)
    return shorten("".join(pieces), limit)


class _Full(Exception):
    pass


class _Repr:
    """Writes the repr of builtin containers piece by piece, until the limit is passed."""

    def __init__(self, limit: int, pieces: list[str]) -> None:
        self._left = limit + 1  # one more, so that shorten knows
        self._pieces = pieces
        self._open: set[int] = set()

    def add(self, value: object, depth: int) -> None:
        try:
            self._add(value, depth)
        except _Full:
            pass

    def _put(self, text: str) -> None:
        self._pieces.append(str.__getitem__(text, slice(0, self._left)))
        self._left -= str.__len__(text)
        if self._left <= 0:
            raise _Full

    def _add(self, value: object, depth: int) -> None:
        kind = type(value)
        if kind in (str, bytes, bytearray):
            self._put(repr(value if len(value) <= self._left else value[: self._left]))
        elif kind not in _BRACKETS or not value:
            self._put(repr(value))
        elif id(value) in self._open or depth > MAX_REPR_DEPTH:
            self._put("...".join(_BRACKETS[kind]))
        else:
            self._open.add(id(value))
            self._container(value, kind, depth)
            self._open.discard(id(value))

    def _container(self, value: object, kind: type, depth: int) -> None:
        opening, closing = _BRACKETS[kind]
        if kind is frozenset:
            opening, closing = "frozenset({", "})"
        self._put(opening)
        for index, item in enumerate(islice(value.items() if kind is dict else value, self._left)):
            if index:
                self._put(", ")
            if kind is dict:
                self._add(item[0], depth + 1)
                self._put(": ")
                item = item[1]
            self._add(item, depth + 1)
        if kind is tuple and len(value) == 1:
            self._put(",")
        self._put(closing)


def locals_message(namespace: dict[str, object], keys: list[str] | None, max_value: int, max_total: int, deadline: float) -> tuple[bytes, int]:
    """Returns the payload of LOCALS, and how many bytes were left out of it.

    A value that cannot be shown spoils none of the others.
    """
    if keys is None:
        keys = [name for name, value in list(namespace.items()) if _is_variable(name, value)]
    else:
        keys = list(dict.fromkeys(keys))
    max_total = min(max_total, MAX_TOTAL)
    parts, inexact = [], []
    said: set[str] = set()
    size = omitted = left_out = 0
    for name in keys:
        value = namespace.get(name)
        exact = True
        try:
            encoded = encode(value, max_value)
        except Inexact:
            exact = False
            seconds = min(MAX_REPR_SECONDS, max(0.0, deadline - time.monotonic()) / 4)
            text = represent(value, min(MAX_REPR, max_value), seconds)
            encoded = to_json(text)
            left_out += beyond(value, text)
        shown = wellformed(name)
        key = to_json(shown)
        cost = len(key) + len(encoded) + 2 if exact else 2 * len(key) + len(encoded) + 3
        if size + cost > max_total or shown in said:  # JSON would have a key twice
            omitted += 1
            left_out += len(encoded)
            continue
        said.add(shown)
        size += cost
        parts.append(key + b":" + encoded)
        if not exact:
            inexact.append(shown)
    tail = to_json({"inexact": inexact, "omitted": omitted})
    return b'{"values":{' + b",".join(parts) + b"}," + tail[1:], left_out


def beyond(value: object, text: str) -> int:
    """Returns how many bytes of a long string a bounded repr leaves out; of other values nobody knows without the whole repr."""
    return max(0, len(value) - len(text)) if type(value) in (str, bytes) else 0


def _is_variable(name: object, value: object) -> bool:
    return type(name) is str and not (name.startswith("__") and name.endswith("__")) and type(value) is not _Module


_Module = type(sys)
