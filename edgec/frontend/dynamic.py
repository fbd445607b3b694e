"""Dynamic dimensions: parsing `--dynamic`, and choosing the sizes at which a model is verified."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgec.diag import EdgecError, error
from edgec.diag.suggest import suggest
from edgec.ir.dims import UNBOUNDED

Array = NDArray[np.generic]

_PART = re.compile(r"(?P<first>\d+)(?:\.\.(?P<last>\d+))?=(?P<spec>.+)")
_SPEC = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*):?)?"
    r"(?:(?P<low>\d+)\.\.(?P<high>\d+)?(?:/(?P<multiple>\d+))?|\[(?P<choices>\d+(?:\s*,\s*\d+)*)\])?"
)
_BETWEEN = re.compile(r",(?![^\[]*\])")
"""Matches commas outside brackets."""

_MOST_AXES = 64
"""The largest number of dimensions of a tensor in numpy and torch."""

_HELP = (
    "write `--dynamic x:0=batch,2..3=8..512`: a name, a range, a range in multiples of 32 (`64..512/32`) or a list "
    "(`side:[224,256]`), or a name with one of these"
)


@dataclass(frozen=True)
class DynamicDim:
    """A dimension of an input whose size varies from `low` to `high`, inclusive. Dimensions of equal name are equal.

    With `choices` the size is one of those listed. Several dimensions with lists vary together: the lists have the same
    length, and the model is run at the first size of each, the second size of each, and so on. Sizes in a range are
    multiples of `multiple`. `apart` are sizes at which the source takes a different path than the traced one.
    """

    input: str
    axis: int
    name: str
    low: int = 1
    high: int = UNBOUNDED
    choices: tuple[int, ...] = ()
    multiple: int = 1
    apart: tuple[int, ...] = ()
    is_ranged: bool = field(default=True, compare=False)
    """Whether a range was given; a bare name takes the range given with the same name elsewhere."""

    @property
    def least(self) -> int:
        """The smallest size."""
        return -(-self.low // self.multiple) * self.multiple

    @property
    def largest(self) -> int:
        """The largest size."""
        return self.high // self.multiple * self.multiple

    def near(self, size: int) -> int:
        """An allowed size close to this one."""
        return min(max(-(-size // self.multiple) * self.multiple, self.least), self.largest)


def parse_dynamics(texts: Sequence[str]) -> tuple[DynamicDim, ...]:
    """Parse several `--dynamic` arguments; a range given once applies to all dimensions of its name. Raises E0101."""
    dims = [dim for text in texts for dim in parse_dynamic(text)]
    ranged = {dim.name: dim for dim in reversed(dims) if dim.is_ranged}
    return tuple(
        replace(ranged[dim.name], input=dim.input, axis=dim.axis) if not dim.is_ranged and dim.name in ranged else dim
        for dim in dims
    )


def parse_dynamic(text: str) -> list[DynamicDim]:
    """Parse `NAME:DIMS=SPEC[,DIMS=SPEC…]`, SPEC a name, a range `8..512`, a list `[224,256]`. Raises E0101."""
    target, colon, rest = text.partition(":")
    if not colon or not target:
        raise _malformed(text)
    return [dim for part in _BETWEEN.split(rest) for dim in _parse_part(target.strip(), part.strip(), text)]


def _parse_part(target: str, part: str, text: str) -> list[DynamicDim]:
    found = _PART.fullmatch(part)
    spec = _SPEC.fullmatch(found["spec"]) if found else None
    if not found or not spec or not found["spec"]:
        raise _malformed(text)
    choices = tuple(int(size) for size in (spec["choices"] or "").split(",") if size)
    low, high = int(spec["low"] or 1), int(spec["high"] or UNBOUNDED)
    multiple = int(spec["multiple"] or 1)
    if choices:
        low, high = min(choices), max(choices)
    _check_range(part, low, high, multiple)
    first = int(found["first"])
    last = int(found["last"] or first)
    if not first <= last < _MOST_AXES:
        raise error("E0101", f"`{part}` is not a range of dimensions", help=[_HELP])
    axes = range(first, last + 1)
    own = [spec["name"] or f"{target}_{axis}" for axis in axes]
    ranged = bool(choices or spec["low"])
    return [
        DynamicDim(target, axis, name, low, high, choices, multiple, is_ranged=ranged)
        for axis, name in zip(axes, own, strict=True)
    ]


def _check_range(part: str, low: int, high: int, multiple: int) -> None:
    if not 1 <= low <= high or multiple < 1:
        raise error(
            "E0101",
            f"`{part}` is not a range of sizes",
            help=["the lower bound must be at least 1 and not above the upper bound"],
        )
    if high > UNBOUNDED:
        raise error(
            "E0101",
            f"`{part}` exceeds the largest size of a dimension",
            help=[f"the upper bound must be at most {UNBOUNDED}"],
        )
    if -(-low // multiple) >= high // multiple:
        what = "a single size, which is not a range" if low == high else f"less than two multiples of {multiple}"
        raise error("E0101", f"`{part}` is {what}", help=["give the example that size, or a wider range"])


def _malformed(text: str) -> EdgecError:
    return error("E0101", f"`--dynamic {text}` is not NAME:DIM=RANGE", help=[_HELP])


def check_dims(dims: Sequence[DynamicDim], shapes: Mapping[str, Sequence[int]]) -> None:
    """Check that every dimension exists and that each name has one range. Raises `EdgecError` E0101."""
    ranges: dict[str, DynamicDim] = {}
    places = [(dim.input, dim.axis) for dim in dims]
    for dim in dims:
        if places.count((dim.input, dim.axis)) > 1:
            raise error("E0101", f"dimension {dim.axis} of input `{dim.input}` is given twice")
        if dim.input not in shapes:
            near = suggest(dim.input, list(shapes))
            raise error(
                "E0101",
                f"`--dynamic` names input `{dim.input}`, which the model does not have",
                notes=[f"its inputs are {', '.join(shapes)}"],
                help=[f"did you mean `{near}`?"] if near else [],
            )
        if dim.axis >= len(shapes[dim.input]):
            raise error("E0101", f"input `{dim.input}` has no dimension {dim.axis}: it is {list(shapes[dim.input])}")
        first = ranges.setdefault(dim.name, dim)
        if replace(first, input=dim.input, axis=dim.axis) != dim:
            raise error("E0101", f"dimension `{dim.name}` has two ranges", help=["give it the same range everywhere"])
    lengths = {dim.name: len(dim.choices) for dim in dims if dim.choices}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"`{name}` has {count}" for name, count in lengths.items())
        raise error("E0101", "the lists of sizes are paired but differ in length", notes=[told])


def check_sizes(dims: Sequence[DynamicDim], name: str, shape: Sequence[int]) -> None:
    """Check that the example of an input lies within its ranges. Raises `EdgecError` E0107."""
    for dim in dims:
        size = shape[dim.axis] if dim.input == name else dim.least
        if not dim.low <= size <= dim.high or (dim.choices and size not in dim.choices) or size % dim.multiple:
            steps = f" in multiples of {dim.multiple}" if dim.multiple > 1 else ""
            allowed = f"one of {list(dim.choices)}" if dim.choices else f"{dim.low} to {dim.high}{steps}"
            raise error(
                "E0107",
                f"dimension {dim.axis} of the example for `{name}` is {size}; `--dynamic` allows {allowed}",
                help=["give an example inside the range, or widen it"],
            )


def fitting(dims: Sequence[DynamicDim], given: Mapping[str, int]) -> dict[str, int]:
    """The allowed sizes closest to the given ones, by name; at least 2 where that is allowed."""
    found = {d.name: d.near(max(given.get(d.name, 2), 2)) for d in dims if not d.choices}
    rows = [row for row in listed(dims) if min(row.values()) > 1] or listed(dims)
    if not rows:
        return found
    same = [row for row in rows if all(given.get(name) == size for name, size in row.items())]
    return {**found, **(same or rows)[0]}


def listed(dims: Sequence[DynamicDim]) -> list[dict[str, int]]:
    """The combinations of sizes from dimensions that have lists."""
    names = {dim.name: dim.choices for dim in dims if dim.choices}
    return [dict(zip(names, row, strict=True)) for row in zip(*names.values(), strict=True)]


def sizes(dims: Sequence[DynamicDim], examples: Mapping[str, Array]) -> list[dict[str, int]]:
    """The sizes, by name, at which a model is verified: the smallest, the largest and one between; all listed sizes.

    A bound far from the example's size is replaced by twice that size, to keep the run time of a check reasonable.
    """
    if not dims:
        return []
    named = {dim.name: dim for dim in dims}
    at = {dim.name: int(examples[dim.input].shape[dim.axis]) for dim in dims}
    near = {name: dim.near(2 * at[name] + 1) for name, dim in named.items()}
    least = {name: dim.least for name, dim in named.items()}
    between = {name: dim.near((least[name] + near[name]) // 2) for name, dim in named.items()}
    rows, spans = listed(dims), [least, near, between]
    if not rows:
        return [*spans, *_sizes_apart(named, between)]
    count = len(rows) if all(dim.choices for dim in dims) else max(len(rows), len(spans))
    return [{**spans[i % len(spans)], **rows[i % len(rows)]} for i in range(count)]


def _sizes_apart(named: Mapping[str, DynamicDim], between: dict[str, int]) -> list[dict[str, int]]:
    """The sizes at which the source takes a different path: of one dimension, and of all together."""
    alone = [{**between, name: size} for name, dim in named.items() for size in dim.apart]
    together = {**between, **{name: dim.apart[0] for name, dim in named.items() if dim.apart}}
    return [*alone, together] if len(alone) > 1 else alone


def resized(examples: Mapping[str, Array], dims: Sequence[DynamicDim], size: Mapping[str, int]) -> dict[str, Array]:
    """The examples at other sizes. Elements are repeated in order, so ids remain valid ids and masks remain masks."""
    result = {}
    for name, array in examples.items():
        shape = list(array.shape)
        for dim in dims:
            if dim.input == name:
                shape[dim.axis] = size[dim.name]
        result[name] = np.resize(array, shape) if tuple(shape) != array.shape else array
    return result
