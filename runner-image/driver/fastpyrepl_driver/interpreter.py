"""The namespace of a session, and running code in it."""

from __future__ import annotations

from .private import BUILTINS, os  # first: see there

__builtins__ = BUILTINS

import __future__
from _ast import Expr, Expression
import builtins
import linecache
import re
import sys
import types
from collections import deque

MAX_SOURCES = 1000  # cells whose source lines tracebacks can show
MAX_SOURCE_TEXT = 8 << 20  # characters of them

_ONLY_AST = 0x400
_TOP_LEVEL_AWAIT = 0x2000
_CO_COROUTINE = 0x80
_FUTURES = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names} - {0x10, 0})  # 0x10 is CO_NESTED
_NOT_PYTHON = re.compile(r"%%?([A-Za-z]\w*)|!!?\s*([A-Za-z]\w*|(?=[^\s=]))")
_BEFORE_IT = re.compile(r"([^=()]*[^=!<>()]=)*\s*")  # in its line: nothing, or targets


class Exit:
    """exit and quit: they end the cell. The session stays."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"{self._name}() ends the cell; the session and its variables stay"

    def __call__(self, code: object = None) -> None:
        raise SystemExit(code)


class Interpreter:
    """Runs cells one after the other in a fresh __main__."""

    def __init__(self) -> None:
        main = types.ModuleType("__main__")
        main.__builtins__ = builtins
        sys.modules["__main__"] = main
        self.namespace = main.__dict__
        self.awaited = False  # the last cell ran in the event loop
        self.futures = 0  # compiler flags of every "from __future__" so far
        self._loop = None
        self._sources: deque[tuple[str, int]] = deque()
        self._source_text = 0
        builtins.exit, builtins.quit = Exit("exit"), Exit("quit")

    def run(self, source: str, name: str) -> object:
        """Runs source. Returns the value of its last expression, None when there is none or a semicolon follows it."""
        self.awaited = False
        self._remember(source, name)
        if "import" in source:
            _forget_directory()
        try:
            tree = compile(source, name, "exec", _ONLY_AST | _TOP_LEVEL_AWAIT | self.futures, dont_inherit=True)
            last = tree.body.pop() if tree.body and type(tree.body[-1]) is Expr else None
            statements = self._compile(tree, name, "exec") if tree.body else None
            expression = None
            if last is not None:
                expression = self._compile(Expression(last.value), name, "eval")
        except SyntaxError as error:
            _add_line(error, source)
            _explain(error, source)
            raise
        del tree
        codes = [code for code in (statements, expression) if code is not None]
        value = None
        if any(map(_awaits, codes)):
            value = self._await(codes)
        else:
            for code in codes:
                value = eval(code, self.namespace)
        return None if value is None or _silenced(source, last) else value

    def _compile(self, tree: object, name: str, mode: str) -> types.CodeType:
        code = compile(tree, name, mode, _TOP_LEVEL_AWAIT | self.futures, dont_inherit=True)
        self.futures |= code.co_flags & _FUTURES
        return code

    def _await(self, codes: list[types.CodeType]) -> object:
        """Runs a cell with a top-level await in the session's event loop, as one task. Tasks of the cell's rest between such cells."""
        import asyncio

        self.awaited = True
        if self._loop is None or self._loop.is_closed() or self._loop.is_running():
            self._loop = asyncio.new_event_loop()
        loop = self._loop
        asyncio.set_event_loop(loop)
        task = loop.create_task(_run(codes, self.namespace))
        try:
            return loop.run_until_complete(task)
        except BaseException as error:
            if not task.done():  # interrupted: the code gets to know as any cancelled task does
                task.cancel()
                try:
                    loop.run_until_complete(task)
                except asyncio.CancelledError as cancelled:
                    if _in_the_loop(error):  # which tells nobody where the cell waited
                        error.__traceback__ = cancelled.__traceback__
            raise

    def _remember(self, source: str, name: str) -> None:
        """Lets tracebacks, inspect and warnings show the lines of source."""
        linecache.cache[name] = len(source), None, [line + "\n" for line in _lines(source)], name
        self._sources.append((name, len(source)))
        self._source_text += len(source)
        while len(self._sources) > MAX_SOURCES or (self._source_text > MAX_SOURCE_TEXT and len(self._sources) > 1):
            oldest, size = self._sources.popleft()
            self._source_text -= size
            if oldest != name:
                linecache.cache.pop(oldest, None)


def _awaits(code: types.CodeType) -> bool:
    return bool(code.co_flags & _CO_COROUTINE)


async def _run(codes: list[types.CodeType], namespace: dict[str, object]) -> object:
    """Runs codes one after the other. Returns the value of the last."""
    value = None
    for code in codes:
        value = eval(code, namespace)
        if _awaits(code):
            value = await value
    return value


def _in_the_loop(error: BaseException) -> bool:
    """Tells whether error was raised while no code of the user ran: the loop waited, say."""
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0] in ("asyncio", "selectors", __package__)


def _forget_directory() -> None:
    """Lets import see a module that was written to the working directory a moment ago."""
    try:
        finder = sys.path_importer_cache.get(os.getcwd())
    except OSError:
        return
    if finder is not None:
        finder.invalidate_caches()


def _silenced(source: str, last: object) -> bool:
    """Tells whether a semicolon follows the last expression."""
    return _lines(source)[last.end_lineno - 1].encode()[last.end_col_offset :].lstrip().startswith(b";")


def _lines(source: str) -> list[str]:
    """Returns the lines as the compiler counts them, which str.splitlines does not."""
    return source.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _add_line(error: SyntaxError, source: str) -> None:
    """Adds the line to an error that was found after parsing, when the compiler has no source any more."""
    lines = _lines(source)
    if error.text is None and error.lineno is not None and 0 < error.lineno <= len(lines):
        error.text = lines[error.lineno - 1] + "\n"


def _explain(error: SyntaxError, source: str) -> None:
    """Says in the message what a line of IPython's is, and what to do instead. The message of what may be meant as Python stays."""
    lines = _lines(source)
    if error.lineno is None or not 0 < error.lineno <= len(lines) or not error.offset:
        return
    before, rest = lines[error.lineno - 1][: error.offset - 1], lines[error.lineno - 1][error.offset - 1 :]
    match = _NOT_PYTHON.match(rest)
    if match is None or not _BEFORE_IT.fullmatch(before) or not _is_whole(lines[: error.lineno - 1]):
        return
    word = match[1] or match[2] or ""
    if rest[0] == "%":
        error.msg = f"'%{word}' is a magic command of IPython, this is plain Python"
    else:
        error.msg = f"'!{word}' is a shell command of IPython, this is plain Python: use subprocess.run"
    if word in ("pip", "conda", "mamba") or word == "python" and "pip" in rest:
        error.msg += ", and packages cannot be installed: there is no network"


def _is_whole(lines: list[str]) -> bool:
    """Tells whether a logical line ends with the last of lines."""
    import tokenize  # few errors need it

    try:
        for _ in tokenize.generate_tokens(iter([line + "\n" for line in lines]).__next__):
            pass
    except (tokenize.TokenError, SyntaxError):
        return False
    return True
