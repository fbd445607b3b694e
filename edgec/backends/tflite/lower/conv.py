"""Convolutions on channels-last data."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgec.backends.base import Dim, Lowering, Operand, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import (
    NONE,
    SAME,
    VALID,
    binary,
    constant_like,
    ints,
    out_type,
    pad,
    shape_of,
    transpose,
)
from edgec.backends.tflite.ops import ConvNHWC, ConvTransposeNHWC
from edgec.ir.model import constant
from edgec.ops.base import Value
from edgec.ops.spatial import Window


def _conv(op: ConvNHWC, b: Builder) -> Operand:
    if len(op.window.kernel) == 3:
        return _conv3d(op, b)
    x, padding = pad_input(b, b.operand(op.x), op.window)
    channels = shape_of(op.w)[0]
    common: dict[str, Any] = {"padding": padding, **_plane(op.window), "fusedActivationFunction": NONE}
    common |= {"dilationHFactor": op.window.dilations[0], "dilationWFactor": op.window.dilations[1]}
    bias = _bias(op.b, channels, b)
    if op.is_depthwise and op.groups == x.type.shape[-1]:
        w = _weight(op.w, (1, 2, 3, 0), b)
        common["depthMultiplier"] = channels // op.groups
        return b.op("DEPTHWISE_CONV_2D", {"input": x, "filter": w, "bias": bias}, **common)
    return b.op("CONV_2D", {"input": x, "filter": _weight(op.w, (0, 2, 3, 1), b), "bias": bias}, **common)


def _conv3d(op: ConvNHWC, b: Builder) -> Operand:
    """(N, D, H, W, C) with the weight as (D, H, W, in, out)."""
    x, padding = pad_input(b, b.operand(op.x), op.window)
    inputs = {
        "input": x,
        "filter": _weight(op.w, (2, 3, 4, 1, 0), b),
        "bias": _bias(op.b, shape_of(op.w)[0], b),
    }
    return b.op("CONV_3D", inputs, padding=padding, **_volume(op.window), fusedActivationFunction=NONE)


def _plane(window: Window) -> dict[str, Any]:
    return {"strideH": window.strides[0], "strideW": window.strides[1]}


def _volume(window: Window) -> dict[str, Any]:
    """Strides and dilations for `Conv3DOptions`."""
    s, d = window.strides, window.dilations
    strides: dict[str, Any] = {"strideD": s[0], "strideH": s[1], "strideW": s[2]}
    return {**strides, "dilationDFactor": d[0], "dilationHFactor": d[1], "dilationWFactor": d[2]}


def _weight(value: Value, perm: tuple[int, ...], b: Builder) -> Operand:
    """The weight in the kernel's order: transposed at compile time if it is constant, otherwise at run time."""
    array = constant(value)
    if array is None:
        return transpose(b, b.operand(value), perm)
    return constant_like(b, np.transpose(array, perm), value)


def _bias(value: Value | None, channels: int, b: Builder) -> Operand:
    """The bias, or zeros: kernels and delegates require one."""
    return b.const(np.zeros(channels, np.float32), "zero_bias") if value is None else b.operand(value)


def pad_input(b: Builder, x: Operand, window: Window) -> tuple[Operand, int]:
    """The input and the builtin padding: SAME if it equals the window's, otherwise VALID after an explicit PAD.

    XNNPACK fuses the PAD into the following convolution.
    """
    if not window.has_padding:
        return x, VALID
    if is_same(x.type.shape[1:-1], window):
        return x, SAME
    pads = [(0, 0), *zip(window.pads_begin, window.pads_end, strict=True), (0, 0)]
    return pad(b, x, pads), VALID


def is_same(spatial: tuple[Dim, ...], window: Window) -> bool:
    """Whether it is TFLite's SAME (ceil(in / stride) outputs, odd padding at the end); an open size needs stride 1."""
    for size, extent, s, p, q in zip(
        spatial, window.extent, window.strides, window.pads_begin, window.pads_end, strict=True
    ):
        if s != 1 and not isinstance(size, int):
            return False
        total = extent - 1 if not isinstance(size, int) else max(0, (-(-size // s) - 1) * s + extent - size)
        if (p, q) != (total // 2, total - total // 2):
            return False
    return True


def _conv_transpose(op: ConvTransposeNHWC, b: Builder) -> Operand:
    """VALID computes every output; padding is then cropped, and output padding adds elements that are only bias."""
    window, shape = op.window, shape_of(op.x)
    channels = shape_of(op.w)[1]
    more = [k - s + max(0, o - q) for k, s, o, q in _ends(op)]
    wanted = [s * size + m if size != -1 else -1 for size, s, m in zip(shape[1:-1], window.strides, more, strict=True)]
    dims = (shape[0], *wanted, channels)
    out = TensorType("float32", tuple("?" if d == -1 else d for d in dims))
    flat = len(window.kernel) == 2
    inputs: dict[str, Operand] = {
        "output_shape": _enlarged(b, b.operand(op.x), channels, window, more)
        if -1 in dims
        else ints(b, dims, "output_shape"),
        "filter": _weight(op.w, (1, 2, 3, 0) if flat else (2, 3, 4, 1, 0), b),
        "input": b.operand(op.x),
        "bias": _bias(op.b, channels, b),
    }
    opcode, strides = ("TRANSPOSE_CONV", _plane(window)) if flat else ("CONV_3D_TRANSPOSE", _volume(window))
    y = b.op(opcode, inputs, out, padding=VALID, **strides, fusedActivationFunction=NONE)
    target = out_type(op.y)
    if target.shape == dims and not any(window.pads_begin):
        return y
    begin = (0, *window.pads_begin, 0)
    if -1 in dims:
        return _cropped(b, y, begin, (0, *(max(0, q - o) for _, _, o, q in _ends(op)), 0), target)
    return b.op(
        "SLICE", {"input": y, "begin": ints(b, begin, "begin"), "size": ints(b, shape_of(op.y), "size")}, target
    )


def _ends(op: ConvTransposeNHWC) -> list[tuple[int, int, int, int]]:
    """Kernel, stride, output padding and padding at the end of each dimension."""
    w = op.window
    return list(zip(w.kernel, w.strides, op.output_padding, w.pads_end, strict=True))


def _enlarged(b: Builder, x: Operand, channels: int, window: Window, more: list[int]) -> Operand:
    """The shape of all outputs, computed at run time: sizes times strides, plus `more`."""
    rank = len(x.type.shape)
    kind = TensorType("int32", (rank,))
    shape = b.op("SHAPE", {"input": x}, kind, outType=2)
    wide = binary(b, "MUL", shape, ints(b, (1, *window.strides, 0), "strides"), kind)
    return binary(b, "ADD", wide, ints(b, (0, *more, channels), "more"), kind)


def _cropped(b: Builder, x: Operand, begin: tuple[int, ...], end: tuple[int, ...], out: TensorType) -> Operand:
    """Crop this many elements at the begin and the end of each dimension."""
    if not any(begin) and not any(end):
        return x
    whole = sum(1 << i for i, size in enumerate(end) if not size)
    inputs = {
        "input": x,
        "begin": ints(b, begin, "begin"),
        "end": ints(b, [-size for size in end], "end"),
        "strides": ints(b, [1] * len(begin), "strides"),
    }
    masks = {"beginMask": 0, "endMask": whole, "ellipsisMask": 0, "newAxisMask": 0, "shrinkAxisMask": 0}
    return b.op("STRIDED_SLICE", inputs, out, **masks, offset=False)


LOWERINGS = (
    Lowering(ConvNHWC, _conv),
    Lowering(ConvTransposeNHWC, _conv_transpose),
)
