"""Operators that ONNX Runtime defines in ONNX's own domain, and ONNX does not define at all or only in later opsets.

ONNX Runtime's optimizer writes them into files of any opset (core/graph/contrib_ops/contrib_defs.cc). Moved to the
domain of its other operators, they pass onnx's checker and converter, and rules decompose them.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from edgec.ir.model import Model, all_nodes

_DOMAIN = "com.microsoft"
_DEFAULT = ("", "ai.onnx")
_SINCE = {"SimplifiedLayerNormalization": None, "LayerNormalization": 17}
"""The first opset in which ONNX defines the operator with the same meaning; None if never."""


def name_contributed(proto: onnx.ModelProto) -> None:
    """Move these operators to ONNX Runtime's domain, in place."""
    version = next((o.version for o in proto.opset_import if o.domain in _DEFAULT), 1)
    moved = False
    for node in _nodes(proto.graph):
        since = _SINCE.get(node.op_type, 0)
        if node.domain in _DEFAULT and (since is None or version < since):
            node.domain, moved = _DOMAIN, True
    if moved and not any(o.domain == _DOMAIN for o in proto.opset_import):
        proto.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))


def is_contributed(op_type: str) -> bool:
    """Whether ONNX Runtime defines an operator of that name in ONNX's own domain and ONNX may not."""
    return op_type in _SINCE


def name_back(model: Model) -> Model:
    """The IR of the file with these operators in the domain where ONNX Runtime looks for them."""
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
