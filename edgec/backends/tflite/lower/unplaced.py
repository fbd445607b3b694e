"""Windowed operators that the layout pass left alone, for they are in no form that a kernel has: always refused."""

from __future__ import annotations

from collections.abc import Callable

from edgec.backends.base import Lowering, Operand, Reject
from edgec.backends.builder import Builder
from edgec.ir.model import static_shape
from edgec.ops.base import Op
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.image import Resize
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.shape import DepthToSpace, SpaceToDepth
from edgec.spec.target import Target


def _rejects(op: Op, target: Target) -> Reject:
    label = op.node.op_type.lower()
    values = [v for v in (op.node.inputs[0], op.y) if v is not None]
    if any(static_shape(v) is None for v in values):
        return Reject(f"{label}-dynamic", "its shapes are not known before the model runs")
    if isinstance(op, Resize):
        return Reject("resize-computed", "its sizes, scales or region are computed by the model")
    return Reject(f"{label}-rank-{len(values[0].shape or ())}", "the kernel has another number of dimensions")


def _never(op: Op, b: Builder) -> Operand:
    raise AssertionError(f"{op.node.op_type} is refused before it is lowered")


_KINDS: tuple[type[Op], ...] = (Conv, ConvTranspose, MaxPool, AveragePool, Resize, DepthToSpace, SpaceToDepth)
_NEVER: Callable[[Op, Builder], Operand] = _never

LOWERINGS = tuple(Lowering(kind, _rejects, _NEVER) for kind in _KINDS)
