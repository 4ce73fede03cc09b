"""Values in the forms that a notebook shows them in."""

from __future__ import annotations

from .private import BUILTINS, time  # first: see there

__builtins__ = BUILTINS

import binascii
import sys
from itertools import islice

from .limits import within
from .text import to_json, wellformed
from .values import Inexact, beyond, encode, represent

MAX_PLAIN = 1 << 20  # characters of text/plain
MAX_FORM_SECONDS = 5.0
MAX_FORMS = 64  # of one value
TABLE = "application/vnd.fastpyrepl.table+json"
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 200, 50, 1 << 10  # bytes

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
        if _is(value, bytes, bytearray, memoryview):
            value = binascii.b2a_base64(value, newline=False).decode("ascii")
        elif _is(value, str):
            value = wellformed(str.__str__(value))
        try:
            self._data[wellformed(mime)] = encode(value, self._limit)
        except Inexact:
            self.left_out += len(value) if type(value) is str else 0
            return
        if metadata is not None:
            try:
                self._metadata[mime] = encode(metadata, self._limit)
            except Inexact:
                pass

    def payload(self, room: int) -> bytes:
        """Returns the payload of DISPLAY or RESULT; it leaves out the largest forms until the rest fits."""
        while True:
            payload = b'{"data":' + _object(self._data) + b',"metadata":' + _object(self._metadata) + b"}"
            if len(payload) <= room or not self._data:
                return payload
            largest = max(self._data, key=lambda mime: len(self._data[mime]))
            self.left_out += len(self._data.pop(largest))
            self._metadata.pop(largest, None)

    def empty(self) -> bool:
        return not self._data


def _object(encoded: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(to_json(key) + b":" + value for key, value in encoded.items()) + b"}"


def of(value: object, limit: int, deadline: float) -> Bundle:
    """Returns value in every form that it has; text/plain always, as far as the limit goes."""
    bundle = Bundle(limit)
    until = time.monotonic() + min(MAX_FORM_SECONDS, max(0.0, deadline - time.monotonic()) / 4)
    own = _call(value, "_repr_mimebundle_", until)
    if own is not None:
        data, metadata = own if type(own) is tuple and len(own) == 2 else (own, None)
        _add_all(bundle, data, metadata)
    if not _is(value, type):
        for method, mime in _METHODS.items():
            if (form := _call(value, method, until)) is not None:
                form, metadata = form if type(form) is tuple and len(form) == 2 else (form, None)
                bundle.add(mime, form, metadata)
        _add_special(bundle, value, until)
    plain = represent(value, min(MAX_PLAIN, limit // 2), max(until - time.monotonic(), 0.1))
    bundle.add("text/plain", plain)
    bundle.left_out += beyond(value, plain)
    return bundle


def raw(data: object, metadata: object, limit: int) -> Bundle:
    """Returns what user code made itself."""
    bundle = Bundle(limit)
    _add_all(bundle, data, metadata)
    return bundle


def _add_all(bundle: Bundle, data: object, metadata: object) -> None:
    if not _is(data, dict):
        return
    for mime, form in islice(list(dict.items(data)), MAX_FORMS):
        if type(mime) is str and form is not None:
            bundle.add(mime, form, dict.get(metadata, mime) if _is(metadata, dict) else None)


def _call(value: object, method: str, until: float) -> object:
    """Returns what a method of the value's class returns; None when it has none, or it fails.

    Looking at the class leaves out objects that have an attribute of any name.
    """
    if _is(value, type):
        return None
    try:
        if not any(method in _vars(base) for base in _mro(type(value))):
            return None
        return within(until - time.monotonic(), getattr(value, method))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None


def _add_special(bundle: Bundle, value: object, until: float) -> None:
    """Adds the forms that a library leaves to notebooks."""
    module = _vars(type(value)).get("__module__")
    if type(module) is not str:
        return
    for prefix, make in (("pandas.", _table), ("matplotlib.", _figure)):
        if module.startswith(prefix):
            try:
                forms = within(until - time.monotonic(), make, value)
            except KeyboardInterrupt:
                raise
            except BaseException:
                continue
            for mime, form in forms:
                bundle.add(mime, form)


def _table(value: object) -> list[tuple[str, object]]:
    """Returns the first rows of a DataFrame."""
    pandas = sys.modules["pandas"]
    if not isinstance(value, pandas.DataFrame):
        return []
    part = value.iloc[:MAX_ROWS, :MAX_COLUMNS]
    return [(TABLE, {
        "columns": [str(column) for column in part.columns],
        "rows": [[_table_cell(item) for item in row] for row in part.astype(object).itertuples(index=False, name=None)],
        "total_rows": len(value),
        "total_columns": len(value.columns),
    })]


def _table_cell(value: object) -> object:
    if type(value) in (str, int, float, bool, type(None)):
        try:
            encode(value, MAX_CELL)
            return value
        except Inexact:
            pass
    missing = sys.modules["pandas"].isna(value)
    return None if missing is True else represent_text(value)


def represent_text(value: object) -> str:
    """Returns str(value), bounded."""
    return wellformed(str(value)[:MAX_CELL])


def _figure(value: object) -> list[tuple[str, object]]:
    figure = sys.modules.get("matplotlib.figure")
    if figure is None or not isinstance(value, figure.Figure):
        return []
    from . import figures

    return figures.forms(value)
