"""Convolutions and pools."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import float_reject, static_reject
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import constant
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.spatial import rounds_up_by_padding
from edgec.spec.target import Target


def _conv(op: Conv, target: Target) -> Reject | None:
    """A computed weight is legal without dilation only."""
    if constant(op.w) is None and any(d != 1 for d in op.window.dilations):
        return Reject("conv-computed-dilation", "a computed weight with dilation is not supported")
    return _form(op, "conv")


def _transposed(op: ConvTranspose, target: Target) -> Reject | None:
    """A transposed convolution is legal with a constant weight."""
    if constant(op.w) is None:
        return Reject("conv-transpose-computed-weight", "the weight is computed by the model")
    return _form(op, "conv-transpose")


def _form(op: Conv | ConvTranspose, label: str) -> Reject | None:
    if not 3 <= len(op.x.shape or ()) <= 5:
        return Reject("conv-rank", "convolutions support one to three spatial dimensions")
    if op.b is not None and constant(op.b) is None:
        return Reject("conv-computed-bias", "the bias is computed by the model")
    return float_reject([op.x], label)


def _pool(op: MaxPool | AveragePool, target: Target) -> Reject | None:
    label = op.node.op_type.lower()
    if not 3 <= len(op.x.shape or ()) <= 5:
        return Reject(f"{label}-rank", "pools support one to three spatial dimensions")
    if any(d != 1 for d in op.window.dilations):
        return Reject(f"{label}-dilation", "pools have no dilation")
    if isinstance(op, MaxPool) and op.has_indices:
        return Reject("maxpool-indices", "max_pool does not return the indices of the maxima")
    if op.ceil_mode and (isinstance(op, AveragePool) or not rounds_up_by_padding(op.window)):
        return static_reject([op.x, op.y], f"{label}-ceil")
    return None


FAMILIES = (
    Family(Conv, "Conv", _conv),
    Family(ConvTranspose, "ConvTranspose", _transposed),
    Family(MaxPool, "MaxPool", _pool),
    Family(AveragePool, "AveragePool", _pool),
)
