"""Normalizations as single MIL operations, so that squares and sums are internal to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.norm import GroupNormalization, RMSNormalization
from edgec.ops.reduce import Reduce
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.fuse.normalization import standardized
from edgec.rules.match import producer, scalar


class RMSNormToLayerNorm(Rule):
    """RMSNormalization(x) -> the first half of LayerNormalization([x, -x]).

    The mean of x and -x is 0 and their variance is the mean of x², so that the two are equal; written out, x² overflows
    float16 from 256 on. (Apple, "On Device Llama 3.1 with Core ML", 2024.)
    """

    name = "rms-norm-to-layer-norm"
    roots = ("RMSNormalization",)
    examples = (
        Example(
            "float[2,3] x",
            "y = RMSNormalization<epsilon = 0.01>(x, s)",
            "n = Neg(x)  d = Concat<axis = 1>(x, n)  l = LayerNormalization<axis = 1, epsilon = 0.01>(d, s2, b)  "
            "y = Slice(l, start, end, axes)",
            constants="float[3] s = {1, 2, 3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = RMSNormalization.decode(Reader(node))
        scale, tail = constant(op.scale), _tail(op.x, op.axis)
        if scale is None or tail is None:
            return Miss("the scale or the row size is unknown")
        return [_root_mean_square(op.x, np.broadcast_to(scale, tail).astype(np.float32), op.axis, op.epsilon, g)]


class WrittenNormToLayerNorm(Rule):
    """x / Sqrt(mean(x²) + eps) or (x - mean) / Sqrt(variance + eps) -> LayerNormalization without scale and bias."""

    name = "written-norm-to-layer-norm"
    roots = ("Div", "Mul")
    examples = (
        Example(
            "float[2,3] x",
            "m = ReduceMean<keepdims = 1>(x, a)  c = Sub(x, m)  p = Mul(c, c)  v = ReduceMean<keepdims = 1>(p, a)  "
            "e = Add(v, eps)  r = Sqrt(e)  y = Div(c, r)",
            "y = LayerNormalization<axis = 1, epsilon = 0.01>(x, s, b)",
            constants="int64[1] a = {-1}, float eps = {0.01}",
        ),
        Example(
            "float[2,3] x",
            "p = Mul(x, x)  v = ReduceMean<keepdims = 1>(p, a)  e = Add(v, eps)  r = Sqrt(e)  y = Div(x, r)",
            "n = Neg(x)  d = Concat<axis = 1>(x, n)  l = LayerNormalization<axis = 1, epsilon = 0.01>(d, s, b)  "
            "y = Slice(l, start, end, axes)",
            constants="int64[1] a = {-1}, float eps = {0.01}",
        ),
        Example(
            "float[2,3] x",
            "p = Mul(x, x)  v = ReduceMean<keepdims = 1>(p, a)  r = Sqrt(v)  y = Div(x, r)",
            None,
            constants="int64[1] a = {-1}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        core = standardized(node.outputs[0])
        if core is None:
            return NOT_HERE
        tail = _tail(core.x, core.axis)
        if tail is None:
            return Miss("the size of a row is not known")
        ones = np.ones(tail, np.float32)
        if core.centred:
            return [_layer_norm(core.x, ones, core.axis, core.epsilon, g)]
        return [_root_mean_square(core.x, ones, core.axis, core.epsilon, g)]


class UnitNormToLayerNorm(Rule):
    """x / max(‖x‖, eps) over the last axis -> the first half of LayerNormalization([x, -x]) / sqrt(size).

    Only if eps is so small that float16 rounds it to 0 (1e-12 in F.normalize).
    """

    name = "unit-norm-to-layer-norm"
    roots = ("Div",)
    examples = (
        Example(
            "float[2,3] x",
            "p = Mul(x, x)  v = ReduceSum<keepdims = 1>(p, a)  r = Sqrt(v)  c = Clip(r, eps)  y = Div(x, c)",
            "n = Neg(x)  d = Concat<axis = 1>(x, n)  l = LayerNormalization<axis = 1, epsilon = 3e-25>(d, s, b)  "
            "y = Slice(l, start, end, axes)",
            constants="int64[1] a = {1}, float eps = {1e-12}",
        ),
        Example(
            "float[2,3] x",
            "p = Mul(x, x)  v = ReduceSum<keepdims = 1>(p, a)  r = Sqrt(v)  c = Add(r, eps)  y = Div(x, c)",
            None,
            constants="int64[1] a = {1}, float eps = {0.01}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x, divisor = node.inputs[:2]
        found = None if divisor is None else _length(divisor)
        if x is None or found is None or found.x is not x:
            return NOT_HERE
        tail = _tail(x, len(x.shape or ()) - 1)
        if tail is None:
            return Miss("the size of a row is not known")
        scale = np.full(tail, tail[-1] ** -0.5, np.float32)
        return [_root_mean_square(x, scale, len(x.shape or ()) - 1, found.least**2 / tail[-1], g)]


@dataclass(frozen=True)
class _Length:
    """The length of the rows of `x`, at least `least`."""

    x: Value
    least: float


_UNSEEN = 2.0**-25
"""float16 rounds smaller values to 0."""


def _length(divisor: Value) -> _Length | None:
    """Recognize max(sqrt(sum(x²)), eps), clipped or added."""
    expand = producer(divisor, "Expand")
    floor = divisor.producer() if expand is None or expand.inputs[0] is None else expand.inputs[0].producer()
    if floor is None or floor.domain or floor.op_type not in ("Add", "Clip", "Max"):
        return None
    if floor.op_type == "Clip" and len(floor.inputs) > 2 and floor.inputs[2] is not None:
        return None
    pairs = ((floor.inputs[0], floor.inputs[1]), (floor.inputs[1], floor.inputs[0]))
    for length, least in pairs[: 1 if floor.op_type == "Clip" else 2]:
        root, number = producer(length, "Sqrt"), scalar(least)
        total = None if root is None else producer(root.inputs[0], "ReduceSum")
        square = None if total is None else producer(total.inputs[0], "Mul")
        if total is None or square is None or number is None or not 0 < number < _UNSEEN:
            continue
        x = square.inputs[0]
        if x is not None and square.inputs[1] is x and _is_of_rows(total):
            return _Length(x, number)
    return None


def _is_of_rows(node: ir.Node) -> bool:
    op = Reduce.decode(Reader(node))
    return op.keepdims and op.axes is not None and tuple(op.axes) == (Reader(node).rank(op.x) - 1,)


class GroupNormToInstanceNorm(Rule):
    """GroupNormalization(x) -> InstanceNormalization of the groups as channels, then scale and bias of each channel."""

    name = "group-norm-to-instance-norm"
    roots = ("GroupNormalization",)
    examples = (
        Example(
            "float[1,4,3,3] x",
            "y = GroupNormalization<num_groups = 2>(x, s, b)",
            "f = Reshape(x, u)  n = InstanceNormalization(f, one, zero)  h = Reshape(n, w)  k = Reshape(s, p)  "
            "l = Reshape(b, p)  m = Mul(h, k)  y = Add(m, l)",
            constants="float[4] s = {1, 2, 3, 4}, float[4] b = {0.5, 0, -1, 1}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = GroupNormalization.decode(Reader(node))
        shape = static_shape(op.x)
        if shape is None or 0 in shape:
            return Miss("the shape is not static")
        n, c = shape[:2]
        flat = g.op("Reshape", op.x, g.ints(n, op.groups, -1))
        ones, zeros = (g.const(np.full(op.groups, v, np.float32)) for v in (1.0, 0.0))
        normal = g.op("InstanceNormalization", flat, ones, zeros, epsilon=op.epsilon)
        per_channel = g.ints(c, *(1,) * (len(shape) - 2))
        scale, bias = (g.op("Reshape", v, per_channel) for v in (op.scale, op.bias))
        return [g.op("Add", g.op("Mul", g.op("Reshape", normal, g.ints(*shape)), scale), bias)]


def _tail(x: Value, axis: int) -> tuple[int, ...] | None:
    """The sizes from `axis` on if all are static and not 0, otherwise None."""
    sizes = () if x.shape is None else tuple(d for d in tuple(x.shape)[axis:] if isinstance(d, int))
    return sizes if sizes and len(sizes) == len(x.shape or ()) - axis and 0 not in sizes else None


def _layer_norm(x: Value, scale: NDArray[np.float32], axis: int, epsilon: float, g: GraphBuilder) -> Value:
    bias = g.const(np.zeros(scale.shape, np.float32))
    return g.op("LayerNormalization", x, g.const(scale), bias, axis=axis, epsilon=epsilon)


def _root_mean_square(x: Value, scale: NDArray[np.float32], axis: int, epsilon: float, g: GraphBuilder) -> Value:
    """x / sqrt(mean(x²) + epsilon) * scale."""
    last, size = len(x.shape or ()) - 1, scale.shape[-1]
    both = g.op("Concat", x, g.op("Neg", x), axis=last)
    normal = _layer_norm(both, np.concatenate([scale, scale], -1), axis, epsilon, g)
    return g.op("Slice", normal, g.ints(0), g.ints(size), g.ints(last))
