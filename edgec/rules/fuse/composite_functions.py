"""Recognizes functions that exporters write as several operators."""

from __future__ import annotations

import math

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import is_float, is_scalar, operands, producer, scalar, with_scalar


class RecognizeGelu(Rule):
    """0.5 * x * (1 + Erf(x / sqrt(2))), in any order of the factors -> Gelu(x)."""

    name = "recognize-gelu"
    roots = ("Mul",)
    examples = (
        Example(
            "float[2,3] x",
            "d = Div(x, r)  e = Erf(d)  s = Add(e, one)  m = Mul(x, s)  y = Mul(m, half)",
            "y = Gelu(x)",
            constants="float r = {1.4142135}, float one = {1}, float half = {0.5}",
        ),
        Example(
            "float[2,3] x",
            "d = Div(x, r)  e = Erf(d)  s = Add(e, one)  m = Mul(x, s)  y = Mul(m, half)",
            None,
            constants="float r = {1.5}, float one = {1}, float half = {0.5}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        factors = _factors(node)
        half = next((v for v in factors if is_scalar(v, 0.5)), None)
        gate = next((p for v in factors if (p := producer(v, "Add")) is not None and _erf_input(p) is not None), None)
        if len(factors) != 3 or half is None or gate is None:
            return NOT_HERE
        x = _erf_input(gate)
        if not any(v is x for v in factors):
            return Miss("the outer factor is not sqrt(2) times the argument of Erf")
        assert x is not None
        return [g.op("Gelu", x)]


def _factors(node: ir.Node) -> list[ir.Value]:
    """The factors of a product of products, one level down."""
    found: list[ir.Value] = []
    for value in node.inputs:
        inner = producer(value, "Mul")
        if inner is not None:
            found += [v for v in inner.inputs if v is not None]
        elif value is not None:
            found.append(value)
    return found


def _erf_input(add: ir.Node) -> ir.Value | None:
    """x of `1 + Erf(x / sqrt(2))`."""
    erf = producer(with_scalar(add, 1.0), "Erf")
    if erf is None:
        return None
    division, product = producer(erf.inputs[0], "Div"), producer(erf.inputs[0], "Mul")
    if division is not None and is_scalar(division.inputs[1], math.sqrt(2), 1e-5):
        return division.inputs[0]
    return with_scalar(product, math.sqrt(0.5), 1e-5) if product is not None else None


class RecognizeHardSwish(Rule):
    """x * HardSigmoid(x; 1/6, 1/2), or x * Clip(x + 3, 0, 6) / 6 -> HardSwish(x)."""

    name = "recognize-hardswish"
    roots = ("Mul", "Div")
    examples = (
        Example(
            "float[2,3] x",
            "s = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)  y = Mul(x, s)",
            "y = HardSwish(x)",
        ),
        Example(
            "float[2,3] x",
            "a = Add(x, three)  c = Clip(a, zero, six)  m = Mul(x, c)  y = Div(m, six)",
            "y = HardSwish(x)",
            constants="float three = {3}, float zero = {0}, float six = {6}",
        ),
        Example("float[2,3] x", "s = HardSigmoid<alpha = 0.2, beta = 0.5>(x)  y = Mul(x, s)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        if node.op_type == "Div":
            product = producer(node.inputs[0], "Mul") if is_scalar(node.inputs[1], 6.0) else None
            return NOT_HERE if product is None else self._from_clip(product, g, gate_scale=1.0)
        for x, gate in operands(node):
            sigmoid = producer(gate, "HardSigmoid")
            if sigmoid is not None and sigmoid.inputs[0] is x:
                r = Reader(sigmoid)
                if abs(r.number("alpha", 0.2) - 1 / 6) < 1e-6 and r.number("beta", 0.5) == 0.5:
                    return [g.op("HardSwish", x)]
                return Miss("the hard sigmoid's slope is not 1/6")
        return self._from_clip(node, g, gate_scale=6.0)

    def _from_clip(self, product: ir.Node, g: GraphBuilder, gate_scale: float) -> Replacement | Miss:
        """x * Clip(x + 3, 0, 6), the clip divided by `gate_scale`."""
        for x, gate in operands(product):
            inner = gate
            if gate_scale != 1.0:
                division = producer(gate, "Div")
                if division is None or not is_scalar(division.inputs[1], gate_scale) or division.inputs[0] is None:
                    continue
                inner = division.inputs[0]
            if _clip_of_x_plus_3(inner, x):
                return [g.op("HardSwish", x)]
        return NOT_HERE


def _clip_of_x_plus_3(value: ir.Value, x: ir.Value) -> bool:
    clip = producer(value, "Clip")
    if clip is None or len(clip.inputs) < 3 or scalar(clip.inputs[1]) != 0.0 or scalar(clip.inputs[2]) != 6.0:
        return False
    add = producer(clip.inputs[0], "Add")
    return add is not None and with_scalar(add, 3.0) is x


class RecognizeMish(Rule):
    """x * Tanh(Softplus(x)), with Softplus as it is or as Log(1 + Exp(x)) -> Mish(x)."""

    name = "recognize-mish"
    roots = ("Mul",)
    examples = (
        Example("float[2,3] x", "p = Softplus(x)  t = Tanh(p)  y = Mul(x, t)", "y = Mish(x)"),
        Example(
            "float[2,3] x",
            "e = Exp(x)  s = Add(e, one)  p = Log(s)  t = Tanh(p)  y = Mul(t, x)",
            "y = Mish(x)",
            constants="float one = {1}",
        ),
        Example("float[2,3] x, float[2,3] z", "p = Softplus(x)  t = Tanh(p)  y = Mul(z, t)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for x, gate in operands(node):
            tanh = producer(gate, "Tanh")
            argument = None if tanh is None else _softplus_input(tanh.inputs[0])
            if argument is None:
                continue
            return [g.op("Mish", x)] if argument is x else Miss("the outer factor is not the argument of Softplus")
        return NOT_HERE


def _softplus_input(value: ir.Value | None) -> ir.Value | None:
    """x of Softplus(x) or Log(1 + Exp(x))."""
    whole, log = producer(value, "Softplus"), producer(value, "Log")
    if whole is not None:
        return whole.inputs[0]
    add = None if log is None else producer(log.inputs[0], "Add")
    exp = None if add is None else producer(with_scalar(add, 1.0), "Exp")
    return None if exp is None else exp.inputs[0]


class MatMulAddToGemm(Rule):
    """MatMul(x, W) + b on matrices -> Gemm(x, W, b)."""

    name = "matmul-add-to-gemm"
    roots = ("Add",)
    examples = (
        Example(
            "float[2,3] x",
            "m = MatMul(x, w)  y = Add(m, b)",
            "y = Gemm(x, w, b)",
            constants="float[3,2] w = {1, 2, 3, 4, 5, 6}, float[2] b = {1, -1}",
        ),
        Example(
            "float[1,2,3] x",
            "m = MatMul(x, w)  y = Add(m, b)",
            None,
            constants="float[3,2] w = {1, 2, 3, 4, 5, 6}, float[2] b = {1, -1}",
        ),
        Example(
            "int32[2,3] x",
            "m = MatMul(x, w)  y = Add(m, b)",
            None,
            constants="int32[3,2] w = {1, 2, 3, 4, 5, 6}, int32[2] b = {1, -1}",
            output="int32",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for product, bias in operands(node):
            matmul = producer(product, "MatMul")
            if matmul is None:
                continue
            a, b = matmul.inputs[0], matmul.inputs[1]
            if a is None or b is None or Reader(matmul).rank(a) != 2 or Reader(matmul).rank(b) != 2:
                continue
            shape = static_shape(bias)
            if shape is None or len(shape) > 1 or static_shape(product) is None:
                return Miss("the addend is not a vector")
            if not is_float(product):
                return Miss("the product is of integers")
            return [g.op("Gemm", a, b, bias)]
        return NOT_HERE
