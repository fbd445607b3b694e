"""Pools that TFLite's two-dimensional kernels do not support: more dimensions, dilation, indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.backends.tflite.expand.limits import limits
from edgec.backends.tflite.pool_windows import covered, with_overhang
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.spatial import Window
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

Pool = MaxPool | AveragePool


def decode_pool(node: ir.Node) -> Pool:
    """The view of a MaxPool or an AveragePool."""
    return MaxPool.decode(Reader(node)) if node.op_type == "MaxPool" else AveragePool.decode(Reader(node))


class PoolByAxes(Rule):
    """MaxPool or AveragePool over three or more dimensions -> one over the last two, then one over the rest.

    Maxima are separable; so are averages, since each window's divisor is a product of one count per axis.
    """

    name = "pool-by-axes"
    roots = ("MaxPool", "AveragePool")
    examples = (
        Example(
            "float[1,2,4,4,4] x",
            "y = MaxPool<kernel_shape = [2,2,2], strides = [2,2,2]>(x)",
            "a = Reshape(x, s)  b = MaxPool<kernel_shape = [2,2]>(a)  "
            "c = Reshape(b, s)  d = MaxPool<kernel_shape = [2,1]>(c)  y = Reshape(d, s)",
        ),
        Example("float[1,2,4,4] x", "y = MaxPool<kernel_shape = [2,2]>(x)", None),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = decode_pool(node)
        shape, out = static_shape(op.x), static_shape(op.y)
        if shape is None or out is None or len(op.window.kernel) < 3 or _is_general(op):
            return NOT_HERE
        batch, channels, *outer = shape[:-2]
        planes = g.op("Reshape", op.x, g.ints(batch, channels * int(np.prod(outer)), *shape[-2:]))
        inner = _partial(op, planes, slice(-2, None), g)
        flat = int(np.prod(out[-2:]))
        rest = g.op("Reshape", inner, g.ints(batch, channels, *outer, flat))
        pooled = _partial(op, rest, slice(0, -2), g)
        return [g.op("Reshape", pooled, g.ints(*out))]


def _is_general(op: Pool) -> bool:
    """Whether `PoolToSlices` is the rule that rewrites it."""
    return any(d != 1 for d in op.window.dilations) or (isinstance(op, MaxPool) and op.has_indices)


def _partial(op: Pool, x: Value, axes: slice, g: GraphBuilder) -> Value:
    """The pool over some of its dimensions; over the outer ones, the inner dimensions are flattened (kernel 1)."""
    w, idle = op.window, axes.start == 0

    def of(values: Ints, neutral: int) -> list[int]:
        return [*values[axes], neutral] if idle else list(values[axes])

    attributes: dict[str, Any] = {
        "kernel_shape": of(w.kernel, 1),
        "strides": of(w.strides, 1),
        "pads": [*of(w.pads_begin, 0), *of(w.pads_end, 0)],
        "ceil_mode": int(op.ceil_mode),
    }
    if isinstance(op, AveragePool):
        attributes["count_include_pad"] = int(op.count_include_pad)
    return g.op(op.node.op_type, x, **attributes)


class PoolToSlices(Rule):
    """A dilated pool, or a MaxPool with indices -> the maximum or mean of one strided slice per kernel element."""

    name = "pool-to-slices"
    roots = ("MaxPool", "AveragePool")
    examples = (
        Example(
            "float[1,2,6,6] x",
            "y = MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>(x)",
            "t = Slice(x, c, d, e, f)  z = Slice(x, g, h, p, q)  v = Max(t, z)  o = Slice(v, r, s, w, c0)  "
            "k = Slice(v, c1, c2, c3, c4)  y = Max(o, k)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = decode_pool(node)
        shape, out = static_shape(op.x), static_shape(op.y)
        if not _is_general(op):
            return NOT_HERE
        if shape is None or out is None:
            return Miss("a shape is not static")
        window = with_overhang(op.window, shape[2:], out[2:])
        if isinstance(op, AveragePool):
            return [self._mean(op, window, g)]
        if op.has_indices:
            return self._with_indices(op, window, g)
        lowest = _lowest(op.x, g)
        padded = _padded(op.x, window, lowest, g)
        y = reduce_windows(padded, window, out[2:], lambda a, b: g.op("Max", a, b), g)
        return [y] if len(node.outputs) == 1 else [y, g.op("Identity", y)]

    def _mean(self, op: AveragePool, window: Window, g: GraphBuilder) -> Value:
        shape, out = static_shape(op.x), static_shape(op.y)
        assert shape is not None
        assert out is not None
        padded = _padded(op.x, window, g.like(0, op.x), g)
        total = reduce_windows(padded, window, out[2:], lambda a, b: g.op("Add", a, b), g)
        counted = op.window if op.count_include_pad else None
        divisor = np.ones((1, 1))
        for i in range(len(window.kernel)):
            divisor = np.multiply.outer(divisor, covered(window, counted, i, shape[2 + i], out[2 + i]))
        return g.op("Div", total, g.const(divisor, dtype=op.x.dtype))

    def _with_indices(self, op: MaxPool, window: Window, g: GraphBuilder) -> Replacement:
        """Visit the kernel in row-major order; a later element wins only if it is greater."""
        out = static_shape(op.y)
        assert out is not None
        padded = _padded(op.x, window, _lowest(op.x, g), g)
        places = _flat_places(op, window)
        best, index = None, None
        for offset in np.ndindex(*window.kernel):
            element = _strided(padded, window, out[2:], offset, g)
            place = g.const(np.broadcast_to(places[offset], out).astype(np.int64))
            if best is None or index is None:
                best, index = element, place
                continue
            greater = g.op("Greater", element, best)
            best, index = g.op("Where", greater, element, best), g.op("Where", greater, place, index)
        assert best is not None
        assert index is not None
        return [best, index]


def _lowest(x: Value, g: GraphBuilder) -> Value:
    """The neutral element of the maximum: minus infinity, or the smallest integer."""
    if x.dtype is None or x.dtype.is_floating_point():
        return g.like(-np.inf, x)
    return g.const(np.asarray(limits(x.dtype.numpy())[0]))


def reduce_windows(
    x: Value, window: Window, out: Ints, step: Callable[[Value, Value], Value], g: GraphBuilder
) -> Value:
    """Combine the elements of each window, axis by axis; x is padded already."""
    for axis in range(len(window.kernel)):
        single = _only(window, axis)
        sizes = [*(static_shape(x) or ())[2:]]
        sizes[axis] = out[axis]
        whole = tuple(sizes)
        parts = []
        for k in range(window.kernel[axis]):
            offset = [0] * len(window.kernel)
            offset[axis] = k
            parts.append(_strided(x, single, whole, tuple(offset), g))
        x = parts[0]
        for part in parts[1:]:
            x = step(x, part)
    return x


def _only(window: Window, axis: int) -> Window:
    """The window restricted to one axis."""
    n = len(window.kernel)

    def of(values: Ints) -> Ints:
        return tuple(values[i] if i == axis else 1 for i in range(n))

    return Window(of(window.kernel), of(window.strides), of(window.dilations), (0,) * n, (0,) * n)


def _strided(x: Value, window: Window, out: Ints, offset: Ints, g: GraphBuilder) -> Value:
    """The element at kernel position `offset` of every window."""
    starts = [o * d for o, d in zip(offset, window.dilations, strict=True)]
    ends = [s + (n - 1) * step + 1 for s, n, step in zip(starts, out, window.strides, strict=True)]
    axes = range(2, 2 + len(out))
    return g.op("Slice", x, g.ints(*starts), g.ints(*ends), g.ints(*axes), g.ints(*window.strides))


def _padded(x: Value, window: Window, fill: Value, g: GraphBuilder) -> Value:
    if not window.has_padding:
        return x
    return g.op("Pad", x, g.ints(0, 0, *window.pads_begin, 0, 0, *window.pads_end), fill)


def _flat_places(op: MaxPool, window: Window) -> dict[Ints, NDArray[np.int64]]:
    """For each kernel element, the flat index in x of each window's element there (ONNX MaxPool, Indices)."""
    shape, out = static_shape(op.x), static_shape(op.y)
    assert shape is not None
    assert out is not None
    spatial = shape[2:]
    order: Literal["C", "F"] = "F" if op.column_major_indices else "C"
    planes = np.arange(shape[0] * shape[1]).reshape(shape[0], shape[1], *(1,) * len(spatial)) * int(np.prod(spatial))
    found = {}
    for offset in np.ndindex(*window.kernel):
        rows = [
            np.clip(np.arange(o) * s + k * d - p, 0, size - 1)
            for o, s, k, d, p, size in zip(
                out[2:], window.strides, offset, window.dilations, window.pads_begin, spatial, strict=True
            )
        ]
        grid = tuple(np.meshgrid(*rows, indexing="ij"))
        found[tuple(int(i) for i in offset)] = planes + np.ravel_multi_index(grid, spatial, order=order)
    return found
