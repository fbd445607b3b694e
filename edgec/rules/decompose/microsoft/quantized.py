"""Quantized element-wise operators, pools and products of `com.microsoft`."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Array, constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.microsoft.elementwise import DOMAIN

_BINARY = {"QLinearAdd": "Add", "QLinearMul": "Mul"}
_UNARY = {
    "QLinearSigmoid": "Sigmoid",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearSoftmax": "Softmax",
}


class QLinearToFloat(Rule):
    """QLinearAdd, QLinearMul, QLinearSigmoid etc. -> the float operator between Dequantize- and QuantizeLinear."""

    name = "qlinear-to-float"
    roots = tuple(f"{DOMAIN}::{op}" for op in (*_BINARY, *_UNARY))
    examples = (
        Example(
            "uint8[2,3] x, uint8[2,3] z",
            "y = com.microsoft.QLinearAdd(x, s, p, z, s, p, o, p)",
            "a = DequantizeLinear(x, s, p)  b = DequantizeLinear(z, s, p)  c = Add(a, b)  y = QuantizeLinear(c, o, p)",
            constants="float s = {0.5}, float o = {0.73}, uint8 p = {3}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        if r.integer("channels_last", 0):
            return Miss("its layout is channels last")
        count = 2 if node.op_type in _BINARY else 1
        operands = [g.op("DequantizeLinear", *(r.optional(3 * i + k) for k in range(3))) for i in range(count)]
        skipped = ("channels_last", "opset")
        attributes = {k: a.value for k, a in node.attributes.items() if k not in skipped}
        found = g.op((_BINARY | _UNARY)[node.op_type], *operands, **attributes)
        return [g.op("QuantizeLinear", found, r.input(3 * count), r.optional(3 * count + 1))]


class QLinearConcatToFloat(Rule):
    """QLinearConcat(scale, zero point, each tensor with its own) -> Concat between Dequantize- and QuantizeLinear."""

    name = "qlinear-concat-to-float"
    roots = (f"{DOMAIN}::QLinearConcat",)
    examples = (
        Example(
            "uint8[2,3] x, uint8[2,3] z",
            "y = com.microsoft.QLinearConcat<axis = 1>(o, p, x, s, p, z, s, p)",
            "a = DequantizeLinear(x, s, p)  b = DequantizeLinear(z, s, p)  c = Concat<axis = 1>(a, b)  "
            "y = QuantizeLinear(c, o, p)",
            constants="float s = {0.5}, float o = {0.73}, uint8 p = {3}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        parts = [
            g.op("DequantizeLinear", r.input(i), r.input(i + 1), r.optional(i + 2))
            for i in range(2, len(node.inputs), 3)
        ]
        joined = g.op("Concat", *parts, axis=r.integer("axis"))
        return [g.op("QuantizeLinear", joined, r.input(0), r.optional(1))]


class QLinearWhereToFloat(Rule):
    """QLinearWhere(condition, x, y) -> Where between Dequantize- and QuantizeLinear."""

    name = "qlinear-where-to-float"
    roots = (f"{DOMAIN}::QLinearWhere",)
    examples = (
        Example(
            "bool[2,3] c, uint8[2,3] x, uint8[2,3] z",
            "y = com.microsoft.QLinearWhere(c, x, s, p, z, s, p, o, p)",
            "a = DequantizeLinear(x, s, p)  b = DequantizeLinear(z, s, p)  d = Where(c, a, b)  "
            "y = QuantizeLinear(d, o, p)",
            constants="float s = {0.5}, float o = {0.73}, uint8 p = {3}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, y = (g.op("DequantizeLinear", *(r.optional(i + k) for k in range(3))) for i in (1, 4))
        return [g.op("QuantizeLinear", g.op("Where", r.input(0), x, y), r.input(7), r.optional(8))]


class QGemmToFloat(Rule):
    """QGemm(a, b, c) -> Gemm between Dequantize- and QuantizeLinear; the scale of c is alpha times both scales."""

    name = "qgemm-to-float"
    roots = (f"{DOMAIN}::QGemm",)
    examples = (
        Example(
            "uint8[2,3] x",
            "y = com.microsoft.QGemm<transB = 1>(x, s, p, w, s, p, c, o, p)",
            "a = DequantizeLinear(x, s, p)  b = DequantizeLinear(w, s, p)  m = Gemm<alpha = 1.0, transB = 1>(a, b)  "
            "t = Mul(s, s)  f = Cast<to = 1>(c)  d = Mul(f, t)  e = Add(m, d)  y = QuantizeLinear(e, o, p)",
            constants="float s = {0.5}, float o = {0.73}, uint8 p = {3}, uint8[1,3] w = {1, 5, 9}, int32[1] c = {7}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        alpha, across = r.number("alpha", 1.0), r.integer("transB", 0)
        scale = r.input(4)
        per_column = 0 if across else 1
        a = g.op("DequantizeLinear", *(r.input(i) for i in range(3)))
        axis = per_column if r.rank(scale) and static_shape(scale) != (1,) else None
        b = g.op("DequantizeLinear", r.input(3), scale, r.input(5), axis=axis)
        found = g.op("Gemm", a, b, alpha=alpha, transA=r.integer("transA", 0) or None, transB=across or None)
        if (bias := r.optional(6)) is not None:
            step = g.op("Mul", r.input(1), scale)
            step = step if alpha == 1.0 else g.op("Mul", step, g.like(alpha, step))
            found = g.op("Add", found, g.op("Mul", g.op("Cast", bias, to=ir.DataType.FLOAT.value), step))
        if r.optional(7) is None:
            return [found]
        return [g.op("QuantizeLinear", found, r.input(7), r.optional(8))]


class MatMulNBitsToMatMul(Rule):
    """MatMulNBits(x, packed weights) -> MatMul with the weights unpacked to floats (constant weights, 4 or 8 bits)."""

    name = "matmul-nbits-to-matmul"
    roots = (f"{DOMAIN}::MatMulNBits",)
    examples = (
        Example(
            "float[2,16] x",
            "y = com.microsoft.MatMulNBits<K = 16, N = 1, bits = 4, block_size = 16>(x, w, s)",
            "y = MatMul(x, c0)",
            constants="uint8[1,1,8] w = {16, 50, 84, 118, 152, 186, 220, 254}, float[1] s = {0.5}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, packed, scales = r.input(0), constant(r.input(1)), constant(r.input(2))
        zeros, bits = r.optional(3), r.integer("bits", 4)
        if packed is None or scales is None or (zeros is not None and constant(zeros) is None):
            return Miss("the weights are not constant")
        if bits not in (4, 8) or r.optional(4) is not None:
            return Miss(f"the weights have {bits} bits, or are reordered")
        weight = _unpack(r, packed, scales, constant(zeros), bits)
        product = g.op("MatMul", x, g.const(weight.T, dtype=x.dtype))
        bias: Value | None = r.optional(5)
        return [product if bias is None else g.op("Add", product, bias)]


def _unpack(r: Reader, packed: Array, scales: Array, zeros: Array | None, bits: int) -> Array:
    """(N, K) floats from (N, blocks, bytes); with 4 bits, the low half of a byte comes first."""
    n, k, size = r.integer("N"), r.integer("K"), r.integer("block_size")
    blocks = -(-k // size)
    levels = _levels(packed, bits).reshape(n, blocks, size).astype(np.float32)
    scale = scales.reshape(n, blocks, 1).astype(np.float32)
    if zeros is None:
        zero = np.full((n, blocks, 1), 1 << (bits - 1), np.float32)
    elif zeros.dtype == np.uint8:
        zero = _levels(zeros.reshape(n, -1), bits)[:, :blocks].reshape(n, blocks, 1).astype(np.float32)
    else:
        zero = zeros.reshape(n, blocks, 1).astype(np.float32)
    return np.asarray(((levels - zero) * scale).reshape(n, blocks * size)[:, :k])


def _levels(packed: Array, bits: int) -> Array:
    data = packed.astype(np.uint8).reshape(packed.shape[0], -1)
    if bits == 8:
        return data
    return np.stack([data & 15, data >> 4], axis=-1).reshape(packed.shape[0], -1)
