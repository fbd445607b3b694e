"""Decomposition of GridSample for targets without a kernel for it."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.image import GridSample
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.sampling import Sampler, sample


class GridSampleToGather(Rule):
    """GridSample(x, grid) -> Gather of the neighbouring pixels and their weighted sum (static shapes)."""

    name = "grid-sample-to-gather"
    roots = ("GridSample",)
    examples = (
        Example(
            "float[1,2,4,5] x, float[1,2,3,2] z",
            'y = GridSample<mode = "nearest", padding_mode = "border">(x, z)',
            "f = Reshape(z, s)  a = Gather<axis = 2>(f, i)  b = Add(a, one)  c = Mul(b, w)  d = Sub(c, h)  "
            "e = Gather<axis = 2>(f, i)  j = Add(e, one)  k = Mul(j, w)  l = Sub(k, h)  "
            "m = Round(d)  n = Clip(m, zero, t)  o = Round(l)  p = Clip(o, zero, t)  q = Reshape(x, s)  "
            "r = Clip(n, zero, t)  u = Cast<to = 6>(r)  v = Clip(p, zero, t)  aa = Cast<to = 6>(v)  "
            "bb = Mul(aa, w)  cc = Add(bb, u)  dd = Reshape(cc, s)  ee = Gather<axis = 1>(q, dd)  "
            "ff = Reshape(ee, s)  y = Reshape(ff, s)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = GridSample.decode(Reader(node))
        shape, grid = static_shape(op.x), static_shape(op.grid)
        if shape is None or grid is None or 0 in shape:
            return Miss("the shape is not static")
        sizes, points = shape[2:], grid[1:-1]
        flat = g.op("Reshape", op.grid, g.ints(grid[0], -1, len(sizes)))
        # The grid's last dimension lists the axes from the innermost to the outermost.
        at = [_to_pixels(flat, len(sizes) - 1 - i, size, op.align_corners, g) for i, size in enumerate(sizes)]
        found = sample(op.x, at, Sampler(op.mode, op.padding, op.align_corners), g)
        return [g.op("Reshape", found, g.ints(shape[0], shape[1], *points))]


def _to_pixels(flat: Value, component: int, size: int, align_corners: bool, g: GraphBuilder) -> Value:
    """One coordinate of the grid (N, P), from [-1, 1] to pixels; -1 and 1 are centres or edges of the outer pixels."""
    x = g.op("Gather", flat, g.const(component), axis=2)
    shifted = g.op("Add", x, g.like(1, x))
    if align_corners:
        return g.op("Mul", shifted, g.like((size - 1) / 2, x))
    return g.op("Sub", g.op("Mul", shifted, g.like(size / 2, x)), g.like(0.5, x))
