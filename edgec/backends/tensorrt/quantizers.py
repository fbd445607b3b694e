"""Quantizers that TensorRT's parser refuses, in float32: unsigned or 16-bit steps, and zero points other than 0."""

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
"""What hands steps on as they are, or compares them."""


class QuantizeInFloat(Pass):
    """Steps are kept in float32 values where the parser refuses one of the model's quantizers."""

    name = "quantizers-in-float"

    def run(self, model: Model) -> list[Remark]:
        """Where something computes with the steps themselves, or the interface has them, nothing is changed."""
        return fired(self.name, _spell_out_all(model))


def _spell_out_all(model: Model) -> int:
    """How many quantizers were changed."""
    graph = model.graph
    quantizers = [node for node in graph if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    if all(_is_taken(node) for node in quantizers) or not all(_hands_on(node) for node in graph):
        return 0
    for node in list(graph):
        if node in quantizers:
            _spell_out(graph, node)
        else:
            _hold_in_float(graph, node)
    return len(quantizers)


def _is_taken(node: ir.Node) -> bool:
    """TensorRT: int8 alone, symmetric."""
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    held = node.outputs[0] if node.op_type == "QuantizeLinear" else node.inputs[0]
    assert held is not None
    content = constant(zero)
    return held.dtype == ir.DataType.INT8 and (zero is None or (content is not None and not content.any()))


def _hands_on(node: ir.Node) -> bool:
    """Whether the node has nothing to do with steps, makes, reads or moves them."""
    touched = [v for v in (*node.inputs, *node.outputs) if v is not None and v.dtype in NARROW]
    if any((v.is_graph_input() and not v.is_initializer()) or v.is_graph_output() for v in touched):
        return False
    match node.op_type:
        case "QuantizeLinear" | "DequantizeLinear":
            return True
        case "Resize":
            return not touched or Reader(node).string("mode", "nearest") == "nearest"
        case "Cast":
            return node.outputs[0].dtype not in NARROW or _is_whole(node.inputs[0])
    return not touched or node.op_type in _MOVING


def _is_whole(value: ir.Value | None) -> bool:
    """Whether a number in float32 is a step already: rounded and within limits, in either order."""
    last = None if value is None else value.producer()
    before = None if last is None or last.inputs[0] is None else last.inputs[0].producer()
    return last is not None and before is not None and {last.op_type, before.op_type} == {"Clip", "Round"}


def _spell_out(graph: ir.Graph, node: ir.Node) -> None:
    """Arithmetic in the place of one quantizer, whose steps are float32 from here on."""
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


def _hold_in_float(graph: ir.Graph, node: ir.Node) -> None:
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
