"""Paddings that MIL lacks: negative, of integers, reflected or replicated beyond the last two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.legality.shape import is_native
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.shape import Pad
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class PadForms(Rule):
    """Pad without a MIL operation -> Gather with constant indices on reflected axes, Slice, Concat with fill values."""

    name = "pad-to-gather-or-concat"
    roots = ("Pad",)
    examples = (
        Example(
            "float[3,4] x",
            "y = Pad(x, p)",
            "t = Slice(x, c, d, e)  y = Pad(t, f, )",
            constants="int64[4] p = {0, -1, 2, 0}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Pad.decode(Reader(node))
        shape = static_shape(op.x)
        if is_native(op):
            return NOT_HERE
        if op.begin is not None and op.end is not None and shape is None:
            return _open(op, op.begin, op.end, g)
        if op.begin is None or op.end is None or shape is None:
            return Miss("the padding or the shape is not static")
        if op.mode != "constant":
            return _gathered(op, op.begin, op.end, shape, g)
        cut = _cropped(op.x, op.begin, op.end, shape, g)
        pads = [max(p, 0) for p in (*op.begin, *op.end)]
        if not any(pads):
            return [cut if cut is not op.x else g.op("Identity", op.x)]
        if op.value is not None and cut is not op.x and op.x.dtype is not None and not op.x.dtype.is_integer():
            return [g.op("Pad", cut, g.ints(*pads), op.fill_value)]
        return [_concatenated(op, cut, pads, g)]


def _open(op: Pad, begin: Ints, end: Ints, g: GraphBuilder) -> Replacement | Miss:
    """For open sizes: crop by counting from the ends, and pad the rest."""
    pads = [max(p, 0) for p in (*begin, *end)]
    if op.mode != "constant" or op.x.dtype is None or op.x.dtype.is_integer() or [*begin, *end] == pads:
        return Miss("the shape is not static")
    y = op.x
    for axis, (p, q) in enumerate(zip(begin, end, strict=True)):
        if min(p, q) < 0:
            y = g.op("Slice", y, g.ints(max(-p, 0)), g.ints(min(q, 0) or _FAR), g.ints(axis))
    return [g.op("Pad", y, g.ints(*pads), op.fill_value) if any(pads) else y]


_FAR = 2**31 - 1


def _gathered(op: Pad, begin: Ints, end: Ints, shape: Ints, g: GraphBuilder) -> Replacement | Miss:
    if min((*begin, *end)) < 0:
        return Miss("a mirrored padding crops")
    mode = cast(Literal["reflect", "edge", "wrap"], op.mode)
    y = op.x
    for axis, (before, after, size) in enumerate(zip(begin, end, shape, strict=True)):
        if before or after:
            index = np.pad(np.arange(size), (before, after), mode=mode)
            y = g.op("Gather", y, g.const(index), axis=axis)
    return [y if y is not op.x else g.op("Identity", y)]


def _cropped(x: Value, begin: Ints, end: Ints, shape: Ints, g: GraphBuilder) -> Value:
    """Crop by the negative paddings."""
    if min((*begin, *end)) >= 0:
        return x
    starts = [max(-p, 0) for p in begin]
    ends = [size - max(-q, 0) for size, q in zip(shape, end, strict=True)]
    return g.op("Slice", x, g.ints(*starts), g.ints(*ends), g.ints(*range(len(shape))))


def _concatenated(op: Pad, x: Value, pads: Sequence[int], g: GraphBuilder) -> Value:
    """Concatenate the fill before and after, axis by axis."""
    fill = op.fill_value if op.fill_value is not None else g.like(0, x)
    rank = len(pads) // 2
    for axis in range(rank):
        shape = static_shape(x)
        assert shape is not None
        sides = [
            g.op("Expand", fill, g.ints(*shape[:axis], size, *shape[axis + 1 :])) if size else None
            for size in (pads[axis], pads[axis + rank])
        ]
        parts = [v for v in (sides[0], x, sides[1]) if v is not None]
        x = g.op("Concat", *parts, axis=axis) if len(parts) > 1 else x
    return x
