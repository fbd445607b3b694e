"""Lookups by equality with a data-dependent number or text: dictionary keys, elements of sequences, attributes."""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.autograph.operators.branches import Branch
from edgec.frontend.torch.autograph.operators.escapes import EscapeError
from edgec.frontend.torch.autograph.operators.select import UNDEFINED, Site
from edgec.frontend.torch.autograph.operators.subscripts import Branching, Choice, choice_of, site_of
from edgec.frontend.torch.autograph.operators.symbolic_numbers import (
    Truth,
    as_number,
    every,
    is_number,
    is_symbol,
    kind_of,
    some,
)
from edgec.frontend.torch.autograph.operators.symbolic_text import Text, formatted, joined, text

MAPPINGS = (Mapping, torch.nn.ModuleDict, torch.nn.ParameterDict)
"""The types that are indexed by keys."""

_SEQUENCES = (list, tuple)

_TABLE = 64
"""The number of keys up to which each is compared separately."""


def shows_data(value: Any) -> bool:
    """Whether the text of a value would depend on data."""
    leaves = pytree.tree_leaves(value)
    return any(isinstance(leaf, torch.Tensor | Text) or is_symbol(leaf) for leaf in leaves)


def is_key_of_data(value: Any) -> bool:
    """Whether Python would hash a data-dependent number or text; tensors are hashed by identity."""
    if isinstance(value, tuple):
        return any(map(is_key_of_data, value))
    return is_number(value) or isinstance(value, Text) or is_symbol(value)


def of_data(value: Any) -> bool:
    """Whether a value, or an element of a tuple or list, is a data-dependent number or text."""
    if isinstance(value, list | tuple):
        return any(map(of_data, value))
    if isinstance(value, dict):
        return any(map(of_data, value.values()))
    scalar = isinstance(value, torch.Tensor) and not value.dim()
    return scalar or isinstance(value, Text) or is_symbol(value)


def equal(a: Any, b: Any) -> Any:
    """`a == b` for values that contain data-dependent numbers or text."""
    a, b = as_number(a), as_number(b)
    if isinstance(a, Text) or isinstance(b, Text):
        return _equal_text(a, b)
    if isinstance(a, _SEQUENCES) and isinstance(b, _SEQUENCES) and (of_data(a) or of_data(b)):
        alike = len(a) == len(b) and isinstance(a, list) == isinstance(b, list)
        return alike and every(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict) and (of_data(a) or of_data(b)):
        return a.keys() == b.keys() and every(equal(a[key], b[key]) for key in a)
    if (is_number(a) and not _is_numeric(b)) or (is_number(b) and not _is_numeric(a)):
        return False
    return a == b


def _equal_text(a: Any, b: Any) -> Truth:
    if isinstance(a, Text) and isinstance(b, Text):
        return a.is_equal_text(b)
    shown, other = (a, b) if isinstance(a, Text) else (b, a)
    return shown.is_equal(other) if isinstance(other, str) else False


def _is_numeric(value: Any) -> bool:
    return isinstance(value, bool | int | float | complex | torch.Tensor)


def chosen_by_key(container: Any, key: Any, default: Any, branching: Branching, site: Site) -> Any:
    """The element whose key equals `key`, else `default`; if that is `UNDEFINED`, some key is assumed to be equal."""
    if default is UNDEFINED and hasattr(type(container), "__missing__"):
        default = _missing(container)
    keys = list(container.keys() if isinstance(container, MAPPINGS) else range(len(container)))
    conditions = []
    elements = []
    for own in keys:
        holds = equal(key, own)
        if holds is False:
            continue
        elements.append(container[own])
        if not isinstance(holds, torch.Tensor):
            break
        conditions.append((holds.reshape(()), Branch(site_of(site, own), returns=True)))
    else:
        if default is UNDEFINED:
            conditions = conditions[:-1]
        else:
            elements.append(default)
    if not elements:
        raise KeyError(repr(key))
    if len(elements) > _TABLE:
        raise EscapeError("table", f"a key of a table of {len(elements)}")
    return choice_of(Choice(elements, conditions, branching))


