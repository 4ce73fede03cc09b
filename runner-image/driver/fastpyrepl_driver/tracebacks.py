"""Exceptions as CPython prints them, without the driver's frames."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import os

from .text import shorten, shorten_middle, type_name

MAX_TRACEBACK = 256 << 10  # characters
MAX_MESSAGE = 64 << 10
MAX_FRAMES = 1000  # the last ones, as CPython does

_DRIVER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_ASYNCIO = os.path.join(os.path.dirname(os.__file__), "asyncio") + os.sep


def message(error: BaseException) -> tuple[str, int]:
    """Returns str(error), whatever it does, and how many bytes of it are left out."""
    try:
        return shorten(str.__str__(str(error)), MAX_MESSAGE)
    except BaseException as failure:
        return f"<str() of the exception raised {type_name(failure)}>", 0


def render(error: BaseException, awaited: bool = False) -> tuple[str, int]:
    """Returns the traceback as text, and how many bytes of it are left out. Of code that was awaited, the event loop's frames do not count."""
    import traceback  # loaded while the worker is idle

    try:
        report = traceback.TracebackException(type(error), error, error.__traceback__, limit=-MAX_FRAMES, compact=True)
        _clean(report, awaited)
        return shorten_middle("".join(report.format()), MAX_TRACEBACK)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        text, left_out = message(error)
        return (f"{type_name(error)}: {text}\n"
                f"(its traceback cannot be shown: formatting it raised {type_name(failure)})\n"), left_out


def _clean(report: object, awaited: bool) -> None:
    """Takes our frames out of a TracebackException and of all that it is chained to."""
    seen = set()
    reports = [report]
    while reports:
        report = reports.pop()
        if report is None or id(report) in seen:
            continue
        seen.add(id(report))
        frames = [frame for frame in report.stack if not frame.filename.startswith(_DRIVER)]
        while awaited and frames and frames[0].filename.startswith(_ASYNCIO):
            del frames[0]
        report.stack[:] = frames
        reports += [report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())]
