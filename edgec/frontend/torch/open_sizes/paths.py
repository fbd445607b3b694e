"""The ways that a source takes at the sizes of its open dimensions, and the size whose way is the most general.

A source that pads to windows asks `if padding > 0:`. Traced where it pads, it pads by a computed amount, which is
nothing where the windows fit: one trace for all sizes, though Python goes two ways. Whether it is so is found out by
running both at a size of each way.
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
"""Rows of sizes that are drawn, beside the ends of the ranges."""

_MOST_WAYS = 24
"""Ways at which source and trace are compared."""

_NEAR = 2
"""A model is traced at up to twice the example's sizes."""

Row = dict[str, int]


@dataclass(frozen=True)
class Ways:
    """What conditions say of the sizes, by name.

    `general`: sizes of the way that fits others most likely. `rows`: sizes of each way but the trace's own, of very
    many ways enough that each condition fails once. `apart`: of each dimension the least size at which a condition on
    it alone fails.
    """

    general: Row
    rows: tuple[Row, ...]
    apart: Row


def ways(dims: Sequence[DynamicDim], assumed: Sequence[Assumption], traced: Mapping[str, int]) -> Ways:
    """The ways, by what a trace at the sizes `traced` assumed."""
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
    """Rows of sizes, small ones first, as whatever is compared there runs."""
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
    """Of sizes near the trace's, those at which most conditions are answered as at most sizes, equalities with no."""
    usual = [_usual(a, sum(each[k] for each in answers.values()) / len(rows)) for k, a in enumerate(assumed)]
    score = {i: sum(x == y for x, y in zip(answers[i], usual, strict=True)) for i in answers}
    distance = {i: sum(abs(row[name] - size) for name, size in traced.items()) for i, row in enumerate(rows)}
    near = [i for i, row in enumerate(rows) if all(row[name] <= _NEAR * size for name, size in traced.items())]
    best = min(near, key=lambda i: (-score[i], distance[i]), default=None)
    own = sum(usual)  # at the trace's own sizes every condition holds
    return rows[best] if best is not None and score[best] > own else dict(traced)


def _usual(assumption: Assumption, share: float) -> bool:
    """How a condition is answered at most sizes. At about as many either way, what does not ask for equality."""
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
"""A size up to which anything runs quickly enough; further ones where the example's is half of that at least."""


def comparable(row: Mapping[str, int], given: Mapping[str, int]) -> bool:
    """Whether a model whose example has the sizes `given` is run at these."""
    return all(size <= max(_FAR, 2 * given[name] + 1) for name, size in row.items())
