"""Sliding windows, shared by convolutions and pools: kernel, strides, dilations and padding."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Reader, Value


@dataclass(frozen=True)
class Window:
    """A sliding window over `n` spatial dimensions. All tuples have `n` entries."""

    kernel: Ints
    strides: Ints
    dilations: Ints
    pads_begin: Ints
    pads_end: Ints

    @property
    def extent(self) -> Ints:
        """The input extent that one window covers."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def has_padding(self) -> bool:
        """Whether any side is padded."""
        return any(self.pads_begin) or any(self.pads_end)


def rounds_up_by_padding(w: Window) -> bool:
    """Whether `ceil_mode` is equal to stride - 1 more padding at the end, whatever the size.

    It is if no window begins in the padding at the end (PyTorch and ONNX drop such a window).
    """
    return all(q <= k - s for q, k, s in zip(w.pads_end, w.extent, w.strides, strict=True))


def rounded_up(w: Window) -> Window:
    """The window that has the outputs of `ceil_mode` by padding instead."""
    ends = tuple(q + s - 1 for q, s in zip(w.pads_end, w.strides, strict=True))
    return Window(w.kernel, w.strides, w.dilations, w.pads_begin, ends)


def window(r: Reader, x: Value, kernel: Ints) -> Window:
    """Decode the window of a convolution or pool; `auto_pad` is resolved with the static input shape."""
    n = len(kernel)
    strides = r.ints("strides", (1,) * n)
    dilations = r.ints("dilations", (1,) * n)
    auto = r.string("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = r.ints("pads", (0,) * (2 * n))
        begin, end = pads[:n], pads[n:]
    elif auto == "VALID":
        begin = end = (0,) * n
    else:
        begin, end = _same(r, x, kernel, strides, dilations, upper=auto == "SAME_UPPER")
    return Window(kernel, strides, dilations, begin, end)


def _same(r: Reader, x: Value, kernel: Ints, strides: Ints, dilations: Ints, *, upper: bool) -> tuple[Ints, Ints]:
    """Padding so that the output is ceil(input / stride) (ONNX Conv, auto_pad)."""
    shape = static_shape(x)
    if shape is None:
        raise r.bad("`auto_pad` SAME needs a static input shape")
    totals = []
    for size, k, s, d in zip(shape[2:], kernel, strides, dilations, strict=True):
        out = -(-size // s)
        totals.append(max(0, (out - 1) * s + d * (k - 1) + 1 - size))
    small = tuple(t // 2 for t in totals)
    large = tuple(t - t // 2 for t in totals)
    return (small, large) if upper else (large, small)
