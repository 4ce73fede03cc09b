"""Values in the forms that a notebook shows them in."""

from __future__ import annotations

from .private import BUILTINS, time  # first: see there

__builtins__ = BUILTINS

import binascii
import sys
from collections.abc import Iterable
from itertools import islice

from .limits import Budget, within
from .text import shorten, size, to_json, wellformed
from .values import MEASURE_SECONDS, Inexact, TooLarge, encode, represent

MAX_PLAIN = 1 << 20  # characters of text/plain
MAX_FORM_SECONDS = 5.0  # of all forms of one value
MIN_REPR_SECONDS = 0.1  # when they took all of it
MAX_FORMS = 64  # of one value
MAX_MEASURED = 32 << 20  # bytes of JSON that is encoded only to count what is left out
TABLE = "application/vnd.fastpyrepl.table+json"
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 200, 50, 1 << 10  # characters

_METHODS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_latex_": "text/latex",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
}


_Module = type(sys)
_Code = type((lambda: None).__code__)
_VARKEYWORDS = 0x08  # CO_VARKEYWORDS

# What a class has, without a word from its metaclass.
_mro = type.__dict__["__mro__"].__get__
_vars = type.__dict__["__dict__"].__get__


def _is(value: object, *kinds: type) -> bool:
    """Tells what isinstance would, without asking the value, whose __class__ may be code of the user."""
    return issubclass(type(value), kinds)


