"""Quantizers that TensorRT's parser rejects (unsigned or 16-bit, or with a nonzero zero point), computed in float32."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.diag import error
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, constant
from edgec.ir.provenance import place_of
from edgec.ops.base import Reader
from edgec.ops.quantize import DequantizeLinear, QuantizeLinear
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired
from edgec.passes.rewrite import replace_value
from edgec.rules.decompose.quantize import NARROW, number, steps

_LABEL = "rejected by `quantizer-without-shape`"
_MOVING = frozenset(
    {"Concat", "Expand", "Gather", "Identity", "MaxPool", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze", "Where", "ArgMax", "ArgMin", "TopK", "Equal", "Less", "Greater", "ReduceMax", "ReduceMin"}
)
"""Operators that only move or compare quantized values."""


class QuantizeInFloat(Pass):
    """Represents quantized values as whole float32 numbers if the parser rejects one of the model's quantizers."""

    name = "quantizers-in-float"

    def run(self, model: Model) -> list[Remark]:
        """Changes nothing if an operator computes with quantized values, or they are part of the interface."""
        return fired(self.name, _expand_all(model))


def _expand_all(model: Model) -> int:
    """The number of quantizers that were changed."""
    graph = model.graph
    quantizers = [node for node in graph if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    if all(_is_supported(node) for node in quantizers) or not all(_only_moves(node) for node in graph):
        return 0
    for node in list(graph):
        if node in quantizers:
            _expand(graph, node)
        else:
            _retype_as_float(graph, node)
    return len(quantizers)


def _is_supported(node: ir.Node) -> bool:
    """Whether TensorRT supports the quantizer: int8, symmetric."""
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    held = node.outputs[0] if node.op_type == "QuantizeLinear" else node.inputs[0]
    assert held is not None
    content = constant(zero)
    return held.dtype == ir.DataType.INT8 and (zero is None or (content is not None and not content.any()))


def _only_moves(node: ir.Node) -> bool:
    """Whether the node is a quantizer, only moves or compares quantized values, or has none."""
    touched = [v for v in (*node.inputs, *node.outputs) if v is not None and v.dtype in NARROW]
    if any((v.is_graph_input() and not v.is_initializer()) or v.is_graph_output() for v in touched):
        return False
    match node.op_type:
        case "QuantizeLinear" | "DequantizeLinear":
            return True
        case "Resize":
            return not touched or Reader(node).string("mode", "nearest") == "nearest"
        case "Cast":
            return node.outputs[0].dtype not in NARROW or _is_quantized_value(node.inputs[0])
    return not touched or node.op_type in _MOVING


def _is_quantized_value(value: ir.Value | None) -> bool:
    """Whether a float32 value is a quantized value already: rounded and clipped, in either order."""
    last = None if value is None else value.producer()
    before = None if last is None or last.inputs[0] is None else last.inputs[0].producer()
    return last is not None and before is not None and {last.op_type, before.op_type} == {"Clip", "Round"}


def _expand(graph: ir.Graph, node: ir.Node) -> None:
    """Replace one quantizer by float32 arithmetic."""
    g, r = GraphBuilder(graph, [node], QuantizeInFloat.name), Reader(node)
    if node.op_type == "QuantizeLinear":
        found = steps(QuantizeLinear.decode(r), g)
    else:
        found = number(DequantizeLinear.decode(r), r.input(0), g)
    if found is None:
        raise error("E0412", "a quantizer's shape is not known", place=place_of(node), notes=[_LABEL])
    g.commit(node)
    replace_value(graph, node.outputs[0], found)
    graph.remove(node, safe=True)


def _retype_as_float(graph: ir.Graph, node: ir.Node) -> None:
    for i, value in enumerate(node.inputs):
        content = constant(value) if value is not None and value.dtype in NARROW else None
        if content is not None:
            node.replace_input_with(
                i, GraphBuilder(graph, [node], QuantizeInFloat.name).const(content.astype(np.float32))
            )
    for out in node.outputs:
        if out.dtype in NARROW:
            out.dtype = ir.DataType.FLOAT
            if node.op_type == "Cast":
                node.attributes["to"] = ir.AttrInt64("to", ir.DataType.FLOAT)
