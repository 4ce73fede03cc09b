"""Text of user code, made fit for JSON and for its bounds."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import json


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


def shorten(text: str, limit: int, end: str = "...") -> str:
    """Returns text, or its beginning."""
    return text if len(text) <= limit else text[: limit - len(end)] + end


def shorten_middle(text: str, limit: int) -> str:
    """Returns text, or its first 3/4 and its end."""
    if len(text) <= limit:
        return text
    end = limit // 4
    return f"{text[: limit - end]}\n... {len(text) - limit} characters left out ...\n{text[-end:]}"


def type_name(value: object) -> str:
    """Returns the name of a value's type, also when its class lies about it."""
    return wellformed(shorten(type.__dict__["__name__"].__get__(type(value)), 200))
