"""Side effects of a piece of Python beyond its own variables: on objects, lists, dicts, sets and closures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import torch

from edgec.frontend.torch.autograph.operators.select import UNDEFINED, Site, different

Content = list[Any] | dict[Any, Any] | set[Any]

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type, range, slice, torch.Tensor, ModuleType, Site)
_OF_TORCH = ("_parameters", "training", "_flat_weights", "_flat_weight_refs")
_HOOKS = ("_forward_", "_backward_", "_is_full_", "_state_dict_", "_load_state_", "_non_persistent_")
"""Attributes that torch keeps in every module and that no `forward` changes."""

_NOT_THE_USERS = ("torch", "numpy", "edgec")


@dataclass(frozen=True)
class Kind:
    """How to read and write an object's contents. `open`: an entry may be missing on one side of a branch."""

    read: Callable[[Any], Content]
    write: Callable[[Any, Any], None]
    open: bool = False


def _write_list(held: Any, content: list[Any]) -> None:
    held.clear()
    held.extend(content)


def _write_mapping(held: Any, content: dict[Any, Any]) -> None:
    held.clear()
    held.update(content)


def _read_cell(cell: CellType) -> Content:
    try:
        return [cell.cell_contents]
    except ValueError:  # a variable that is not bound yet
        return [UNDEFINED]


def _write_cell(cell: CellType, content: list[Any]) -> None:
    if content[0] is UNDEFINED:
        del cell.cell_contents
    else:
        cell.cell_contents = content[0]


def _read_attributes(held: Any) -> Content:
    found = {n: getattr(held, n) for n in _slots(type(held)) if hasattr(held, n)}
    own = getattr(held, "__dict__", {})
    if isinstance(held, torch.nn.Module):
        return found | {n: v for n, v in own.items() if not _is_of_torch(n)}
    return found | own


def _write_attributes(held: Any, content: dict[str, Any]) -> None:
    now = cast(dict[str, Any], _read_attributes(held))
    for name in now.keys() - content.keys():
        object.__delattr__(held, name)
    for name, value in content.items():
        if name not in now or now[name] is not value:
            object.__setattr__(held, name, value)


_LIST = Kind(list, _write_list)
_MAPPING = Kind(dict, _write_mapping)
_SET = Kind(set, _write_mapping)
_CELL = Kind(_read_cell, _write_cell)
_ATTRIBUTES = Kind(_read_attributes, _write_attributes, open=True)


class ReachableState:
    """All objects reachable from `roots`, and their contents at the time."""

    def __init__(self, roots: Iterable[Any]) -> None:
        self._held: dict[int, tuple[Any, Kind, Content]] = {}
        waiting, self._seen = list(roots), set[int]()
        while waiting:
            waiting += self._visited(waiting.pop())

    def changes(self) -> dict[int, Content]:
        """The contents that differ from the recorded ones, by object id."""
        now = {i: kind.read(held) for i, (held, kind, _) in self._held.items()}
        return {i: content for i, content in now.items() if not _same(content, self._held[i][2])}

    def restore(self, changes: Mapping[int, Content]) -> None:
        """Undo these changes."""
        for i in changes:
            held, kind, content = self._held[i]
            kind.write(held, content)

    def select(
        self, merge: Callable[[str, Any, Any], Any], site: Site, yes: Mapping[int, Content], no: Mapping[int, Content]
    ) -> None:
        """Replace all contents by a selection between those after `yes` and those after `no`; `merge` combines a pair.

        Raises `EdgecError` E0206 if they differ in more than values.
        """
        for i in sorted({*yes, *no}, key=list(self._held).index):
            held, kind, before = self._held[i]
            kind.write(held, _merged(merge, site, kind, yes.get(i, before), no.get(i, before)))

    def names(self, changes: Mapping[int, Content]) -> list[str]:
        """The changed entries of objects by name; the type of objects without named entries."""
        found = set()
        for i, content in changes.items():
            held, kind, before = self._held[i]
            if kind is _ATTRIBUTES and isinstance(content, dict) and isinstance(before, dict):
                found |= {n for n in content if n not in before or before[n] is not content[n]}
            else:
                found.add(type(held).__name__)
        return sorted(found)

    def _visited(self, value: Any) -> Iterable[Any]:
        """Record the contents of a value; returns the values it refers to."""
        if isinstance(value, _PLAIN) or id(value) in self._seen:
            return ()
        self._seen.add(id(value))
        if isinstance(value, tuple | frozenset):
            return value
        if isinstance(value, FunctionType):
            return () if str(value.__module__).startswith("torch.") else value.__closure__ or ()
        if isinstance(value, MethodType):
            return (value.__self__, value.__func__)
        kind = kind_of(value)
        if kind is None:
            return ()
        content = kind.read(value)
        self._held[id(value)] = (value, kind, content)
        return content.values() if isinstance(content, dict) else content


def kind_of(value: Any) -> Kind | None:
    """How to read and write a value's contents, if it is a mutable container."""
    if isinstance(value, CellType):
        return _CELL
    if isinstance(value, list | deque):
        return _LIST
    if isinstance(value, dict):
        return _MAPPING
    if isinstance(value, set):
        return _SET
    own = isinstance(value, torch.nn.Module) or str(type(value).__module__).partition(".")[0] not in _NOT_THE_USERS
    return _ATTRIBUTES if own and (hasattr(value, "__dict__") or _slots(type(value))) else None


def _slots(kind: type) -> list[str]:
    found = [s for base in kind.__mro__ for s in (getattr(base, "__slots__", None) or ())]
    return [s for s in found if not s.startswith("__")]


@lru_cache(maxsize=4096)
def _is_of_torch(name: str) -> bool:
    """Whether the attribute is one that torch keeps in every module."""
    return name in _OF_TORCH or name.startswith(_HOOKS)


def _same(a: Content, b: Content) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(v is b[k] for k, v in a.items())
    if isinstance(a, set) or isinstance(b, set):
        return a == b
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


def _merged(merge: Callable[[str, Any, Any], Any], site: Site, kind: Kind, yes: Any, no: Any) -> Content:
    if isinstance(yes, dict):
        if yes.keys() != no.keys() and not kind.open:
            raise different(site, "a dictionary", "different keys", str(list(yes)), str(list(no)))
        keys = [*yes, *(k for k in no if k not in yes)]
        return {k: merge(str(k), yes.get(k, UNDEFINED), no.get(k, UNDEFINED)) for k in keys}
    if len(yes) != len(no):
        raise different(site, "a list", "different lengths", f"{len(yes)} elements", f"{len(no)} elements")
    if isinstance(yes, set):
        if yes != no:
            raise different(site, "a set", "different elements", str(yes), str(no))
        return yes
    return [merge("a list's element", a, b) for a, b in zip(yes, no, strict=True)]
