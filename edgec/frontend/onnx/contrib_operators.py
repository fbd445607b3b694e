"""Operators that ONNX Runtime keeps in ONNX's own domain, where ONNX does not have them or came to them later.

Its optimizers write them into files of any opset (core/graph/contrib_ops/contrib_defs.cc). Under the domain of its
other operators onnx's checker and converter let them be, and rules take them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from edgec.ir.model import Model, all_nodes

_DOMAIN = "com.microsoft"
_DEFAULT = ("", "ai.onnx")
_SINCE = {"SimplifiedLayerNormalization": None, "LayerNormalization": 17}
"""The opset from which ONNX has the operator with the same meaning; None: it never had."""


def name_contributed(proto: onnx.ModelProto) -> None:
    """Move these operators to their own domain, in place."""
    version = next((o.version for o in proto.opset_import if o.domain in _DEFAULT), 1)
    moved = False
    for node in _nodes(proto.graph):
        since = _SINCE.get(node.op_type, 0)
        if node.domain in _DEFAULT and (since is None or version < since):
            node.domain, moved = _DOMAIN, True
    if moved and not any(o.domain == _DOMAIN for o in proto.opset_import):
        proto.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))


def is_contributed(op_type: str) -> bool:
    """Whether ONNX Runtime has an operator of that name in ONNX's own domain, where ONNX may have none."""
    return op_type in _SINCE


def name_back(model: Model) -> Model:
    """The IR of such a file with the operators where ONNX Runtime looks for them."""
    for node in all_nodes(model):
        if node.domain == _DOMAIN and node.op_type in _SINCE:
            node.domain = ""
    return model


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
