"""Answers about the namespace, for whoever types at a session. They are bounded in bytes and in time."""

from __future__ import annotations

from .private import BUILTINS, time  # first: see there

__builtins__ = BUILTINS

import importlib
import json
import types

from . import completion, names, values, wire
from .limits import within
from .text import shorten, to_json, type_name, wellformed

TYPE_CHECKING = False  # typing is not worth importing for this
if TYPE_CHECKING:
    from .worker import Worker

MAX_ANSWER = 60_000  # bytes: an answer is one frame
MAX_SECONDS = 1.0  # in code of the user, for one answer
MAX_CALL_SECONDS = 0.2  # in one call of it
MAX_LISTED_REPR, MAX_REPR, MAX_DOC, MAX_SIGNATURE = 200, 2_000, 16_000, 2_000  # characters
MAX_DIMENSIONS = 32


def _ids(*kinds: type) -> frozenset[int]:
    return frozenset(map(id, kinds))  # a class of the user may have an __eq__ and a __hash__


_SIZED = _ids(str, bytes, bytearray, list, tuple, dict, set, frozenset, range)
_DOCUMENTED = _ids(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodDescriptorType, types.WrapperDescriptorType,
                   types.MethodWrapperType, types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, property)


def answer(worker: Worker, question: bytes) -> bytes:
    """Returns the answer to a question, b"" where there is none."""
    try:
        asked = json.loads(question[1:])
        worker.memory.tighten(MAX_ANSWER)
        try:
            return _ANSWERS[question[0]](worker, asked)
        finally:
            worker.memory.relax()
    except BaseException:
        return b""


def _complete(worker: Worker, asked: dict) -> bytes:
    code = asked["code"]
    cursor = min(max(0, int(asked["cursor"])), len(code))
    found, start = within(MAX_SECONDS, completion.matches, worker.interpreter.namespace, code, cursor)
    left, shown = MAX_ANSWER - 100, []
    for match in found:
        size = len(to_json(match)) + 1
        if size <= left:
            left -= size
            shown.append(match)
    return to_json({"matches": shown, "start": start, "end": cursor, "omitted": len(found) - len(shown)})


def _is_complete(worker: Worker, asked: dict) -> bytes:
    status, indent = completion.status(asked["code"], worker.interpreter.futures)
    return to_json({"status": status, "indent": indent})


def _variables(worker: Worker, asked: dict) -> bytes:
    namespace = worker.interpreter.namespace
    listed = [(name, value) for name, value in list(namespace.items()) if values.is_variable(name, value)]
    until = time.monotonic() + MAX_SECONDS
    left, parts = MAX_ANSWER - 100, []
    for name, value in listed:
        encoded = to_json({
            "name": wellformed(name), "type": type_name(value), "size": _call(until, _size, value), "shape": _call(until, _shape, value),
            "repr": _repr(value, MAX_LISTED_REPR, until),
        })
        if len(encoded) < left:
            left -= len(encoded) + 1
            parts.append(encoded)
    return b'{"variables":[' + b",".join(parts) + b'],"omitted":%d}' % (len(listed) - len(parts))


def _inspect(worker: Worker, asked: dict) -> bytes:
    code = asked["code"]
    name = names.around(code, min(max(0, int(asked["cursor"])), len(code)))
    said = {"found": False, "name": "", "type": "", "signature": "", "doc": "", "repr": ""}
    try:
        value = within(MAX_SECONDS, names.resolve, worker.interpreter.namespace, name.split("."))
    except names.Unknown:
        return to_json(said)
    try:
        within(MAX_SECONDS, importlib.import_module, "inspect")  # the first time it is no matter of MAX_CALL_SECONDS
    except BaseException:
        pass  # what needs it is left out
    until = time.monotonic() + MAX_SECONDS
    said.update(found=True, name=wellformed(name), type=type_name(value), signature=_call(until, _signature, value) or "",
                doc=_call(until, _doc, value) or "", repr=_repr(value, MAX_REPR, until))
    encoded = to_json(said)
    if len(encoded) > MAX_ANSWER:  # with escapes
        encoded = to_json({**said, "doc": "", "repr": ""})
    return encoded


def _call(until: float, function: object, *args: object) -> object:
    """Calls what may be code of the user. Returns None when it raises, or takes too long."""
    left = min(MAX_CALL_SECONDS, until - time.monotonic())
    if left <= 0:
        return None
    try:
        return within(left, function, *args)
    except BaseException:
        return None


def _repr(value: object, limit: int, until: float) -> str:
    left = min(MAX_CALL_SECONDS, until - time.monotonic())
    return values.represent(value, limit, left, 0.0)[0] if left > 0 else ""


def _size(value: object) -> int | None:
    if id(type(value)) not in _SIZED and not names.defines(type(value), "__len__"):
        return None
    size = len(value)
    return size if type(size) is int else None


def _shape(value: object) -> list[int] | None:
    if names.is_class(value) or not names.defines(type(value), "shape"):
        return None
    shape = value.shape
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS or not all(type(n) is int and 0 <= n < 1 << 63 for n in shape):
        return None
    return list(shape)


def _signature(value: object) -> str | None:
    if not callable(value):
        return None
    return shorten(str(importlib.import_module("inspect").signature(value)), MAX_SIGNATURE)[0]


def _doc(value: object) -> str | None:
    doc = value.__doc__ if id(type(value)) in _DOCUMENTED else names.attribute(value, "__doc__")
    if type(doc) is not str:
        return None
    return shorten(importlib.import_module("inspect").cleandoc(doc[: 2 * MAX_DOC]), MAX_DOC)[0]


_ANSWERS = {wire.VARIABLES: _variables, wire.COMPLETE: _complete, wire.IS_COMPLETE: _is_complete, wire.INSPECT: _inspect}
