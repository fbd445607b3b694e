"""Convolutions and pools."""

from __future__ import annotations

import numpy as np

from edgec.backends.base import Lowering, Operand, TensorType
from edgec.backends.coreml.lower.common import MilBuilder, cast, shape_of, type_of
from edgec.ir.model import constant
from edgec.ops.base import Value
from edgec.ops.conv import Conv, ConvTranspose
from edgec.ops.pool import AveragePool, MaxPool
from edgec.ops.spatial import Window, rounded_up


def _pads(window: Window) -> tuple[int, ...]:
    """Padding in MIL's order: begin and end of each dimension in turn."""
    pairs = zip(window.pads_begin, window.pads_end, strict=True)
    return tuple(p for pair in pairs for p in pair)


def _conv(op: Conv, b: MilBuilder) -> Operand:
    return b.emit(
        "conv",
        type_of(op.y),
        x=b.operand(op.x),
        weight=b.operand(op.w),
        bias=None if op.b is None else b.operand(op.b),
        strides=op.window.strides,
        pad_type="custom",
        pad=_pads(op.window),
        dilations=op.window.dilations,
        groups=op.groups,
    )


def _conv_transpose(op: ConvTranspose, b: MilBuilder) -> Operand:
    """Output padding reduces the end padding; if that does not suffice, zeros are appended before the bias."""
    window = op.window
    ends = tuple(q - o for q, o in zip(window.pads_end, op.output_padding, strict=True))
    missing = tuple(max(0, -e) for e in ends)
    kept = Window(window.kernel, window.strides, window.dilations, window.pads_begin, tuple(max(0, e) for e in ends))
    out = type_of(op.y)
    dims = tuple(
        d - m if isinstance(d, int) else d if not m else "?" for d, m in zip(out.shape[2:], missing, strict=True)
    )
    partial = TensorType(out.dtype, (*out.shape[:2], *dims))
    bias = None if op.b is None else b.operand(op.b)
    y = b.emit(
        "conv_transpose",
        partial,
        x=b.operand(op.x),
        weight=b.operand(op.w),
        bias=None if any(missing) else bias,
        strides=window.strides,
        pad_type="custom",
        pad=_pads(kept),
        dilations=window.dilations,
        groups=op.groups,
    )
    if not any(missing):
        return y
    pads = tuple(p for m in missing for p in (0, m))
    y = b.emit("pad", out, x=y, pad=(0, 0, 0, 0, *pads), mode="constant", constant_val=0.0)
    return y if op.b is None else b.emit("add", out, x=y, y=_per_channel(b, op.b, len(out.shape)))


def _per_channel(b: MilBuilder, value: Value, rank: int) -> Operand:
    array = constant(value)
    assert array is not None
    return b.const(array.reshape(1, -1, *(1,) * (rank - 2)), "bias")


def _with_overhang(op: MaxPool | AveragePool) -> Window:
    """The window, with end padding extended for ceil_mode's last windows."""
    x, y, w = shape_of(op.x)[2:], shape_of(op.y)[2:], op.window
    if op.ceil_mode and -1 in (*x, *y):
        return rounded_up(w)
    ends = []
    for size, out, extent, s, p, q in zip(x, y, w.extent, w.strides, w.pads_begin, w.pads_end, strict=True):
        ends.append(max(q, (out - 1) * s + extent - size - p) if op.ceil_mode else q)
    return Window(w.kernel, w.strides, w.dilations, w.pads_begin, tuple(ends))


def _max_pool(op: MaxPool, b: MilBuilder) -> Operand:
    """8-bit integers are exact in float32."""
    window, out = _with_overhang(op), type_of(op.y)
    integers = out.dtype == "int32"
    y = b.emit(
        "max_pool",
        TensorType("float32", out.shape) if integers else out,
        x=cast(b, b.operand(op.x), "float32") if integers else b.operand(op.x),
        kernel_sizes=window.kernel,
        strides=window.strides,
        pad_type="custom",
        pad=_pads(window),
    )
    return cast(b, y, out.dtype)


def _average_pool(op: AveragePool, b: MilBuilder) -> Operand:
    """With ceil_mode and counted padding the divisor varies by window: a constant factor corrects it."""
    window, out = _with_overhang(op), type_of(op.y)
    y = b.emit(
        "avg_pool",
        out,
        x=b.operand(op.x),
        kernel_sizes=window.kernel,
        strides=window.strides,
        pad_type="custom",
        pad=_pads(window),
        exclude_padding_from_average=not op.count_include_pad,
    )
    if not op.count_include_pad or window.pads_end == op.window.pads_end:
        return y
    factor = np.prod(window.kernel) / _counted(op)
    return b.emit("mul", out, x=y, y=b.const(factor.astype(out.dtype), "divisor"))


def _counted(op: AveragePool) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The number of elements of the input and its explicit padding in each window, (1, 1, spatial…)."""
    x, y, w = shape_of(op.x)[2:], shape_of(op.y)[2:], op.window
    counts = np.ones((1,) * (len(x) + 2))
    for i, (size, out) in enumerate(zip(x, y, strict=True)):
        start = np.arange(out) * w.strides[i]
        stop = np.minimum(start + w.kernel[i], size + w.pads_begin[i] + w.pads_end[i])
        counts = counts * (stop - start).reshape([-1 if j == i + 2 else 1 for j in range(len(x) + 2)])
    return counts


LOWERINGS = (
    Lowering(Conv, _conv),
    Lowering(ConvTranspose, _conv_transpose),
    Lowering(MaxPool, _max_pool),
    Lowering(AveragePool, _average_pool),
)
