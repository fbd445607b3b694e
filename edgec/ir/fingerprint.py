"""Fingerprints of graphs: digests of their operators, names, attributes and constants."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import onnx_ir as ir

from edgec.ir.model import Model

_LARGE = 1 << 16
"""Bytes above which a constant is identified by its object instead of its content: derived graphs share weights."""


def fingerprint(model: Model) -> tuple[str, list[ir.TensorProtocol]]:
    """A digest that is equal for two graphs only if they compute the same under the same names.

    It is valid as long as the returned large tensors are alive, since these are compared by identity.
    """
    digest, large = hashlib.sha256(), list[ir.TensorProtocol]()
    for part in _graph(model.graph, large):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest(), large


def _graph(graph: ir.Graph, large: list[ir.TensorProtocol]) -> Iterator[str]:
    yield from (f"in {_value(v)}" for v in graph.inputs)
    for name, value in graph.initializers.items():
        yield f"constant {name} {_tensor(value.const_value, large)}"
    for node in graph:
        inputs = ["" if v is None else v.name or "" for v in node.inputs]
        yield f"{node.domain}::{node.op_type} {inputs} {[_value(v) for v in node.outputs]}"
        for attribute in node.attributes.values():
            yield from _attribute(attribute, large)
    yield f"out {[v.name for v in graph.outputs]}"


def _value(value: ir.Value) -> str:
    return f"{value.name} {value.dtype} {value.shape}"


def _attribute(attribute: ir.Attr, large: list[ir.TensorProtocol]) -> Iterator[str]:
    yield f"{attribute.name} {attribute.type}"
    match attribute.type:
        case ir.AttributeType.GRAPH:
            yield from _graph(attribute.as_graph(), large)
        case ir.AttributeType.GRAPHS:
            for graph in attribute.as_graphs():
                yield from _graph(graph, large)
        case ir.AttributeType.TENSOR:
            yield _tensor(attribute.as_tensor(), large)
        case _:
            yield repr(attribute.value)


def _tensor(tensor: ir.TensorProtocol | None, large: list[ir.TensorProtocol]) -> str:
    if tensor is None:
        return "none"
    if tensor.nbytes < _LARGE:
        return f"{tensor.dtype} {tensor.shape} {hashlib.sha256(tensor.tobytes()).hexdigest()}"
    large.append(tensor)
    return f"{id(tensor)}"
