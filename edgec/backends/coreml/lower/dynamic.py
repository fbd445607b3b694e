"""Shapes known only at run time, as int32 vectors."""

from __future__ import annotations

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import MilBuilder, cast, type_of
from edgec.ops.shape import Range, Shape


def _shape(op: Shape, b: MilBuilder) -> Operand:
    """`shape`, sliced if ONNX selects a part."""
    x, rank = b.operand(op.x), len(op.x.shape or ())
    whole = b.emit("shape", TensorType("int32", (rank,)), x=x)
    if (op.start, op.end) == (0, rank):
        return whole
    part = TensorType("int32", (op.end - op.start,))
    return b.emit("slice_by_index", part, x=whole, begin=(op.start,), end=(op.end,))


def _range(op: Range, b: MilBuilder) -> Operand:
    out = type_of(op.y)
    start, end, step = (cast(b, b.operand(v), out.dtype) for v in (op.start_value, op.limit_value, op.delta_value))
    return b.emit("range_1d", out, start=start, end=end, step=step)


def filled(b: MilBuilder, shape: Operand, out: TensorType) -> Operand:
    """Zeros of a computed shape."""
    zero = False if out.dtype == "bool" else 0.0 if out.dtype.startswith("float") else 0
    return b.emit("fill", out, shape=cast(b, shape, "int32"), value=zero)


def broadcast_to(b: MilBuilder, x: Operand, shape: Operand, out: TensorType) -> Operand:
    """x broadcast to a computed shape, by adding zeros of that shape, which is exact."""
    kind = "int32" if out.dtype == "bool" else out.dtype
    wide = TensorType(kind, out.shape)
    total = b.emit("add", wide, x=cast(b, x, kind), y=filled(b, shape, wide))
    return cast(b, total, out.dtype)


LOWERINGS = (
    Lowering(Shape, _shape),
    Lowering(Range, _range),
)
