"""Discrete decisions on values that float16 cannot distinguish: nearly equal scores, values near a step."""

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
"""Relative to the operand's largest magnitude: the error of a few layers in float16."""

_NAMED = 5
"""The most operators listed in a note."""


def operands(node: ir.Node) -> list[ir.Value]:
    """The float operands that are not constants."""
    return [v for v in node.inputs if v is not None and is_float(v) and not is_constant(v)]


def decides(node: ir.Node) -> bool:
    """Whether integers depend on floats: indices that are used, or the side of a step."""
    if node.domain or not operands(node):
        return False
    if node.op_type == "TopK":
        return bool(node.outputs[1].uses()) or node.outputs[1].is_graph_output()
    if node.op_type == "Cast":
        return not is_float(node.outputs[0]) and node.outputs[0].dtype != ir.DataType.BOOL
    return node.op_type in CHOICES | STEPS


def margins(node: ir.Node, operand: Array) -> NDArray[np.float64]:
    """The distance of the operand's values from a different decision, one per decision; 0 for equal values."""
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
    nearest = range(max(size - 1, 0), size) if node.op_type == "ArgMax" else range(min(size, 1))
    return ordered.take(nearest, axis)


def close_calls(model: Model, wide: Collection[ir.Node], found: Collection[ir.Node]) -> list[Diagnostic]:
    """A note (E0613) on the decisions among `found` (close on the samples) whose operand is rounded to float16."""
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
            f"{len(told)} decision{'s' if len(told) > 1 else ''} on values that float16 can hardly distinguish",
            notes=(*lines, *more),
            help=("if the decision matters: `--set numerics.compute=float32`, or return the values themselves",),
            severity=Severity.NOTE,
        )
    ]


def _exact(model: Model, wide: Collection[ir.Node]) -> set[ir.Value]:
    """The values that are computed in float32 all the way from the inputs."""
    exact = set(model.graph.inputs)
    for node in model.graph:
        if node in wide and all(v in exact for v in operands(node)):
            exact.update(node.outputs)
    return exact
