"""Fused attention (iOS 18)."""

from __future__ import annotations

import math

import numpy as np

from edgec.backends.base import Lowering, Operand
from edgec.backends.coreml.lower.common import MilBuilder, shape_of, type_of
from edgec.ops.linear import Attention


def _attention(op: Attention, b: MilBuilder) -> Operand:
    """MIL always scales by 1/sqrt(E); for any other scale the queries are multiplied. A causal mask is a constant."""
    q, width = b.operand(op.q), shape_of(op.q)[3]
    factor = 1.0 if op.scale is None else op.scale * math.sqrt(width)
    if abs(factor - 1) > 1e-6:
        q = b.emit("mul", q.type, x=q, y=b.const(np.asarray(factor, dtype=q.type.dtype), "scale"))
    mask = None if op.mask is None else b.operand(op.mask)
    if op.causal:
        mask = b.const(np.tril(np.ones((shape_of(op.q)[2], shape_of(op.k)[2]), dtype=bool)), "causal")
    arguments = {"query": q, "key": b.operand(op.k), "value": b.operand(op.v), "attn_mask": mask}
    return b.emit("scaled_dot_product_attention", type_of(op.y), **arguments)


LOWERINGS = (Lowering(Attention, _attention),)
