"""Writing a window of a tensor (iOS 18)."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import MilBuilder, cast, shape_of, type_of
from edgec.backends.coreml.ops import SliceUpdate
from edgec.ir.model import constant


def _slice_update(op: SliceUpdate, b: MilBuilder) -> Operand:
    """The window starts at `start` along the axis and covers the others."""
    rank, window = len(shape_of(op.x)), shape_of(op.update)
    arguments = {"x": b.operand(op.x), "update": b.operand(op.update)}
    known = constant(op.start)
    if known is not None:
        first = int(known.reshape(-1)[0])
        begin = tuple(first if i == op.axis else 0 for i in range(rank))
        corners: dict[str, object] = {"begin": begin, "end": tuple(p + n for p, n in zip(begin, window, strict=True))}
        return b.emit("slice_update", type_of(op.y), **arguments, **corners)
    kind = TensorType("int32", (rank,))
    along = b.const(np.eye(rank, dtype=np.int32)[op.axis], "along")
    first_corner = b.emit("mul", kind, x=cast(b, b.operand(op.start), "int32"), y=along)
    last_corner = b.emit("add", kind, x=first_corner, y=b.const(np.asarray(window, np.int32), "window"))
    return b.emit("slice_update", type_of(op.y), **arguments, begin=first_corner, end=last_corner)


LOWERINGS = (Lowering(SliceUpdate, _slice_update),)
