"""Operators of older opsets that onnx's checker or converter rejects, or leaves although their meaning changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import onnx
from onnx import GraphProto, NodeProto, helper

Holder = GraphProto | onnx.FunctionProto
"""An object that contains nodes."""

DEFAULT_DOMAINS = ("", "ai.onnx")


def spell_out(proto: onnx.ModelProto) -> None:
    """Replace nodes whose meaning changed in a later opset by operators that mean the same in every opset, in place."""
    _spell_out(proto.graph, _version(proto.opset_import))
    for function in proto.functions:
        _spell_out(function, _version(function.opset_import))


def _version(imports: Iterable[onnx.OperatorSetIdProto]) -> int:
    return next((entry.version for entry in imports if entry.domain in DEFAULT_DOMAINS), 1)


def _spell_out(holder: Holder, version: int) -> None:
    for inner in inner_graphs(holder):
        spelled = [made for node in inner.node for made in _spelled(node, version)]
        if len(spelled) > len(inner.node):
            kept = [NodeProto.FromString(node.SerializeToString()) for node in spelled]
            del inner.node[:]
            inner.node.extend(kept)


def after_conversion(proto: onnx.ModelProto, version: int) -> None:
    """Restore the coordinates of `Upsample` and `Resize` before opset 11: a point's index divided by the scale.

    ONNX did not specify which neighbour is nearest; ONNX Runtime takes the lower when enlarging, otherwise the upper.
    """
    if version >= 11:
        return
    for graph in inner_graphs(proto.graph):
        for node in graph.node:
            if node.op_type == "Resize" and node.domain in DEFAULT_DOMAINS:
                shrinks = any(scale < 1 for scale in _scales(proto, node))
                _set(node, "coordinate_transformation_mode", "asymmetric")
                _set(node, "nearest_mode", "ceil" if shrinks else "floor")


def _scales(proto: onnx.ModelProto, node: NodeProto) -> list[float]:
    """The node's scales if they are constant, otherwise an empty list."""
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    for graph in inner_graphs(proto.graph):
        made = [n for n in graph.node if n.op_type == "Constant"]
        tensors |= {n.output[0]: a.t for n in made for a in n.attribute if a.name == "value"}
    found = tensors.get(node.input[2]) if len(node.input) > 2 else None
    return [] if found is None else [float(scale) for scale in onnx.numpy_helper.to_array(found)]


def inner_graphs(holder: Holder) -> Iterator[Holder]:
    """The graph or function, and the subgraphs of its nodes."""
    yield holder
    for node in holder.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from inner_graphs(inner)


def _spelled(node: NodeProto, version: int) -> Sequence[NodeProto]:
    spelling = _SPELLINGS.get(node.op_type) if node.domain in DEFAULT_DOMAINS else None
    return spelling(node, version) if spelling else [node]


def _hardmax(node: NodeProto, version: int) -> Sequence[NodeProto]:
    """Before opset 13 the axes from `axis` on are flattened to one."""
    if version >= 13:
        return [node]
    return _in_two_dimensions(node, _attribute(node, "axis", 1), helper.make_node("Hardmax", [], [], axis=1))


def _batch_norm(node: NodeProto, version: int) -> Sequence[NodeProto]:
    """Before opset 9, `spatial=0` means a separate scale and shift for each element of a sample instead of channel."""
    if version >= 9 or _attribute(node, "spatial", 1) == 1 or len(node.output) > 1:
        return [node]
    inner = NodeProto()
    inner.CopyFrom(node)
    del inner.attribute[:]
    inner.attribute.extend(a for a in node.attribute if a.name != "spatial")
    flat = f"{node.output[0]}__all"
    rows = [helper.make_node("Reshape", [name, flat], [f"{node.output[0]}_{name}"]) for name in node.input[1:]]
    del inner.input[1:]
    inner.input.extend(row.output[0] for row in rows)
    minus_one = helper.make_tensor(flat, onnx.TensorProto.INT64, [1], [-1])
    return [helper.make_node("Constant", [], [flat], value=minus_one), *rows, *_in_two_dimensions(node, 1, inner)]


def _group_norm(node: NodeProto, version: int) -> Sequence[NodeProto]:
    """Opsets 18 to 20 have a scale and shift for each group; opset 21 has one for each channel."""
    if not 18 <= version <= 20:
        return [node]
    result = node.output[0]
    grouped, split, shape, rows = (f"{result}__{part}" for part in ("grouped", "split", "shape", "rows"))
    lengths = helper.make_tensor(split, onnx.TensorProto.INT64, [3], [0, _attribute(node, "num_groups", 1), -1])
    inner = helper.make_node("InstanceNormalization", [grouped, *node.input[1:]], [rows])
    inner.attribute.extend(a for a in node.attribute if a.name == "epsilon")
    return [
        helper.make_node("Shape", [node.input[0]], [shape]),
        helper.make_node("Constant", [], [split], value=lengths),
        helper.make_node("Reshape", [node.input[0], split], [grouped]),
        inner,
        helper.make_node("Reshape", [rows, shape], [result]),
    ]


def _in_two_dimensions(node: NodeProto, axis: int, inner: NodeProto) -> Sequence[NodeProto]:
    """`inner` applied to the node's input flattened to two dimensions: axes before `axis`, and axes from `axis` on."""
    source, result = node.input[0], node.output[0]
    flat, shape, rows = f"{result}__flat", f"{result}__shape", f"{result}__rows"
    others = list(inner.input[1:])
    del inner.input[:], inner.output[:]
    inner.input.extend([flat, *others])
    inner.output.append(rows)
    return [
        helper.make_node("Shape", [source], [shape]),
        helper.make_node("Flatten", [source], [flat], axis=axis),
        inner,
        helper.make_node("Reshape", [rows, shape], [result]),
    ]


_SPELLINGS: dict[str, Callable[[NodeProto, int], Sequence[NodeProto]]] = {
    "Hardmax": _hardmax,
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
}


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), default)


def _set(node: NodeProto, name: str, value: str) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
