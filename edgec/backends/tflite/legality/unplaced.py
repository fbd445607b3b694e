"""Windowed operators that the layout pass left alone, for they are in no form that a kernel has: always refused."""

from __future__ import annotations

from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import static_shape
from edgec.ops.base import Op
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.image import Resize
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.shape import DepthToSpace, SpaceToDepth
from edgec.spec.target import Target


def _unplaced(op: Op, target: Target) -> Reject:
    """Why the layout pass left it alone."""
    label = op.node.op_type.lower()
    values = [v for v in (op.node.inputs[0], op.y) if v is not None]
    if any(static_shape(v) is None for v in values):
        return Reject(f"{label}-dynamic", "its shapes are not known before the model runs")
    if isinstance(op, Resize):
        return Reject("resize-computed", "its sizes, scales or region are computed by the model")
    return Reject(f"{label}-rank-{len(values[0].shape or ())}", "the kernel has another number of dimensions")


_KINDS: tuple[type[Op], ...] = (Conv, ConvTranspose, MaxPool, AveragePool, Resize, DepthToSpace, SpaceToDepth)
FAMILIES = tuple(Family(kind, kind.__name__, _unplaced) for kind in _KINDS)
