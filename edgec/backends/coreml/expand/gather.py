"""Gathers with indices that may count from the end."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.gather import Gather, GatherElements
from edgec.rules.base import NOT_HERE, Miss, Replacement, Rule
from edgec.rules.decompose.indices import from_end, is_non_negative

_DONE = "edgec.from_start"


class GatherFromStart(Rule):
    """Gather and GatherElements with computed or negative indices -> the same with indices from 0 on."""

    name = "gather-from-start"
    roots = ("Gather", "GatherElements")
    examples = ()

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = (Gather if node.op_type == "Gather" else GatherElements).decode(Reader(node))
        array, shape = constant(op.indices), static_shape(op.x)
        if _DONE in node.metadata_props or shape is None or (array is not None and is_non_negative(array)):
            return NOT_HERE
        indices = from_end(op.indices, g.const(shape[op.axis]), g)
        result = g.op(node.op_type, op.x, indices, axis=op.axis)
        g.nodes[-1].metadata_props[_DONE] = "1"
        return [result]
