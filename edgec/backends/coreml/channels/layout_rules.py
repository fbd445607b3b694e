"""Layout rules: which nodes can run on channels-first tokens, and how they are rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.backends.coreml.channels.heads import attention, can_attend
from edgec.backends.coreml.channels.maker import Maker, form, shape_of, tokens
from edgec.backends.coreml.channels.moves import MOVES, can_move
from edgec.backends.coreml.ops import MIL
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.elementwise import ACTIVATIONS, BINARY, UNARY, Clip
from edgec.ops.linear import Gemm
from edgec.ops.norm import LayerNormalization, Softmax
from edgec.ops.reduce import REDUCTIONS, Reduce
from edgec.ops.table import view
from edgec.rules.match import is_wanted, only_use, operands, producer

_GROWS = 1 << 16
"""The most elements of a constant after it is broadcast over the tokens."""


@dataclass(frozen=True)
class LayoutRule:
    """Whether a node can run on channels-first tokens, and the rewrite that computes its outputs there.

    `seeks`: an operator that gains from the layout; the others follow where that saves a transpose.
    """

    can: Callable[[ir.Node], bool]
    make: Callable[[ir.Node, Maker], Sequence[Value]]
    seeks: bool = False


def has_tokens(value: Value | None) -> bool:
    """A float or bool value of static shape with at least two dimensions, none of them empty."""
    if value is None or value.dtype is None or is_constant(value):
        return False
    shape = static_shape(value)
    kind = value.dtype == ir.DataType.FLOAT or value.dtype == ir.DataType.BOOL
    return kind and shape is not None and len(shape) >= 2 and 0 not in shape


def _can_multiply(node: ir.Node) -> bool:
    x, weight = node.inputs[0], node.inputs[1]
    assert weight is not None
    return has_tokens(x) and is_constant(weight) and len(weight.shape or ()) == 2


def _matmul(node: ir.Node, m: Maker) -> Sequence[Value]:
    """x @ W as a 1x1 convolution."""
    x, weight = node.inputs[0], node.inputs[1]
    assert x is not None
    assert weight is not None
    rows, columns = shape_of(weight)
    kernel = m.weight(weight, (columns, rows, 1, 1), lambda w: w.T[:, :, None, None])
    return [m.g.op("Conv", m.x(x), kernel)]


def _can_gemm(node: ir.Node) -> bool:
    op = Gemm.decode(Reader(node))
    bias = None if op.c is None else static_shape(op.c)
    vector = op.c is None or (is_constant(op.c) and bias is not None and prod(bias) in (1, shape_of(op.y)[-1]))
    return _can_multiply(node) and not op.trans_a and vector


def _gemm(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Gemm.decode(Reader(node))
    rows, columns = shape_of(op.b) if op.trans_b else shape_of(op.b)[::-1]

    def kernel(w: Array) -> Array:
        turned = w if op.trans_b else w.T
        scaled = turned if op.alpha == 1 else (turned.astype(np.float64) * op.alpha).astype(w.dtype)
        return scaled[:, :, None, None]

    weight = m.weight(op.b, (rows, columns, 1, 1), kernel)
    if op.c is None:
        return [m.g.op("Conv", m.x(op.a), weight)]
    bias = constant(op.c)
    assert bias is not None
    vector = np.broadcast_to(bias.reshape(-1).astype(np.float64) * op.beta, (rows,)).astype(bias.dtype)
    return [m.g.op("Conv", m.x(op.a), weight, m.g.const(vector, dtype=op.c.dtype))]


def _can_normalize(node: ir.Node) -> bool:
    op = LayerNormalization.decode(Reader(node))
    constants = is_constant(op.scale) and (op.bias is None or is_constant(op.bias))
    return (
        has_tokens(op.x)
        and constants
        and op.axis == len(shape_of(op.x)) - 1
        and not any(is_wanted(out) for out in node.outputs[1:])
    )


def _normalize(node: ir.Node, m: Maker) -> Sequence[Value]:
    """A normalization over the channel axis only; ONNX's normalizes all axes from one on."""
    op = LayerNormalization.decode(Reader(node))
    parameters = [
        m.g.const(_vector(p, shape_of(op.x)[-1]), dtype=p.dtype) for p in (op.scale, op.bias) if p is not None
    ]
    y = m.g.op("LayerNormalization", m.x(op.x), *parameters, domain=MIL, axis=1, epsilon=op.epsilon)
    y.shape, y.type = ir.Shape(form(shape_of(op.x))), op.x.type
    return [y]


def _vector(value: Value, size: int) -> Array:
    array = constant(value)
    assert array is not None
    return np.broadcast_to(array.reshape(-1), (size,))


def _can_softmax(node: ir.Node) -> bool:
    op = Softmax.decode(Reader(node))
    return has_tokens(op.x) and op.axis == len(shape_of(op.x)) - 1


def _softmax(node: ir.Node, m: Maker) -> Sequence[Value]:
    return m.same([m.x(Softmax.decode(Reader(node)).x)], axis=1)


