"""64-bit integers that are proven to fit 32 bits, for kernels without 64-bit support."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.tflite.legality.kernels import KERNEL_TYPES
from edgec.ir.build import GraphBuilder
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.intervals import interval_of

_WIDE, _NARROW = ir.DataType.INT64, ir.DataType.INT32


class NarrowIntegers(Rule):
    """An operator on int64 without a kernel, whose operands and result fit int32 -> Cast, the operator, Cast."""

    name = "narrow-integers"
    roots = ("Div", "Abs", "Sign")
    examples = (
        Example(
            "float[2,9] x",
            "a = ArgMax<axis = 1>(x)  y = Div(a, c)",
            "a = ArgMax<axis = 1>(x)  n = Cast<to = 6>(a)  m = Div(n, d)  y = Cast<to = 7>(m)",
            constants="int64[1] c = {2}",
            output="int64",
        ),
        Example("int64[4] x", "y = Div(x, c)", None, constants="int64[1] c = {2}", output="int64"),
        Example(
            "float[2,9] x",
            "a = ArgMax<axis = 1>(x)  b = Mul(a, big)  y = Div(b, c)",
            None,
            constants="int64[1] c = {2}, int64[1] big = {4294967296}",
            output="int64",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        values = [v for v in (*node.inputs, *node.outputs) if v is not None]
        if any(v.dtype != _WIDE for v in values) or "int64" in KERNEL_TYPES[node.op_type]:
            return NOT_HERE
        if not all((found := interval_of(v)) is not None and found.within(_NARROW) for v in values):
            return Miss("a value is not proven to fit 32 bits")
        narrow = [g.op("Cast", v, to=int(_NARROW)) for v in node.inputs]
        return [g.op("Cast", g.op(node.op_type, *narrow), to=int(_WIDE))]
