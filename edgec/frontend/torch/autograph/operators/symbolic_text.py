"""Text that contains data-dependent numbers: `str(n)`, `f"layer{n}"`. A trace cannot hold it, but can compare it."""

from __future__ import annotations

import re
import string
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch.utils import _pytree as pytree

from edgec.frontend.torch.autograph.operators.escapes import EscapeError, asks_user
from edgec.frontend.torch.autograph.operators.symbolic_numbers import (
    Truth,
    as_number,
    every,
    is_number,
    is_symbol,
    kind_of,
    some,
)


@dataclass(frozen=True)
class Text:
    """Known characters, interleaved with numbers formatted as by `format(number, spec)`."""

    parts: tuple[str | tuple[Any, str], ...]

    def is_equal(self, other: str) -> Truth:
        """Whether the text equals `other`, as a condition on the numbers in it."""
        return some(every(number == value for number, value in way) for way in _ways(self.parts, other))

    def is_equal_text(self, other: Text) -> Truth:
        """Whether both texts are equal, if they differ in one number at most."""
        pairs = list(zip(self.parts, other.parts, strict=False))
        numbers = [(a, b) for a, b in pairs if isinstance(a, tuple) and isinstance(b, tuple)]
        known = [(a, b) for a, b in pairs if isinstance(a, str) and a == b]
        if len(self.parts) != len(other.parts) or len(numbers) != 1 or len(numbers) + len(known) != len(pairs):
            raise EscapeError("text", "text that depends on data, compared with other such text")
        ((a, spec), (b, other_spec)) = numbers[0]
        if spec != other_spec or not is_number(a) or not is_number(b) or kind_of(a) is not kind_of(b) is not int:
            raise EscapeError("text", "text that depends on data, compared with other such text")
        return every([a == b])

    def __add__(self, other: Any) -> Text:
        return joined((self, other))

    def __radd__(self, other: Any) -> Text:
        return joined((other, self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise EscapeError("text", f"`.{name}` of text that depends on data")

    def _unknown(self, *_: Any) -> NoReturn:
        raise EscapeError("text", "text that depends on data")

    __len__ = __iter__ = __bool__ = __contains__ = __getitem__ = __lt__ = __eq__ = __hash__ = _unknown
    __mod__ = __mul__ = __index__ = __int__ = __float__ = __reduce_ex__ = _unknown

    def __str__(self) -> str:
        return self._unknown() if asks_user(sys._getframe(1)) else repr(self)

    def __format__(self, spec: str) -> str:
        return str(self)

    def __repr__(self) -> str:
        return "".join(p if isinstance(p, str) else "…" for p in self.parts)


def text(value: Any, spec: str = "") -> Text:
    """`format(value, spec)` of a data-dependent value."""
    value = as_number(value)
    return value if isinstance(value, Text) and spec in ("", "s") else Text(((value, spec),))


def joined(parts: Iterable[Any]) -> Text:
    """The concatenation of known and data-dependent text."""
    found: list[str | tuple[Any, str]] = []
    for part in parts:
        if not isinstance(part, str | Text):
            raise TypeError(f'can only concatenate str (not "{type(part).__name__}") to str')
        for piece in (part,) if isinstance(part, str) else part.parts:
            if isinstance(piece, str) and found and isinstance(found[-1], str):
                found[-1] += piece
            elif piece != "":
                found.append(piece)
    return Text(tuple(found))


def formatted(template: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Text:
    """`template.format(*args, **kwargs)`."""
    formatter, parts, place = string.Formatter(), list[Any](), 0
    for literal, name, spec, conversion in formatter.parse(template):
        parts.append(literal)
        if name is None:
            continue
        key = str(place) if name == "" else name
        place += name == ""
        value, _ = formatter.get_field(key, args, kwargs)
        parts.append(field(value, conversion, spec or ""))
    return joined(parts)


_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
_PERCENT = re.compile(r"%(?:%|([dis]))")


def percent(template: str, value: Any) -> Text:
    """`template % value`, for plain `%d`, `%i` and `%s`."""
    values, parts, end = iter(value if isinstance(value, tuple) else (value,)), list[Any](), 0
    for found in _PERCENT.finditer(template):
        parts += [template[end : found.start()], field(next(values), None, "") if found[1] else "%"]
        end = found.end()
    if "%" in template[end:]:
        return text((template, value))  # in a format of its own
    return joined([*parts, template[end:]])


def field(value: Any, conversion: str | None, spec: str) -> str | Text:
    """The text of `{value!conversion:spec}` in an f-string."""
    leaves = pytree.tree_leaves(value)
    if any(isinstance(leaf, torch.Tensor | Text) or is_symbol(leaf) for leaf in leaves):
        return text(value, spec)
    return format(_CONVERSIONS[conversion](value) if conversion else value, spec)


def _ways(parts: tuple[Any, ...], other: str) -> Iterator[list[tuple[torch.Tensor, Any]]]:
    """The values of the numbers in `parts` for which the text equals `other`."""
    if not parts:
        if not other:
            yield []
        return
    first, rest = parts[0], parts[1:]
    if isinstance(first, str):
        if other.startswith(first):
            yield from _ways(rest, other[len(first) :])
        return
    number, spec = first
    if not is_number(number) or kind_of(number) is float or (kind_of(number) is bool and spec):
        raise EscapeError("text", "text of a value from the data that is not an integer")
    for end in range(1, len(other) + 1):
        for value in _written(other[:end], spec, kind_of(number)):
            yield from ([(number, value), *way] for way in _ways(rest, other[end:]))


def _written(shown: str, spec: str, kind: type) -> list[Any]:
    """The number whose text this is, if any."""
    if kind is bool:
        return [shown == "True"] if shown in ("True", "False") else []
    digits = shown.strip().replace(",", "").replace("_", "").lstrip("+")
    for base in (10, 16, 2, 8):
        try:
            value = int(digits, base)
            if format(value, spec) == shown:
                return [value]
        except ValueError:
            continue
    return []
