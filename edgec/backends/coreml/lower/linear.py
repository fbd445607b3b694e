"""Matrix products, softmax and normalizations."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Array, Const, Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import (
    MilBuilder,
    reshape,
    shape_of,
    static_dims,
    type_of,
)
from edgec.ir.model import constant, is_constant
from edgec.ops.base import Value
from edgec.ops.linear import Gemm, MatMul
from edgec.ops.norm import LRN, InstanceNormalization, LayerNormalization, Softmax


def _gemm(op: Gemm, b: MilBuilder) -> Operand:
    """`linear` if the weight is constant and the bias a constant vector; otherwise matmul, scaling and addition."""
    bias, out = constant(op.c), type_of(op.y)
    vector = op.c is None or (bias is not None and bias.ndim == 1)
    if is_constant(op.b) and vector and not op.trans_a and out.dtype.startswith("float"):
        arguments = {"weight": _weight(op, b)}
        if bias is not None:
            arguments["bias"] = b.const(
                _scaled(np.broadcast_to(bias, arguments["weight"].type.sizes[:1]), op.beta), "bias"
            )
        return b.emit("linear", out, x=b.operand(op.a), **arguments)
    a, w = b.operand(op.a), b.operand(op.b)
    y: Operand = b.emit("matmul", out, x=a, y=w, transpose_x=op.trans_a, transpose_y=op.trans_b)
    if op.alpha != 1:
        y = b.emit("mul", out, x=y, y=b.const(np.asarray(op.alpha, dtype=out.dtype), "alpha"))
    if op.c is None:
        return y
    c = b.operand(op.c)
    if op.beta != 1:
        c = b.emit("mul", c.type, x=c, y=b.const(np.asarray(op.beta, dtype=out.dtype), "beta"))
    return b.emit("add", out, x=y, y=c)


def _weight(op: Gemm, b: MilBuilder) -> Const:
    """The weight (outputs, inputs), times alpha."""
    rows, columns = shape_of(op.b)
    shape = (rows, columns) if op.trans_b else (columns, rows)
    return b.derived(op.b, shape, lambda w: _scaled(w if op.trans_b else w.T, op.alpha))


def _scaled(array: Array, factor: float) -> Array:
    scaled = array if factor == 1 else (array.astype(np.float64) * factor).astype(array.dtype)
    return np.ascontiguousarray(scaled)


def _matmul(op: MatMul, b: MilBuilder) -> Operand:
    out, shape = type_of(op.y), shape_of(op.b)
    if is_constant(op.b) and len(shape) == 2 and 2 <= len(op.a.shape or ()) <= 3 and out.dtype.startswith("float"):
        transposed = b.derived(op.b, (shape[1], shape[0]), lambda w: w.T)
        return b.emit("linear", out, x=b.operand(op.a), weight=transposed)
    x, y = b.operand(op.a), b.operand(op.b)
    if min(len(x.type.shape), len(y.type.shape)) > 1:
        return b.emit("matmul", out, x=x, y=y, transpose_x=False, transpose_y=False)
    return _vector_product(b, x, y, out)


def _vector_product(b: MilBuilder, x: Operand, y: Operand, out: TensorType) -> Operand:
    """A vector is a row on the left and a column on the right; its dimension of 1 is squeezed from the result."""
    left, right = static_dims(x.type) or (), static_dims(y.type) or ()
    rows = (1, *left) if len(left) == 1 else left
    columns = (*right, 1) if len(right) == 1 else right
    batch = np.broadcast_shapes(rows[:-2], columns[:-2])
    kind = TensorType(out.dtype, (*batch, rows[-2], columns[-1]))
    arguments = {"x": reshape(b, x, rows), "y": reshape(b, y, columns)}
    product = b.emit("matmul", kind, **arguments, transpose_x=False, transpose_y=False)
    return reshape(b, product, static_dims(out) or ())


def _softmax(op: Softmax, b: MilBuilder) -> Operand:
    """LogSoftmax as x - logsumexp(x), with the maximum subtracted first: exp never overflows."""
    x, out = b.operand(op.x), type_of(op.y)
    if op.kind == "Softmax":
        return b.emit("softmax", out, x=x, axis=op.axis)
    one = type(out)(out.dtype, tuple(1 if i == op.axis else d for i, d in enumerate(out.shape)))
    top = b.emit("reduce_max", one, x=x, axes=(op.axis,), keep_dims=True)
    shifted = b.emit("sub", out, x=x, y=top)
    total = b.emit("reduce_log_sum_exp", one, x=shifted, axes=(op.axis,), keep_dims=True)
    return b.emit("sub", out, x=shifted, y=total)


def _layer_norm(op: LayerNormalization, b: MilBuilder) -> Operand:
    x = b.operand(op.x)
    axes = tuple(range(op.axis, len(x.type.shape)))
    shape = tuple(int(d) for d in x.type.shape[op.axis :])
    arguments = {"gamma": _parameter(b, op.scale, shape)}
    if op.bias is not None:
        arguments["beta"] = _parameter(b, op.bias, shape)
    return b.emit("layer_norm", type_of(op.y), x=x, axes=axes, epsilon=stable_epsilon(op.epsilon, x), **arguments)


def stable_epsilon(epsilon: float, x: Operand) -> float:
    """An epsilon that is not zero: float16 represents nothing below 6e-8, and equal values have variance 0.

    A normalization is in float16 only if all variances are far above either.
    """
    return max(epsilon, 2.0**-24) if x.type.dtype == "float16" else epsilon


def _parameter(b: MilBuilder, value: Value, shape: tuple[int, ...]) -> Operand:
    array = constant(value)
    assert array is not None
    return b.const(np.ascontiguousarray(np.broadcast_to(array, shape)), "parameter")


def _instance_norm(op: InstanceNormalization, b: MilBuilder) -> Operand:
    gamma, beta = b.operand(op.scale), b.operand(op.bias)
    x, epsilon = b.operand(op.x), stable_epsilon(op.epsilon, b.operand(op.x))
    return b.emit("instance_norm", type_of(op.y), x=x, gamma=gamma, beta=beta, epsilon=epsilon)


def _lrn(op: LRN, b: MilBuilder) -> Operand:
    x, out = b.operand(op.x), type_of(op.y)
    return b.emit("local_response_norm", out, x=x, size=op.size, alpha=op.alpha, beta=op.beta, k=op.bias)


LOWERINGS = (
    Lowering(Gemm, _gemm),
    Lowering(MatMul, _matmul),
    Lowering(Softmax, _softmax),
    Lowering(LayerNormalization, _layer_norm),
    Lowering(InstanceNormalization, _instance_norm),
    Lowering(LRN, _lrn),
)
