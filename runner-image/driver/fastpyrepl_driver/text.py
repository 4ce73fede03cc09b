"""Text of user code, made fit for JSON and for its bounds."""

from __future__ import annotations

import json


def wellformed(text: str) -> str:
    """Returns text without lone surrogates, which have no place in UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def to_json(value: object) -> bytes:
    """Encodes what this program made: text goes through wellformed first."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


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
