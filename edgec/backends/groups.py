"""The same computation on fewer dimensions: neighbours that an operator treats alike are one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Ints = tuple[int, ...]
Groups = tuple[Ints, ...]
"""Runs of neighbouring axes, in order; each run becomes one dimension."""


@dataclass(frozen=True)
class Grouping:
    """Which axes become one dimension."""

    groups: Groups

    def shape(self, shape: Ints) -> Ints:
        """A shape with each group as one dimension."""
        return tuple(math.prod(shape[i] for i in group) for group in self.groups)

    def axis(self, axis: int) -> int:
        """The dimension that holds an axis."""
        return next(i for i, group in enumerate(self.groups) if axis in group)


def grouped(shape: Ints, key: Callable[[int], object], alone: Sequence[int] = ()) -> Grouping:
    """Neighbouring axes with equal keys become one, those in `alone` none; an axis of size 1 joins any neighbour."""
    groups: list[list[int]] = []
    keys: list[object] = []  # of each group; None where all its sizes are 1, so that any key may follow
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
    """A shape as broadcasting sees it: ones in front."""
    return (1,) * (rank - len(shape)) + shape


def broadcast_grouping(shapes: Sequence[Ints], out: Ints) -> Grouping:
    """Axes along which the same operands are repeated become one."""
    wide = [aligned(s, len(out)) for s in shapes]
    return grouped(out, lambda axis: tuple(s[axis] == 1 for s in wide))
