"""Transposes above Core ML's rank: window attention, pixel unshuffle and their like."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Transpose
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule

HIGHEST = 5
"""Core ML's tensors end at five dimensions."""


class ReduceTransposeRank(Rule):
    """Transpose above rank 5 -> Transpose of fewer: dimensions that stay neighbours are one, those of size 1 go."""

    name = "reduce-transpose-rank"
    roots = ("Transpose",)
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Transpose.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None or len(op.perm) <= HIGHEST:
            return NOT_HERE
        sizes, perm = merged(shape, op.perm)
        if len(sizes) > HIGHEST:
            return Miss(f"{len(sizes)} dimensions move apart")
        y = g.op("Transpose", g.op("Reshape", op.x, g.ints(*sizes)), perm=list(perm))
        return [g.op("Reshape", y, g.ints(*(shape[i] for i in op.perm)))]


def merged(shape: tuple[int, ...], perm: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same transpose on as few dimensions as it has: (sizes, permutation)."""
    kept = [axis for axis in perm if shape[axis] != 1]
    rank_of = {axis: i for i, axis in enumerate(sorted(kept))}
    groups: list[list[int]] = []
    for axis in (rank_of[a] for a in kept):
        if groups and axis == groups[-1][-1] + 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    plain = [size for size in shape if size != 1]
    order = sorted(range(len(groups)), key=lambda i: groups[i][0])
    sizes = []
    for i in order:
        size = 1
        for axis in groups[i]:
            size *= plain[axis]
        sizes.append(size)
    position = {group: place for place, group in enumerate(order)}
    return tuple(sizes), tuple(position[i] for i in range(len(groups)))
