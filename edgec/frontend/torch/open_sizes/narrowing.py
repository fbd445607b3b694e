"""Determines the dynamic sizes for which a trace is valid: the full range, or multiples of a number."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from edgec.diag import Diagnostic, EdgecError, Place, warning
from edgec.frontend.dynamic import DynamicDim, listed
from edgec.frontend.torch.open_sizes.guards import Assumption

_MOST_SIZES = 400
"""The maximum number of sizes tested for one dimension; of longer ranges, the bounds and some in between."""

_MOST_TOGETHER = 1600
"""The maximum number of combinations of sizes tested for several dimensions."""

_LARGEST_MULTIPLE = 256


@dataclass(frozen=True)
class Narrowed:
    """Dynamic dimensions, and by name a warning for each that was restricted, with the line that requires it."""

    dims: tuple[DynamicDim, ...]
    told: Mapping[str, Diagnostic]


class FixedError(EdgecError):
    """E0202: a trace that is not valid for any multiples. `elsewhere` are sizes at which another trace may be."""

    def __init__(self, refused: Diagnostic, elsewhere: Mapping[str, int]) -> None:
        super().__init__(refused)
        self.elsewhere = elsewhere


def _elsewhere(dims: Sequence[DynamicDim], examples: Mapping[str, int]) -> dict[str, int]:
    """For each dimension the size, not far above the example's, with the most factors of two."""
    near = {d.name: [s for s in sizes_of(d) if s <= 2 * examples[d.name]] for d in dims if not d.choices}
    return {name: max(sizes, key=lambda s: (s & -s, -s)) for name, sizes in near.items()}


def narrowed(dims: Sequence[DynamicDim], assumed: Sequence[Assumption], examples: Mapping[str, int]) -> Narrowed:
    """The dimensions, as the smallest multiples for which all assumptions of a trace at the `examples` hold.

    Raises `EdgecError` E0202 with the line if there are none.
    """
    ranges: dict[str, DynamicDim] = {dim.name: dim for dim in dims}
    told: dict[str, Diagnostic] = {}
    for name, dim in ranges.items():
        own = [a for a in assumed if a.dims == {name}]
        narrower = _narrowed(dim, own, examples[name])
        if narrower is None:
            raise FixedError(_fixed(dim, own, examples[name]), _elsewhere(dims, examples))
        ranges[name] = narrower
        if ranges[name].multiple != dim.multiple:
            told[name] = in_multiples(ranges[name], _first_failing(dim, own).place)
    rows = listed(tuple(ranges.values()))
    for assumption in assumed:
        if len(assumption.dims) > 1:
            refused = _together(assumption, [ranges[name] for name in sorted(assumption.dims)], rows)
            if refused is not None:
                raise FixedError(refused, _elsewhere(dims, examples))
    found = (replace(ranges[dim.name], input=dim.input, axis=dim.axis, is_ranged=dim.is_ranged) for dim in dims)
    return Narrowed(tuple(found), told)


