"""Fewer elementwise operators around matrix products: constants are folded into the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, producer, scalar

Weight = NDArray[Any]


_LARGEST = 32 << 20
"""Weights above this many bytes are not rewritten, because the source keeps a second copy in memory."""


class AddConstants(Rule):
    """Add(Add(x, a), b) of constants -> Add(x, a + b)."""

    name = "add-constants"
    roots = ("Add",)
    examples = (
        Example(
            "float[2,3] x",
            "h = Add(x, a)  y = Add(h, b)",
            "y = Add(x, c)",
            constants="float[3] a = {1,2,3}, float[3] b = {4,5,6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        outer = _with_constant(node)
        inner = None if outer is None else producer(outer[0], "Add")
        within = None if inner is None else _with_constant(inner)
        if outer is None or within is None or not only_use(outer[0]) or outer[1].dtype != within[1].dtype:
            return NOT_HERE
        if outer[1].dtype != np.float32 or outer[1].ndim > 1 or within[1].ndim > 1:
            return NOT_HERE
        return [g.op("Add", within[0], g.const(outer[1] + within[1]))]


class AffineIntoLinear(Rule):
    """MatMul(x * s + b, w) with constants, if x * s + b is only used by such products -> MatMul(x, s w) + b w."""

    name = "affine-into-linear"
    roots = ("MatMul",)
    examples = (
        Example(
            "float[2,3] x",
            "m = Mul(x, s)  a = Add(m, b)  y = MatMul(a, w)",
            "p = MatMul(x, v)  y = Add(p, c)",
            constants="float[3] s = {1,2,3}, float[3] b = {4,5,6}, float[3,2] w = {1,2,3,4,5,6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        weight = _matrix(node.inputs[1])
        shifted = producer(node.inputs[0], "Add")
        outer = None if shifted is None else _with_constant(shifted)
        shift = None if outer is None else outer[1]
        scaled = producer(node.inputs[0] if outer is None else outer[0], "Mul")
        inner = None if scaled is None else _with_constant(scaled)
        if weight is None or scaled is None or inner is None or not _feeds_linear(node.inputs[0]):
            return NOT_HERE
        if weight.nbytes > _LARGEST:
            return Miss("the weight is large and would be in memory twice")
        x, scale = inner
        if outer is not None and not only_use(outer[0]):
            return NOT_HERE
        if scale.shape != weight.shape[:1] or (shift is not None and shift.shape != weight.shape[:1]):
            return NOT_HERE
        if x.shape is None or not len(x.shape):
            return NOT_HERE
        product = g.op("MatMul", x, g.const(np.asarray(scale[:, None] * weight)))
        return [product if shift is None else g.op("Add", product, g.const(np.asarray(shift @ weight)))]


class ScalarIntoLinear(Rule):
    """A scalar factor after reshapes and transposes of a linear layer -> folded into its weight and bias."""

    name = "scalar-into-linear"
    roots = ("Mul",)
    examples = (
        Example(
            "float[2,3] x",
            "p = MatMul(x, w)  b = Add(p, c)  r = Reshape(b, s)  y = Mul(r, k)",
            "p = MatMul(x, v)  b = Add(p, d)  y = Reshape(b, s)",
            constants="float[3,2] w = {1,2,3,4,5,6}, float[2] c = {1,2}, int64[1] s = {4}, float k = {3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        for value, other in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
            factor = scalar(other)
            chain = _chain_to_linear(value) if factor is not None and value is not None else None
            if (
                factor is None
                or chain is None
                or _is_large(chain[0])
                or static_shape(node.outputs[0]) != static_shape(chain[-1].outputs[0])
            ):
                continue
            return [_scaled(chain, np.float32(factor), g)]
        return NOT_HERE


def _is_large(product: ir.Node) -> bool:
    weight = _matrix(product.inputs[1])
    return weight is not None and weight.nbytes > _LARGEST


def _chain_to_linear(value: Value) -> list[ir.Node] | None:
    """The chain of MatMul by a constant, reshapes, transposes and additions that only the value uses."""
    chain: list[ir.Node] = []
    current: Value | None = value
    while current is not None and only_use(current):
        node = current.producer()
        if node is None or node.domain != "":
            return None
        chain.append(node)
        if node.op_type == "MatMul":
            return chain[::-1] if _matrix(node.inputs[1]) is not None else None
        found = _with_constant(node) if node.op_type == "Add" else None
        if node.op_type not in ("Reshape", "Transpose") and found is None:
            return None
        current = node.inputs[0] if found is None else found[0]
    return None


def _scaled(chain: list[ir.Node], factor: np.float32, g: GraphBuilder) -> Value:
    """Rebuild the chain with its constants multiplied."""
    first = chain[0]
    weight = _matrix(first.inputs[1])
    assert weight is not None
    y = g.op("MatMul", first.inputs[0], g.const(np.asarray(weight * factor)))
    for node in chain[1:]:
        found = _with_constant(node) if node.op_type == "Add" else None
        if found is not None:
            y = g.op("Add", y, g.const(np.asarray(found[1] * factor)))
        else:
            attributes = {name: a.value for name, a in node.attributes.items()}
            y = g.op(node.op_type, y, *node.inputs[1:], **attributes)
    return y


def _matrix(value: Value | None) -> Weight | None:
    """A constant float32 matrix."""
    if value is None or not value.is_initializer() or len(static_shape(value) or ()) != 2:
        return None
    array = constant(value)
    return array if array is not None and array.dtype == np.float32 else None


def _with_constant(node: ir.Node) -> tuple[Value, Weight] | None:
    """The computed and the constant float32 operand of a commutative node."""
    for this, other in ((0, 1), (1, 0)):
        value, fixed = node.inputs[this], node.inputs[other]
        if value is None or fixed is None or not fixed.is_initializer() or value.is_initializer():
            continue
        array = constant(fixed)
        if array is not None and array.dtype == np.float32:
            return value, array
    return None


def _feeds_linear(value: Value | None) -> bool:
    """Whether every user multiplies the value by a constant matrix."""
    if value is None or value.is_graph_output():
        return False
    return all(
        use.node.op_type == "MatMul" and use.idx == 0 and _matrix(use.node.inputs[1]) is not None
        for use in value.uses()
    )


class DivideOnce(Rule):
    """Division by a smaller, broadcast square root (a normalization's) -> multiplication by its reciprocal.

    Other quotients are kept: one that is rounded to an integer must not differ in the last place.
    """

    name = "divide-once"
    roots = ("Div",)
    examples = (
        Example(
            "float[2,3] x, float[2,1] a",
            "q = Mul(a, a)  z = Sqrt(q)  y = Div(x, z)",
            "q = Mul(a, a)  z = Sqrt(q)  r = Reciprocal(z)  y = Mul(x, r)",
        ),
        Example("float[2,3] x, float[2,1] z", "y = Div(x, z)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x, divisor = r.input(0), r.input(1)
        shape, small = static_shape(x), static_shape(divisor)
        if shape is None or small is None or x.dtype != ir.DataType.FLOAT or producer(divisor, "Sqrt") is None:
            return NOT_HERE
        if int(np.prod(small)) * 2 > int(np.prod(shape)) or 0 in shape:
            return NOT_HERE
        return [g.op("Mul", x, g.op("Reciprocal", divisor))]


class PowToMul(Rule):
    """Pow(x, 2) to Pow(x, 8) and Pow(x, 0.5) -> products and Sqrt, which delegates support.

    LiteRT's integer powers saturate at the largest number instead of infinity.
    """

    name = "pow-to-mul"
    roots = ("Pow",)
    examples = (
        Example("float[2,3] x", "y = Pow(x, e)", "s = Mul(x, x)  y = Mul(s, x)", constants="float e = {3}"),
        Example(
            "float[2,3] x", "y = Pow(x, e)", "s = Mul(x, x)  q = Mul(s, s)  y = Mul(q, x)", constants="float e = {5}"
        ),
        Example("float[2,3] x", "y = Pow(x, e)", None, constants="float e = {9}"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x, exponent = Reader(node).input(0), scalar(node.inputs[1])
        if static_shape(node.outputs[0]) != static_shape(x) or x.dtype != ir.DataType.FLOAT:
            return NOT_HERE
        if exponent == 0.5:
            return [g.op("Sqrt", x)]
        if exponent is None or exponent not in range(2, 9):
            return NOT_HERE
        return [_power(x, int(exponent), g)]


def _power(x: Value, n: int, g: GraphBuilder) -> Value:
    """Exponentiation by squaring."""
    if n == 1:
        return x
    half = _power(x, n // 2, g)
    square = g.op("Mul", half, half)
    return g.op("Mul", square, x) if n % 2 else square
