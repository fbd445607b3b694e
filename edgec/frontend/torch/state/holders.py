"""Objects in which a model can keep state between calls, with a uniform way to read and write each.

These are attributes of modules, other objects and classes; lists, dicts and sets; variables of closures, globals and
default arguments of the functions that run; arrays, tensors, and the caches of functions.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

from edgec.frontend.torch.autograph.analysis.side_effects import Kind, kind_of

MISSING = object()
"""The value of a missing key."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, torch.dtype, torch.device, CodeType)
_NOT_THE_USERS = ("torch.", "numpy.", "edgec.", "builtins", "typing", "collections", "functools", "enum")
_CACHE = type(functools.lru_cache(lambda: None))
_LARGE = 1 << 24
"""The number of elements from which arrays are not copied."""


@dataclass(frozen=True)
class Holder:
    """One object, where it was found (`path`), and how its contents are read (by key) and written. One that `counts`, a
    function's cache, has no readable contents: it reports how often it was filled, and can be cleared. One that is
    `registered` is one of the model's modules, whose buffers are states of the model already.
    """

    object: Any
    path: str
    read: Callable[[Any], dict[Any, Any]]
    write: Callable[[Any, dict[Any, Any]], None]
    counts: bool = False
    registered: bool = False

    def name(self, key: Any) -> str:
        """The display name of an entry: `prev`, `cache[0]`."""
        if isinstance(self.object, CellType):
            return self.path
        if isinstance(key, tuple) and key and key[0] in REGISTRIES:
            return f"{self.path}.{key[1]}" if self.path else key[1]
        if isinstance(self.object, dict) and self.path:
            return f"{self.path}[{key!r}]"
        if isinstance(key, str) and key.isidentifier():
            return f"{self.path}.{key}" if self.path else key
        return self.path if key is None else f"{self.path}[{key!r}]"


class Holders:
    """All objects reachable from the values that were `met`, and their contents then; `modules` are the model's own."""

    def __init__(self, modules: Iterable[torch.nn.Module]) -> None:
        self._modules = set(map(id, modules))
        self.found: dict[int, tuple[Holder, dict[Any, Any]]] = {}
        self._seen: dict[int, Any] = {}
        self._globals: dict[tuple[int, str], None] = {}

    def meet(self, root: Any, path: str = "") -> None:
        """Record a value and everything reachable from it that is not recorded yet."""
        waiting = [(root, path)]
        while waiting:
            waiting += self._visited(*waiting.pop())

    def meet_code(self, code: CodeType, variables: dict[str, Any]) -> None:
        """Record the globals that a function refers to, before it runs."""
        for name in _names(code):
            if (id(variables), name) in self._globals:
                continue
            self._globals[id(variables), name] = None
            value = variables.get(name, MISSING)
            if isinstance(value, ModuleType | type) or (callable(value) and not isinstance(value, torch.nn.Module)):
                waiting: Iterable[tuple[Any, str]] = self._visited(value, name)
            else:
                self._note(_global(variables, name), {name: value})
                waiting = [(value, name)]
            for found, path in waiting:
                self.meet(found, path)

    def _note(self, holder: Holder, content: dict[Any, Any]) -> None:
        self.found[len(self.found)] = (holder, content)

    def _visited(self, value: Any, path: str) -> list[tuple[Any, str]]:
        if isinstance(value, (*_PLAIN, torch.jit.ScriptModule)) or id(value) in self._seen:
            return []
        self._seen[id(value)] = value
        if isinstance(value, tuple | frozenset):
            return [(v, f"{path}[{i}]") for i, v in enumerate(value)]
        if isinstance(value, MethodType):
            return [(value.__self__, path), (value.__func__, path)]
        if isinstance(value, FunctionType):
            return list(self._function(value))
        if isinstance(value, functools.partial):
            return [(value.func, path), (value.args, path), (value.keywords, path)]
        if isinstance(value, _CACHE):
            name = f"the cache of `{getattr(value, '__name__', path)}`"
            self._note(Holder(value, name, _read_cache, _write_cache, counts=True), _read_cache(value))
            return [(value.__wrapped__, path)]
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, ModuleType):
            return []
        if isinstance(value, torch.Tensor):
            return self._tensor(value, path)
        if isinstance(value, np.ndarray):
            if value.size <= _LARGE and value.dtype != object:
                self._note(Holder(value, path, _read_array, _write_array), _read_array(value))
            return []
        return self._object(value, path)

    def _object(self, value: Any, path: str) -> list[tuple[Any, str]]:
        kind = kind_of(value)
        if kind is None or _is_of_library(value):
            return []
        holder = Holder(value, path, _reading(kind), _writing(kind), registered=id(value) in self._modules)
        content = holder.read(value)
        self._note(holder, content)
        known = _KNOWN if holder.registered else _KNOWN[:1]
        inner = [(v, holder.name(k)) for k, v in content.items() if not (isinstance(k, tuple) and k[0] in known)]
        return [*inner, (type(value), type(value).__name__)]

    def _tensor(self, value: torch.Tensor, path: str) -> list[tuple[Any, str]]:
        """Parameters and buffers are not copied: torch tracks changes to them."""
        self._note(Holder(value, path, _read_tensor, _write_tensor), _read_tensor(value))
        return []

    def _class(self, value: type) -> list[tuple[Any, str]]:
        if value.__module__.startswith(_NOT_THE_USERS) or value.__module__ == "torch":
            return []
        holder = Holder(value, value.__name__, _read_class, _write_class)
        content = holder.read(value)
        self._note(holder, content)
        return [(v, holder.name(k)) for k, v in content.items()] + [(base, "") for base in value.__bases__]

    def _function(self, value: FunctionType) -> Iterator[tuple[Any, str]]:
        if str(value.__module__).startswith(("torch.", "edgec.")):
            return
        yield from zip(value.__closure__ or (), value.__code__.co_freevars, strict=False)
        defaults, code = value.__defaults__ or (), value.__code__
        yield from zip(defaults, code.co_varnames[code.co_argcount - len(defaults) :], strict=False)
        yield from ((default, name) for name, default in (value.__kwdefaults__ or {}).items())


HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)
REGISTRIES = ("_parameters", "_buffers", "_modules", *HOOKS)
"""The attributes in which a module registers parameters, buffers, submodules and hooks."""

_KNOWN = ("_parameters", "_buffers")
"""Registries whose in-place changes are states of the model already, or refused by torch."""


def _is_of_library(value: Any) -> bool:
    """Whether it belongs to Python's standard library and is no container."""
    first = type(value).__module__.partition(".")[0]
    return first in sys.stdlib_module_names and first not in ("builtins", "collections", "types", "__main__")


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _reading(kind: Kind) -> Callable[[Any], dict[Any, Any]]:
    def read(held: Any) -> dict[Any, Any]:
        content = kind.read(held)
        if isinstance(content, dict):
            return {k: v for k, v in content.items() if k not in REGISTRIES} | _registered(held)
        return dict(enumerate(content)) if isinstance(content, list) else {v: v for v in content}

    return read


def _registered(held: Any) -> dict[Any, Any]:
    """The entries that a module registers, by registry and name."""
    if not isinstance(held, torch.nn.Module):
        return {}
    return {(registry, name): v for registry in REGISTRIES for name, v in vars(held)[registry].items()}


def _writing(kind: Kind) -> Callable[[Any, dict[Any, Any]], None]:
    def write(held: Any, content: dict[Any, Any]) -> None:
        now = kind.read(held)
        if not isinstance(now, dict):
            kind.write(held, list(content.values()) if isinstance(now, list) else set(content))
            return
        module = isinstance(held, torch.nn.Module)
        registered = {k: v for k, v in content.items() if module and isinstance(k, tuple) and k[0] in REGISTRIES}
        own = {k: v for k, v in content.items() if k not in registered}
        kind.write(held, own | {k: v for k, v in now.items() if module and k in REGISTRIES})
        for registry in REGISTRIES if module else ():
            vars(held)[registry].clear()
            vars(held)[registry].update({k[1]: v for k, v in registered.items() if k[0] == registry})

    return write


def _global(variables: dict[str, Any], name: str) -> Holder:
    def read(_: Any) -> dict[Any, Any]:
        return {name: variables.get(name, MISSING)}

    def write(_: Any, content: dict[Any, Any]) -> None:
        if content[name] is MISSING:
            variables.pop(name, None)
        else:
            variables[name] = content[name]

    return Holder(variables, "", read, write)


def _read_class(held: type) -> dict[Any, Any]:
    skipped = (FunctionType, property, staticmethod, classmethod, type(int.__add__), type(type.__dict__["__dict__"]))
    return {k: v for k, v in vars(held).items() if not k.startswith("__") and not isinstance(v, skipped)}


def _write_class(held: type, content: dict[Any, Any]) -> None:
    now = _read_class(held)
    for name in now.keys() - content.keys():
        delattr(held, name)
    for name, value in content.items():
        if now.get(name, MISSING) is not value:
            setattr(held, name, value)


def _read_array(held: np.ndarray[Any, Any]) -> dict[Any, Any]:
    return {None: held.copy()}


def _write_array(held: np.ndarray[Any, Any], content: dict[Any, Any]) -> None:
    held[...] = content[None]


@dataclass(frozen=True)
class Written:
    """A tensor's content: its version, and a copy unless it is a parameter."""

    version: int
    copy: torch.Tensor | None


def _read_tensor(held: torch.Tensor) -> dict[Any, Any]:
    kept = isinstance(held, torch.nn.Parameter)
    with torch.no_grad():
        return {None: Written(held._version, None if kept else held.detach().clone())}


def _write_tensor(held: torch.Tensor, content: dict[Any, Any]) -> None:
    copy = content[None].copy
    if copy is not None:
        with torch.no_grad():
            held.copy_(copy)


def _read_cache(held: Any) -> dict[Any, Any]:
    return {None: held.cache_info().misses}


def _write_cache(held: Any, content: dict[Any, Any]) -> None:
    held.cache_clear()
