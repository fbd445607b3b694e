"""Operators that ONNX defines by a function body are expanded by it; so are the model's own functions."""

from __future__ import annotations

from typing import ClassVar

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from edgec.dialect.core import CORE
from edgec.ir.model import OPSET, Model, all_graphs
from edgec.passes.log import RewriteLog


class InlineFunctions:
    """Calls of the model's own functions are replaced by their bodies."""

    name = "inline-functions"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset({"flat"})

    def run(self, model: Model, log: RewriteLog) -> None:
        """Inline all, as deep as they go."""
        if model.functions:
            log.fired(self.name, len(model.functions))
            InlinePass()(model)


class ExpandFunctionBodies:
    """An operator outside the core dialect for which ONNX publishes a function body becomes that body."""

    name = "expand-function-bodies"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model, log: RewriteLog) -> None:
        """Expand every such node, then inline."""
        found = False
        for graph in all_graphs(model):
            for node in graph:
                if node.domain == "" and node.op_type not in CORE.ops and node.op_type not in _KEPT:
                    body = _function_body(node)
                    if body is not None:
                        self._call(model, node, body)
                        log.fired(f"{self.name}:{node.op_type}")
                        found = True
        if found:
            InlinePass()(model)

    def _call(self, model: Model, node: ir.Node, body: onnx.FunctionProto) -> None:
        """Turn the node into a call of a function of its own: a body depends on the node's types."""
        body.name, body.domain = f"{node.op_type}_{len(model.functions)}", "edgec.body"
        function = ir.serde.deserialize_function(body)
        model.functions[function.identifier()] = function
        model.opset_imports.setdefault("edgec.body", 1)
        model.graph.opset_imports.setdefault("edgec.body", 1)
        node.domain, node.op_type = body.domain, body.name


_KEPT = frozenset({"Constant", "Identity"})


def _function_body(node: ir.Node) -> onnx.FunctionProto | None:
    """The body for the node's own input types, or None."""
    try:
        schema = onnx.defs.get_schema(node.op_type, OPSET, "")
    except onnx.defs.SchemaError:
        return None
    if schema.has_function:  # type: ignore[attr-defined]  # onnx's stub lacks the pybind members
        return schema.function_body
    contextual = schema.has_context_dependent_function  # type: ignore[attr-defined]
    if not contextual or any(v is not None and v.dtype is None for v in node.inputs):
        return None
    proto = ir.serde.serialize_node(node)
    types = [_type_bytes(v) for v in node.inputs]
    known = schema.context_dependent_function_opset_versions  # type: ignore[attr-defined]
    versions = [v for v in known if v <= OPSET]
    if not versions:
        return None
    make_body = schema.get_context_dependent_function_with_opset_version  # type: ignore[attr-defined]
    raw = make_body(max(versions), proto.SerializeToString(), types)
    body = onnx.FunctionProto()
    body.ParseFromString(raw)
    return body


def _type_bytes(value: ir.Value | None) -> bytes:
    if value is None or value.dtype is None:
        return b""
    dims = [d if isinstance(d, int) else d.value for d in value.shape] if value.shape is not None else None
    return bytes(onnx.helper.make_tensor_type_proto(int(value.dtype), dims).SerializeToString())
