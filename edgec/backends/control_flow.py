"""Legality of loops and branches on every backend: carried values keep type and shape, no scan outputs."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import static_shape
from edgec.ops.base import Value
from edgec.ops.control import If, Loop
from edgec.passes.base import Pass
from edgec.passes.constants import FoldConstants
from edgec.passes.deadcode import DeadCode
from edgec.passes.native_branches import SelectionsToIf
from edgec.passes.rewrite import RewritePass
from edgec.rules.cleanup.casts import TakeConstantSide
from edgec.spec.target import Target


def branches(target: Target) -> list[Pass]:
    """Passes that give branches the form that the target asks for: left as selects, or turned back into `If`."""
    if target.graph.control_flow == "where":
        return []
    return [SelectionsToIf(), RewritePass("branches", [TakeConstantSide()]), FoldConstants(), DeadCode()]


def _loop(op: Loop, target: Target) -> Reject | None:
    """Scan outputs, and carried values whose type or shape changes, are illegal."""
    count = len(op.carried)
    if len(op.outputs) > count:
        return Reject(
            "loop-collects",
            "the loop collects a result of every iteration, and the number of iterations depends on data",
            "write each iteration's result into a tensor of fixed size",
        )
    number, going, *states = op.body.inputs
    if (op.trip_count is not None or list(number.uses())) and number.dtype != ir.DataType.INT64:
        return Reject("loop-counter", "the iteration number is not a 64-bit integer")
    conditions = [op.condition, going, op.body.outputs[0]]
    if any(v is not None and static_shape(v) not in ((), (1,)) for v in conditions):
        return Reject("loop-condition", "the loop's condition is not a single boolean")
    for before, state, after in zip(op.carried, states, op.body.outputs[1:], strict=True):
        if differs := _difference(before, state) or _difference(state, after):
            return Reject("loop-state-shape", f"a loop-carried value changes its type or shape: {differs}")
    return None


def _if(op: If, target: Target) -> Reject | None:
    """Branches must give results of the same type and shape."""
    for a, b in zip(op.then_graph.outputs, op.else_graph.outputs, strict=True):
        if differs := _difference(a, b):
            return Reject("if-branches-differ", f"the branches' results differ in type or shape: {differs}")
    return None


def _difference(a: Value, b: Value) -> str | None:
    known = a.shape is not None and all(isinstance(d, int) or d.value is not None for d in a.shape)
    if a.dtype == b.dtype and a.dtype is not None and known and a.shape == b.shape:
        return None
    return f"{_described(a)} and {_described(b)}"


def _described(value: Value) -> str:
    dims = "?" if value.shape is None else ", ".join(str(d if isinstance(d, int) else d.value) for d in value.shape)
    return f"{'?' if value.dtype is None else value.dtype.name.lower()}[{dims}]"


FAMILIES = (Family(If, "If", _if), Family(Loop, "Loop", _loop))
