"""Convolutions on channels-last data."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgec.backends.base import Const, Lowering, Operand, Reject, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import (
    NONE,
    SAME,
    VALID,
    constant_like,
    dtype_reject,
    ints,
    out_type,
    static_reject,
)
from edgec.backends.tflite.ops import ConvNHWC, ConvTransposeNHWC
from edgec.ir.model import constant, static_shape
from edgec.ops.spatial import Window
from edgec.spec.target import Target


def _rejects_conv(op: ConvNHWC, target: Target) -> Reject | None:
    shape = static_shape(op.x)
    if shape is not None and len(shape) not in (4, 5):
        return Reject(f"conv-rank-{len(shape)}", "convolutions have one to three spatial dimensions")
    if constant(op.w) is None or (op.b is not None and constant(op.b) is None):
        return Reject("conv-computed-weight", "the weight or bias is computed by the model")
    if shape is not None and len(shape) == 5 and op.groups != 1:
        return Reject("conv3d-groups", "CONV_3D has no groups")
    return dtype_reject(op, [op.x], ("float32",), "conv") or static_reject([op.x, op.y], "conv")


def _conv(op: ConvNHWC, b: Builder) -> Operand:
    weight = constant(op.w)
    assert weight is not None
    if weight.ndim == 5:
        return _conv3d(op, weight, b)
    x, padding = pad_input(b, b.operand(op.x), op.window)
    common: dict[str, Any] = {
        "padding": padding,
        "strideH": op.window.strides[0],
        "strideW": op.window.strides[1],
        "dilationHFactor": op.window.dilations[0],
        "dilationWFactor": op.window.dilations[1],
        "fusedActivationFunction": NONE,
    }
    bias = _bias(op.b, weight.shape[0], b)
    if op.is_depthwise and op.groups == x.type.shape[-1]:
        w = constant_like(b, np.ascontiguousarray(np.transpose(weight, (1, 2, 3, 0))), op.w)
        multiplier = weight.shape[0] // op.groups
        return b.op("DEPTHWISE_CONV_2D", {"input": x, "filter": w, "bias": bias}, depthMultiplier=multiplier, **common)
    w = constant_like(b, np.ascontiguousarray(np.transpose(weight, (0, 2, 3, 1))), op.w)
    return b.op("CONV_2D", {"input": x, "filter": w, "bias": bias}, **common)


def _conv3d(op: ConvNHWC, weight: np.ndarray[tuple[int, ...], np.dtype[np.generic]], b: Builder) -> Operand:
    """(N, D, H, W, C) with the weight as (D, H, W, in, out)."""
    x, padding = pad_input(b, b.operand(op.x), op.window)
    w = constant_like(b, np.ascontiguousarray(np.transpose(weight, (2, 3, 4, 1, 0))), op.w)
    s, d = op.window.strides, op.window.dilations
    return b.op(
        "CONV_3D",
        {"input": x, "filter": w, "bias": _bias(op.b, weight.shape[0], b)},
        padding=padding,
        strideD=s[0],
        strideH=s[1],
        strideW=s[2],
        dilationDFactor=d[0],
        dilationHFactor=d[1],
        dilationWFactor=d[2],
        fusedActivationFunction=NONE,
    )


def _bias(value: object, channels: int, b: Builder) -> Const:
    """Kernels and delegates want a bias always."""
    array = constant(value)  # type: ignore[arg-type]
    return b.const(np.zeros(channels, np.float32), "zero_bias") if array is None else constant_like(b, array, value)  # type: ignore[arg-type]


def pad_input(b: Builder, x: Operand, window: Window, fill: float = 0.0) -> tuple[Operand, int]:
    """The input and the builtin padding: SAME where it is exactly the window's, else VALID after an explicit PAD."""
    if not window.has_padding:
        return x, VALID
    spatial = [d if isinstance(d, int) else 0 for d in x.type.shape[1:-1]]
    if _is_same(spatial, window):
        return x, SAME
    pads = [(0, 0), *zip(window.pads_begin, window.pads_end, strict=True), (0, 0)]
    shape = tuple(d + p + q if isinstance(d, int) else d for d, (p, q) in zip(x.type.shape, pads, strict=True))
    table = b.const(np.asarray(pads, dtype=np.int32), "paddings")
    out = TensorType(x.type.dtype, shape)
    if fill == 0.0:
        return b.op("PAD", {"input": x, "paddings": table}, out), VALID
    value = b.const(np.asarray(fill, dtype=x.type.dtype), "fill")
    return b.op("PADV2", {"input": x, "paddings": table, "value": value}, out), VALID


def _is_same(spatial: list[int], window: Window) -> bool:
    """TFLite's SAME: ceil(in / stride) outputs, the odd padding element at the end."""
    for size, extent, s, p, q in zip(
        spatial, window.extent, window.strides, window.pads_begin, window.pads_end, strict=True
    ):
        total = max(0, (-(-size // s) - 1) * s + extent - size)
        if (p, q) != (total // 2, total - total // 2):
            return False
    return True


def _rejects_transpose(op: ConvTransposeNHWC, target: Target) -> Reject | None:
    if len(static_shape(op.x) or ()) != 4:
        return Reject("conv-transpose-rank", "TRANSPOSE_CONV has two spatial dimensions")
    if any(d != 1 for d in op.window.dilations):
        return Reject("conv-transpose-dilation", "TRANSPOSE_CONV has no dilation")
    if constant(op.w) is None or (op.b is not None and constant(op.b) is None):
        return Reject("conv-transpose-computed-weight", "the weight or bias is computed by the model")
    if op.groups != 1:
        return Reject("conv-transpose-groups", "TRANSPOSE_CONV has no groups")
    return dtype_reject(op, [op.x], ("float32",), "conv-transpose") or static_reject([op.x, op.y], "conv-transpose")


def _conv_transpose(op: ConvTransposeNHWC, b: Builder) -> Operand:
    """VALID computes every output; padding is then a crop, and output padding an enlargement with the bias alone."""
    x, weight, window = b.operand(op.x), constant(op.w), op.window
    assert weight is not None
    shape = static_shape(op.x)
    assert shape is not None
    w = constant_like(b, np.ascontiguousarray(np.transpose(weight, (1, 2, 3, 0))), op.w)
    full = [s * (size - 1) + k for size, s, k in zip(shape[1:3], window.strides, window.kernel, strict=True)]
    wanted = [f + max(0, o - q) for f, o, q in zip(full, op.output_padding, window.pads_end, strict=True)]
    channels = weight.shape[1]
    out = TensorType("float32", (shape[0], wanted[0], wanted[1], channels))
    inputs = {"output_shape": ints(b, out.shape, "output_shape"), "filter": w, "input": x}  # type: ignore[arg-type]
    inputs["bias"] = _bias(op.b, channels, b)
    y: Operand = b.op(
        "TRANSPOSE_CONV",
        inputs,
        out,
        padding=VALID,
        strideH=window.strides[0],
        strideW=window.strides[1],
        fusedActivationFunction=NONE,
    )
    target = out_type(op.y)
    if target.shape == out.shape and not any(window.pads_begin):
        return y
    begin = (0, *window.pads_begin, 0)
    size = [d if isinstance(d, int) else -1 for d in target.shape]
    return b.op("SLICE", {"input": y, "begin": ints(b, begin, "begin"), "size": ints(b, size, "size")}, target)


LOWERINGS = (
    Lowering(ConvNHWC, _rejects_conv, _conv),
    Lowering(ConvTransposeNHWC, _rejects_transpose, _conv_transpose),
)
