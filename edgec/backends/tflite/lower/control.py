"""Branches and loops as subgraphs. A subgraph cannot capture outer values: those that it uses become inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Lowering, Operand, Program, Ref, TensorType
from edgec.backends.builder import Builder
from edgec.backends.tflite.lower.common import NONE, out_type, reshape, shape_of
from edgec.ir.model import captured, is_constant
from edgec.ops.base import Value
from edgec.ops.control import If, Loop

_TRUTH, _COUNT = TensorType("bool", ()), TensorType("int64", ())


def _if(op: If, b: Builder) -> Sequence[Operand]:
    """IF: both subgraphs have the same inputs."""
    outside = _outside(op.then_graph, op.else_graph)
    blocks = tuple(_branch(graph, outside, b) for graph in (op.then_graph, op.else_graph))
    given = (_single(b, b.operand(op.condition)), *(b.operand(v) for v in outside))
    return b.nesting("IF", {"input": given}, tuple(out_type(v) for v in op.outputs), blocks)


def _branch(graph: ir.Graph, outside: Sequence[Value], b: Builder) -> Program:
    with b.block() as instrs:
        inputs = tuple(b.input(v) for v in outside)
        b.lower_nodes(graph)
        shown = _distinct([(v.name or f"output_{i}", b.operand(v)) for i, v in enumerate(graph.outputs)], b)
        return Program(_name(graph), inputs, tuple(instrs), shown)


def _loop(op: Loop, b: Builder) -> Sequence[Operand]:
    """WHILE over the carried values, the iteration number, the condition, and the outer values, which do not change."""
    outside = _outside(op.body)
    limit = op.trip_count
    if limit is not None and not is_constant(limit) and limit not in outside:
        outside.append(limit)
    going = b.const(np.asarray(True), "going") if op.condition is None else _single(b, b.operand(op.condition))
    states, rest = ([b.operand(v) for v in values] for values in (op.carried, outside))
    given = (*states, b.const(np.asarray(0), "step"), going, *rest)
    blocks = (_test(op, outside, b), _body(op, outside, b))
    kinds = (*map(out_type, op.body.inputs[2:]), _COUNT, _TRUTH, *map(out_type, outside))
    return b.nesting("WHILE", {"input": given}, kinds, blocks)[: len(op.carried)]


def _test(op: Loop, outside: Sequence[Value], b: Builder) -> Program:
    """The subgraph that decides whether another iteration follows."""
    with b.block() as instrs:
        formals = _Formals(op, outside, b)
        another: Operand = formals.going
        if op.trip_count is not None:
            limit = _single(b, b.operand(op.trip_count))
            below = b.op("LESS", {"a": formals.step, "b": limit}, _TRUTH)
            another = b.op("LOGICAL_AND", {"a": formals.going, "b": below}, _TRUTH)
        return Program(f"{_name(op.body)}/test", formals.refs, tuple(instrs), (("another", another),))


def _body(op: Loop, outside: Sequence[Value], b: Builder) -> Program:
    """The subgraph of one iteration."""
    with b.block() as instrs:
        formals = _Formals(op, outside, b)
        b.lower_nodes(op.body)
        one = b.const(np.asarray(1), "one")
        following = b.op("ADD", {"a": formals.step, "b": one}, _COUNT, fusedActivationFunction=NONE)
        results = [b.operand(v) for v in op.body.outputs[1:]]
        results += [following, _single(b, b.operand(op.body.outputs[0])), *(b.operand(v) for v in outside)]
        shown = _distinct([(f"state{i}", result) for i, result in enumerate(results)], b)
        return Program(_name(op.body), formals.refs, tuple(instrs), shown)


class _Formals:
    """The inputs of one of the loop's subgraphs; iteration number and condition are scalars, whatever was declared."""

    def __init__(self, op: Loop, outside: Sequence[Value], b: Builder) -> None:
        number, condition, *states = op.body.inputs
        leading = [b.input(v) for v in states]
        self.step, self.going = Ref(b.result(number).name, _COUNT), Ref(b.result(condition).name, _TRUTH)
        self.refs = (*leading, self.step, self.going, *(b.input(v) for v in outside))
        for value, ref in ((number, self.step), (condition, self.going)):
            b.bind(value, reshape(b, ref, shape_of(value)) if list(value.uses()) and value.shape else ref)


def _single(b: Builder, x: Operand) -> Operand:
    """A single element as a scalar."""
    return x if not x.type.shape else reshape(b, x, ())


def _outside(*graphs: ir.Graph) -> list[Value]:
    return [v for v in captured(*graphs) if not is_constant(v)]


def _distinct(shown: Sequence[tuple[str, Operand]], b: Builder) -> tuple[tuple[str, Operand], ...]:
    """Make the results distinct tensors: LiteRT's IF returns wrong values if a branch returns one tensor twice.

    Observed with LiteRT 2.3 in a nested branch.
    """
    found: list[tuple[str, Operand]] = []
    for name, value in shown:
        again = any(value is other for _, other in found)
        found.append((name, _copy(value, b) if again else value))
    return tuple(found)


def _copy(value: Operand, b: Builder) -> Operand:
    """A copy of the value in another tensor."""
    sizes = [d if isinstance(d, int) else -1 for d in value.type.shape]
    if sizes.count(-1) <= 1:
        return reshape(b, value, sizes)
    shape = b.op("SHAPE", {"input": value}, TensorType("int32", (len(sizes),)), outType=2)
    return b.op("RESHAPE", {"input": value, "shape": shape}, value.type, newShape=())


def _name(graph: ir.Graph) -> str:
    return graph.name or "body"


LOWERINGS = (
    Lowering(If, _if),
    Lowering(Loop, _loop),
)
