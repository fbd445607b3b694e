"""Hazards of speculation: operators that may fail or overflow on a side of a branch that is not taken.

Safe operands are inserted from this table both by frontends, while they trace
(`frontend/torch/autograph/operators/safe_operands.py`), and by `passes/branches.py`, where an `If` of a graph becomes
a selection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Hazard:
    """The operand that causes the failure, and a safe value for it.

    `fails`: the operator raises, or reads and writes out of bounds. Otherwise it makes NaN or infinity from finite
    numbers, which is harmless if a runtime selects element by element.
    """

    operand: int
    safe: float
    fails: bool = False


_INDEX, _DIVISOR = Hazard(1, 0.0, fails=True), Hazard(1, 1.0, fails=True)

HAZARDS: Mapping[str, Hazard] = {
    **dict.fromkeys(("Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND"), _INDEX),
    **dict.fromkeys(("Div", "Mod"), _DIVISOR),
    "BitShift": Hazard(1, 0.0),
    **dict.fromkeys(("Log", "Sqrt", "Reciprocal", "Acosh", "Pow"), Hazard(0, 1.0)),
    **dict.fromkeys(("Acos", "Asin", "Atanh", "Exp", "Sinh", "Cosh"), Hazard(0, 0.0)),
}
"""By ONNX operator."""
