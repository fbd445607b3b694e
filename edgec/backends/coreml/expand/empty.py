"""Empty tensors, which Core ML does not support."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class DropEmptyOperands(Rule):
    """Concat(x, empty) -> Concat(x)."""

    name = "drop-empty-operands"
    roots = ("Concat",)
    examples = (
        Example(
            "float[2,3] x",
            "y = Concat<axis = 0>(x, e)",
            "y = Concat<axis = 0>(x)",
            constants="float[0,3] e = {}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        operands = Reader(node).variadic()
        kept = [v for v in operands if 0 not in (static_shape(v) or ())]
        if len(kept) == len(operands) or not kept:
            return NOT_HERE
        return [g.op("Concat", *kept, axis=Reader(node).integer("axis"))]
