"""Pools on channels-last data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgec.backends.base import Lowering, Operand
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import NONE, SAME, VALID, binary, pad, reshape, shape_of
from edgec.backends.tflite.lower.conv import is_same
from edgec.backends.tflite.ops import AveragePoolNHWC, MaxPoolNHWC
from edgec.backends.tflite.pool_windows import covered, with_overhang
from edgec.ir.model import constant
from edgec.ops.base import Value
from edgec.ops.spatial import Window, rounded_up

Counts = NDArray[np.float64]


def _window(op: MaxPoolNHWC | AveragePoolNHWC) -> Window:
    """The window, with end padding extended for ceil_mode's last windows."""
    sizes, outs = shape_of(op.x)[1:3], shape_of(op.y)[1:3]
    if -1 in (*sizes, *outs):
        return rounded_up(op.window) if op.ceil_mode else op.window
    return with_overhang(op.window, sizes, outs)


def _pool(b: Builder, opcode: str, x: Operand, window: Window, padding: int) -> Operand:
    return b.op(
        opcode,
        {"input": x},
        padding=padding,
        strideH=window.strides[0],
        strideW=window.strides[1],
        filterHeight=window.kernel[0],
        filterWidth=window.kernel[1],
        fusedActivationFunction=NONE,
    )


_FEW_CHANNELS = 64
"""XNNPACK pads position by position: below this number of channels, padding two axes as one is twice as fast."""


def _padded(b: Builder, x: Operand, window: Window, fill: float = 0.0) -> tuple[Operand, int]:
    """The input and the builtin padding: SAME if it equals the window's, otherwise VALID after an explicit PAD."""
    if not window.has_padding:
        return x, VALID
    if is_same(x.type.shape[1:-1], window):
        return x, SAME
    rows, columns = zip(window.pads_begin, window.pads_end, strict=True)
    n, h, w, c = x.type.shape
    if not (isinstance(h, int) and isinstance(w, int) and isinstance(c, int) and c < _FEW_CHANNELS):
        return pad(b, x, [(0, 0), rows, columns, (0, 0)], fill), VALID
    flat = reshape(b, x, [n if isinstance(n, int) else -1, h, w * c])
    wide = pad(b, flat, [(0, 0), rows, (columns[0] * c, columns[1] * c)], fill)
    shape = [n if isinstance(n, int) else -1, h + sum(rows), w + sum(columns), c]
    return reshape(b, wide, shape), VALID


def _max_pool(op: MaxPoolNHWC, b: Builder) -> Operand:
    """The kernel's SAME padding never wins; explicit padding is the lowest float, or 0 if the input is non-negative."""
    window = _window(op)
    fill = 0.0 if _is_non_negative(op.x) else float(np.finfo(np.float32).min)
    x, padding = _padded(b, b.operand(op.x), window, fill)
    return _pool(b, "MAX_POOL_2D", x, window, padding)


def _is_non_negative(x: Value) -> bool:
    """Whether the producer's results are non-negative: delegates support PAD with 0, but not PADV2."""
    node = x.producer()
    if node is None:
        return False
    if node.op_type == "Clip":
        low = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return low is not None and float(low.reshape(-1)[0]) >= 0
    return node.op_type in ("Relu", "Sigmoid")


def _average_pool(op: AveragePoolNHWC, b: Builder) -> Operand:
    """The kernel divides by the elements that SAME covers; a constant factor corrects other divisors."""
    window = _window(op)
    x = b.operand(op.x)
    if not window.has_padding:
        return _pool(b, "AVERAGE_POOL_2D", x, window, VALID)
    counts = _divisors(op, window)
    padded, padding = _padded(b, x, window)
    y = _pool(b, "AVERAGE_POOL_2D", padded, window, padding)
    kernel_counts = _covered(op, window) if padding != VALID else np.full(counts.shape, float(np.prod(window.kernel)))
    factor = (kernel_counts / counts).astype(np.float32)
    return y if np.all(factor == 1) else binary(b, "MUL", y, b.const(factor, "divisor"))


def _divisors(op: AveragePoolNHWC, window: Window) -> Counts:
    """The divisors of ONNX, (1, H, W, 1): explicit padding counts on request, the overhang never."""
    return _count(op, window, op.window if op.count_include_pad else None)


def _covered(op: AveragePoolNHWC, window: Window) -> Counts:
    """The number of input elements in each window, (1, H, W, 1)."""
    return _count(op, window, None)


def _count(op: AveragePoolNHWC, window: Window, padding: Window | None) -> Counts:
    """The number of elements of the input and of `padding` in each window: an outer product of rows and columns."""
    x, y = shape_of(op.x), shape_of(op.y)
    rows, columns = (covered(window, padding, i, x[1 + i], y[1 + i]) for i in range(2))
    return np.asarray((rows[:, None] * columns[None, :])[None, :, :, None], dtype=np.float64)


LOWERINGS = (
    Lowering(MaxPoolNHWC, _max_pool),
    Lowering(AveragePoolNHWC, _average_pool),
)
