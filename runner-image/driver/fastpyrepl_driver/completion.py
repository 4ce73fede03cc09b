"""Completion of names, and whether code is whole."""

from __future__ import annotations

from .private import BUILTINS, os  # first: see there

__builtins__ = BUILTINS

import builtins
import keyword
import sys
import types
import warnings

from . import names

MAX_LISTED = 10_000  # entries of a directory that modules are looked for in

_ONLY_AST = 0x400
_TOP_LEVEL_AWAIT = 0x2000
_ALLOW_INCOMPLETE = 0x4000
_LEAVES = ("return", "pass", "break", "continue", "raise")  # after these the block is over
INDENT = 4


def matches(namespace: dict[str, object], code: str, cursor: int) -> tuple[list[str], int]:
    """Returns what could stand in the place of the last characters before the cursor, sorted, and where these begin."""
    typed = names.before(code, cursor)
    *path, prefix = typed.split(".")
    line = code[code.rfind("\n", 0, cursor) + 1 : cursor - len(typed)].split()
    try:
        if line[:1] == ["import"] or line == ["from"]:
            found = _modules(path)
        elif line[:1] == ["from"] and line[2:3] == ["import"]:
            found = _members(line[1])
        elif not path:
            found = {**namespace, **({**builtins.__dict__, **dict.fromkeys(keyword.kwlist)} if prefix else {})}
        elif path[0].isidentifier():
            value = names.resolve(namespace, path)
            found = {} if type(value) is property else names.attributes(value)
        else:
            found = {}
    except names.Unknown:
        found = {}
    hidden = "_" if not prefix else "__" if prefix == "_" else ""
    shown = sorted(name for name in found if type(name) is str and name.startswith(prefix) and name.isidentifier()  # others cannot be typed
                   and not (hidden and name.startswith(hidden)))
    return shown, cursor - len(prefix)


def _modules(path: list[str]) -> dict[str, None]:
    """Returns the names of modules, or of those of a package that was imported."""
    found: dict[str, None] = {}
    places: object = sys.path
    if path:
        package = sys.modules.get(".".join(path))
        places = names.own_vars(package).get("__path__") if isinstance(package, types.ModuleType) else ()
    else:
        found.update(dict.fromkeys(sys.stdlib_module_names))
    for place in list(places) if isinstance(places, list) else []:
        try:
            listed = os.listdir(place or ".")[:MAX_LISTED]
        except (OSError, TypeError):
            continue
        for entry in listed:
            name, dot, ending = entry.partition(".")
            if name.isidentifier() and (not dot or ending == "py" or ending.endswith("so")):
                found[name] = None
    return found


def _members(module: str) -> dict[str, None]:
    """Returns what can be imported from a module that was imported."""
    found = sys.modules.get(module)
    return {**(names.attributes(found) if isinstance(found, types.ModuleType) else {}), **_modules(module.split("."))}


def status(code: str, futures: int) -> tuple[str, int]:
    """Tells whether code is complete, incomplete or invalid, and how many spaces begin its next line."""
    flags = _ONLY_AST | _TOP_LEVEL_AWAIT | futures
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = compile(code, "<input>", "exec", flags | _ALLOW_INCOMPLETE, dont_inherit=True)
        except SyntaxError as error:
            if error.msg != "incomplete input":
                return "invalid", 0
            return "incomplete", 0 if _in_text(code, flags) else _indent(code)
        except (ValueError, OverflowError, MemoryError, RecursionError):
            return "invalid", 0
    if tree.body and _has_block(tree.body[-1]) and code.rpartition("\n")[2].strip():
        return "incomplete", _indent(code)  # another line of the block may follow; an empty one ends it
    return "complete", 0


def _has_block(statement: object) -> bool:
    """Tells whether a statement has an indented block below its first line."""
    fields = vars(statement)
    block = fields.get("body") or [case.pattern for case in fields.get("cases", ())]  # of a match
    return isinstance(block, list) and bool(block) and block[0].lineno > statement.lineno


def _in_text(code: str, flags: int) -> bool:
    """Tells whether incomplete code ends within a string, where indentation would be a part of it."""
    try:
        compile(code, "<input>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        return str(error.msg).startswith("unterminated")
    return False


def _indent(code: str) -> int:
    """Returns the indentation that the line after the last one is likely to have."""
    line = code.rstrip("\n").rpartition("\n")[2].expandtabs()
    indent = len(line) - len(line.lstrip())
    text = line.partition("#")[0].strip()
    if text.endswith((":", "(", "[", "{")):
        return indent + INDENT
    if text.partition(" ")[0] in _LEAVES:
        return max(0, indent - INDENT)
    return indent
