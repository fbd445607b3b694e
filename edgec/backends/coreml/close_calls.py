"""Decisions by numbers that float16 cannot tell apart: the index of nearly equal scores, what lies beside a step."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.backends.base import Array
from edgec.diag import Diagnostic, Severity
from edgec.ir.model import Model, is_constant
from edgec.ir.provenance import place_of
from edgec.ops.base import Reader
from edgec.rules.match import is_float

STEPS = frozenset({"Cast", "Ceil", "Floor", "Round"})
CHOICES = frozenset({"ArgMax", "ArgMin", "TopK"})

CLOSE = 2.0**-9
"""Of the operand's largest number: what the float16 of a few layers is off by."""

_NAMED = 5
"""Operators that a note names."""


def operands(node: ir.Node) -> list[ir.Value]:
    """The float operands that are no constants."""
    return [v for v in node.inputs if v is not None and is_float(v) and not is_constant(v)]


def decides(node: ir.Node) -> bool:
    """Whether whole numbers hang on floats: indices that are used, or what lies on one side of a step."""
    if node.domain or not operands(node):
        return False
    if node.op_type == "TopK":
        return bool(node.outputs[1].uses()) or node.outputs[1].is_graph_output()
    if node.op_type == "Cast":
        return not is_float(node.outputs[0]) and node.outputs[0].dtype != ir.DataType.BOOL
    return node.op_type in CHOICES | STEPS


def margins(node: ir.Node, operand: Array) -> NDArray[np.float64]:
    """How far the operand's numbers are from deciding otherwise, one for each decision; 0 where two are equal."""
    x = operand.astype(np.float64)
    x = np.where(np.isfinite(x), x, 0.0)
    if node.op_type in STEPS:
        return np.asarray(np.abs(x - np.round(x)) if node.op_type != "Round" else np.abs(x - np.floor(x) - 0.5))
    r = Reader(node)
    axis = r.axis(r.integer("axis", -1 if node.op_type == "TopK" else 0), x.ndim)
    ordered = np.diff(np.sort(x, axis), axis=axis)
    if node.op_type == "TopK":
        return ordered
    size = ordered.shape[axis]
    return ordered.take(range(size - 1, size) if node.op_type == "ArgMax" else range(min(size, 1)), axis)


def close_calls(model: Model, wide: Collection[ir.Node], found: Collection[ir.Node]) -> list[Diagnostic]:
    """A note (E0613) on the decisions among `found`, which are close on the samples, whose operand float16 rounds."""
    exact = _exact(model, wide)
    told = [node for node in found if any(v not in exact for v in operands(node))]
    if not told:
        return []
    lines = []
    for node in told[:_NAMED]:
        place = str(place_of(node) or "")
        lines.append(f"`{node.op_type}` {f'at {place}' if place else f'({node.name})'}")
    more = [f"and {len(told) - _NAMED} more"] if len(told) > _NAMED else []
    return [
        Diagnostic(
            "E0613",
            f"{len(told)} decision{'s' if len(told) > 1 else ''} by numbers that float16 hardly tells apart",
            notes=(*lines, *more),
            help=("where the decision matters: `--set numerics.compute=float32`, or give out the numbers themselves",),
            severity=Severity.NOTE,
        )
    ]


def _exact(model: Model, wide: Collection[ir.Node]) -> set[ir.Value]:
    """What is float32 all the way from the inputs."""
    exact = set(model.graph.inputs)
    for node in model.graph:
        if node in wide and all(v in exact for v in operands(node)):
            exact.update(node.outputs)
    return exact
