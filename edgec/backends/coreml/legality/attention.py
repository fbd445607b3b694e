"""Fused attention, from iOS 18 on."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.legality import Family
from edgec.dialect.reject import Reject
from edgec.ir.model import constant, static_shape
from edgec.ops.linear import Attention
from edgec.rules.match import is_wanted
from edgec.spec.target import Target


def _attention(op: Attention, target: Target) -> Reject | None:
    options = target.options
    if isinstance(options, CoreMLOptions) and options.is_before("iOS18"):
        return Reject("attention-before-ios18", "fused attention needs iOS 18")
    return None if is_fused(op) else Reject("attention-form", "fused attention lacks caches, softcap and groups")


def is_fused(op: Attention) -> bool:
    """Whether `scaled_dot_product_attention` is equivalent: 4-D, no grouped heads, one mask, one output."""
    shapes = [static_shape(v) for v in (op.q, op.k, op.v)]
    if any(s is None or len(s) != 4 for s in shapes) or any(is_wanted(out) for out in op.node.outputs[1:]):
        return False
    q, k, v = (s or () for s in shapes)
    if op.past_key is not None or op.softcap or not q[:2] == k[:2] == v[:2]:
        return False
    return op.mask is None or (not op.causal and _mask_fits(op, k[2]))


def _mask_fits(op: Attention, keys: int) -> bool:
    """Not a bool mask that may hide all keys of a query: the result is 0 in ONNX and NaN in MIL."""
    assert op.mask is not None
    shape = static_shape(op.mask)
    if shape is None or len(shape) < 2 or shape[-1] != keys:
        return False
    if op.mask.dtype != ir.DataType.BOOL:
        return True
    array = constant(op.mask)
    return array is not None and bool(array.any(axis=-1).all())


FAMILIES = (Family(Attention, "Attention", _attention),)
