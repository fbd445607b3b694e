"""Collapsing dimensions: neighbouring axes that an operator treats alike become one dimension."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Ints = tuple[int, ...]
Groups = tuple[Ints, ...]
"""Runs of neighbouring axes, in order. Each run becomes one dimension."""


@dataclass(frozen=True)
class Grouping:
    """The axes that become one dimension."""

    groups: Groups

    def shape(self, shape: Ints) -> Ints:
        """The shape with each group collapsed."""
        return tuple(math.prod(shape[i] for i in group) for group in self.groups)

    def axis(self, axis: int) -> int:
        """The dimension that an axis becomes part of."""
        return next(i for i, group in enumerate(self.groups) if axis in group)


def grouped(shape: Ints, key: Callable[[int], object], alone: Sequence[int] = ()) -> Grouping:
    """Group neighbouring axes with equal keys; an axis of size 1 joins any neighbour, those in `alone` join none."""
    groups: list[list[int]] = []
    keys: list[object] = []  # of each group; None if all its sizes are 1, so that any key may join it
    for axis, size in enumerate(shape):
        apart = axis in alone
        mine = ("alone", axis) if apart else None if size == 1 else ("key", key(axis))
        open_ended = bool(groups) and groups[-1][-1] not in alone and not apart
        if open_ended and (mine is None or keys[-1] is None or keys[-1] == mine):
            groups[-1].append(axis)
            keys[-1] = keys[-1] or mine
        else:
            groups.append([axis])
            keys.append(mine)
    return Grouping(tuple(tuple(g) for g in groups))


def aligned(shape: Ints, rank: int) -> Ints:
    """The shape with leading ones, as for broadcasting."""
    return (1,) * (rank - len(shape)) + shape


def broadcast_grouping(shapes: Sequence[Ints], out: Ints) -> Grouping:
    """Group the axes along which the same operands are broadcast."""
    wide = [aligned(s, len(out)) for s in shapes]
    return grouped(out, lambda axis: tuple(s[axis] == 1 for s in wide))
