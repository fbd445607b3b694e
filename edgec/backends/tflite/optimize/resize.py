"""1x1 convolutions before resizes instead of after them: both are linear, and there are fewer elements before.

A 1x1 convolution mixes channels, a resize mixes positions, and the weights of a resize add up to 1: the two commute,
including the bias.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.legality.resize import kernel_of
from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.conv import Conv
from edgec.ops.image import Resize
from edgec.ops.shape import Concat
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, producer

_RESIZE, _ADD = 16, 6
"""The cost of XNNPACK's resize and addition per element, relative to a multiply-accumulate of its matrix products."""


class PointwiseBeforeResize(Rule):
    """1x1 Conv(Resize(x)) to more positions -> Resize(Conv(x))."""

    name = "pointwise-before-resize"
    roots = ("Conv",)
    examples = (
        Example(
            "float[1,32,2,2] x",
            'r = Resize<mode = "linear">(x, , s)  y = Conv(r, w)',
            'c = Conv(x, w)  y = Resize<mode = "linear">(c, , s)',
            constants=f"float[4] s = {{1, 1, 2, 2}}, float[1,32,1,1] w = {{{', '.join(['1'] * 32)}}}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Conv.decode(Reader(node))
        weight = constant(op.w)
        resize = _resize(op.x)
        if resize is None or weight is None or not _is_pointwise(op):
            return NOT_HERE
        if _gain(resize, weight.shape[1], weight.shape[0]) <= 0:
            return Miss("it is not less work before the resize", near=False)
        return [_resized(g.op("Conv", resize.x, op.w, op.b), resize, g)]


class PointwiseOfResizes(Rule):
    """1x1 Conv of a Concat with resized parts -> a sum in which those parts are convolved before their resize."""

    name = "pointwise-of-resizes"
    roots = ("Conv",)
    examples = (
        Example(
            "float[1,64,2,2] a, float[1,1,4,4] b",
            'r = Resize<mode = "linear">(a, , s)  c = Concat<axis = 1>(r, b)  y = Conv(c, w)',
            'p = Conv(b, u)  q = Conv(a, v)  r = Resize<mode = "linear">(q, , s)  y = Add(p, r)',
            constants=f"float[4] s = {{1, 1, 2, 2}}, float[1,65,1,1] w = {{{', '.join(['1'] * 65)}}}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Conv.decode(Reader(node))
        weight, joined = constant(op.w), producer(op.x, "Concat")
        if joined is None or weight is None or not _is_pointwise(op) or not only_use(op.x):
            return NOT_HERE
        concat = Concat.decode(Reader(joined))
        shapes = [static_shape(x) for x in concat.xs]
        if concat.axis != 1 or any(s is None for s in shapes):
            return NOT_HERE
        channels = [s[1] for s in shapes if s is not None]
        slices = np.split(weight, np.cumsum(channels)[:-1], axis=1)
        early = [self._early(x, w) for x, w in zip(concat.xs, slices, strict=True)]
        if all(resize is None for resize in early):
            return NOT_HERE
        kept = [i for i, resize in enumerate(early) if resize is None]
        bias, total = op.b, None
        if kept:
            x = concat.xs[kept[0]] if len(kept) == 1 else g.op("Concat", *(concat.xs[i] for i in kept), axis=1)
            total, bias = g.op("Conv", x, g.const(np.concatenate([slices[i] for i in kept], axis=1)), bias), None
        for resize, part in zip(early, slices, strict=True):
            if resize is None:
                continue
            y = _resized(g.op("Conv", resize.x, g.const(np.ascontiguousarray(part)), bias), resize, g)
            total, bias = y if total is None else g.op("Add", total, y), None
        assert total is not None
        return [total]

    def _early(self, x: Value, weight: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Resize | None:
        """The resize that computes a part, if convolving before it is less work, including the addition."""
        resize = _resize(x)
        if resize is None or resize.out_shape is None:
            return None
        added = int(np.prod(resize.out_shape[2:])) * weight.shape[0] * _ADD
        return resize if _gain(resize, weight.shape[1], weight.shape[0]) > added else None


def _is_pointwise(op: Conv) -> bool:
    window = op.window
    plain = all(n == 1 for n in (*window.kernel, *window.strides)) and not window.has_padding
    return plain and op.groups == 1 and op.x.dtype == ir.DataType.FLOAT


def _resize(value: Value) -> Resize | None:
    """The 2-D resize with a builtin kernel that computes the value, if that has only one user."""
    node = producer(value, "Resize")
    if node is None or not only_use(value) or len(static_shape(value) or ()) != 4:
        return None
    op = Resize.decode(Reader(node))
    return op if kernel_of(op, (2, 3)) is not None else None


def _gain(resize: Resize, before: int, after: int) -> int:
    """The work saved by convolving `before` to `after` channels before the resize, in multiply-accumulates."""
    shape, out = static_shape(resize.x), resize.out_shape
    if shape is None or out is None:
        return 0
    small, large = int(np.prod(shape[2:])) * shape[0], int(np.prod(out[2:])) * out[0]
    return (large - small) * before * after - large * (after - before) * _RESIZE


def _resized(y: Value, resize: Resize, g: GraphBuilder) -> Value:
    """The same resize of a value with other channels."""
    assert resize.scales is not None
    assert resize.out_shape is not None
    kept = {k: a.value for k, a in resize.node.attributes.items() if k not in ("axes", "keep_aspect_ratio_policy")}
    sizes, channels = resize.sizes(), (static_shape(y) or ())[1]
    if sizes is None:
        out = g.op("Resize", y, None, g.const(np.asarray(resize.scales, dtype=np.float32)), **kept)
    else:
        out = g.op("Resize", y, None, None, g.ints(sizes[0], channels, *sizes[2:]), **kept)
    out.shape = ir.Shape([resize.out_shape[0], channels, *resize.out_shape[2:]])
    return out
