"""Windowed operators before layout assignment: which ones become channels-last, and why the others are illegal."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.legality import Family
from edgec.backends.tflite.legality.resize import kernel_of
from edgec.dialect.reject import Reject
from edgec.ir.model import static_shape
from edgec.ops.base import Op, Reader
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.image import Resize
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.shape import DepthToSpace, SpaceToDepth
from edgec.ops.spatial import rounds_up_by_padding
from edgec.ops.table import view
from edgec.spec.target import Target

ONLY_NHWC = frozenset({"Conv", "ConvTranspose", "MaxPool", "AveragePool", "Resize", "DepthToSpace", "SpaceToDepth"})
"""Operators that have only channels-last kernels."""


def takes_only_nhwc(node: ir.Node) -> bool:
    """Whether this node must run channels-last. Those of ranks and forms without a kernel do not, and stay illegal."""
    if node.op_type not in ONLY_NHWC or node.domain != "" or node.inputs[0] is None:
        return False
    rank = len(node.inputs[0].shape or ())
    if rank not in (4, 5) or node.outputs[0].shape is None:
        return False
    if static_shape(node.inputs[0]) is not None and static_shape(node.outputs[0]) is not None:
        op = view(node)
        return not isinstance(op, Resize) or (rank == 4 and kernel_of(op, (2, 3)) is not None)
    if node.op_type in ("Resize", "DepthToSpace", "SpaceToDepth"):
        op = view(node)
        fits = not isinstance(op, Resize) or kernel_of(op, (2, 3)) is not None
        return rank == 4 and fits and isinstance([*(node.inputs[0].shape or ())][1], int)
    return _slides(node)


def _slides(node: ir.Node) -> bool:
    """Whether the windowed node can be lowered with open sizes: no `auto_pad`, and padding is not counted."""
    explicit = Reader(node).string("auto_pad", "NOTSET") in ("NOTSET", "", "VALID")
    if not explicit:
        return False
    op = view(node)
    spatial = [d for v in (node.inputs[0], node.outputs[0]) if v is not None for d in (v.shape or ())[2:]]
    if all(isinstance(d, int) for d in spatial):
        return True
    if isinstance(op, AveragePool):
        return not (op.ceil_mode or op.window.has_padding)
    return not isinstance(op, MaxPool) or not op.ceil_mode or rounds_up_by_padding(op.window)


def _unplaced(op: Op, target: Target) -> Reject:
    """The reason why the operator was not made channels-last."""
    label = op.node.op_type.lower()
    values = [v for v in (op.node.inputs[0], op.y) if v is not None]
    if any(static_shape(v) is None for v in values):
        return Reject(f"{label}-dynamic", "its shapes are not static")
    if isinstance(op, Resize):
        return Reject("resize-computed", "its sizes, scales or region are computed by the model")
    return Reject(f"{label}-rank-{len(values[0].shape or ())}", "the kernel has another rank")


_KINDS: tuple[type[Op], ...] = (Conv, ConvTranspose, MaxPool, AveragePool, Resize, DepthToSpace, SpaceToDepth)
FAMILIES = tuple(Family(kind, kind.__name__, _unplaced) for kind in _KINDS)
