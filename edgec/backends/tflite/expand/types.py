"""Element types without a kernel: narrow integers are computed in wider ones."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.tflite.legality.kernels import KERNEL_TYPES, wider
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader
from edgec.ops.reduce import REDUCTIONS
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


class ComputeWider(Rule):
    """An operator on integers that its kernel does not support -> Cast, the operator on wider ones, Cast."""

    name = "compute-wider"
    roots = tuple(sorted(KERNEL_TYPES.keys() - {"Cast"}))
    examples = (
        Example(
            "int8[3] x, int8[3] z",
            "y = Add(x, z)",
            "a = Cast<to = 6>(x)  b = Cast<to = 6>(z)  c = Add(a, b)  y = Cast<to = 3>(c)",
            output="int8",
        ),
        Example("int32[3] x, int32[3] z", "y = Add(x, z)", None, output="int32"),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        narrow = _computed_type(node)
        if narrow is None or narrow.numpy().name in KERNEL_TYPES[node.op_type]:
            return NOT_HERE
        wide_name = wider(node.op_type, narrow.numpy().name)
        if wide_name is None:
            return Miss(f"no kernel computes {narrow.numpy().name} exactly")
        if node.op_type in REDUCTIONS and 0 in (static_shape(Reader(node).input(0)) or ()):
            return Miss("it reduces no elements: the neutral element depends on the type")
        wide = ir.DataType.from_numpy(np.dtype(wide_name))
        inputs = [g.op("Cast", v, to=int(wide)) if v is not None and v.dtype == narrow else v for v in node.inputs]
        attributes = {name: a.value for name, a in node.attributes.items()}
        outs = g.multi(node.op_type, len(node.outputs), *inputs, **attributes)
        return [
            g.op("Cast", new, to=int(narrow)) if old.dtype == narrow and new.dtype == wide else new
            for old, new in zip(node.outputs, outs, strict=True)
        ]


def _computed_type(node: ir.Node) -> ir.DataType | None:
    """The element type on which the kernel works: the first input's, or for OneHot that of its values."""
    index = 2 if node.op_type == "OneHot" else 0
    value = node.inputs[index] if index < len(node.inputs) else None
    return None if value is None else value.dtype
