"""Text of user code, made fit for JSON and for its bounds."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import json
from collections.abc import Iterator

MAX_NAME = 200  # characters of a type's name

_MARK = "..."
_SLICE = 64 << 10


def _no_json(value: object) -> None:
    raise TypeError


# Made once, and in C alone: user code may replace what is in json, and the builtins that its Python code uses.
_chunks = json.encoder.c_make_encoder(None, _no_json, json.encoder.c_encode_basestring, None, ":", ",", False, False, False)


def wellformed(text: str) -> str:
    """Returns text without lone surrogates, which have no place in UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def to_json(value: object) -> bytes:
    """Encodes plain values without cycles. Raises ValueError for what JSON cannot say: NaN, and text that is not wellformed."""
    return "".join(_chunks(value, 0)).encode()


def size(text: str) -> int:
    """Returns the bytes of UTF-8 that wellformed(text) takes."""
    if str.isascii(text):
        return str.__len__(text)
    return sum(len(part.encode("utf-8", "backslashreplace")) for part in slices(text))


def slices(value: str | bytes) -> Iterator[str | bytes]:
    """Returns parts of a long value, none of which is large."""
    return (value[start : start + _SLICE] for start in range(0, len(value), _SLICE))


def shorten(text: str, limit: int) -> tuple[str, int]:
    """Returns text, or its beginning, wellformed and of at most limit characters, and how many bytes are left out."""
    shown = wellformed(text[:limit])  # escapes may make it longer
    if len(text) <= limit and len(shown) <= limit:
        return shown, 0
    shown = shown[: max(0, limit - len(_MARK))]
    return shown + _MARK, size(text) - size(shown)


def shorten_middle(text: str, limit: int) -> tuple[str, int]:
    """Returns text, or its first 3/4 and its end, wellformed and of about limit characters, and how many bytes are left out."""
    shown = wellformed(text[:limit])
    if len(text) <= limit and len(shown) <= limit:
        return shown, 0
    end = limit // 4
    head, tail = shown[: limit - end], wellformed(text[-end:])[-end:]
    left_out = size(text) - size(head) - size(tail)
    return f"{head}\n[... {left_out} bytes left out ...]\n{tail}", left_out


def name_of_type(value: object) -> tuple[str, int]:
    """Returns the name of a value's type, also when its class lies about it, and how many bytes of it are left out."""
    return shorten(type.__dict__["__name__"].__get__(type(value)), MAX_NAME)


def type_name(value: object) -> str:
    """Returns the name of a value's type, or its beginning."""
    return name_of_type(value)[0]