def _missing(container: Any) -> Any:
    """The default of a dictionary for missing keys. Raises `EscapeError` if its class computes one."""
    if isinstance(container, Counter):
        return 0
    if not isinstance(container, defaultdict) or type(container).__missing__ is not defaultdict.__missing__:
        raise EscapeError("key", "a key for a custom `__missing__`")
    return UNDEFINED if container.default_factory is None else container.default_factory()


def contained(container: Any, item: Any) -> Truth:
    """`item in container`."""
    if isinstance(container, range):
        inside = every([item >= min(container), item <= max(container)]) if container else False
        return inside if container.step in (1, -1) else every([inside, (item - container.start) % container.step == 0])
    if isinstance(container, str):
        raise EscapeError("text", "a part of a string")
    return some(equal(item, element) for element in container)


def place_of(container: Collection[Any], item: Any) -> torch.Tensor:
    """`container.index(item)`. If nothing is equal, Python raises; here the result is the last index."""
    last = len(container) - 1
    found = torch.full((), last, dtype=torch.int64)
    for place, element in reversed(list(enumerate(container))):
        holds = equal(item, element)
        found = torch.where(torch.as_tensor(holds), torch.full((), place, dtype=torch.int64), found)
    return found


def count_of(container: Collection[Any], item: Any) -> torch.Tensor:
    """`container.count(item)`."""
    found = torch.zeros((), dtype=torch.int64)
    for element in container:
        found = found + torch.as_tensor(equal(item, element)).to(torch.int64)
    return found


def attribute(owner: Any, name: Text, default: Any, branching: Branching, site: Site) -> Any:
    """`getattr(owner, name, default)`, selecting among the existing attributes."""
    known = {n: None for n in dir(owner) if name.is_equal(n) is not False}
    found = {n: getattr(owner, n) for n in known}
    return chosen_by_key(found, name, default, branching, site)


def identical(a: Any, b: Any) -> Any:
    """`a is b`: for numbers of the same type, equality."""
    a, b = as_number(a), as_number(b)
    if not is_number(a):
        a, b = b, a
    if not is_number(a) or not (is_number(b) or isinstance(b, bool | int | float)):
        return a is b
    return equal(a, b) if kind_of(a) is (kind_of(b) if is_number(b) else type(b)) else False


def _is_instance(value: Any, kinds: Any) -> bool:
    value = as_number(value)
    if isinstance(value, Text):
        return issubclass(str, kinds)
    return issubclass(kind_of(value), kinds) if is_number(value) else isinstance(value, kinds)


def _type_of(value: Any) -> type:
    value = as_number(value)
    if isinstance(value, Text):
        return str
    return kind_of(value) if is_number(value) else type(value)


def _negated(value: Truth) -> Truth:
    return torch.logical_not(value) if isinstance(value, torch.Tensor) else not value


def _text_of(value: Any, spec: str = "") -> Any:
    return text(value, spec) if shows_data(value) else format(value, spec)


BUILTINS: dict[Callable[..., Any], Callable[..., Any]] = {
    operator.is_: identical,
    operator.is_not: lambda a, b: _negated(identical(a, b)),
    isinstance: _is_instance,
    type: _type_of,
    str: lambda value="": text(value) if shows_data(value) else str(value),
    repr: lambda value: text(value) if shows_data(value) else repr(value),
    format: _text_of,
}
"""Python's functions, replaced by versions that treat a tensor representing a number as a number."""


def method(owner: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`owner.name(…)` of a list, tuple or string, with a data-dependent number or text among the arguments."""
    if name == "index" and isinstance(owner, _SEQUENCES) and len(args) == 1:
        return place_of(owner, as_number(args[0]))
    if name == "count" and isinstance(owner, _SEQUENCES) and len(args) == 1:
        return count_of(owner, as_number(args[0]))
    if name == "format" and isinstance(owner, str):
        return formatted(owner, args, kwargs)
    if name == "join" and isinstance(owner, str) and any(isinstance(a, Text) for a in args[0]):
        return joined([part for piece in args[0] for part in (owner, piece)][1:])
    return getattr(owner, name)(*args, **kwargs)
