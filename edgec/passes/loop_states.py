"""Static shapes for loop-carried values: ONNX leaves them open, since the body may change them; kernels need them."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from edgec.ir.infer import infer_types
from edgec.ir.model import Model, all_graphs, static_shape, subgraphs
from edgec.ops.base import Reader
from edgec.ops.control import Loop
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired

Shape = tuple[int, ...] | None


class LoopStates(Pass):
    """Gives a loop-carried value whose shape the body preserves that shape before, inside and after the loop."""

    name = "loop-states"
    needs: ClassVar[frozenset[str]] = frozenset({"types"})
    gives: ClassVar[frozenset[str]] = frozenset()

    def run(self, model: Model) -> list[Remark]:
        """Outermost first: the carried values of a loop may be those of a loop inside it."""
        noted = 0
        for graph in all_graphs(model):
            for node in graph:
                if _is_loop(node):
                    noted += fix_states(node)
                else:
                    infer_types(node)  # shapes behind a loop may be known now
        return fired(self.name, noted)


def fix_states(node: ir.Node) -> bool:
    """Find and record the shapes that the body preserves; returns whether any became known."""
    op = Loop.decode(Reader(node))
    count = len(op.carried)
    if all(static_shape(v) is not None for v in (*op.body.inputs, *op.body.outputs, *node.outputs)):
        return False
    shapes = _invariant_shapes([static_shape(v) for v in op.carried], op)
    _infer(op.body, op, shapes)
    for out, value, shape in zip(node.outputs[:count], op.carried, shapes, strict=True):
        if shape is not None:
            out.shape, out.type = ir.Shape(shape), value.type
    return any(shape is not None for shape in shapes)


def _invariant_shapes(shapes: list[Shape], op: Loop) -> list[Shape]:
    """The shapes among the assumed ones that the body preserves if all of them hold; tried on copies of the body."""
    while True:
        trial = op.body.clone(allow_outer_scope_values=True)
        _infer(trial, op, shapes)
        after = [static_shape(v) for v in trial.outputs[1 : 1 + len(shapes)]]
        kept = [a if a == b else None for a, b in zip(shapes, after, strict=True)]
        if kept == shapes:
            return kept
        shapes = kept


def _infer(body: ir.Graph, op: Loop, shapes: list[Shape]) -> None:
    """Infer types and shapes in a body from those of its carried values."""
    number, going, *states = body.inputs
    for value, dtype in ((number, ir.DataType.INT64), (going, ir.DataType.BOOL)):
        if value.shape is None:
            value.shape, value.type = ir.Shape([]), ir.TensorType(dtype)
    for state, value, shape in zip(states, op.carried, shapes, strict=True):
        if shape is not None:
            state.shape, state.type = ir.Shape(shape), value.type
    for node in body:
        if _is_loop(node):
            fix_states(node)
        elif not subgraphs(node):
            infer_types(node)


def _is_loop(node: ir.Node) -> bool:
    return node.op_type == "Loop" and node.domain == ""
