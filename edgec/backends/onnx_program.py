"""Programs that are ONNX models, one instruction per node: for backends whose vendor parses or runs ONNX."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgec.backends.base import Attr, Instr, Program
from edgec.backends.builder import Builder
from edgec.ir.model import Model
from edgec.ir.provenance import place_of
from edgec.spec.target import Target


@dataclass(frozen=True)
class OnnxProgram(Program):
    """A program with the ONNX model that the vendor's tool gets."""

    model: Model


def lower_to_onnx(model: Model, target: Target) -> OnnxProgram:
    """Mirror every node of the main graph as an instruction; inputs are named by position."""
    builder = Builder(target)
    inputs = tuple(builder.input(value) for value in model.graph.inputs)
    for node in model.graph:
        _mirror(node, builder)
    outputs = tuple((v.name or "", builder.operand(v)) for v in model.graph.outputs)
    return OnnxProgram(model.graph.name or "main", inputs, tuple(builder.instrs), outputs, model)


def _mirror(node: ir.Node, builder: Builder) -> None:
    builder.at(node)
    arguments = tuple((str(i), None if v is None else builder.operand(v)) for i, v in enumerate(node.inputs))
    attrs = tuple((name, _attr(attr)) for name, attr in sorted(node.attributes.items()))
    outputs = tuple(builder.result(value) for value in node.outputs)
    builder.instrs.append(Instr(node.op_type, arguments, attrs, outputs, place=place_of(node)))


def _attr(attr: ir.Attr) -> Attr:
    if attr.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
        return "<graph>"
    if attr.type in (ir.AttributeType.TENSOR, ir.AttributeType.TENSORS):
        return "<tensor>"
    value = attr.value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return tuple(value) if isinstance(value, list | tuple) else value
