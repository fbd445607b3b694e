"""The IR: an `onnx_ir.Model` at a fixed opset, and basic queries on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Model = ir.Model

OPSET = 23
"""The `ai.onnx` opset of every model after the frontend: the first with Attention and RMSNormalization."""

IR_VERSION = 11
"""The ONNX file format version of that opset; runtimes refuse versions newer than their own."""

Array = NDArray[np.generic]


def constant(value: ir.Value | None) -> Array | None:
    """The value's content if it is known at compile time (an initializer or a `Constant` node), else None."""
    if value is None:
        return None
    if value.const_value is not None and (value.is_initializer() or value.producer() is not None):
        return value.const_value.numpy()
    producer = value.producer()
    if producer is not None and producer.op_type == "Constant" and producer.domain == "":
        tensor = ir.convenience.get_const_tensor(value)
        return None if tensor is None else tensor.numpy()
    return None


def is_constant(value: ir.Value | None) -> bool:
    """Whether `constant(value)` returns an array; does not load its content."""
    if value is None:
        return False
    if value.is_initializer():
        return value.const_value is not None
    producer = value.producer()
    return producer is not None and producer.op_type == "Constant" and producer.domain == ""


def changed_copy(source: ir.TensorProtocol, change: Callable[[Array], Array]) -> Array:
    """A changed copy of a constant's content. If the constant is mapped from a weight file, its pages are released."""
    array = source.numpy()
    content: Array = np.asarray(change(array), order="C")
    is_copy = not np.may_share_memory(content, array)
    del array
    if is_copy and isinstance(source, ir.ExternalTensor):
        with contextlib.suppress(BufferError):  # still in use elsewhere
            source.release()
    return content


def static_shape(value: ir.Value) -> tuple[int, ...] | None:
    """The shape if every dimension is a number, else None."""
    if value.shape is None:
        return None
    dims: list[int] = []
    for dim in value.shape:
        if not isinstance(dim, int):
            return None
        dims.append(dim)
    return tuple(dims)


def rank(value: ir.Value) -> int | None:
    """The number of dimensions, or None if unknown."""
    return None if value.shape is None else len(value.shape)


def numpy_dtype(value: ir.Value) -> np.dtype[np.generic] | None:
    """The element type as a numpy dtype (ml_dtypes for bfloat16 and float8), or None if unknown."""
    return None if value.dtype is None else value.dtype.numpy()


def all_graphs(model: Model) -> Iterator[ir.Graph]:
    """The main graph and every subgraph (If, Loop, Scan bodies), outermost first."""
    pending = [model.graph]
    while pending:
        graph = pending.pop()
        yield graph
        for node in graph:
            pending.extend(subgraphs(node))


def subgraphs(node: ir.Node) -> list[ir.Graph]:
    """The graphs that a node has as attributes."""
    found: list[ir.Graph] = []
    for attr in node.attributes.values():
        if attr.type == ir.AttributeType.GRAPH:
            found.append(attr.as_graph())
        elif attr.type == ir.AttributeType.GRAPHS:
            found.extend(attr.as_graphs())
    return found


def all_nodes(model: Model) -> Iterator[ir.Node]:
    """Every node of every graph, subgraphs included."""
    for graph in all_graphs(model):
        yield from graph


def captured(*graphs: ir.Graph) -> list[ir.Value]:
    """The values that subgraphs take from enclosing graphs, constants included, in order of use."""
    inside: set[ir.Value] = set()
    found: dict[ir.Value, None] = {}
    for graph in graphs:
        _collect_captured(graph, inside, found)
    return list(found)


def _collect_captured(graph: ir.Graph, inside: set[ir.Value], found: dict[ir.Value, None]) -> None:
    inside.update(graph.inputs)
    inside.update(graph.initializers.values())
    for node in graph:
        found.update((v, None) for v in node.inputs if v is not None and v not in inside)
        for inner in subgraphs(node):
            _collect_captured(inner, inside, found)
        inside.update(node.outputs)
    found.update((v, None) for v in graph.outputs if v not in inside)
