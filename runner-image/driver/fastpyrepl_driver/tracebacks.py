"""Exceptions as CPython prints them, without the driver's frames."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import os

from .text import shorten, shorten_middle, type_name, wellformed

MAX_TRACEBACK = 256 << 10  # characters
MAX_MESSAGE = 64 << 10
MAX_FRAMES = 1000  # the last ones, as CPython does

_DRIVER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_ASYNCIO = os.path.join(os.path.dirname(os.__file__), "asyncio") + os.sep


def message(error: BaseException) -> str:
    """Returns str(error), whatever it does."""
    try:
        return shorten(wellformed(shorten(str(error), MAX_MESSAGE)), MAX_MESSAGE)  # escapes made it longer
    except BaseException as failure:
        return f"<str() of the exception raised {type_name(failure)}>"


def render(error: BaseException, awaited: bool = False) -> str:
    """Returns the traceback as text. Of code that was awaited, the event loop's frames are left out as well."""
    import traceback  # loaded while the worker is idle

    try:
        report = traceback.TracebackException(type(error), error, error.__traceback__, limit=-MAX_FRAMES, compact=True)
        _clean(report, awaited)
        return shorten_middle(wellformed(shorten_middle("".join(report.format()), MAX_TRACEBACK)), MAX_TRACEBACK)
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        return (f"{type_name(error)}: {message(error)}\n"
                f"(its traceback cannot be shown: formatting it raised {type_name(failure)})\n")


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
