"""Replaces custom operators in an ONNX file by the definitions in the user's extension."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.extension import OnnxOperator
from edgec.frontend.extensions import WAY_OUT, Extension
from edgec.frontend.onnx.contrib_operators import is_contributed
from edgec.frontend.onnx.older_opsets import DEFAULT_DOMAINS, Holder, inner_graphs
from edgec.frontend.user_code import user_code

_RUNTIMES = re.compile(r"ai\.onnx(\..*)?|com\.microsoft(\..*)?|com\.ms\..*|org\.pytorch\.aten")
"""Domains of operators that ONNX or ONNX Runtime defines."""


def replace_own(proto: onnx.ModelProto, extension: Extension, place: Place) -> bool:
    """Replace the operators defined in `extension`, in place; returns whether there were any.

    Raises `EdgecError` E0302 listing every operator without a definition, E0201 if the user's file fails.
    """
    called = _add_functions(proto, extension)
    for holder in (proto.graph, *proto.functions):
        for graph in inner_graphs(holder):
            called |= _replace(graph, extension, _opset(proto))
    if unknown := list(_unknown(proto)):
        raise EdgecError(
            Diagnostic(
                "E0302",
                f"unknown operator `{node.domain}::{node.op_type}`",
                Place(place.file, node=node.name or None),
                (f"it computes `{node.output[0]}`",) if node.output else (),
                (f"{WAY_OUT}", "or add a function of that domain and name to the file"),
            )
            for node in unknown
        )
    return called


def _opset(proto: onnx.ModelProto) -> int:
    return next((entry.version for entry in proto.opset_import if entry.domain in DEFAULT_DOMAINS), 1)


def _add_functions(proto: onnx.ModelProto, extension: Extension) -> bool:
    """Add definitions of functions that the file calls without containing them, and of functions that those call."""
    held = {(function.domain, function.name) for function in proto.functions}
    before = len(held)
    while wanted := {key for key in _called(proto) if key in extension.functions and key not in held}:
        for key in sorted(wanted):
            proto.functions.append(extension.functions[key].proto)
            known = {entry.domain for entry in proto.opset_import}
            proto.opset_import.extend(e for e in extension.functions[key].proto.opset_import if e.domain not in known)
            if key[0] not in known:
                proto.opset_import.append(helper.make_opsetid(key[0], 1))
        held |= wanted
    return len(held) > before


def _called(proto: onnx.ModelProto) -> set[tuple[str, str]]:
    return {(node.domain, node.op_type) for node in _nodes(proto)}


def _nodes(proto: onnx.ModelProto) -> Iterator[NodeProto]:
    for holder in (proto.graph, *proto.functions):
        for graph in inner_graphs(holder):
            yield from graph.node


def _unknown(proto: onnx.ModelProto) -> Iterator[NodeProto]:
    held = {(function.domain, function.name) for function in proto.functions}
    for node in _nodes(proto):
        default = node.domain in DEFAULT_DOMAINS
        known = onnx.defs.has(node.op_type, "") or is_contributed(node.op_type)
        if (node.domain, node.op_type) not in held and not (known if default else _RUNTIMES.fullmatch(node.domain)):
            yield node


def _replace(graph: Holder, extension: Extension, opset: int) -> bool:
    """Replace nodes by the nodes that the user's functions create."""
    if not any((node.domain, node.op_type) in extension.onnx for node in graph.node):
        return False
    made: list[NodeProto] = []
    for node in graph.node:
        said = extension.onnx.get((node.domain, node.op_type))
        made += [node] if said is None else _computed(node, said, opset)
    kept = [NodeProto.FromString(node.SerializeToString()) for node in made]
    del graph.node[:]
    graph.node.extend(kept)
    return True


def _computed(node: NodeProto, said: OnnxOperator, opset: int) -> list[NodeProto]:
    """The nodes that compute the outputs of `node`, under its output names."""
    name = f"{said.domain}::{said.op_type}"
    prefix = next((output for output in node.output if output), node.name)
    ops = Operators(opset, prefix)
    inputs = [Value(name) if name else None for name in node.input]
    attributes = {attribute.name: _attribute(attribute) for attribute in node.attribute}
    with user_code(f"computing `{name}` by its extension"):
        results = said.compute(ops, *inputs, **attributes)
    results = results if isinstance(results, tuple | list) else (results,)
    given = [result for result in results if isinstance(result, Value)]
    if len(given) != len(results) or len(given) < len(node.output):
        raise error(
            "E0201",
            f"`{said.compute.__name__}` returns {len(given)} values for the {len(node.output)} outputs of `{name}`",
            place=Place(said.compute.__code__.co_filename, said.compute.__code__.co_firstlineno),
        )
    pairs = zip(given, node.output, strict=False)
    named = [helper.make_node("Identity", [value.name], [output]) for value, output in pairs if output]
    return [*ops.nodes, *named]


@dataclass(frozen=True)
class Value:
    """A value of the graph, identified by name."""

    name: str


@dataclass
class Operators:
    """ONNX's operators as methods: `op.Mul(x, 2.0)` appends a node and returns its output, or a tuple of outputs.

    `opset` is the file's own.
    """

    opset: int
    prefix: str
    nodes: list[NodeProto] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def __getattr__(self, op_type: str) -> Callable[..., Value | tuple[Value, ...]]:
        if not onnx.defs.has(op_type, ""):
            raise AttributeError(f"ONNX has no operator `{op_type}`")

        def call(*inputs: Any, outputs: int = 1, **attributes: Any) -> Value | tuple[Value, ...]:
            taken = [self._name(value) for value in inputs]
            return self._add(op_type, taken, outputs, attributes)

        return call

    def _add(self, op_type: str, inputs: Sequence[str], outputs: int, attributes: Any) -> Value | tuple[Value, ...]:
        made = tuple(Value(f"{self.prefix}/{op_type}_{next(self._count)}") for _ in range(outputs))
        kept = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op_type, inputs, [value.name for value in made], **kept))
        return made[0] if outputs == 1 else made

    def _name(self, value: Any) -> str:
        """The name of an operand; numbers and arrays become constants, float32 or int64 unless specified otherwise."""
        if isinstance(value, Value):
            return value.name
        if value is None:
            return ""
        array = np.asarray(value)
        if not isinstance(value, np.ndarray | np.generic) and array.dtype == np.float64:
            array = array.astype(np.float32)
        constant = self._add("Constant", [], 1, {"value": numpy_helper.from_array(array)})
        assert isinstance(constant, Value)
        return constant.name


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value] if _is_many(value) else value


def _is_many(value: Any) -> bool:
    return not isinstance(value, int | float | str) and hasattr(value, "__len__")
