"""Gathers and scatters with negative indices, which MIL's operations do not support from iOS 17 on."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader
from edgec.ops.gather import Gather, GatherElements, GatherND, ScatterElements, ScatterND
from edgec.ops.table import view
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.decompose.indices import from_end, is_non_negative, sizes_of

_DONE = "edgec.from_start"


class GatherFromStart(Rule):
    """A gather or scatter with computed or negative indices -> the same with non-negative indices."""

    name = "gather-from-start"
    roots = ("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND")
    examples = (
        Example(
            "float[4,2] x, int64[3] i",
            "y = Gather(x, i)",
            "t = Less(i, c)  z = Add(i, d)  v = Where(t, z, i)  y = Gather(x, v)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x, indices = Reader(node).input(0), Reader(node).input(1)
        array = constant(indices)
        if counts_from_start(node) or x.shape is None or (array is not None and is_non_negative(array)):
            return NOT_HERE
        axes = _axes(node)
        if axes is None:
            return Miss("the number of indexed dimensions is unknown")
        moved = from_end(indices, sizes_of(x, axes, g), g)
        attributes = {name: a.value for name, a in node.attributes.items()}
        result = g.op(node.op_type, x, moved, *node.inputs[2:], **attributes)
        g.nodes[-1].metadata_props[_DONE] = "1"
        return [result]


def counts_from_start(node: ir.Node) -> bool:
    """Whether no index is negative: the rule has been applied."""
    return _DONE in node.metadata_props


def _axes(node: ir.Node) -> Sequence[int] | None:
    """The dimensions of x that each index addresses."""
    match op := view(node):
        case Gather() | GatherElements() | ScatterElements():
            return (op.axis,)
        case GatherND() | ScatterND():
            depth = op.indices.shape[-1] if op.indices.shape is not None else None
            first = op.batch_dims if isinstance(op, GatherND) else 0
            return range(first, first + depth) if isinstance(depth, int) else None
        case _:
            return None
