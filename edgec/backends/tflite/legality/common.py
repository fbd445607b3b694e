"""Checks that all families share: element types and ranks of kernels, static shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from edgec.backends.tflite.legality.kernels import KERNEL_TYPES, highest_rank
from edgec.dialect.reject import Reject
from edgec.ops.base import Op, Value
from edgec.spec.target import Target

OpT = TypeVar("OpT", bound=Op)


def takes(values: Callable[[OpT], Sequence[Value]]) -> Callable[[OpT, Target], Reject | None]:
    """A family's check: legal if the kernel supports the types and ranks of these values."""

    def illegal(op: OpT, target: Target) -> Reject | None:
        return type_reject(op, values(op))

    return illegal


def type_reject(op: Op, values: Sequence[Value | None]) -> Reject | None:
    """Reject element types that the operator's kernel does not support, and ranks above its limit."""
    kind = op.node.op_type
    for value in values:
        name = value.dtype.numpy().name if value is not None and value.dtype is not None else None
        if name is not None and name not in KERNEL_TYPES[kind]:
            return Reject(f"{kind.lower()}-{name}", f"the kernel does not support {name}", _HELP.get(name))
        rank = 0 if value is None else len(value.shape or ())
        if rank > highest_rank(kind):
            return Reject(f"{kind.lower()}-rank-{rank}", f"the kernel supports at most rank {highest_rank(kind)}")
    return None


_HELP = {
    "float64": "cast the model to float32: LiteRT has no float64 arithmetic",
    "uint64": "use int64: LiteRT has no unsigned 64-bit arithmetic",
}


def static_reject(values: Sequence[Value], label: str) -> Reject | None:
    """Reject shapes that are not static."""
    for value in values:
        if value.shape is None or any(not isinstance(d, int) for d in value.shape):
            return Reject(f"{label}-dynamic", f"the shape of `{value.name}` is not static")
    return None
