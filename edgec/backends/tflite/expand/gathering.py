"""Gathers at constant positions in the form that all runtimes and most delegates support."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.gather import GatherND
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import is_non_negative


class KnownGatherND(Rule):
    """GatherND(x, i) at constant positions -> Gather of the rows of x, with the indexed dimensions merged.

    GATHER is an older builtin with more element types (bool since 1.15, for GATHER_ND since 2.16), and GPU and NNAPI
    support it.
    """

    name = "known-gather-nd"
    roots = ("GatherND",)
    examples = (
        Example(
            "float[2,3,4] x",
            "y = GatherND(x, i)",
            "f = Reshape(x, s)  y = Gather<axis = 0>(f, j)",
            constants="int64[3,2] i = {0, 1, 1, 2, 0, 0}",
        ),
        Example("float[2,3,4] x", "y = GatherND(x, i)", None, constants="int64[3,2] i = {0, -1, 1, -2, 0, 0}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = GatherND.decode(Reader(node))
        places, shape = constant(op.indices), static_shape(op.x)
        if places is None or op.batch_dims or not is_non_negative(places):
            return NOT_HERE
        if shape is None or not places.size:
            return Miss("a shape is not static, or nothing is gathered")
        reached = places.shape[-1]
        strides = np.cumprod([1, *reversed(shape[1:reached])])[::-1].astype(np.int64)
        rows = op.x if reached == 1 else g.op("Reshape", op.x, g.ints(-1, *shape[reached:]))
        return [g.op("Gather", rows, g.const((places.astype(np.int64) * strides).sum(-1)), axis=0)]
