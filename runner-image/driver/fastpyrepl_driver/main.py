"""Becomes the supervisor and, in its forked children, a template or a worker."""

from __future__ import annotations

import gc
import os

from .process import Forked
from .supervisor import Supervisor

EXIT_BROKEN = 70  # this program is at fault; 0 is a shutdown, an ended lease or an ended stdin


def main() -> None:
    child = None
    status = EXIT_BROKEN
    try:
        gc.freeze()  # what is there now is never garbage: forked processes need not touch its pages
        status = Supervisor(0, 1).run()
    except Forked as forked:
        child = forked  # leaving the supervisor's frames keeps them out of the child's tracebacks
    except BaseException:
        import traceback

        os.set_blocking(2, False)  # stderr is for an operator; nobody need read it
        traceback.print_exc()
    if child is None:
        os._exit(status)
    try:
        child.become(child.control)
    finally:
        os._exit(EXIT_BROKEN)