def _narrowed(dim: DynamicDim, assumed: Sequence[Assumption], example: int) -> DynamicDim | None:
    good = {size for size in sizes_of(dim) if _holds(assumed, dim.name, size)}
    for factor in range(1, _LARGEST_MULTIPLE // dim.multiple + 1):
        wider = replace(dim, multiple=dim.multiple * factor)
        sizes = list(sizes_of(wider))
        if example % wider.multiple or len(sizes) < 2 or (dim.choices and factor > 1):
            continue
        if all(size in good or _holds(assumed, dim.name, size) for size in sizes):
            return wider
    return None


def _holds(assumed: Sequence[Assumption], name: str, size: int) -> bool:
    return all(a.holds({name: size}) for a in assumed)


def _first_failing(dim: DynamicDim, assumed: Sequence[Assumption]) -> Assumption:
    return next(a for a in assumed if not all(a.holds({dim.name: size}) for size in sizes_of(dim)))


def in_multiples(dim: DynamicDim, place: Place | None) -> Diagnostic:
    """The warning that a dimension is restricted to multiples, as required by the line at `place`."""
    return warning(
        "E0220",
        f"dimension `{dim.name}` is open only in multiples of {dim.multiple}",
        place=place,
        notes=["at other sizes the source computes something different, or fails"],
        help=[f"declare it: `--dynamic {dim.input}:{dim.axis}={dim.name}:{dim.low}..{dim.high}/{dim.multiple}`"],
    )


def sizes_of(dim: DynamicDim) -> Iterator[int]:
    """The sizes of a dimension in ascending order, with some omitted if there are many."""
    if dim.choices:
        yield from dim.choices
        return
    low, high = -(-dim.low // dim.multiple), dim.high // dim.multiple
    count = high - low + 1
    if count <= _MOST_SIZES:
        yield from (dim.multiple * k for k in range(low, high + 1))
        return
    half = _MOST_SIZES // 2
    yield from (dim.multiple * k for k in range(low, low + half))
    yield from (dim.multiple * (low + half + (count - half - 1) * k // half) for k in range(1, half + 1))


def _together(assumption: Assumption, dims: Sequence[DynamicDim], rows: Sequence[dict[str, int]]) -> Diagnostic | None:
    """Why an assumption about several dimensions does not hold for all of their sizes, or None."""
    names = [dim.name for dim in dims]
    if all(dim.choices for dim in dims):
        tried = [tuple(row[name] for name in names) for row in rows]
    else:
        each = max(2, int(_MOST_TOGETHER ** (1 / len(dims))))
        tried = list(product(*(_thinned(list(sizes_of(dim)), each) for dim in dims)))
    failing = [sizes for sizes in tried if not assumption.holds(dict(zip(names, sizes, strict=True)))]
    if not failing:
        return None
    if all(len(set(sizes)) > 1 for sizes in failing):
        told = " and ".join(f"`{name}`" for name in names)
        return Diagnostic(
            "E0202",
            f"dimensions {told} cannot be open independently: the model works only if they are equal",
            assumption.place,
            ("rejected by `dimensions-equal`",),
            (f"give them one name: `{names[0]}` for each",),
        )
    return _otherwise(dict(zip(names, failing[0], strict=True)), assumption.place)


def _otherwise(row: Mapping[str, int], place: Place | None) -> Diagnostic:
    sizes = ", ".join(f"`{name}` {size}" for name, size in row.items())
    return Diagnostic(
        "E0202",
        f"the model computes something different, or fails, where {sizes}",
        place,
        ("rejected by `dimension-fixed`",),
        ("narrow the ranges of `--dynamic`, or list the sizes: `x:2=[224,256]`",),
    )


def refused_at(
    row: Mapping[str, int], assumed: Sequence[Assumption], dims: Sequence[DynamicDim], traced: Mapping[str, int]
) -> FixedError:
    """E0202 for sizes at which an assumption of a trace fails."""
    first = next(a for a in assumed if not a.holds(row))
    return FixedError(_otherwise({name: row[name] for name in first.dims}, first.place), _elsewhere(dims, traced))


def _thinned(sizes: list[int], most: int) -> list[int]:
    if len(sizes) <= most:
        return sizes
    return [sizes[i * (len(sizes) - 1) // (most - 1)] for i in range(most)]


def _fixed(dim: DynamicDim, assumed: Sequence[Assumption], example: int) -> Diagnostic:
    """The first line for which no multiples suffice, with the sizes around the example for which it works."""
    sizes = list(sizes_of(dim))
    first = next((a for a in assumed if _alone(dim, a, sizes, example)), None) or _first_failing(dim, assumed)
    what, advice = _works_at(dim, [size for size in sizes if _holds(assumed, dim.name, size)], sizes, example)
    if _is_loop(first.place):
        advice = (
            "this loop over an open dimension was traced for one size: write it as `for t in range(x.shape[1])`, let a "
            "layer step through it (`nn.GRU`, `nn.LSTM`, `nn.RNN`, `cumsum`), or leave the dimension fixed"
        )
    return Diagnostic(
        "E0202",
        f"dimension `{dim.name}` cannot be open from {dim.low} to {dim.high}: the model works {what}",
        first.place,
        ("rejected by `dimension-fixed`",),
        (advice,),
    )


def _works_at(dim: DynamicDim, good: Sequence[int], sizes: Sequence[int], example: int) -> tuple[str, str]:
    """The sizes at which the model works, and what to do."""
    if len(good) < 2:
        return f"only at size {example}", "leave it fixed, or give another example"
    around = _around(good, sizes, example)
    if 2 * len(around) > len(good) and len(around) > 2:
        low, high = around[0], around[-1]
        steps = f"/{dim.multiple}" if dim.multiple > 1 else ""
        narrower = f"`--dynamic {dim.input}:{dim.axis}={dim.name}:{low}..{high}{steps}`"
        return f"only from {low} to {high}", f"{narrower} opens it so far; build another artifact for the other sizes"
    shown = ", ".join(map(str, good[:4])) + (" …" if len(good) > 4 else "")
    return f"only at {shown}", f"list them: `--dynamic {dim.input}:{dim.axis}=[{shown}]`"


def _around(good: Sequence[int], sizes: Sequence[int], example: int) -> list[int]:
    """The contiguous sizes around the example at which the model works."""
    kept = set(good)
    if example not in kept or example not in sizes:
        return []
    low = high = sizes.index(example)
    while low > 0 and sizes[low - 1] in kept:
        low -= 1
    while high + 1 < len(sizes) and sizes[high + 1] in kept:
        high += 1
    return list(sizes[low : high + 1])


def _is_loop(place: Place | None) -> bool:
    line = linecache.getline(place.file, place.line) if place is not None and place.file and place.line else ""
    return line.lstrip().startswith(("for ", "while "))


def _alone(dim: DynamicDim, assumption: Assumption, sizes: Sequence[int], example: int) -> bool:
    return not any(assumption.holds({dim.name: size}) for size in sizes if size != example)
