"""matplotlib without a screen: figures become displays."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import io
import sys
from collections.abc import Callable

from . import mime


FORMATS = {"png": "image/png", "svg": "image/svg+xml"}

formats: list[str] = ["png"]  # that the running cell's figures are shown in


def forms(figure: object) -> list[tuple[str, bytes | str]]:
    """Returns the figure as a notebook shows it, by MIME type."""
    shown: list[tuple[str, bytes | str]] = []
    for name in formats:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=name, bbox_inches="tight")
        shown.append((FORMATS[name], buffer.getvalue() if name == "png" else buffer.getvalue().decode()))
    return shown


def flush(show: Callable[[mime.Bundle], None], limit: int) -> None:
    """Shows every open figure of pyplot's, and closes them all."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    try:
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            bundle = mime.Bundle(limit)
            for kind, form in forms(figure):
                bundle.add(kind, form)
            bundle.add("text/plain", repr(figure))
            show(bundle)
    finally:
        pyplot.close("all")


def forget(value: object) -> None:
    """Closes a figure that is shown as a result, lest it be shown again."""
    module = sys.modules.get("matplotlib.figure")
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and module is not None and issubclass(type(value), module.Figure):
        pyplot.close(value)
