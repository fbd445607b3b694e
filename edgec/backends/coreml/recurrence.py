"""What a state adds up from one run to the next: an error of float16 adds up with it, and a small step is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import onnx_ir as ir

from edgec.backends.coreml.ranges import CARRIES
from edgec.ir.model import Model, is_constant
from edgec.ir.states import State, set_state, states
from edgec.rules.match import is_float, producer

EVIDENCE = "carries a state on: a float16 stands still at 2048 where 1 is added, an average where its step is small"

_ADDS = frozenset({"Add", "Sub"})
_PASSES = CARRIES | set(
    "Abs Add Cast Clip Concat Div Max Min Mul Neg Pad Relu ScatterElements ScatterND Slice Split Sub Where".split()
)


def recurrences(model: Model) -> Iterator[tuple[ir.Node, str]]:
    """The operators from a state's input to its output, where they add to it."""
    for state in states(model):
        path = _path(model, state)
        if any(_accumulates(node, path) for node in path):
            yield from ((node, EVIDENCE) for node in path)


def mark_sums(model: Model) -> None:
    """Note with each state whether it adds up, before rewriting hides it."""
    for state in states(model):
        if _sums_up(model, state):
            set_state(model, replace(state, sums=True))


def _sums_up(model: Model, state: State) -> bool:
    """Whether a state adds up by fixed factors (a counter, a moving average), so that float16 would stand still.

    Behind a computed gate (a recurrent layer's) it forgets what was rounded.
    """
    path = _path(model, state)
    inputs = {v for v in model.graph.inputs if v.name == state.input}
    on_path = inputs | {out for node in path for out in node.outputs}
    gated = any(
        node.op_type in ("Mul", "Div") and not all(v in on_path or is_constant(v) for v in node.inputs if v is not None)
        for node in path
    )
    return not gated and any(_accumulates(node, path) for node in path)


def _path(model: Model, state: State) -> dict[ir.Node, None]:
    """The operators between the state's input and output, if elementwise arithmetic and moves are all there is."""
    graph = model.graph
    behind: set[ir.Value] = {v for v in graph.inputs if v.name == state.input}
    for node in graph:
        if node.op_type in _PASSES and not node.domain and any(v in behind for v in node.inputs):
            behind.update(node.outputs)
    pending = [v for v in graph.outputs if v.name == state.output]
    found: dict[ir.Node, None] = {}
    while pending:
        value = pending.pop()
        maker = value.producer()
        if value in behind and maker is not None and maker not in found:
            found[maker] = None
            pending.extend(v for v in maker.inputs if v is not None)
    return {node: None for node in graph if node in found and is_float(node.outputs[0])}


def _accumulates(node: ir.Node, path: dict[ir.Node, None]) -> bool:
    """Adds something, or decays by a fixed factor; `old * (1 - mask) + new * mask` only chooses."""
    if node.op_type in ("Mul", "Div"):
        return any(is_constant(v) for v in node.inputs)
    if node.op_type not in _ADDS:
        return False
    makers = [None if v is None else v.producer() for v in node.inputs]
    return not all(m is not None and m.op_type == "Mul" and _is_masked(m) for m in makers)


def _is_masked(product: ir.Node) -> bool:
    """One of the factors is made of truths or whole numbers, or 1 minus such."""
    return any(_is_mask(v) or _is_one_minus_mask(v) for v in product.inputs)


def _is_mask(value: ir.Value | None) -> bool:
    maker = producer(value, "Cast")
    return maker is not None and maker.inputs[0] is not None and not is_float(maker.inputs[0])


def _is_one_minus_mask(value: ir.Value | None) -> bool:
    maker = producer(value, "Sub")
    return maker is not None and is_constant(maker.inputs[0]) and _is_mask(maker.inputs[1])
