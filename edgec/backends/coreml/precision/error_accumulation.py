"""States that accumulate from run to run: float16's error accumulates too, and small increments are lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import onnx_ir as ir

from edgec.backends.coreml.precision.intermediate_overflow import data
from edgec.backends.coreml.precision.value_ranges import CARRIES
from edgec.ir.model import Model, is_constant
from edgec.ir.states import State, set_state, states
from edgec.rules.match import is_float, producer

EVIDENCE = "updates a state: a float16 counter stops at 2048, and an average if its increments are small"

_ADDS = frozenset({"Add", "Sub"})
_LINEAR = frozenset({"Conv", "Gemm", "MatMul"})
"""Linear operators with constant weights: a rotation, a filter."""

_PASSES = CARRIES | set(
    "Abs Add Cast Clip Concat Div Max Min Mul Neg Pad Relu ScatterElements ScatterND Slice Split Sub Where".split()
)


def recurrences(model: Model) -> Iterator[tuple[ir.Node, str]]:
    """The operators from states' inputs to their outputs, if they accumulate."""
    for group in _groups(model):
        path = _path(model, group)
        if any(_accumulates(node, path) for node in path):
            yield from ((node, EVIDENCE) for node in path)


def mark_sums(model: Model) -> None:
    """Record for each state whether it accumulates, before rewrites hide it."""
    for group in _groups(model):
        if _sums_up(model, group):
            for state in group:
                set_state(model, replace(state, sums=True))


def _sums_up(model: Model, group: Sequence[State]) -> bool:
    """Whether states accumulate with constant factors (a counter, a moving average), so that float16 would stop.

    With a computed gate (of a recurrent layer) they forget rounding errors.
    """
    path = _path(model, group)
    names = {state.input for state in group}
    on_path = {v for v in model.graph.inputs if v.name in names} | {out for node in path for out in node.outputs}
    gated = any(
        node.op_type in ("Mul", "Div") and not all(v in on_path or is_constant(v) for v in node.inputs if v is not None)
        for node in path
    )
    return not gated and any(_accumulates(node, path) for node in path)


def _groups(model: Model) -> list[list[State]]:
    """Groups of states that are computed from each other (a filter's last two values) and have one precision."""
    known = states(model)
    groups = [[state] for state in known]
    for state in known:
        reached = _dependents(model, [state])
        ends = {v.name for v in model.graph.outputs if v in reached}
        joined = [group for group in groups if any(one is state or one.output in ends for one in group)]
        groups = [group for group in groups if group not in joined] + [[one for group in joined for one in group]]
    return groups


def _dependents(model: Model, group: Sequence[State]) -> set[ir.Value]:
    """The values computed from the states by elementwise arithmetic, constant linear maps and data movement."""
    names = {state.input for state in group}
    behind: set[ir.Value] = {v for v in model.graph.inputs if v.name in names}
    for node in model.graph:
        if _passes(node) and any(v in behind for v in node.inputs):
            behind.update(node.outputs)
    return behind


def _passes(node: ir.Node) -> bool:
    if node.domain:
        return False
    return node.op_type in _PASSES or (node.op_type in _LINEAR and len(data(node)) == 1)


def _path(model: Model, group: Sequence[State]) -> dict[ir.Node, None]:
    """The float operators between the states' inputs and outputs."""
    graph, behind, names = model.graph, _dependents(model, group), {state.output for state in group}
    pending = [v for v in graph.outputs if v.name in names]
    found: dict[ir.Node, None] = {}
    while pending:
        value = pending.pop()
        maker = value.producer()
        if value in behind and maker is not None and maker not in found:
            found[maker] = None
            pending.extend(v for v in maker.inputs if v is not None)
    return {node: None for node in graph if node in found and is_float(node.outputs[0])}


def _accumulates(node: ir.Node, path: dict[ir.Node, None]) -> bool:
    """Whether the node adds, or decays by a constant factor; `old * (1 - mask) + new * mask` only selects."""
    if node.op_type in _LINEAR:
        return True
    if node.op_type in ("Mul", "Div"):
        return any(is_constant(v) for v in node.inputs)
    if node.op_type not in _ADDS:
        return False
    makers = [None if v is None else v.producer() for v in node.inputs]
    return not all(m is not None and m.op_type == "Mul" and _is_masked(m) for m in makers)


def _is_masked(product: ir.Node) -> bool:
    """Whether a factor is cast from booleans or integers, or 1 minus such."""
    return any(_is_mask(v) or _is_one_minus_mask(v) for v in product.inputs)


def _is_mask(value: ir.Value | None) -> bool:
    maker = producer(value, "Cast")
    return maker is not None and maker.inputs[0] is not None and not is_float(maker.inputs[0])


def _is_one_minus_mask(value: ir.Value | None) -> bool:
    maker = producer(value, "Sub")
    return maker is not None and is_constant(maker.inputs[0]) and _is_mask(maker.inputs[1])
