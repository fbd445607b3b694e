"""Views of Conv and ConvTranspose."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Op, Reader, Value
from edgec.ops.spatial import Window, window


@dataclass(frozen=True, eq=False)
class Conv(Op):
    """Convolution. x (N, C, spatial…), w (M, C/groups, kernel…), b (M) -> y (N, M, spatial…)."""

    x: Value
    w: Value
    b: Value | None
    window: Window
    groups: int

    @property
    def is_depthwise(self) -> bool:
        """Whether each group has one input channel (M/groups is the depth multiplier)."""
        return self.groups > 1 and self.w.shape is not None and self.w.shape[1] == 1

    @staticmethod
    def decode(r: Reader) -> Conv:
        x, w = r.input(0), r.input(1)
        return Conv(r.node, x, w, r.optional(2), window(r, x, _kernel(r, w)), r.integer("group", 1))


@dataclass(frozen=True, eq=False)
class ConvTranspose(Op):
    """Transposed convolution. x (N, C, spatial…), w (C, M/groups, kernel…), b (M) -> y (N, M, spatial…).

    `output_shape` and `auto_pad` are resolved into the window's pads and `output_padding`:
    out = stride*(in-1) + output_padding + dilation*(kernel-1) + 1 - pads_begin - pads_end.
    """

    x: Value
    w: Value
    b: Value | None
    window: Window
    output_padding: Ints
    groups: int

    @staticmethod
    def decode(r: Reader) -> ConvTranspose:
        x, w = r.input(0), r.input(1)
        kernel = _kernel(r, w)
        n = len(kernel)
        strides, dilations = r.ints("strides", (1,) * n), r.ints("dilations", (1,) * n)
        output_padding = r.ints("output_padding", (0,) * n)
        begin, end = _transpose_pads(r, x, kernel, output_padding)
        found = Window(kernel, strides, dilations, begin, end)
        return ConvTranspose(r.node, x, w, r.optional(2), found, output_padding, r.integer("group", 1))


def _kernel(r: Reader, w: Value) -> Ints:
    """The spatial dimensions of the weight; `kernel_shape` if the weight's shape is not known."""
    shape = static_shape(w)
    if shape is None:
        if not r.has("kernel_shape"):
            raise r.bad("the kernel's shape is not known")
        return r.ints("kernel_shape", ())
    return shape[2:]


def _transpose_pads(r: Reader, x: Value, kernel: Ints, output_padding: Ints) -> tuple[Ints, Ints]:
    """The pads of a ConvTranspose from `pads`, `output_shape` or `auto_pad` (ONNX ConvTranspose)."""
    n = len(kernel)
    auto = r.string("auto_pad", "NOTSET")
    strides, dilations = r.ints("strides", (1,) * n), r.ints("dilations", (1,) * n)
    target = r.ints("output_shape", ())[-n:]
    if not target and auto in ("NOTSET", "", "VALID"):
        pads = r.ints("pads", (0,) * (2 * n)) if auto != "VALID" else (0,) * (2 * n)
        return pads[:n], pads[n:]
    shape = static_shape(x)
    if shape is None:
        raise r.bad("`output_shape` and `auto_pad` need a static input shape")
    if not target:
        target = tuple(size * s for size, s in zip(shape[2:], strides, strict=True))
    totals = tuple(
        s * (size - 1) + p + d * (k - 1) + 1 - out
        for size, s, p, d, k, out in zip(shape[2:], strides, output_padding, dilations, kernel, target, strict=True)
    )
    small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    return (small, large) if auto == "SAME_UPPER" else (large, small)
