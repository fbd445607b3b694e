"""Slices with steps, as plain slices of a reshaped value: delegates take those alone."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.shape import Slice
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_MOST_AXES = 6
"""XNNPACK's slices end at this rank."""


class StepToReshape(Rule):
    """Slice with a step that divides the dimension -> Slice of a Reshape in which the steps are a dimension."""

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
        if not stepped or any(p < 0 for p in steps.values()) or len(shape) + len(stepped) > _MOST_AXES:
            return NOT_HERE
        if any(shape[a] % steps[a] for a in stepped):
            return Miss("the step does not divide the dimension")
        wide, begin, size = [], [], []
        for axis, dim in enumerate(shape):
            step, start = steps.get(axis, 1), first.get(axis, 0)
            wide += [dim] if axis not in stepped else [dim // step, step]
            begin += [start] if axis not in stepped else [start // step, start % step]
            size += [out[axis]] if axis not in stepped else [out[axis], 1]
        ends = [b + n for b, n in zip(begin, size, strict=True)]
        part = g.op(
            "Slice", g.op("Reshape", op.x, g.ints(*wide)), g.ints(*begin), g.ints(*ends), g.ints(*range(len(wide)))
        )
        return [g.op("Reshape", part, g.ints(*out))]
