"""Half and double floats are computed in float32: the interface keeps its types, and casts that round still round.

Doubles lose digits; what that does to the results, the verification says.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Model, all_graphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired

HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)

_OTHERS = (*HALVES, ir.DataType.DOUBLE)
"""Floats that the kernels do not compute with."""


class HalvesToSingle(Pass):
    """Every half or double float of the model becomes a float32, with casts at the interface."""

    name = "halves-to-single"

    def run(self, model: Model) -> list[Remark]:
        """Widen inputs, constants, results and what blocks are given."""
        return fired(self.name, _widen(model))


def _widen(model: Model) -> int:
    """How many values were changed."""
    outputs = [(i, v.name, v.dtype) for i, v in enumerate(model.graph.outputs) if v.dtype in _OTHERS]
    count = sum(_widen_input(model.graph, value) for value in model.graph.inputs)
    for graph in all_graphs(model):
        if graph is not model.graph:
            _widen_formals(graph)
        count += sum(_widen_constant(value) for value in graph.initializers.values())
        count += sum(_widen_results(graph, node) for node in list(graph))
    for index, name, dtype in outputs:
        _narrow_output(model.graph, index, name, dtype)
    return count + len(outputs)


def _is_other(value: ir.Value) -> bool:
    return value.dtype in _OTHERS


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.node("Cast", [value], {"to": int(to)}, num_outputs=1)
    out = node.outputs[0]
    out.name, out.shape, out.type = name, value.shape, ir.TensorType(to)
    return node


def _widen_input(graph: ir.Graph, value: ir.Value) -> bool:
    """Cast such an input once, for all its users."""
    if not _is_other(value):
        return False
    node = _cast(value, ir.DataType.FLOAT, f"{value.name}/float32")
    _hand_over(graph, value, node)
    if len(graph):
        graph.insert_before(graph[0], node)
    else:
        graph.append(node)
    return True


def _widen_formals(graph: ir.Graph) -> None:
    """The states of a loop are float32 inside as outside."""
    for value in graph.inputs:
        if _is_other(value):
            value.type = ir.TensorType(ir.DataType.FLOAT)


def _hand_over(graph: ir.Graph, value: ir.Value, node: ir.Node) -> None:
    """Let all users of the value, and the interface, have the node's output; the node alone keeps the value."""
    for i, output in enumerate(graph.outputs):
        if output is value:
            graph.outputs[i] = node.outputs[0]
    value.replace_all_uses_with(node.outputs[0])
    node.replace_input_with(0, value)


def _widen_constant(value: ir.Value) -> bool:
    if not _is_other(value) or value.const_value is None:
        return False
    value.const_value = ir.Tensor(value.const_value.numpy().astype(np.float32), name=value.name)
    value.type = ir.TensorType(ir.DataType.FLOAT)
    return True


def _widen_results(graph: ir.Graph, node: ir.Node) -> bool:
    """Results become float32. A Cast to a half float still rounds: its result is cast back."""
    found = [out for out in node.outputs if _is_other(out)]
    for out in found:
        if node.op_type == "Cast" and node.domain == "" and out.dtype in HALVES:
            back = _cast(out, ir.DataType.FLOAT, f"{out.name}/float32")
            _hand_over(graph, out, back)
            graph.insert_after(node, back)
        else:
            out.type = ir.TensorType(ir.DataType.FLOAT)
    if found and node.op_type == "Cast" and node.outputs[0].dtype == ir.DataType.FLOAT:
        node.attributes["to"] = ir.AttrInt64("to", int(ir.DataType.FLOAT))
    if found and node.op_type == "ConstantOfShape":
        fill = node.attributes["value"].as_tensor().numpy().astype(np.float32)
        node.attributes["value"] = ir.AttrTensor("value", ir.Tensor(fill))
    return bool(found)


def _narrow_output(graph: ir.Graph, index: int, name: str | None, dtype: ir.DataType | None) -> None:
    """The output under its own name and in its own type."""
    value = graph.outputs[index]
    if value.name == name and not value.is_graph_input():
        value.name = f"{name}/wide"
    assert dtype is not None
    node = _cast(value, dtype, name or "")
    graph.append(node)
    graph.outputs[index] = node.outputs[0]
