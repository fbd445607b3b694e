"""Expands operators that ONNX defines by a function body, and inlines the model's own functions."""

from __future__ import annotations

from typing import ClassVar

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from edgec.dialect.base import Dialect
from edgec.dialect.core import CORE
from edgec.ir.infer import infer_types
from edgec.ir.model import OPSET, Model, all_graphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Fired, Remark, fired

_DOMAIN = "edgec.body"


class InlineFunctions(Pass):
    """Replaces calls of the model's own functions by their bodies."""

    name = "inline-functions"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset({"flat"})

    def run(self, model: Model) -> list[Remark]:
        """Inline all of them, nested calls too."""
        count = len(model.functions)
        if count:
            InlinePass()(model)
        return fired(self.name, count)


class ExpandFunctionBodies(Pass):
    """Replaces operators outside a dialect (core by default) by the function bodies that ONNX publishes for them."""

    name = "expand-function-bodies"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, dialect: Dialect = CORE) -> None:
        self.dialect = dialect

    def run(self, model: Model) -> list[Remark]:
        """Expand and inline until no body contains an operator to expand."""
        remarks: list[Remark] = []
        while expanded := self._expand(model):
            remarks += expanded
            InlinePass()(model)
            for graph in all_graphs(model):
                for node in graph:
                    infer_types(node)
        return remarks

    def _expand(self, model: Model) -> list[Remark]:
        """Turn every such node into a call of its body; returns a remark on each."""
        found: list[Remark] = []
        for graph in all_graphs(model):
            for node in graph:
                if node.op_type in _KEPT or self.dialect.lacks(node) is None:
                    continue
                body = function_body(node)
                if body is not None:
                    found.append(Fired(f"{self.name}:{node.op_type}"))
                    self._call(model, node, body)
        return found

    def _call(self, model: Model, node: ir.Node, body: onnx.FunctionProto) -> None:
        """Turn the node into a call of a function made for it alone: its body depends on the node's types."""
        body.name, body.domain = f"{node.op_type}_{len(model.functions)}", _DOMAIN
        function = ir.serde.deserialize_function(body)
        model.functions[function.identifier()] = function
        model.opset_imports.setdefault(_DOMAIN, 1)
        model.graph.opset_imports.setdefault(_DOMAIN, 1)
        node.attributes.clear()  # they are bound in the body; inlining takes no graphs as arguments
        node.domain, node.op_type = body.domain, body.name


_KEPT = frozenset({"Constant", "Identity", "Range"})
"""Not expanded: a `Range` expressed as a loop is harder to lower than a `Range`."""


def function_body(node: ir.Node) -> onnx.FunctionProto | None:
    """The body that ONNX publishes, for the node's input types and at the working opset, or None."""
    schema = _schema(node)
    if schema is None or any(v is not None and v.dtype is None for v in node.inputs):
        return None  # an unsupported operator upstream hides the type
    body = _context_body(schema, node) if schema.has_context_dependent_function else _plain_body(schema)  # type: ignore[attr-defined]
    if body is None:
        return None
    _bind_attributes(body, schema, node)
    _drop_absent_outputs(body)
    return _at_working_opset(body, node)


def _schema(node: ir.Node) -> onnx.defs.OpSchema | None:
    """The definition at the working opset; the newest one for operators that the working opset lacks."""
    if not onnx.defs.has(node.op_type, node.domain):
        return None
    if node.domain != "" or node.op_type in CORE.ops:
        return onnx.defs.get_schema(node.op_type, node.domain)
    try:
        return onnx.defs.get_schema(node.op_type, OPSET, "")
    except onnx.defs.SchemaError:
        return onnx.defs.get_schema(node.op_type, "")


def _plain_body(schema: onnx.defs.OpSchema) -> onnx.FunctionProto | None:
    versions = [v for v in schema.function_opset_versions if v <= max(OPSET, schema.since_version)]  # type: ignore[attr-defined]
    if not versions:
        return None
    return _parsed(schema.get_function_with_opset_version(max(versions)))  # type: ignore[attr-defined]


def _context_body(schema: onnx.defs.OpSchema, node: ir.Node) -> onnx.FunctionProto | None:
    """A body that depends on attributes and input types, or None."""
    known = schema.context_dependent_function_opset_versions  # type: ignore[attr-defined]
    versions = [v for v in known if v <= max(OPSET, schema.since_version)]
    if not versions:
        return None
    make_body = schema.get_context_dependent_function_with_opset_version  # type: ignore[attr-defined]
    proto = ir.serde.serialize_node(node)
    return _parsed(make_body(max(versions), proto.SerializeToString(), [_type_bytes(v) for v in node.inputs]))


def _parsed(raw: bytes) -> onnx.FunctionProto:
    body = onnx.FunctionProto()
    body.ParseFromString(raw)
    return body


def _type_bytes(value: ir.Value | None) -> bytes:
    return b"" if value is None or value.dtype is None else _type(value).SerializeToString()


def _type(value: ir.Value) -> onnx.TypeProto:
    assert value.dtype is not None
    dims = [d if isinstance(d, int) else d.value for d in value.shape] if value.shape is not None else None
    return onnx.helper.make_tensor_type_proto(int(value.dtype), dims)


def _bind_attributes(body: onnx.FunctionProto, schema: onnx.defs.OpSchema, node: ir.Node) -> None:
    """Replace the body's references to attributes by their values; attributes without a value are dropped."""
    given = {a.name: a for a in ir.serde.serialize_node(node).attribute}
    defaults = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
    for inner in body.node:
        resolved = []
        for attribute in inner.attribute:
            source = given.get(attribute.ref_attr_name) or defaults.get(attribute.ref_attr_name)
            if not attribute.ref_attr_name:
                resolved.append(attribute)
            elif source is not None:
                copy = onnx.AttributeProto()
                copy.CopyFrom(source)
                copy.name = attribute.name
                resolved.append(copy)
        del inner.attribute[:]
        inner.attribute.extend(resolved)
    del body.attribute[:]
    del body.attribute_proto[:]


def _drop_absent_outputs(body: onnx.FunctionProto) -> None:
    """Drop trailing outputs that the body names but does not compute: optional outputs that were not requested."""
    made = {name for inner in body.node for name in inner.output} | set(body.input)
    while body.output and body.output[-1] not in made:
        del body.output[-1]


def _at_working_opset(body: onnx.FunctionProto, node: ir.Node) -> onnx.FunctionProto:
    """The body, its nodes converted from the opset that it was written for to the working opset."""
    version = next((o.version for o in body.opset_import if o.domain in ("", "ai.onnx")), OPSET)
    if version < OPSET:
        inputs = [
            onnx.helper.make_value_info(name, _type(value))
            for name, value in zip(body.input, node.inputs, strict=False)
            if value is not None and value.dtype is not None
        ]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in body.output]
        graph = onnx.helper.make_graph(list(body.node), "body", inputs, outputs)
        proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)])
        converted = onnx.version_converter.convert_version(proto, OPSET)
        del body.node[:]
        body.node.extend(converted.graph.node)
    del body.opset_import[:]
    body.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return body
