"""The builder with which lowerings write a `Program`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgec.backends.base import (
    Argument,
    Array,
    Attr,
    Const,
    Instr,
    LoweringTable,
    Operand,
    Program,
    Ref,
    TensorType,
)
from edgec.backends.legality import View
from edgec.ir.model import Model, is_constant
from edgec.ir.provenance import place_of
from edgec.ops.table import view
from edgec.spec.target import Target


def tensor_type(value: ir.Value) -> TensorType:
    """The type of a graph value. A dimension without a name is `?`."""
    if value.dtype is None or value.shape is None:
        raise ValueError(f"the type of `{value.name}` is not known")
    dims = tuple(d if isinstance(d, int) else (d.value or "?") for d in value.shape)
    return TensorType(value.dtype.numpy().name, dims)


class Builder:
    """Collects instructions. A backend may subclass it to add shorthands for its own opcodes."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.instrs: list[Instr] = []
        self._operands: dict[ir.Value, Operand] = {}
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}
        self._node: ir.Node | None = None
        self.sources: dict[str, str] = {}
        self.lower_nodes: Callable[[ir.Graph], None] = _no_lowerings

    def operand(self, value: ir.Value) -> Operand:
        """The operand that holds a graph value: computed earlier, an input, or a constant."""
        if value not in self._operands:
            if not is_constant(value):
                raise KeyError(f"`{value.name}` is used before it is computed")
            tensor = ir.convenience.get_const_tensor(value)
            assert tensor is not None
            self._operands[value] = Const(self._unique(value.name or "const"), tensor_type(value), tensor)
        return self._operands[value]

    def bind(self, value: ir.Value, operand: Operand) -> None:
        """Record the operand that holds a graph value."""
        self._operands[value] = operand

    def input(self, value: ir.Value) -> Ref:
        """Declare a graph input."""
        ref = Ref(self._unique(value.name or "input"), tensor_type(value))
        self.bind(value, ref)
        return ref

    def result(self, value: ir.Value) -> Ref:
        """A new operand for a value that the node computes, bound to it."""
        ref = Ref(self._unique(value.name or "v"), tensor_type(value))
        self.bind(value, ref)
        return ref

    def const(self, array: Array, hint: str) -> Const:
        """A new constant; its name is the hint, made unique. A transposed view is not copied until it is written."""
        name = self._unique(hint)
        return Const(name, TensorType(array.dtype.name, array.shape), ir.Tensor(np.asarray(array), name=name))

    def op(self, opcode: str, inputs: Mapping[str, Argument], out: TensorType | None = None, **attrs: Attr) -> Ref:
        """Append an instruction with one output; `out` defaults to the type of the node's first output."""
        if out is None:
            assert self._node is not None
            out = tensor_type(self._node.outputs[0])
        return self.multi(opcode, inputs, (out,), **attrs)[0]

    def multi(
        self, opcode: str, inputs: Mapping[str, Argument], outs: tuple[TensorType, ...], **attrs: Attr
    ) -> tuple[Ref, ...]:
        """Append an instruction with several outputs."""
        return self._append(Instr(opcode, tuple(inputs.items()), tuple(attrs.items()), self._results(outs)))

    def nesting(
        self, opcode: str, inputs: Mapping[str, Argument], outs: tuple[TensorType, ...], blocks: tuple[Program, ...]
    ) -> tuple[Ref, ...]:
        """Append an instruction that runs blocks."""
        return self._append(Instr(opcode, tuple(inputs.items()), (), self._results(outs), blocks))

    def _results(self, outs: tuple[TensorType, ...]) -> tuple[Ref, ...]:
        return tuple(Ref(self._unique(self._hint(i)), out) for i, out in enumerate(outs))

    def _append(self, instr: Instr) -> tuple[Ref, ...]:
        self.instrs.append(instr if self._node is None else replace(instr, place=place_of(self._node)))
        return instr.outputs

    @contextmanager
    def block(self) -> Iterator[list[Instr]]:
        """Collect the instructions appended inside in a list of their own; bindings made inside end with it."""
        outer = self.instrs, self._operands, self._node
        self.instrs, self._operands = [], dict(self._operands)
        try:
            yield self.instrs
        finally:
            self.instrs, self._operands, self._node = outer

    def at(self, node: ir.Node) -> None:
        """The instructions that follow are attributed to this node."""
        self._node = node

    def _hint(self, index: int) -> str:
        outputs = self._node.outputs if self._node is not None else ()
        return (outputs[index].name if index < len(outputs) else None) or "v"

    def _unique(self, hint: str) -> str:
        """The hint, with the first free number appended if it is taken. Numbers already tried are not tried again."""
        name, count = hint, self._counts.get(hint, 0)
        while name in self._names:
            count += 1
            name = f"{hint}_{count}"
        self._counts[hint] = count
        self._names.add(name)
        return name


def _no_lowerings(graph: ir.Graph) -> None:
    raise RuntimeError("nodes are lowered by a builder that `lower_graph` works with")


def lower_graph(
    model: Model, target: Target, lowerings: LoweringTable, builder: Builder, view_of: View = view
) -> Program:
    """Lower the main graph of a legalized model node by node.

    Lowerings of control flow lower the graphs inside with the builder's `lower_nodes`.
    """

    def lower_nodes(graph: ir.Graph) -> None:
        for node in graph:
            op = view_of(node)
            assert op is not None
            builder.at(node)
            before = len(builder.instrs)
            result = lowerings[type(op)].lower(op, builder)
            operands = (result,) if isinstance(result, Ref | Const) else tuple(result)
            made = {ref.name for instr in builder.instrs[before:] for ref in instr.outputs}
            for value, operand in zip(node.outputs, operands, strict=False):
                builder.bind(value, operand)
                if operand.name != value.name and {operand.name, value.name} <= made:
                    builder.sources[operand.name] = value.name or ""
                    builder.sources[value.name or ""] = f"{value.name}/before"

    builder.lower_nodes = lower_nodes
    inputs = tuple(builder.input(value) for value in model.graph.inputs)
    lower_nodes(model.graph)
    outputs = tuple(
        (value.name or f"output_{i}", builder.operand(value)) for i, value in enumerate(model.graph.outputs)
    )
    sources = tuple(builder.sources.items())
    return Program(model.graph.name or "main", inputs, tuple(builder.instrs), outputs, sources=sources)