class Bundle:
    """A value's forms as encoded JSON of at most limit bytes each, and how many bytes of them were left out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data: dict[str, bytes] = {}
        self._metadata: dict[str, bytes] = {}
        self.left_out = 0

    def add(self, mime: str, value: object, metadata: object = None) -> None:
        """Adds a form: text, bytes or what JSON can say. What is none of these is left out."""
        encoded = self._encode(value)
        if encoded is None:
            return
        mime = wellformed(mime)
        self._data[mime] = encoded
        if metadata is not None and (encoded := self._encode(metadata)) is not None:
            self._metadata[mime] = encoded

    def has(self, mime: str) -> bool:
        return mime in self._data

    def leave_out(self, value: object) -> None:
        """Counts a form that is one too many."""
        self.left_out += len(self._encode(value) or b"")

    def _encode(self, value: object) -> bytes | None:
        """Returns what was encoded, None for what JSON cannot say; counts what is too large."""
        if _is(value, bytes, bytearray, memoryview):
            value = binascii.b2a_base64(value, newline=False).decode("ascii")
        elif _is(value, str):
            value = wellformed(str.__str__(value))
        try:
            return encode(value, self._limit)
        except TooLarge:
            self.left_out += measure(value, self._limit)
        except Inexact:
            pass
        return None

    def payload(self, room: int) -> bytes:
        """Returns the payload of DISPLAY or RESULT; it leaves out the largest forms until the rest fits."""
        while True:
            payload = b'{"data":' + _object(self._data) + b',"metadata":' + _object(self._metadata) + b"}"
            if len(payload) <= room or not self._data:
                return payload
            largest = max(self._data, key=lambda mime: len(self._data[mime]))
            self.left_out += len(self._data.pop(largest)) + len(self._metadata.pop(largest, b""))

    def empty(self) -> bool:
        return not self._data


def measure(value: object, least: int) -> int:
    """Returns how many bytes a form takes that takes more than least; no more than are worth encoding."""
    if type(value) is str:
        return size(value)
    try:
        return len(encode(value, MAX_MEASURED))
    except TooLarge:
        return MAX_MEASURED
    except Inexact:
        return least


def _object(encoded: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(to_json(key) + b":" + value for key, value in encoded.items()) + b"}"


def of(value: object, limit: int, budget: Budget) -> Bundle:
    """Returns value in every form that it has; text/plain always, as far as the limit goes. What is in its own bundle wins."""
    bundle = Bundle(limit)
    started = time.monotonic()
    left = budget.left()
    until = started + min(MAX_FORM_SECONDS, left / 2)
    own = _call(value, "_repr_mimebundle_", until)
    if own is not None:
        data, metadata = own if type(own) is tuple and len(own) == 2 else (own, None)
        _add_all(bundle, data, metadata)
    if not _is(value, type):
        for method, mime in _METHODS.items():
            if not bundle.has(mime) and (form := _call(value, method, until)) is not None:
                form, metadata = form if type(form) is tuple and len(form) == 2 else (form, None)
                bundle.add(mime, form, metadata)
        _add_special(bundle, value, until)
    if not bundle.has("text/plain"):
        now = time.monotonic()
        seconds = min(max(until - now, MIN_REPR_SECONDS), left - (now - started))
        plain, left_out = represent(value, min(MAX_PLAIN, limit // 2), seconds, now + MEASURE_SECONDS)
        bundle.add("text/plain", plain)
        bundle.left_out += left_out
    budget.spend(time.monotonic() - started)
    return bundle


def raw(data: object, metadata: object, limit: int) -> Bundle:
    """Returns what user code made itself."""
    bundle = Bundle(limit)
    _add_all(bundle, data, metadata)
    return bundle


def _add_all(bundle: Bundle, data: object, metadata: object) -> None:
    if not _is(data, dict):
        return
    for n, (mime, form) in enumerate(list(dict.items(data))):
        if type(mime) is not str or form is None:
            continue
        if n < MAX_FORMS:
            bundle.add(mime, form, dict.get(metadata, mime) if _is(metadata, dict) else None)
        else:
            bundle.leave_out(form)


def _call(value: object, method: str, until: float) -> object:
    """Returns what a method of the value's class returns; None when it has none, or it fails.

    Looking at the class leaves out objects that have an attribute of any name.
    """
    if _is(value, type):
        return None
    try:
        if not any(method in _vars(base) for base in _mro(type(value))):
            return None
        return within(until - time.monotonic(), _ask, value, method)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None


def _ask(value: object, method: str) -> object:
    """Calls a method as notebooks do: for a bundle with two parameters, which some leave out."""
    function = getattr(value, method)
    if method != "_repr_mimebundle_":
        return function()
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if type(code) is not _Code or code.co_flags & _VARKEYWORDS:
        return function(include=None, exclude=None)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return function(**{name: None for name in ("include", "exclude") if name in names})


def _add_special(bundle: Bundle, value: object, until: float) -> None:
    """Adds the forms that a library leaves to notebooks."""
    for module, name, make in (("pandas", "DataFrame", _table), ("matplotlib.figure", "Figure", _figure)):
        library = sys.modules.get(module)  # a value of its has it imported
        kind = vars(library).get(name) if type(library) is _Module else None
        if type(kind) is not type or not _is(value, kind):
            continue
        try:
            forms, left_out = within(until - time.monotonic(), make, value)
        except KeyboardInterrupt:
            raise
        except BaseException:
            continue
        bundle.left_out += left_out
        for mime, form in forms:
            if not bundle.has(mime):
                bundle.add(mime, form)


def _table(value: object) -> tuple[list[tuple[str, object]], int]:
    """Returns the first rows of a DataFrame, and how many bytes of their cells are left out."""
    part = value.iloc[:MAX_ROWS, :MAX_COLUMNS]
    index = part.index
    keys = index if index.nlevels > 1 else zip(index)
    cut: list[int] = []
    return [(TABLE, {
        "columns": [str(column) for column in part.columns],
        "index": {"names": _row(index.names, cut), "rows": [_row(key, cut) for key in keys]},
        "rows": [_row(row, cut) for row in part.astype(object).itertuples(index=False, name=None)],
        "total_rows": len(value),
        "total_columns": len(value.columns),
    })], sum(cut)


def _row(items: Iterable[object], cut: list[int]) -> list[object]:
    return [_table_cell(item, cut) for item in islice(items, MAX_COLUMNS)]


def _table_cell(value: object, cut: list[int]) -> object:
    if type(value) in (str, int, float, bool, type(None)):
        try:
            encode(value, MAX_CELL)
            return value
        except Inexact:
            pass
    if sys.modules["pandas"].isna(value) is True:
        return None
    text, left_out = shorten(str(value), MAX_CELL)
    cut.append(left_out)
    return text


def _figure(value: object) -> tuple[list[tuple[str, object]], int]:
    from . import figures

    return figures.forms(value), 0
