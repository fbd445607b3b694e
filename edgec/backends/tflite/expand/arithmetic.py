"""Arithmetic that TFLite's kernels lack, expressed exactly in kernels that exist."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import is_constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.elementwise import Activation, Binary, BitShift, Mod, Variadic
from edgec.ops.linear import MatMul
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

INTEGERS = (ir.DataType.INT32, ir.DataType.INT64)


class TruncatedMod(Rule):
    """Mod<fmod = 1>(a, b) -> Mod of the magnitudes with the dividend's sign (C's fmod; both are exact)."""

    name = "truncated-mod"
    roots = ("Mod",)
    examples = (
        Example(
            "float[4] x, float[4] z",
            "y = Mod<fmod = 1>(x, z)",
            "a = Abs(x)  b = Abs(z)  m = Mod(a, b)  s = Less(x, o)  n = Neg(m)  y = Where(s, n, m)",
        ),
        Example("int32[4] x", "y = Mod(x, z)", None, constants="int32[1] z = {3}", output="int32"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Mod.decode(Reader(node))
        if not op.fmod:
            return NOT_HERE
        rest = g.op("Mod", g.op("Abs", op.a), g.op("Abs", op.b))
        return [g.op("Where", g.op("Less", op.a, g.like(0, op.a)), g.op("Neg", rest), rest)]


class ExtremesOfNaN(Rule):
    """Max or Min of two computed values -> with the first one where it is NaN, which the kernel ignores."""

    name = "extremes-of-nan"
    roots = ("Max", "Min")
    examples = (
        Example("float[4] x, float[4] z", "y = Max(x, z)", "m = Max(x, z)  i = Equal(x, x)  y = Where(i, m, x)"),
        Example("float[4] x", "y = Max(x, z)", None, constants="float z = {1}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Variadic.decode(Reader(node))
        if _GUARDED in node.metadata_props or len(op.xs) != 2:
            return NOT_HERE
        a, b = op.xs
        if a.dtype != ir.DataType.FLOAT or is_constant(a) or is_constant(b):
            return NOT_HERE
        found = g.op(node.op_type, a, b)
        g.nodes[-1].metadata_props[_GUARDED] = "1"
        return [g.op("Where", g.op("Equal", a, a), found, a)]


_GUARDED = "edgec.guarded"


class EluFromUnit(Rule):
    """Elu with alpha -> Relu(x) + alpha * Elu(Min(x, 0))."""

    name = "elu-from-unit"
    roots = ("Elu",)
    examples = (
        Example(
            "float[4] x",
            "y = Elu<alpha = 2.0>(x)",
            "a = Min(x, o)  b = Elu(a)  c = Mul(b, k)  d = Relu(x)  y = Add(d, c)",
        ),
        Example("float[4] x", "y = Elu(x)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Activation.decode(Reader(node))
        if op.alpha == 1.0:
            return NOT_HERE
        below = g.op("Mul", g.op("Elu", g.op("Min", op.x, g.like(0, op.x))), g.like(op.alpha, op.x))
        return [g.op("Add", g.op("Relu", op.x), below)]


class IntegerFunctions(Rule):
    """Relu, Abs and Sign of integers, whose kernels support floats only -> Max, Neg and comparisons."""

    name = "integer-functions"
    roots = ("Relu", "Abs", "Sign")
    examples = (
        Example("int32[4] x", "y = Relu(x)", "y = Max(x, o)", output="int32"),
        Example("int64[4] x", "y = Abs(x)", "n = Neg(x)  y = Max(x, n)", output="int64"),
        Example("int32[4] x", "y = Abs(x)", None, output="int32"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        if x.dtype not in INTEGERS or (node.op_type != "Relu" and x.dtype == ir.DataType.INT32):
            return NOT_HERE
        zero = g.like(0, x)
        if node.op_type == "Relu":
            return [g.op("Max", x, zero)]
        if node.op_type == "Abs":
            return [g.op("Max", x, g.op("Neg", x))]
        kind = int(x.dtype)
        above, below = (g.op("Cast", g.op(test, x, zero), to=kind) for test in ("Greater", "Less"))
        return [g.op("Sub", above, below)]


class IntegerMatMul(Rule):
    """MatMul of integers, which has no kernel -> Mul of rows with columns and ReduceSum: exact."""

    name = "integer-matmul"
    roots = ("MatMul",)
    examples = (
        Example(
            "int32[2,3] x, int32[3,4] z",
            "y = MatMul(x, z)",
            "a = Unsqueeze(x, i)  t = Transpose(z)  b = Unsqueeze(t, j)  m = Mul(a, b)  y = ReduceSum(m, k)",
            output="int32",
        ),
        Example("float[2,3] x, float[3,4] z", "y = MatMul(x, z)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = MatMul.decode(Reader(node))
        a, b = static_shape(op.a), static_shape(op.b)
        if op.a.dtype not in INTEGERS:
            return NOT_HERE
        if a is None or b is None or min(len(a), len(b)) < 2:
            return Miss("a shape is not static")
        products = int(np.prod(np.broadcast_shapes(a[:-2], b[:-2]))) * a[-2] * a[-1] * b[-1]
        if products == 0:
            return NOT_HERE
        if products > _MOST_PRODUCTS:
            return Miss(f"the intermediate would have {products} elements")
        swapped = [*range(len(b) - 2), len(b) - 1, len(b) - 2]
        rows = g.op("Unsqueeze", op.a, g.ints(len(a) - 1))
        columns = g.op("Unsqueeze", g.op("Transpose", op.b, perm=swapped), g.ints(len(b) - 2))
        return [g.op("ReduceSum", g.op("Mul", rows, columns), g.ints(-1), keepdims=0)]


_MOST_PRODUCTS = 1 << 22
"""The most elements of the intermediate product, 16 MiB in int32."""


class BitwiseFromKernels(Rule):
    """BitwiseOr, BitwiseNot, left shifts and 64-bit BitwiseXor -> And, Xor, Mul and wrapping sums."""

    name = "bitwise-from-kernels"
    roots = ("BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift")
    examples = (
        Example(
            "int32[3] x, int32[3] z",
            "y = BitwiseOr(x, z)",
            "a = BitwiseAnd(x, z)  b = BitwiseXor(x, z)  y = BitwiseXor(b, a)",
            output="int32",
        ),
        Example("int32[3] x, int32[3] z", "y = BitwiseXor(x, z)", None, output="int32"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = Reader(node).input(0)
        wide, unknown = x.dtype == ir.DataType.INT64, x.dtype == ir.DataType.UINT64
        if unknown:
            return Miss("no kernel supports unsigned 64-bit integers")
        if node.op_type == "BitShift":
            op = BitShift.decode(Reader(node))
            return [_shifted_left(op, g)] if op.left else NOT_HERE
        if node.op_type == "BitwiseNot":
            ones = g.const(np.asarray(~np.zeros((), x.dtype.numpy()))) if x.dtype is not None else g.like(-1, x)
            return [g.op("Sub", ones, x) if wide else g.op("BitwiseXor", x, ones)]
        pair = Binary.decode(Reader(node))
        if node.op_type == "BitwiseXor" and not wide:
            return NOT_HERE
        common = g.op("BitwiseAnd", pair.a, pair.b)
        if not wide:
            return [g.op("BitwiseXor", g.op("BitwiseXor", pair.a, pair.b), common)]
        union = g.op("Sub", g.op("Add", pair.a, pair.b), common)
        return [union if node.op_type == "BitwiseOr" else g.op("Sub", union, common)]


def _shifted_left(op: BitShift, g: GraphBuilder) -> Value:
    """A 64-bit product with a power of two, truncated to the type; shifts by the bit width or more give 0."""
    assert op.a.dtype is not None
    bits = op.a.dtype.bitwidth
    most = g.const(np.asarray(bits, dtype=np.int64))
    count = g.op("Min", g.op("Cast", op.b, to=int(ir.DataType.INT64)), most)
    powers = g.const(np.asarray([1 << i for i in range(bits + 1)], dtype=np.int64))
    product = g.op("Mul", g.op("Cast", op.a, to=int(ir.DataType.INT64)), g.op("Gather", powers, count, axis=0))
    return g.op("Cast", product, to=int(op.a.dtype))


class BroadcastSlope(Rule):
    """PRelu with a slope that is not per channel -> Relu(x) + slope * Min(x, 0)."""

    name = "broadcast-slope"
    roots = ("PRelu",)
    examples = (
        Example(
            "float[2,3,4] x, float[3,1] s",
            "y = PRelu(x, s)",
            "c = Relu(x)  a = Min(x, o)  b = Mul(a, s)  y = Add(c, b)",
        ),
        Example("float[2,3,4,4] x", "y = PRelu(x, s)", None, constants="float[3,1,1] s = {1, 2, 3}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Binary.decode(Reader(node))
        if is_channel_slope(op):
            return NOT_HERE
        above = g.op("Max", op.a, g.like(0, op.a)) if op.a.dtype in INTEGERS else g.op("Relu", op.a)
        return [g.op("Add", above, g.op("Mul", g.op("Min", op.a, g.like(0, op.a)), op.b))]


def is_channel_slope(op: Binary) -> bool:
    """Whether PRELU supports the slope on a 4-D image: constant floats, one for all or one per channel."""
    shape, slope = static_shape(op.a), static_shape(op.b)
    if (
        shape is None
        or slope is None
        or len(shape) != 4
        or not op.b.is_initializer()
        or op.a.dtype != ir.DataType.FLOAT
    ):
        return False
    full = (1,) * (4 - len(slope)) + slope
    return full[0] == full[2] == full[3] == 1 and full[1] in (1, shape[1])
