"""What names stand for, found without a call of the user's code: no property is followed, no __getattr__ asked."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import builtins
import types

MAX_NAME = 1000  # characters of a dotted name

_mro = type.__dict__["__mro__"].__get__
_vars = type.__dict__["__dict__"].__get__
_flags = type.__dict__["__flags__"].__get__
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class that Python code may have made
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)


class Unknown(Exception):
    """Only code of the user could tell."""


def is_class(value: object) -> bool:
    return issubclass(type(value), type)


def own_vars(value: object) -> dict[object, object]:
    """Returns the variables of an instance or a module."""
    for cls in _mro(type(value)):
        slot = _vars(cls).get("__dict__")
        if slot is not None:
            own = slot.__get__(value) if type(slot) in _SLOTS else None
            return own if type(own) is dict else {}
    return {}


def attributes(value: object) -> dict[str, None]:
    """Returns the names of what a value has, as far as classes and namespaces tell, each once."""
    names: dict[str, None] = {}
    spaces = [_vars(cls) for cls in _mro(value if is_class(value) else type(value))]
    if not is_class(value):
        spaces.insert(0, own_vars(value))
        if issubclass(type(value), types.ModuleType):
            del spaces[1:]
    for space in spaces:
        for name in list(space):
            if type(name) is str:
                names[name] = None
    return names


def attribute(value: object, name: str) -> object:
    """Returns what value.name is, or the property that would compute it. Raises Unknown when there is none."""
    if is_class(value):
        return _unwrapped(_found(value, name))
    own = own_vars(value)
    try:
        found = _found(type(value), name)
    except Unknown:
        if name in own:
            return own[name]
        raise
    if type(found) in _SLOTS:
        return _slot(found, value)
    if name in own and not _computes(found, "__set__"):
        return own[name]
    return _unwrapped(found)


def follow(value: object, name: str) -> object:
    """Returns what value.name is. Raises Unknown where that is to be computed."""
    found = attribute(value, name)
    if type(found) is property or _computes(found, "__get__") and type(found) is not types.FunctionType:
        raise Unknown
    return found


def resolve(namespace: dict[str, object], dotted: list[str]) -> object:
    """Returns what a dotted name stands for: of its last part, perhaps a property. Raises Unknown."""
    first = dotted[0]
    if first in namespace:
        value = namespace[first]
    elif first in builtins.__dict__:
        value = builtins.__dict__[first]
    else:
        raise Unknown
    for n, name in enumerate(dotted[1:], 2):
        value = attribute(value, name) if n == len(dotted) else follow(value, name)
    return value


def defines(cls: type, name: str) -> bool:
    """Tells whether a class, or one that it is made from, has the name."""
    return any(name in _vars(base) for base in _mro(cls))


def _found(cls: type, name: str) -> object:
    for base in _mro(cls):
        space = _vars(base)
        if name in space:
            return space[name]
    raise Unknown


def _slot(slot: object, value: object) -> object:
    """Returns what a slot holds. Those of classes in C may compute, as those of numpy do, but not with code of the user."""
    if type(slot) is types.GetSetDescriptorType and _flags(slot.__objclass__) & _HEAP_TYPE:
        return slot
    try:
        return slot.__get__(value)
    except Exception:
        raise Unknown from None


def _unwrapped(found: object) -> object:
    return found.__func__ if type(found) in (staticmethod, classmethod) else found


def _computes(found: object, method: str) -> bool:
    return defines(type(found), method)


def before(code: str, cursor: int) -> str:
    """Returns the dotted name, or the beginning of one, that ends at the cursor."""
    start = cursor
    while start > max(0, cursor - MAX_NAME) and (code[start - 1] == "." or _within(code[start - 1])):
        start -= 1
    return code[start:cursor]


def around(code: str, cursor: int) -> str:
    """Returns the dotted name that the cursor is on; else that of the call whose arguments it is in."""
    end = cursor
    while end < len(code) and _within(code[end]):
        end += 1
    if name := before(code, end).rstrip("."):
        return name
    depth = 0
    for at in range(cursor - 1, max(-1, cursor - 1 - MAX_NAME), -1):
        depth += {")": 1, "(": -1}.get(code[at], 0)
        if depth < 0:
            return before(code, at)
    return ""


def _within(character: str) -> bool:
    return character == "_" or character.isalnum()
