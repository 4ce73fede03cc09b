"""Values of user code as JSON, exactly where JSON can be exact, and as a bounded repr where it cannot."""

from __future__ import annotations

from .private import BUILTINS, time  # first: see there

__builtins__ = BUILTINS

import sys
from itertools import islice

from .limits import Budget, Expired, Unsent, within
from .text import shorten, size, slices, to_json, type_name, wellformed

MAX_DEPTH = 100
MAX_REPR = 4 << 10  # characters
MAX_REPR_DEPTH = 20
MAX_REPR_SECONDS = 1.0
MAX_MESSAGE_SECONDS = 0.1  # for the message of what a repr raised
MEASURE_SECONDS = 0.5  # for counting what is left out of all the reprs of a message
MAX_MEASURE_DEPTH = 100
MAX_TOTAL = 15 << 20  # bytes of all variables together: they are one message

_SCALARS = frozenset((int, str, float, bool, type(None)))
_CHUNK, _CHUNK_TEXT = 1024, 256 << 10  # items, and characters of the strings among them, whose repr is made at once
_BRACKETS = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}"}


_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


class Inexact(Exception):
    """JSON cannot say this value exactly."""


class TooLarge(Inexact):
    """Or not within its bounds."""


def encode(value: object, limit: int) -> bytes:
    """Returns value as JSON of at most limit bytes. Raises Inexact. Calls no code of the user."""
    try:
        plain = _Plain(limit).of(value, 0)
        encoded = to_json(plain)
    except (ValueError, TypeError, RecursionError, MemoryError):  # NaN, lone surrogates, ints of more than 4300 digits
        raise Inexact from None
    if len(encoded) > limit:
        raise TooLarge
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
            raise TooLarge


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


def represent(value: object, limit: int, seconds: float, measure_until: float) -> tuple[str, int]:
    """Returns repr(value), or its beginning, or a placeholder when it raises or does not end; and how many bytes are left out.

    What is left out is made piece by piece and counted, as far as that goes without an exception, and until measure_until.
    """
    made = _Repr(limit, measure_until)
    try:
        if type(value) in _SCALARS:
            made.add(value, 0)  # in no time
        else:
            within(seconds, made.add, value, 0)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if made.full():
            return made.text()
        if type(error) is Expired:
            reason = f"its repr took longer than {seconds:.3g} s" if seconds > 0 else "no time was left for its repr"
        else:
            reason = _reason(error.__cause__ if type(error) is Unsent else error, seconds)
        return f"<unrepresentable {type_name(value)}: {reason}>", 0
    return made.text()


def _reason(error: BaseException, seconds: float) -> str:
    name = type_name(error)
    try:
        text = shorten(within(min(seconds, MAX_MESSAGE_SECONDS), str, error), 200)[0]
    except KeyboardInterrupt:
        raise
    except BaseException:
        return name
    return f"{name}: {text}" if text else name


class _Late(Exception):
    """There is no time left to count what is left out."""


