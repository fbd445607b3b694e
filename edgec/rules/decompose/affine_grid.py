"""Decomposition of AffineGrid."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array
from edgec.ops.base import Ints, Reader
from edgec.rules.base import Example, Miss, Replacement, Rule


class AffineGridToMatMul(Rule):
    """AffineGrid(theta, size) -> a constant grid of homogeneous coordinates @ theta^T (constant size)."""

    name = "affine-grid-to-matmul"
    roots = ("AffineGrid",)
    examples = (
        Example(
            "float[1,2,3] x",
            "y = AffineGrid(x, s)",
            "t = Transpose<perm = [0, 2, 1]>(x)  m = MatMul(g, t)  y = Reshape(m, r)",
            constants="int64[4] s = {1, 3, 4, 5}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        theta, size = r.input(0), r.const_ints(1)
        if size is None:
            return Miss("the size is not constant")
        grid = g.const(_grid(size[2:], bool(r.integer("align_corners", 0))), dtype=theta.dtype)
        found = g.op("MatMul", grid, g.op("Transpose", theta, perm=[0, 2, 1]))
        return [g.op("Reshape", found, g.ints(size[0], *size[2:], len(size) - 2))]


def _grid(sizes: Ints, align_corners: bool) -> Array:
    """(points, n + 1): each point's coordinates in [-1, 1], innermost axis first, and 1."""
    axes = []
    for size in sizes:
        if align_corners:
            axes.append(np.linspace(-1.0, 1.0, size) if size > 1 else np.asarray([-1.0]))
        else:
            axes.append((2 * np.arange(size) + 1) / size - 1)
    points = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1).reshape(-1, len(sizes))
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)
