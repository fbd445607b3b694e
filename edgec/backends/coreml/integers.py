"""Whole numbers beyond 32 bits: Core ML has none, so what may leave them is looked at on the verification samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.diag import Diagnostic, EdgecError
from edgec.ir.model import Model, static_shape
from edgec.ir.provenance import place_of
from edgec.rules.intervals import interval_of
from edgec.runners.pieces import run_nodes

_GROWS = frozenset("Add Sub Mul Neg Abs Pow CumSum ReduceSum ReduceProd MatMul Cast BitShift".split())
"""Operators whose result may be larger than what they take."""

_LIMITS = np.iinfo(np.int32)


def check_integers(model: Model, samples: Sequence[Mapping[str, Array]]) -> None:
    """Raise one `EdgecError` (E0401) with every operator whose int64 result leaves int32 on a sample.

    What interval arithmetic proves to fit is not run; without samples nothing is.
    """
    suspects = [node for node in model.graph if _may_leave(node)]
    if not suspects or not samples:
        return
    found = [
        Diagnostic(
            "E0401",
            f"`{node.op_type}` gives {number} on a sample, and Core ML's integers end at {_LIMITS.max}",
            place_of(node),
            ("rejected by `integer-beyond-int32`",),
            ("compute it in float32, or in smaller numbers",),
        )
        for node, number in _reached(model, suspects, samples).items()
        if not _LIMITS.min <= number <= _LIMITS.max
    ]
    if found:
        raise EdgecError(found)


def _may_leave(node: ir.Node) -> bool:
    """Whether the node makes int64 numbers that are not proven to fit 32 bits."""
    out = node.outputs[0]
    if node.op_type not in _GROWS or node.domain or out.dtype != ir.DataType.INT64:
        return False
    shape, interval = static_shape(out), interval_of(out)
    return shape is not None and 0 not in shape and (interval is None or not interval.within(ir.DataType.INT32))


def _reached(model: Model, nodes: Sequence[ir.Node], samples: Sequence[Mapping[str, Array]]) -> dict[ir.Node, int]:
    """The number of largest magnitude that each node gives on the samples."""
    reached = dict.fromkeys(nodes, 0)
    for node, values in run_nodes(model, samples, {node.outputs[0] for node in nodes}):
        if node in reached:
            found = values[node.outputs[0]]
            reached[node] = max(reached[node], int(found.max()), int(found.min()), key=abs)
    return reached
