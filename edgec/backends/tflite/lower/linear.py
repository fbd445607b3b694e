"""Matrix products and softmax."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import NONE, constant_like, out_type, reshape, transpose
from edgec.ir.model import constant
from edgec.ops.linear import MatMul
from edgec.ops.norm import Softmax


def _matmul(op: MatMul, b: Builder) -> Operand:
    weight = constant(op.b)
    if weight is not None and weight.ndim == 2:
        w = constant_like(b, weight.T, op.b)
        bias = b.const(np.zeros(weight.shape[1], np.float32), "zero_bias")
        inputs = {"input": b.operand(op.a), "weights": w, "bias": bias}
        return b.op("FULLY_CONNECTED", inputs, fusedActivationFunction=NONE, keepNumDims=True)
    return b.op("BATCH_MATMUL", {"a": b.operand(op.a), "b": b.operand(op.b)}, adjX=False, adjY=False)


def _softmax(op: Softmax, b: Builder) -> Operand:
    """SOFTMAX is over the last axis of up to four dimensions: other axes are transposed, and more dimensions merged."""
    x, out = b.operand(op.x), out_type(op.y)
    rank = len(x.type.shape)
    perm = [i for i in range(rank) if i != op.axis] + [op.axis]
    moved = x if op.axis == rank - 1 or rank == 0 else transpose(b, x, perm)
    dims = [d if isinstance(d, int) else -1 for d in moved.type.shape]
    flat = reshape(b, moved, [int(np.prod(dims[:-1])), dims[-1]]) if rank > 4 else moved
    opcode, attrs = ("SOFTMAX", {"beta": 1.0}) if op.kind == "Softmax" else ("LOG_SOFTMAX", {})
    y: Operand = b.op(opcode, {"input": flat}, TensorType(out.dtype, flat.type.shape), **attrs)
    y = reshape(b, y, dims) if rank > 4 else y
    return y if moved is x else transpose(b, y, [int(i) for i in np.argsort(perm)])


LOWERINGS = (
    Lowering(MatMul, _matmul),
    Lowering(Softmax, _softmax),
)
