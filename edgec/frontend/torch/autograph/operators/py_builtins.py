"""Python's conversions and containers, for numbers and for tensors that represent numbers: part of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from types import BuiltinFunctionType
from typing import Any

import torch

from edgec.frontend.torch.autograph.operators import lookups, symbolic_text
from edgec.frontend.torch.autograph.operators.branches import Branch
from edgec.frontend.torch.autograph.operators.py_math import FUNCTIONS, extreme, ordered
from edgec.frontend.torch.autograph.operators.select import UNDEFINED, Site
from edgec.frontend.torch.autograph.operators.subscripts import chosen, holds_choices, site_of
from edgec.frontend.torch.autograph.operators.symbolic_numbers import as_number, is_number, mark

State = tuple[Any, ...]


class Conversions:
    """While `tracing`, data-dependent numbers are 0-d tensors; otherwise these are Python's own functions."""

    tracing: bool
    sides: dict[Site, set[bool]]

    def branching(self, test: Any, yes: Callable[[], Any], no: Callable[[], Any], branch: Branch) -> Any:
        """The result of one of two functions."""
        raise NotImplementedError

    def is_traced(self, value: Any) -> bool:
        """Whether it is a traced tensor."""
        return self.tracing and isinstance(value, torch.Tensor)

    def of_data(self, *values: Any) -> bool:
        """Whether one of the values is or contains a data-dependent number or text."""
        return self.tracing and any(map(lookups.of_data, values))

    def number(self, kind: type, value: Any) -> Any:
        """`bool(x)`, `int(x)`, `float(x)` or `x.item()` (`kind` is object): a 0-d tensor remains one, and a dynamic
        size remains dynamic.
        """
        value = as_number(value) if self.tracing else value
        if isinstance(value, torch.SymInt | torch.SymFloat) and kind in (int, float):
            return torch.sym_int(value) if kind is int else torch.sym_float(value)  # type: ignore[no-untyped-call]
        if not self.is_traced(value):
            return value.item() if kind is object else kind(value)
        scalar = value.reshape(())
        if kind is bool:
            return mark(scalar != 0)
        scalar = scalar if kind is object else scalar.to(torch.int64 if kind is int else torch.float32)
        return mark(scalar.view_as(scalar) if scalar is value else scalar)

    def tolist(self, value: Any) -> Any:
        """`x.tolist()`, with elements as separate numbers."""
        if not self.is_traced(value):
            return value.tolist()
        if not value.dim():
            return self.number(object, value)
        return [self.tolist(part) for part in value.unbind(0)]

    def item(self, container: Any, index: Any, where: State) -> Any:
        """`container[index]`, where the index of a list or dictionary may depend on data."""
        index = as_number(index) if self.tracing else index
        if self.tracing and lookups.is_key_of_data(index) and isinstance(container, lookups.MAPPINGS):
            return lookups.chosen_by_key(container, index, UNDEFINED, self.branching, Site(*where))
        if self.is_traced(index) and holds_choices(container) and index.numel() == 1:
            return chosen(container, index, self.branching, Site(*where))
        found = container[index]
        if not self.tracing:
            self._saw(container, index, Site(*where))
        return found

    def get(self, owner: Any, args: State, kwargs: dict[str, Any], where: State) -> Any:
        """`owner.get(key, default)`."""
        if args and self.tracing and lookups.is_key_of_data(args[0]) and isinstance(owner, lookups.MAPPINGS):
            default = args[1] if len(args) > 1 else kwargs.get("default")
            return lookups.chosen_by_key(owner, args[0], default, self.branching, Site(*where))
        if not self.tracing and args and isinstance(owner, lookups.MAPPINGS):
            self._saw(owner, args[0], Site(*where))
        return owner.get(*args, **kwargs)

    def _saw(self, container: Any, key: Any, site: Site) -> None:
        """Record the element selected in an eager run: its comparison was true, and the earlier ones false."""
        keyed = isinstance(container, lookups.MAPPINGS)
        if not keyed and not (isinstance(key, int | torch.Tensor) and holds_choices(container)):
            return
        keys = list(container.keys()) if keyed else list(range(len(container)))
        key = key if keyed else range(len(container))[int(key)]
        for own in keys:
            meant = _same(own, key)
            self.sides.setdefault(site_of(site, own), set()).add(meant)
            if meant:
                return

    def method(self, owner: Any, name: str, args: State, kwargs: dict[str, Any]) -> Any:
        """`owner.name(…)`, for methods that compare numbers or format them."""
        inside = name == "join" and bool(args) and isinstance(args[0], list | tuple)
        shown = isinstance(owner, str) and self.tracing and lookups.shows_data((args, kwargs))
        if inside or shown or self.of_data(args, owner if isinstance(owner, list | tuple) else ()):
            return lookups.method(owner, name, args, kwargs)
        return getattr(owner, name)(*args, **kwargs)

    def attribute(self, owner: Any, name: Any, default: State, where: State) -> Any:
        """`getattr(owner, name)`, with or without a default."""
        if self.tracing and isinstance(name, symbolic_text.Text):
            fallback = default[0] if default else UNDEFINED
            return lookups.attribute(owner, name, fallback, self.branching, Site(*where))
        if not self.tracing:
            self._saw(dict.fromkeys(n for n in dir(owner) if n[0] != "_"), name, Site(*where))
        return getattr(owner, name, *default)

    def contains(self, container: Any, item: Any) -> Any:
        """`item in container`."""
        if self.is_traced(container):
            return torch.eq(container, item).any()
        if isinstance(container, Set | Mapping) and not (self.tracing and lookups.is_key_of_data(item)):
            return item in container
        held = container if isinstance(container, list | tuple) else ()
        return lookups.contained(container, as_number(item)) if self.of_data(item, held) else item in container

    def equal(self, a: Any, b: Any) -> Any:
        """`a == b`, also for containers and text."""
        return lookups.equal(a, b) if self.of_data(a, b) else a == b

    def unequal(self, a: Any, b: Any) -> Any:
        """`a != b`."""
        if not self.of_data(a, b):
            return a != b
        found = lookups.equal(a, b)
        return torch.logical_not(found) if isinstance(found, torch.Tensor) else not found

    def identical(self, a: Any, b: Any) -> Any:
        """`a is b`."""
        return lookups.identical(a, b) if self.tracing else a is b

    def builtin(self, function: Callable[..., Any], *values: Any) -> Any:
        """A call of what may be `isinstance`, `type`, `str`, `repr` or `format`, by name."""
        known = lookups.BUILTINS.get(function) if self.tracing and _is_hashable(function) else None
        return (known or function)(*values)

    def field(self, value: Any, conversion: str | None, spec: str) -> Any:
        """The text of `{value!conversion:spec}` in an f-string."""
        return symbolic_text.field(value, conversion, spec) if self.tracing or conversion else format(value, spec)

    def joined(self, *parts: Any) -> Any:
        """An f-string, given its parts as text."""
        return symbolic_text.joined(parts) if any(isinstance(p, symbolic_text.Text) for p in parts) else "".join(parts)

    def percent(self, template: Any, value: Any) -> Any:
        """`template % value`."""
        if isinstance(template, str) and self.tracing and lookups.shows_data(value):
            return symbolic_text.percent(template, value)
        return template % value

    def extreme(self, function: Callable[..., Any], values: State, options: dict[str, Any]) -> Any:
        """`min(a, b, …)` or `max(a, b, …)`, also of one iterable, with `key` and `default`."""
        if not self.tracing or function not in (min, max):
            return function(*values, **options)
        found = list(values[0]) if len(values) == 1 else list(values)
        return extreme(function, found, options)

    def ordered(self, function: Callable[..., Any], values: State, options: dict[str, Any]) -> Any:
        """`sorted(values, key=…, reverse=…)`."""
        if not self.tracing or function is not sorted or isinstance(values[0], torch.Tensor):
            return function(*values, **options)
        return ordered(list(values[0]), options)

    def length(self, function: Callable[..., Any], value: Any) -> Any:
        """`len(x)`, which may be a data-dependent size."""
        sized = self.is_traced(value) and value.dim() and function is len
        return value.shape[0] if sized else function(value)

    def mathematical(self, function: Callable[..., Any], values: Iterable[Any], options: dict[str, Any]) -> Any:
        """A call of what may be `round` or a function of `math`, by name."""
        known = FUNCTIONS.get(function) if any(map(self.is_traced, values)) else None
        found = function(*values, **options) if known is None else known(*values, **options)
        numbers = [v for v in values if self.is_traced(v)]
        if known is not None and all(map(is_number, numbers)):
            return tuple(map(mark, found)) if isinstance(found, tuple) else mark(found)
        return found


def _is_hashable(value: Any) -> bool:
    return isinstance(value, type | BuiltinFunctionType)


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (RuntimeError, TypeError, ValueError):
        return False