class _Repr:
    """Writes the repr of builtin containers piece by piece: keeps what comes before the limit, and counts what comes after it."""

    def __init__(self, limit: int, measure_until: float) -> None:
        self._limit = limit
        self._room = limit + 1  # characters; one more, so that shorten knows
        self._pieces: list[str] = []
        self._left_out = 0  # bytes
        self._measure_until = measure_until
        self._hidden = 0  # levels too deep to be shown that it is in
        self._open: set[int] = set()

    def full(self) -> bool:
        """Tells whether all that will be shown has been written."""
        return self._room == 0

    def text(self) -> tuple[str, int]:
        """Returns what is shown, and how many bytes of the rest were counted."""
        shown, more = shorten("".join(self._pieces), self._limit)
        return shown, self._left_out + more

    def add(self, value: object, depth: int) -> None:
        try:
            self._add(value, depth)
        except _Late:
            pass

    def _put(self, text: str) -> None:
        text = str.__str__(text)  # a subclass has methods of its own
        if self._room and not self._hidden:
            piece, text = text[: self._room], text[self._room :]
            self._pieces.append(piece)
            self._room -= len(piece)
        if text:
            self._left_out += size(text)
            if time.monotonic() > self._measure_until:
                raise _Late

    def _add(self, value: object, depth: int) -> None:
        kind = type(value)
        if kind in (str, bytes, bytearray) and len(value) > _CHUNK:
            self._long(value, kind)
        elif kind not in _BRACKETS or not value:
            if not self._hidden or kind in _SCALARS or kind in _BRACKETS:
                self._put(repr(value))
        elif id(value) in self._open:
            self._put("...".join(_BRACKETS[kind]))
        else:
            self._open.add(id(value))
            self._container(value, kind, depth)
            self._open.discard(id(value))

    def _long(self, value: str | bytes | bytearray, kind: type) -> None:
        """Writes a long string in slices, whose quotes and escapes are those of the whole."""
        single, double = ("'", '"') if kind is str else (b"'", b'"')
        has_single, has_double = single in value, double in value
        quotes = '"' if has_single and not has_double else "'"
        both = single + double if has_single and has_double else single[:0]
        before = "" if kind is str else "b"
        skip = len(repr(both)) - 1
        self._put(f"{'bytearray(' if kind is bytearray else ''}{before}{quotes}")
        for part in slices(value):
            self._put(repr(both + part)[skip:-1])
        self._put(quotes + (")" if kind is bytearray else ""))

    def _container(self, value: object, kind: type, depth: int) -> None:
        opening, closing = _BRACKETS[kind]
        if kind is frozenset:
            opening, closing = "frozenset({", "})"
        self._put(opening)
        if depth <= MAX_REPR_DEPTH:
            self._items(value, kind, depth)
        else:
            self._hide(value, kind, depth)
        self._put(closing)

    def _hide(self, value: object, kind: type, depth: int) -> None:
        """Counts items that are too deep to be shown, as far as that calls no code of the user."""
        if not self._hidden:
            self._put("...")
        self._hidden += 1
        try:
            if depth <= MAX_MEASURE_DEPTH:
                self._items(value, kind, depth)
        except (_Late, RecursionError, ValueError):
            pass
        finally:
            self._hidden -= 1

    def _items(self, value: object, kind: type, depth: int) -> None:
        items = iter(value.items() if kind is dict else value)
        separator = ""
        while chunk := list(islice(items, _CHUNK)):
            if (text := _at_once(chunk, kind)) is not None:
                self._put(separator + text)
                separator = ", "
                continue
            for item in chunk:
                self._put(separator)
                separator = ", "
                if kind is dict:
                    self._add(item[0], depth + 1)
                    self._put(": ")
                    item = item[1]
                self._add(item, depth + 1)
        if kind is tuple and len(value) == 1:
            self._put(",")


def _at_once(chunk: list[object], kind: type) -> str | None:
    """Returns the repr of items whose types call no code of the user, and that are not large; else None."""
    parts = [part for item in chunk for part in item] if kind is dict else chunk
    kinds = set(map(type, parts))
    if not kinds <= _SCALARS or str in kinds and sum(len(part) for part in parts if type(part) is str) > _CHUNK_TEXT:
        return None
    try:
        return repr(dict(chunk) if kind is dict else chunk)[1:-1]
    except ValueError:  # an int of more than 4300 digits, which may come after the limit
        return None


def locals_message(namespace: dict[str, object], keys: list[str] | None, max_value: int, max_total: int, budget: Budget) -> tuple[bytes, int]:
    """Returns the payload of LOCALS, and how many bytes were left out of it.

    A value that cannot be shown spoils none of the others.
    """
    measure_until = time.monotonic() + MEASURE_SECONDS
    if keys is None:
        keys = [name for name, value in list(namespace.items()) if is_variable(name, value)]
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
            started = time.monotonic()
            text, more = represent(value, min(MAX_REPR, max_value), min(MAX_REPR_SECONDS, budget.left() / 2), measure_until)
            budget.spend(time.monotonic() - started)
            encoded = to_json(text)
            left_out += more
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


def is_variable(name: object, value: object) -> bool:
    return type(name) is str and not (name.startswith("__") and name.endswith("__")) and type(value) is not _Module


_Module = type(sys)
