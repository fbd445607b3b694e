"""Matrix products, softmax and normalizations."""

from __future__ import annotations

from edgec.backends.coreml.legality.common import float_reject, rank_reject, static_reject
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import is_constant
from edgec.ops.linear import Gemm, MatMul
from edgec.ops.norm import LRN, InstanceNormalization, LayerNormalization, Softmax
from edgec.rules.decompose.normalizations import statistics_are_used
from edgec.spec.target import Target


def _matmul(op: MatMul, target: Target) -> Reject | None:
    if min(len(op.a.shape or ()), len(op.b.shape or ())) == 0:
        return Reject("matmul-scalar", "an operand is a scalar")
    if min(len(op.a.shape or ()), len(op.b.shape or ())) == 1:
        return static_reject([op.a, op.b], "matmul-vector")
    return rank_reject([op.a, op.b], target, "matmul")


def _softmax(op: Softmax, target: Target) -> Reject | None:
    return float_reject([op.x], "softmax")


def _layer_norm(op: LayerNormalization, target: Target) -> Reject | None:
    if statistics_are_used(op.node):
        return Reject("layer-norm-statistics", "layer_norm does not return the mean or the deviation")
    if not is_constant(op.scale) or (op.bias is not None and not is_constant(op.bias)):
        return Reject("layer-norm-computed", "the scale or bias is computed by the model")
    return float_reject([op.x], "layer-norm")


def _instance_norm(op: InstanceNormalization, target: Target) -> Reject | None:
    if not is_constant(op.scale) or not is_constant(op.bias):
        return Reject("instance-norm-computed", "the scale or bias is computed by the model")
    if not 3 <= len(op.x.shape or ()) <= 4:
        return Reject("instance-norm-rank", "instance_norm supports one or two spatial dimensions")
    return None


def _lrn(op: LRN, target: Target) -> Reject | None:
    if op.size % 2 == 0:
        return Reject("lrn-even-size", "MIL aligns an even window differently")
    return float_reject([op.x], "lrn")


FAMILIES = (
    Family(Gemm, "Gemm"),
    Family(MatMul, "MatMul", _matmul),
    Family(Softmax, "Softmax LogSoftmax", _softmax),
    Family(LayerNormalization, "LayerNormalization", _layer_norm),
    Family(InstanceNormalization, "InstanceNormalization", _instance_norm),
    Family(LRN, "LRN", _lrn),
)
