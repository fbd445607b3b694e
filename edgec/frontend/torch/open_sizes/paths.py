"""The paths that a source takes at different sizes, and the size whose path is the most general.

A source that pads to windows tests `if padding > 0:`. Traced where it pads, it pads by a computed amount, which is zero
if the windows fit: one trace is valid for all sizes, although Python takes two paths. To find out, both are executed at
a size for each path.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy  # type: ignore[import-untyped]

from edgec.frontend.dynamic import DynamicDim, listed
from edgec.frontend.torch.open_sizes.guards import Assumption
from edgec.frontend.torch.open_sizes.narrowing import sizes_of

_DRAWN = 400
"""The number of random combinations of sizes, besides the bounds of the ranges."""

_MOST_WAYS = 24
"""The number of paths at which source and trace are compared."""

_NEAR = 2
"""A model is traced at up to this multiple of the example's sizes."""

Row = dict[str, int]


@dataclass(frozen=True)
class Ways:
    """The consequences of a trace's conditions on sizes, by name.

    `general`: sizes whose path most likely suits the others. `rows`: sizes for each path other than the trace's; if
    there are many, enough that each condition fails once. `apart`: for each dimension the smallest size at which a
    condition on it alone fails.
    """

    general: Row
    rows: tuple[Row, ...]
    apart: Row


def ways(dims: Sequence[DynamicDim], assumed: Sequence[Assumption], traced: Mapping[str, int]) -> Ways:
    """The paths, derived from the assumptions of a trace at the sizes `traced`."""
    rows = _drawn(dims, traced)
    answers = {i: tuple(a.holds(row) for a in assumed) for i, row in enumerate(rows)}
    found: dict[tuple[bool, ...], Row] = {}
    for i, row in enumerate(rows):
        if not all(answers[i]):
            found.setdefault(answers[i], row)
    apart: Row = {}
    for i, row in enumerate(rows):
        for holds, assumption in zip(answers[i], assumed, strict=True):
            if not holds and len(assumption.dims) == 1:
                (name,) = assumption.dims
                apart[name] = min(apart.get(name, row[name]), row[name])
    return Ways(_general(assumed, rows, answers, traced), tuple(_enough(found)), apart)


def _drawn(dims: Sequence[DynamicDim], traced: Mapping[str, int]) -> list[Row]:
    """Random combinations of sizes, small ones first, since every combination compared is executed."""
    named = {dim.name: dim for dim in dims}
    sizes = {name: list(sizes_of(dim)) for name, dim in named.items() if not dim.choices}
    draw = random.Random(0)
    rows = [{name: draw.choice(of) for name, of in sizes.items()} for _ in range(_DRAWN)]
    rows += [{name: of[end] for name, of in sizes.items()} for end in (0, -1)]
    rows += [{**traced, name: size} for name, of in sizes.items() for size in of]
    together = listed(dims)
    if together:
        rows = [{**row, **together[i % len(together)]} for i, row in enumerate(rows + [{}] * len(together))]
    return sorted(({**traced, **row} for row in rows), key=lambda row: sum(row.values()))


def _general(
    assumed: Sequence[Assumption],
    rows: Sequence[Row],
    answers: Mapping[int, tuple[bool, ...]],
    traced: Mapping[str, int],
) -> Row:
    """Among sizes near the trace's, those with the most common outcome of most conditions."""
    usual = [_usual(a, sum(each[k] for each in answers.values()) / len(rows)) for k, a in enumerate(assumed)]
    score = {i: sum(x == y for x, y in zip(answers[i], usual, strict=True)) for i in answers}
    distance = {i: sum(abs(row[name] - size) for name, size in traced.items()) for i, row in enumerate(rows)}
    near = [i for i, row in enumerate(rows) if all(row[name] <= _NEAR * size for name, size in traced.items())]
    best = min(near, key=lambda i: (-score[i], distance[i]), default=None)
    own = sum(usual)  # every condition holds at the trace's own sizes
    return rows[best] if best is not None and score[best] > own else dict(traced)


def _usual(assumption: Assumption, share: float) -> bool:
    """The outcome of a condition at most sizes. If undecided: that it holds, unless it is an equality."""
    if abs(share - 0.5) < _EVEN:
        return not isinstance(assumption.condition, sympy.Eq)
    return share > 0.5


_EVEN = 0.25


def _enough(found: Mapping[tuple[bool, ...], Row]) -> list[Row]:
    kept: list[Row] = []
    failed: set[int] = set()
    for answers, row in found.items():
        fails = {i for i, holds in enumerate(answers) if not holds}
        if len(kept) < _MOST_WAYS // 2 or len(found) <= _MOST_WAYS or not fails <= failed:
            kept.append(row)
            failed |= fails
    return kept


_FAR = 512
"""A size up to which runs are quick; larger ones are used if the example's size is at least half of them."""


def comparable(row: Mapping[str, int], given: Mapping[str, int]) -> bool:
    """Whether a model whose example has the sizes `given` can be run at these sizes."""
    return all(size <= max(_FAR, 2 * given[name] + 1) for name, size in row.items())