def _can_elementwise(node: ir.Node) -> bool:
    """Whether every operand is a constant, or has all tokens or one, and all channels or one."""
    y = node.outputs[0]
    if not has_tokens(y) or (isinstance(op := view(node), Clip) and not op.is_constant):
        return False
    return any(not is_constant(v) for v in node.inputs) and all(_broadcasts(v, y) for v in node.inputs if v is not None)


def _broadcasts(value: Value, y: Value) -> bool:
    shape = static_shape(value)
    if shape is None:
        return False
    if is_constant(value):
        repeated = prod(shape[:-1]) not in (1, tokens(y)) if shape else False
        return not repeated or tokens(y) * shape[-1] <= _GROWS
    return has_tokens(value) and tokens(value) in (1, tokens(y)) and shape[-1] in (1, shape_of(y)[-1])


def _elementwise(node: ir.Node, m: Maker) -> Sequence[Value]:
    if node.op_type == "Add" and (sum_ := _with_bias(node, m)) is not None:
        return [sum_]
    return m.same([m.operand(v, node.outputs[0]) for v in node.inputs])


def _with_bias(node: ir.Node, m: Maker) -> Value | None:
    """For the sum of a convolution and a constant vector, the convolution with that bias; otherwise None."""
    for value, other in operands(node):
        if not is_constant(other) or is_constant(value) or prod(shape_of(other)) not in (1, shape_of(value)[-1]):
            continue
        conv = producer(m.x(value), "Conv")
        if (
            conv is not None
            and len(conv.inputs) == 2
            and only_use(value)
            and shape_of(value) == shape_of(node.outputs[0])
        ):
            return m.g.op("Conv", *conv.inputs, m.g.const(_vector(other, shape_of(value)[-1]), dtype=other.dtype))
    return None


def _can_reduce(node: ir.Node) -> bool:
    """Whether it reduces the channels of each token, or all tokens."""
    op = Reduce.decode(Reader(node))
    return has_tokens(op.x) and has_tokens(op.y) and _reduced_axes(op) is not None


def _reduced_axes(op: Reduce) -> Ints | None:
    shape = shape_of(op.x)
    last, axes = len(shape) - 1, {a for a in op.axes or () if shape[a] != 1}
    if axes == {last} and op.keepdims:
        return (1,)
    every = {a for a in range(last) if shape[a] != 1}
    return (2, 3) if axes and axes == every and shape_of(op.y)[-1] == shape[-1] else None


def _reduce(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Reduce.decode(Reader(node))
    return [m.g.op(op.kind, m.x(op.x), m.g.ints(*(_reduced_axes(op) or ())), keepdims=1)]


def _can_reshape(node: ir.Node) -> bool:
    x, y = node.inputs[0], node.outputs[0]
    return has_tokens(x) and has_tokens(y) and x is not None and shape_of(x)[-1] == shape_of(y)[-1]


def _reshape(node: ir.Node, m: Maker) -> Sequence[Value]:
    """The order of the tokens does not change."""
    x = node.inputs[0]
    assert x is not None
    return [m.reshape(m.x(x), form(shape_of(node.outputs[0])))]


def _can_move(node: ir.Node) -> bool:
    return all(map(has_tokens, turned_operands(node))) and can_move(node)


_ELEMENTWISE = UNARY | BINARY | ACTIVATIONS | {"Max", "Min", "Where", "Gelu", "Clip", "Cast"}

LAYOUT_RULES: Mapping[str, LayoutRule] = {
    **dict.fromkeys(sorted(_ELEMENTWISE), LayoutRule(_can_elementwise, _elementwise)),
    **dict.fromkeys(sorted(REDUCTIONS), LayoutRule(_can_reduce, _reduce)),
    **dict.fromkeys(("Softmax", "LogSoftmax"), LayoutRule(_can_softmax, _softmax)),
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze"), LayoutRule(_can_reshape, _reshape)),
    **{name: LayoutRule(_can_move, make) for name, make in MOVES.items()},
    "Attention": LayoutRule(can_attend, attention, seeks=True),
    "Gemm": LayoutRule(_can_gemm, _gemm, seeks=True),
    "LayerNormalization": LayoutRule(_can_normalize, _normalize),
    "MatMul": LayoutRule(_can_multiply, _matmul, seeks=True),
}  # fmt: skip
"""Layout rules by operator; operators without one keep their layout."""


def turned_operands(node: ir.Node) -> Iterable[Value]:
    """The inputs that a channels-first node reads in that layout: all that are computed, except masks."""
    inputs = node.inputs[:3] if node.op_type == "Attention" else node.inputs
    return [v for v in inputs if v is not None and not is_constant(v)]


def layout_rule_of(node: ir.Node) -> LayoutRule | None:
    """The node's layout rule, if it has one."""
    found = LAYOUT_RULES.get(node.op_type) if node.domain == "" else None
    return found if found is not None and found.can(node) else None
