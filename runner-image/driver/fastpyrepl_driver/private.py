"""The worker's own copies of what user code can patch: a cell that replaces len or time.monotonic breaks its own code only.

A module that makes BUILTINS its __builtins__, before it defines anything, has its functions look builtins up in the copy.
"""

from __future__ import annotations

import builtins
import os as _os
import time as _time
from types import SimpleNamespace

BUILTINS = dict(vars(builtins))

os = SimpleNamespace(**vars(_os))
time = SimpleNamespace(**vars(_time))
