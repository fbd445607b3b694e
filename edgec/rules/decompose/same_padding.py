"""`auto_pad` SAME of open sizes: the padding as numbers where the size does not matter, else computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

_SAME = ("SAME_UPPER", "SAME_LOWER")

Amount = int | Value
"""Of padding along a dimension: a number, or a computed tensor of one element."""


class SamePadding(Rule):
    """Conv or pool with `auto_pad` SAME of open size -> Pad by max((⌈n / s⌉ - 1) s + d (k - 1) + 1 - n, 0) before it.

    At stride 1 the size does not matter: d (k - 1) becomes `pads`. Half of it is put on either side, an odd one at the
    end (SAME_UPPER) or at the beginning (ONNX, operator Conv).
    """

    name = "same-padding"
    roots = ("Conv", "MaxPool", "AveragePool")
    examples = (
        Example(
            "float[1,1,n] x",
            'y = Conv<auto_pad = "SAME_UPPER">(x, w)',
            "y = Conv<pads = [0, 1]>(x, w)",
            constants="float[1,1,2] w = {1, 2}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        r = Reader(node)
        x = r.input(0)
        if r.string("auto_pad", "NOTSET") not in _SAME or static_shape(x) is not None:
            return NOT_HERE
        kernel = _kernel(r)
        if x.shape is None or kernel is None or len(node.outputs) > 1:
            return Miss("the rank or the kernel is not known, or places of maxima are asked for")
        layer = _Layer(r, x, kernel, g)
        before, after = layer.amounts()
        if all(isinstance(a, int) for a in (*before, *after)):
            return [layer.on(x, [a for a in (*before, *after) if isinstance(a, int)])]
        pads = g.op("Concat", *map(layer.entry, (0, 0, *before, 0, 0, *after)), axis=0)
        y = layer.on(layer.padded(x, pads))
        if node.op_type == "AveragePool" and not r.integer("count_include_pad", 0):
            sizes = g.op("Concat", g.ints(1, 1), g.op("Shape", x, start=2), axis=0)
            ones = g.op(
                "ConstantOfShape", sizes, value=ir.Tensor(np.ones(1, dtype=(x.dtype or ir.DataType.FLOAT).numpy()))
            )
            y = g.op("Div", y, layer.on(layer.padded(ones, pads)))
        y.shape = node.outputs[0].shape
        return [y]


def _kernel(r: Reader) -> Ints | None:
    if r.has("kernel_shape"):
        return r.ints("kernel_shape", ())
    shape = static_shape(r.input(1)) if r.node.op_type == "Conv" else None
    return None if shape is None else shape[2:]


@dataclass(frozen=True)
class _Layer:
    """The operator over a padded input of any size."""

    r: Reader
    x: Value
    kernel: Ints
    g: GraphBuilder

    def amounts(self) -> tuple[list[Amount], list[Amount]]:
        """Before and after each spatial dimension."""
        n = len(self.kernel)
        strides, dilations = self.r.ints("strides", (1,) * n), self.r.ints("dilations", (1,) * n)
        small, large = [], []
        for i, (k, s, d) in enumerate(zip(self.kernel, strides, dilations, strict=True)):
            a, b = self._halves(2 + i, s, d * (k - 1) + 1)
            small.append(a)
            large.append(b)
        return (small, large) if self.r.string("auto_pad", "") == "SAME_UPPER" else (large, small)

    def _halves(self, axis: int, stride: int, extent: int) -> tuple[Amount, Amount]:
        """Half of the padding rounded down, and the rest."""
        size = (self.x.shape or ())[axis]
        if stride == 1 or isinstance(size, int):
            n = size if isinstance(size, int) else 1
            whole = max(0, (-(-n // stride) - 1) * stride + extent - n)
            return whole // 2, whole - whole // 2
        g = self.g
        length = g.op("Shape", self.x, start=axis, end=axis + 1)
        last = g.op("Div", g.op("Sub", length, g.ints(1)), g.ints(stride))  # ⌈n / s⌉ - 1
        needed = g.op("Add", g.op("Mul", last, g.ints(stride)), g.ints(extent))
        total = g.op("Max", g.op("Sub", needed, length), g.ints(0))
        half = g.op("Div", total, g.ints(2))
        return half, g.op("Sub", total, half)

    def entry(self, amount: Amount) -> Value:
        """As a tensor of one element."""
        return self.g.ints(amount) if isinstance(amount, int) else amount

    def padded(self, x: Value, pads: Value) -> Value:
        """With zeros, or with what is never the maximum."""
        fill = []
        if self.r.node.op_type == "MaxPool":
            kind = (x.dtype or ir.DataType.FLOAT).numpy()
            least = -np.inf if kind.kind == "f" else np.iinfo(kind).min
            fill = [self.g.const(np.asarray(least), dtype=x.dtype)]
        found = self.g.op("Pad", x, pads, *fill)
        if x.shape is not None:
            found.shape = ir.Shape([*list(x.shape)[:2], *[None] * len(self.kernel)])
        return found

    def on(self, x: Value, pads: list[int] | None = None) -> Value:
        """The operator with `pads` or none."""
        kept = {n: a.value for n, a in self.r.node.attributes.items() if n not in ("auto_pad", "pads")}
        if pads is not None:
            kept["pads"] = pads
        return self.g.op(self.r.node.op_type, x, *self.r.node.inputs[1:], **kept)
