"""display(), results and figures: what a cell shows beside text."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import builtins
import math
import sys

from . import figures, mime, wire
from .limits import Budget
from .mime import Bundle

TYPE_CHECKING = False  # typing is not worth importing for this
if TYPE_CHECKING:
    from .worker import Worker


class Display:
    """Sends values to the daemon, within the bytes that the execution allows for all of them."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._most = 0  # bytes of one value
        self._left = 0  # bytes of all that follow
        self._budget = Budget(0.0)

    def install(self) -> None:
        """Makes display a builtin: cells use it without an import."""
        self.display.__func__.__qualname__ = "display"
        builtins.display = self.display

    def begin(self, limit: int, budget: Budget, formats: list[str]) -> None:
        """Begins a cell."""
        figures.formats = formats
        self._most, self._left, self._budget = min(limit, wire.MAX_MESSAGE), limit, budget

    def display(self, *objects: object, metadata: object = None, raw: bool = False, **_: object) -> None:
        """Show objects in every form they have (_repr_html_, _repr_png_, ...). raw=True takes dicts of MIME type to data."""
        # What another thread takes for it delays nothing.
        budget = self._budget if self._worker.in_main_thread() else Budget(math.inf)
        for value in objects:
            if self._worker.forked():
                print(repr(value))
                continue
            bundle = mime.raw(value, metadata, self._most) if raw else mime.of(value, self._most, budget)
            self._show(wire.DISPLAY, bundle)

    def result(self, value: object) -> None:
        """Shows the value of a cell's last expression."""
        bundle = mime.of(value, self._most, self._budget)
        figures.forget(value)
        self._show(wire.RESULT, bundle)

    def figures(self) -> None:
        """Shows the open figures of matplotlib, and closes them."""
        if not self._worker.forked():
            figures.flush(lambda bundle: self._show(wire.DISPLAY, bundle), self._most)

    def has_figures(self) -> bool:
        return "matplotlib.pyplot" in sys.modules

    def _show(self, kind: int, bundle: Bundle) -> None:
        if self._worker.output.owner() is not None:
            print("display: not shown, for the execution that began this thread has ended", file=sys.stderr)
            return
        payload = bundle.payload(min(self._left, wire.MAX_MESSAGE))
        self._worker.left_out(kind, bundle.left_out)
        if bundle.empty():
            return
        self._left -= len(payload)
        # A display waits until the supervisor has read the text before it. Nothing is written after a result.
        self._worker.say(kind, payload, wait=kind == wire.DISPLAY)
