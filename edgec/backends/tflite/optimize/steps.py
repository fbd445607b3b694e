"""Strided slices as plain slices of a reshaped value: delegates support only those."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Slice
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_MOST_AXES = 5
"""The maximum rank of SLICE in TensorFlow Lite 2.14; XNNPACK's is 6."""


class StepToReshape(Rule):
    """Slice with a step that divides the dimension -> Slice of a Reshape in which the step is a dimension."""

    name = "step-to-reshape"
    roots = ("Slice",)
    examples = (
        Example(
            "float[2,6,5] x",
            "y = Slice(x, s, e, a, p)",
            "r = Reshape(x, t)  z = Slice(r, b, c, d)  y = Reshape(z, u)",
            constants="int64[1] s = {1}, int64[1] e = {6}, int64[1] a = {1}, int64[1] p = {2}",
        ),
        Example(
            "float[2,5] x",
            "y = Slice(x, s, e, a, p)",
            None,
            constants="int64[1] s = {0}, int64[1] e = {5}, int64[1] a = {1}, int64[1] p = {2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Slice.decode(Reader(node))
        shape, out = static_shape(op.x), static_shape(node.outputs[0])
        if shape is None or out is None or 0 in out or op.x.dtype != ir.DataType.FLOAT:
            return NOT_HERE
        if op.starts is None or op.ends is None or op.axes is None or op.steps is None:
            return NOT_HERE
        steps = dict(zip(op.axes, op.steps, strict=True))
        first = {
            a: slice(s, e, p).indices(shape[a])[0]
            for a, s, e, p in zip(op.axes, op.starts, op.ends, op.steps, strict=True)
        }
        stepped = [a for a, p in steps.items() if p > 1]
        if not stepped or any(p < 0 for p in steps.values()):
            return NOT_HERE
        if any(shape[a] % steps[a] for a in stepped):
            return Miss("the step does not divide the dimension")
        pieces: list[_SlicedDim] = []
        for axis, dim in enumerate(shape):
            step, start = steps.get(axis, 1), first.get(axis, 0)
            if axis in stepped:
                pieces += [_SlicedDim(dim // step, start // step, out[axis]), _SlicedDim(step, start % step, 1)]
            else:
                pieces.append(_SlicedDim(dim, start, out[axis]))
        pieces = _merged(pieces)
        if len(pieces) > _MOST_AXES:
            return Miss(f"the slice would have {len(pieces)} dimensions")
        wide = g.op("Reshape", op.x, g.ints(*(p.dim for p in pieces)))
        begin, ends = ([p.begin for p in pieces], [p.begin + p.size for p in pieces])
        part = g.op("Slice", wide, g.ints(*begin), g.ints(*ends), g.ints(*range(len(pieces))))
        return [g.op("Reshape", part, g.ints(*out))]


@dataclass(frozen=True)
class _SlicedDim:
    """A dimension of the reshaped value, and the part of it that is selected."""

    dim: int
    begin: int
    size: int

    @property
    def is_whole(self) -> bool:
        return self.size == self.dim


def _merged(pieces: list[_SlicedDim]) -> list[_SlicedDim]:
    """Merge neighbouring dimensions that are selected whole."""
    found: list[_SlicedDim] = []
    for piece in pieces:
        if found and found[-1].is_whole and piece.is_whole:
            found[-1] = _SlicedDim(found[-1].dim * piece.dim, 0, found[-1].size * piece.size)
        else:
            found.append(piece)
    return found
