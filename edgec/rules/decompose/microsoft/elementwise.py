"""Activations and fused products of `com.microsoft` (ONNX Runtime, docs/ContribOperators.md)."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ops.base import Reader, Value
from edgec.rules.base import Example, Miss, Replacement, Rule

DOMAIN = "com.microsoft"


class MicrosoftGelu(Rule):
    """Gelu(x), BiasGelu(x, b) -> Gelu(x + b); FastGelu(x, b) -> its tanh form; QuickGelu(x) -> x * Sigmoid(alpha x)."""

    name = "microsoft-gelu"
    roots = tuple(f"{DOMAIN}::{op}" for op in ("Gelu", "BiasGelu", "FastGelu", "QuickGelu"))
    examples = (
        Example(
            "float[2,3] x",
            "y = com.microsoft.BiasGelu(x, b)",
            "s = Add(x, b)  y = Gelu(s)",
            constants="float[3] b = {1, -1, 0.5}",
        ),
        Example("float[2,3] x", "y = com.microsoft.FastGelu(x)", 'y = Gelu<approximate = "tanh">(x)'),
        Example("float[2,3] x", "y = com.microsoft.QuickGelu(x)", "a = Mul(x, c)  s = Sigmoid(a)  y = Mul(x, s)"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        if node.op_type == "QuickGelu":
            return [g.op("Mul", x, g.op("Sigmoid", g.op("Mul", x, g.like(r.number("alpha", 1.702), x))))]
        bias = r.optional(1)
        total = x if bias is None else g.op("Add", x, bias)
        return [g.op("Gelu", total, approximate="tanh" if node.op_type == "FastGelu" else None)]


class FusedMatMulToMatMul(Rule):
    """FusedMatMul(a, b; transA, transB, transBatchA, transBatchB, alpha) -> MatMul with Transpose and Mul."""

    name = "fused-matmul-to-matmul"
    roots = (f"{DOMAIN}::FusedMatMul", f"{DOMAIN}::TransposeMatMul")
    examples = (
        Example(
            "float[2,3,4] x, float[2,5,4] z",
            "y = com.microsoft.FusedMatMul<transB = 1, alpha = 0.5>(x, z)",
            "t = Transpose<perm = [0, 2, 1]>(z)  m = MatMul(x, t)  y = Mul(m, c)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        a, b = (_transposed(r, r.input(i), side, g) for i, side in enumerate("AB"))
        product = g.op("MatMul", a, b)
        alpha = r.number("alpha", 1.0)
        return [product if alpha == 1.0 else g.op("Mul", product, g.like(alpha, product))]


def _transposed(r: Reader, x: Value, side: str, g: GraphBuilder) -> Value:
    """`transBatch` moves the first dimension behind the batch dimensions; `trans` then swaps the last two."""
    rank = r.rank(x)
    perm = list(range(rank))
    if r.integer(f"transBatch{side}", 0) and rank > 2:
        perm = [*perm[1:-1], perm[0], perm[-1]]
    if r.integer(f"trans{side}", 0) and rank > 1:
        perm[-2:] = [perm[-1], perm[-2]]
    return x if perm == sorted(perm) else g.op("Transpose", x, perm=perm)


_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_GEMM = ("alpha", "beta", "transA", "transB")
_PARAMETERS = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}
_PLAIN = ("Relu", "Sigmoid", "Tanh", "HardSwish")


class FusedActivation(Rule):
    """FusedConv(x, w, b, z; activation) and FusedGemm -> Conv or Gemm, Add, and the activation."""

    name = "fused-activation"
    roots = (f"{DOMAIN}::FusedConv", f"{DOMAIN}::FusedGemm")
    examples = (
        Example(
            "float[1,2,4,4] x",
            'y = com.microsoft.FusedConv<activation = "Relu">(x, w, b)',
            "c = Conv(x, w, b)  y = Relu(c)",
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1] b = {0.25}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        kind = node.op_type.removeprefix("Fused")
        attributes = {k: node.attributes[k].value for k in (_CONV if kind == "Conv" else _GEMM) if r.has(k)}
        y = g.op(kind, *(r.optional(i) for i in range(min(len(node.inputs), 3))), **attributes)
        if (addend := r.optional(3)) is not None:
            y = g.op("Add", y, addend)
        if kind == "Gemm":
            given = tuple(
                r.number(f"activation_{k}", d) for k, d in (("alpha", 0.01), ("beta", 0.0)) if r.has(f"activation_{k}")
            )
        else:
            given = r.floats("activation_params", ())
        activated = _activate(y, r.string("activation", ""), given, g)
        return Miss("its activation is unknown") if activated is None else [activated]


def _activate(y: Value, name: str, given: tuple[float, ...], g: GraphBuilder) -> Value | None:
    if not name:
        return y
    if name in _PLAIN:
        return g.op(name, y)
    if name == "Clip" and len(given) == 2:
        return g.op("Clip", y, g.like(given[0], y), g.like(given[1], y))
    if name in _PARAMETERS:
        parameters: dict[str, Any] = dict(zip(_PARAMETERS[name], given, strict=False))
        return g.op(name, y, **parameters)
    return None


class MicrosoftToOnnx(Rule):
    """`com.microsoft` operators that ONNX has since adopted -> ONNX's operators of the same names."""

    name = "microsoft-to-onnx"
    roots = tuple(
        f"{DOMAIN}::{op}" for op in ("QuantizeLinear", "DequantizeLinear", "Trilu", "GatherND", "LayerNormalization")
    )
    examples = (
        Example(
            "float[2,3] x",
            "y = com.microsoft.QuantizeLinear(x, s, z)",
            "y = QuantizeLinear(x, s, z)",
            constants="float s = {0.5}, uint8 z = {3}",
            output="uint8",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        attributes = {k: a.value for k, a in node.attributes.items()}
        return g.multi(node.op_type, len(node.outputs), *node.inputs, **attributes)
