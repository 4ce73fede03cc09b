"""Things to do once user code has imported a module."""

from __future__ import annotations

from .private import BUILTINS  # first: see there

__builtins__ = BUILTINS

import sys
from collections.abc import Callable
from importlib import machinery


class AfterImport:
    """A finder that finds nothing itself: it lets the others, and calls a function after the module has run."""

    def __init__(self, hooks: dict[str, Callable[[object], None]]) -> None:
        self._hooks = hooks

    def install(self) -> None:
        sys.meta_path.insert(0, self)
        for name in list(self._hooks):
            if name in sys.modules:  # a preload
                self._hooks.pop(name)(sys.modules[name])

    def find_spec(self, name: str, path: object = None, target: object = None) -> machinery.ModuleSpec | None:
        hook = self._hooks.get(name)
        if hook is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, hook)
                return spec
        return None


class _Loader:
    """A loader that calls a function after another has run the module."""

    def __init__(self, loader: object, hook: Callable[[object], None]) -> None:
        self._loader, self._hook = loader, hook

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: machinery.ModuleSpec) -> object:
        return self._loader.create_module(spec)

    def exec_module(self, module: object) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._hook(module)
