"""Converts ONNX graphs in half precision to single precision.

Besides preserving the graph's meaning, this makes a reference possible for bfloat16: ONNX Runtime has no CPU kernels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Model, all_graphs

_HALVES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
_TYPES = ("to", "dtype", "output_dtype", "softmax_precision", "stash_type")
"""Attributes whose value is an element type."""


def in_halves(model: Model) -> bool:
    """Whether some value of the graph is in half precision."""
    return any(value.dtype in _HALVES for value in _values(model))


def widen(model: Model) -> Model:
    """The same graph with float32 instead of float16 and bfloat16, including weights; in place.

    float16 inputs keep their type and are converted, which is exact. In a graph whose only half precision comes from
    casts, the rounding of the casts is intended: they are kept.
    """
    casts = [] if is_whole(model) else list(_casts(model))
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
    for node, half in casts:
        _round(node, half)
    for value in halves:
        if not value.is_initializer():
            take_half(model.graph, value)
    return model


def is_whole(model: Model) -> bool:
    """Whether an input or a weight of the graph is in half precision, as opposed to the results of casts only."""
    given = [v for graph in all_graphs(model) for v in (*graph.inputs, *graph.initializers.values())]
    return any(v.dtype in _HALVES for v in given) or any(_holds_half(node) for node in model.graph.all_nodes())


def _holds_half(node: ir.Node) -> bool:
    attribute = node.attributes.get("value") if node.op_type == "Constant" else None
    return attribute is not None and attribute.as_tensor().dtype in _HALVES


def _casts(model: Model) -> Iterator[tuple[ir.Node, ir.DataType]]:
    """The casts from another type to half precision."""
    for node in model.graph.all_nodes():
        kind = node.outputs[0].dtype if node.op_type == "Cast" and node.domain == "" else None
        if kind in _HALVES and node.inputs[0] is not None and node.inputs[0].dtype not in _HALVES:
            yield node, kind


def _round(node: ir.Node, half: ir.DataType) -> None:
    """Make a Cast, which now casts to float32, round to half precision first; its output keeps its name."""
    assert node.graph is not None
    narrow = ir.Node("", "Cast", [node.inputs[0]], [ir.AttrInt64("to", half.value)])
    made, out = narrow.outputs[0], node.outputs[0]
    made.name, made.shape, made.dtype = f"{out.name}/half", out.shape, half
    node.graph.insert_before(node, narrow)
    node.replace_input_with(0, made)


def take_half(graph: ir.Graph, value: ir.Value) -> None:
    """Change a float32 input to float16, with a conversion at the start of the graph."""
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
    return ir.Tensor(tensor.numpy().astype(np.float32), name=tensor.name)
