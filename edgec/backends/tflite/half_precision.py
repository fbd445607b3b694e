"""float16 and float64 are computed in float32: the interface keeps its types, and rounding casts still round.

float64 loses digits; verification measures the effect on the results.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Model, all_graphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired

HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)

_OTHERS = (*HALVES, ir.DataType.DOUBLE)
"""Float types without kernels."""


class HalvesToSingle(Pass):
    """Converts all float16 and float64 values of the model to float32, with casts at the interface."""

    name = "halves-to-single"

    def run(self, model: Model) -> list[Remark]:
        """Convert inputs, constants, results and block arguments."""
        return fired(self.name, _widen(model))


def _widen(model: Model) -> int:
    """The number of changed values."""
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


def _is_unsupported(value: ir.Value) -> bool:
    return value.dtype in _OTHERS


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.node("Cast", [value], {"to": int(to)}, num_outputs=1)
    out = node.outputs[0]
    out.name, out.shape, out.type = name, value.shape, ir.TensorType(to)
    return node


def _widen_input(graph: ir.Graph, value: ir.Value) -> bool:
    """Cast an input once, for all its users."""
    if not _is_unsupported(value):
        return False
    node = _cast(value, ir.DataType.FLOAT, f"{value.name}/float32")
    _redirect_uses(graph, value, node)
    if len(graph):
        graph.insert_before(graph[0], node)
    else:
        graph.append(node)
    return True


def _widen_formals(graph: ir.Graph) -> None:
    """Convert a subgraph's inputs to float32, like the values passed to them."""
    for value in graph.inputs:
        if _is_unsupported(value):
            value.type = ir.TensorType(ir.DataType.FLOAT)


def _redirect_uses(graph: ir.Graph, value: ir.Value, node: ir.Node) -> None:
    """Replace all other uses of the value, also as an output, by the node's output."""
    for i, output in enumerate(graph.outputs):
        if output is value:
            graph.outputs[i] = node.outputs[0]
    value.replace_all_uses_with(node.outputs[0])
    node.replace_input_with(0, value)


def _widen_constant(value: ir.Value) -> bool:
    if not _is_unsupported(value) or value.const_value is None:
        return False
    value.const_value = ir.Tensor(value.const_value.numpy().astype(np.float32), name=value.name)
    value.type = ir.TensorType(ir.DataType.FLOAT)
    return True


def _widen_results(graph: ir.Graph, node: ir.Node) -> bool:
    """Convert results to float32. A Cast to float16 or bfloat16 still rounds: its result is cast back."""
    found = [out for out in node.outputs if _is_unsupported(out)]
    for out in found:
        if node.op_type == "Cast" and node.domain == "" and out.dtype in HALVES:
            back = _cast(out, ir.DataType.FLOAT, f"{out.name}/float32")
            _redirect_uses(graph, out, back)
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
    """Restore an output's name and type."""
    value = graph.outputs[index]
    if value.name == name and not value.is_graph_input():
        value.name = f"{name}/wide"
    assert dtype is not None
    node = _cast(value, dtype, name or "")
    graph.append(node)
    graph.outputs[index] = node.outputs[0]
