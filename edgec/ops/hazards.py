"""Operators that are dangerous on a side of a branch that is computed although it is not taken.

Frontends give such operators safe operands while they trace
(`frontend/torch/autograph/operators/safe_operands.py`), and `passes/branches.py` does where an `If` of a graph becomes
a selection: both by this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Hazard:
    """The operand that does the harm, and a value with which it does none.

    `fails`: the operator raises, or reads and writes outside of its tensor; else it makes NaN or infinity of finite
    numbers, which a selection drops where a runtime selects element by element.
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
"""By ONNX's operators."""
