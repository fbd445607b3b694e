"""Convolution, its transpose, and the experimental quantized form."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil import kernels
from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import along, integer, integers
from edgec.runners.mil.ops.padding import Window, resolve_padding
from edgec.runners.mil.ops.table import Table, computed


def _conv(
    x: Array,
    weight: Array,
    *,
    bias: Array | None = None,
    strides: Array | None = None,
    pad_type: str = "valid",
    pad: Array | None = None,
    dilations: Array | None = None,
    groups: Array | int = 1,
) -> Array:
    """x [n, C_in, spatial], weight [C_out, C_in / groups, kernel]. Accumulates in float32."""
    rank = x.ndim - 2
    window = Window(list(weight.shape[2:]), integers(strides, [1] * rank), integers(dilations, [1] * rank))
    padding = resolve_padding(pad_type, integers(pad), list(x.shape[2:]), window)
    pads = [before for before, _ in padding] + [after for _, after in padding]
    return kernels.conv(
        x, weight, bias, strides=window.strides, pads=pads, dilations=window.dilations, groups=integer(groups)
    )


def _conv_transpose(
    x: Array,
    weight: Array,
    *,
    bias: Array | None = None,
    pad: Array | None = None,
    output_shape: Array | None = None,
    pad_type: str = "valid",
    strides: Array | None = None,
    dilations: Array | None = None,
    groups: Array | int = 1,
) -> Array:
    """x [n, C_in, spatial], weight [C_in, C_out / groups, kernel].

    The full transpose is computed, then cropped: by `pad` (custom), or to size * stride (same), where an odd element is
    cropped at the end (`same`) or the beginning (`same_lower`). An `output_shape` larger than the full result adds
    positions that no input reaches, which are equal to the bias.
    """
    rank = x.ndim - 2
    strides_, dilations_ = integers(strides, [1] * rank), integers(dilations, [1] * rank)
    full = kernels.conv_transpose(x, weight, bias, strides=strides_, dilations=dilations_, groups=integer(groups))
    size = list(full.shape[2:])
    wanted = integers(output_shape)[2:] or None
    if pad_type == "custom":
        crop = integers(pad, [0] * 2 * rank)
        begin = crop[0::2]
        end = [size[i] - crop[2 * i + 1] for i in range(rank)]
    elif pad_type == "valid":
        begin, end = [0] * rank, size
    else:
        target = wanted or [x.shape[2 + i] * strides_[i] for i in range(rank)]
        excess = [max(size[i] - target[i], 0) for i in range(rank)]
        begin = [e // 2 if pad_type == "same" else e - e // 2 for e in excess]
        end = [begin[i] + target[i] for i in range(rank)]
    if wanted:
        end = [begin[i] + wanted[i] for i in range(rank)]
    return _window(full, begin, end, bias)


def _window(full: Array, begin: list[int], end: list[int], bias: Array | None) -> Array:
    missing = [max(e - s, 0) for e, s in zip(end, full.shape[2:], strict=True)]
    if any(missing):
        fill = along(bias, 1, full.ndim) if bias is not None else np.float32(0)
        shape = (*full.shape[:2], *(s + m for s, m in zip(full.shape[2:], missing, strict=True)))
        larger = np.broadcast_to(fill, shape).astype(np.float32)
        larger[tuple(slice(0, s) for s in full.shape)] = full
        full = larger
    return full[(slice(None), slice(None), *(slice(b, e) for b, e in zip(begin, end, strict=True)))]


def _conv_quantized(
    x: Array, weight: Array, *, quantization_type: str, quant_scale: Array, quant_bias: Array, nbits: Array | int = 8,
    **rest: Array,
) -> Array:  # fmt: skip
    """Only `linear`: weight * scale + bias for each output channel. Weights are stored one a byte."""
    if quantization_type != "linear":
        raise ValueError(f"quantization type `{quantization_type}`")
    if integer(nbits) != 8:
        raise ValueError(f"{integer(nbits)}-bit weights")
    scale, shift = along(quant_scale, 0, weight.ndim), along(quant_bias, 0, weight.ndim)
    return _conv(x, weight * scale + shift, **rest)  # type: ignore[arg-type]  # names checked by the callee


OPS: Table = computed(conv=_conv, conv_transpose=_conv_transpose, conv_quantized=_conv_quantized)
