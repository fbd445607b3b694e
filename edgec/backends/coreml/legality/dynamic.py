"""Shapes known only at run time, as int32 vectors."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ops.shape import Range, Shape
from edgec.spec.target import Target


def _shape(op: Shape, target: Target) -> Reject | None:
    return None if op.end > op.start else Reject("shape-empty", "the selected part of the shape is empty")


def _bounds(op: Range, target: Target) -> Reject | None:
    values = (op.start_value, op.limit_value, op.delta_value)
    numeric = all(v.dtype is not None and len(v.shape or ()) == 0 for v in values)
    return None if numeric else Reject("range-vector", "a bound is not a single number")


FAMILIES = (Family(Shape, "Shape", _shape), Family(Range, "Range", _bounds))
