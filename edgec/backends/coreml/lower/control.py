"""Branches and loops as blocks, which capture outer values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgec.backends.base import Lowering, Operand, Program, Ref, TensorType
from edgec.backends.coreml.lower.common import MilBuilder, reshape, shape_of, type_of
from edgec.ops.base import Value
from edgec.ops.control import If, Loop

_TRUTH, _COUNT = TensorType("bool", ()), TensorType("int32", ())


def _if(op: If, b: MilBuilder) -> Sequence[Operand]:
    """`cond`: blocks without inputs."""
    blocks = []
    for graph in (op.then_graph, op.else_graph):
        with b.block() as instrs:
            b.lower_nodes(graph)
            shown = _results([b.operand(v) for v in graph.outputs], b)
            blocks.append(Program(graph.name or "branch", (), tuple(instrs), shown))
    kinds = tuple(type_of(v) for v in op.outputs)
    return b.nesting("cond", {"pred": reshape(b, b.operand(op.condition), ())}, kinds, tuple(blocks))


def _loop(op: Loop, b: MilBuilder) -> Sequence[Operand]:
    """`while_loop` over the carried values, the iteration number and the condition."""
    going = b.const(np.asarray(True), "going") if op.condition is None else reshape(b, b.operand(op.condition), ())
    given = (*(b.operand(v) for v in op.carried), b.const(np.asarray(0, np.int32), "step"), going)
    kinds = (*(type_of(v) for v in op.body.inputs[2:]), _COUNT, _TRUTH)
    return b.nesting("while_loop", {"loop_vars": given}, kinds, (_test(op, b), _body(op, b)))[:-2]


def _test(op: Loop, b: MilBuilder) -> Program:
    """The block that decides whether another iteration follows."""
    with b.block() as instrs:
        formals = _formals(op, b)
        step, going = formals[-2:]
        another: Operand = going
        if op.trip_count is not None:
            limit = reshape(b, b.operand(op.trip_count), ())
            another = b.emit("logical_and", _TRUTH, x=going, y=b.emit("less", _TRUTH, x=step, y=limit))
        shown = _results([another], b)
        return Program(f"{op.body.name}/test", formals, tuple(instrs), shown)


def _body(op: Loop, b: MilBuilder) -> Program:
    """The block of one iteration."""
    with b.block() as instrs:
        formals = _formals(op, b)
        b.lower_nodes(op.body)
        following = b.emit("add", _COUNT, x=formals[-2], y=b.const(np.asarray(1, np.int32), "one"))
        going = reshape(b, b.operand(op.body.outputs[0]), ())
        results = [*(b.operand(v) for v in op.body.outputs[1:]), following, going]
        shown = _results(results, b)
        return Program(f"{op.body.name}/step", formals, tuple(instrs), shown)


def _formals(op: Loop, b: MilBuilder) -> tuple[Ref, ...]:
    """The inputs of one of the loop's blocks; iteration number and condition are scalars, whatever was declared."""
    number, condition, *states = op.body.inputs
    refs = []
    for value in (*states, number, condition):
        kind = type_of(value) if value in states else {number: _COUNT, condition: _TRUTH}[value]
        ref = Ref(b.result(value).name, kind)
        b.bind(value, ref if value in states or not _is_used(value) else reshape(b, ref, shape_of(value)))
        refs.append(ref)
    return tuple(refs)


def _is_used(value: Value) -> bool:
    return bool(list(value.uses()))


def _results(values: Sequence[Operand], b: MilBuilder) -> tuple[tuple[str, Operand], ...]:
    """The results of a block, each a distinct value defined inside."""
    made = {ref.name for instr in b.instrs for ref in instr.outputs}
    own = []
    for value in values:
        if value.name not in made or value in own:
            value = b.emit("identity", value.type, x=value)
        own.append(value)
    return tuple((f"result{i}", value) for i, value in enumerate(own))


LOWERINGS = (
    Lowering(If, _if),
    Lowering(Loop, _loop),
)
