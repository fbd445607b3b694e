"""An ONNX graph in half precision, in single.

Beside the graph's meaning it gives graphs in bfloat16 a reference at all: ONNX Runtime has no kernels for those here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Model, all_graphs

_HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
_TYPES = ("to", "dtype", "output_dtype", "softmax_precision", "stash_type")
"""Attributes that name an element type."""


def in_halves(model: Model) -> bool:
    """Whether some value of the graph is in half precision."""
    return any(value.dtype in _HALVES for value in _values(model))


def widen(model: Model) -> Model:
    """The same graph with float32 in the place of float16 and bfloat16, weights included; in place.

    Inputs in float16 stay so: they are converted without loss.
    """
    halves = [value for value in model.graph.inputs if value.dtype == ir.DataType.FLOAT16]
    for value in list(_values(model)):
        if value.const_value is not None and value.const_value.dtype in _HALVES:
            value.const_value = _wide(value.const_value)
        if value.dtype in _HALVES:
            value.dtype = ir.DataType.FLOAT
    for node in model.graph.all_nodes():
        _widen_attributes(node)
    for function in model.functions.values():
        for node in function.all_nodes():
            _widen_attributes(node)
    for value in halves:
        if not value.is_initializer():
            take_half(model.graph, value)
    return model


def take_half(graph: ir.Graph, value: ir.Value) -> None:
    """Make a float32 input one of float16, converted where the graph begins."""
    uses = list(value.uses())
    node = ir.Node("", "Cast", [value], [ir.AttrInt64("to", ir.DataType.FLOAT.value)])
    wide = node.outputs[0]
    wide.name, wide.shape, wide.dtype = f"{value.name}/single", value.shape, ir.DataType.FLOAT
    graph.insert_before(graph[0], node) if len(graph) else graph.append(node)
    for user, index in uses:
        user.replace_input_with(index, wide)
    graph.outputs[:] = [wide if output is value else output for output in graph.outputs]
    value.dtype = ir.DataType.FLOAT16


def _values(model: Model) -> Iterator[ir.Value]:
    for graph in all_graphs(model):
        yield from graph.inputs
        yield from graph.initializers.values()
        for node in graph:
            yield from node.outputs
    for function in model.functions.values():
        yield from function.inputs
        yield from (value for node in function.all_nodes() for value in node.outputs)


def _widen_attributes(node: ir.Node) -> None:
    for name, attribute in list(node.attributes.items()):
        if name in _TYPES and attribute.type == ir.AttributeType.INT and attribute.as_int() in _HALVES:
            node.attributes[name] = ir.AttrInt64(name, ir.DataType.FLOAT.value)
        if attribute.type == ir.AttributeType.TENSOR and attribute.as_tensor().dtype in _HALVES:
            node.attributes[name] = ir.AttrTensor(name, _wide(attribute.as_tensor()))


def _wide(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.tensor(tensor.numpy().astype(np.float32), name=tensor.name)
