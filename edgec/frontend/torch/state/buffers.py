"""Buffers that a module updates in place, as pairs of an input and an output of its graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import onnx_ir as ir
import torch

from edgec.frontend.imported import Array
from edgec.frontend.naming import claim, weights
from edgec.frontend.torch.state.attributes import KEPT
from edgec.frontend.torch.state.locations import is_same_tensor
from edgec.ir.model import Model, subgraphs
from edgec.ir.states import State, set_state

_UPDATES = "edgec.updates"


@dataclass(frozen=True)
class StateBuffer:
    """A buffer by its path in the module, with the names of its input and output in the graph."""

    path: str
    input: str
    output: str


def mark_updates(model: Model, buffers_to_mutate: Mapping[str, str]) -> None:
    """Mark the values by which buffers are updated, which torch's exporter computes and drops."""
    for name, value in _values(model.graph).items():
        if name in buffers_to_mutate:
            value.metadata_props[_UPDATES] = buffers_to_mutate[name]


def open_states(model: Model) -> tuple[StateBuffer, ...]:
    """Turn each updated buffer into an input and an output of the graph, and record the pair as a state.

    A buffer that is written before it is read, such as a cached table, carries no state and remains a constant.
    """
    graph = model.graph
    updates = {v.metadata_props[_UPDATES]: v for v in _values(graph).values() if _UPDATES in v.metadata_props}
    known = weights(graph)
    updates = {path: value for path, value in updates.items() if path in known}
    held = []
    for path in _carrying(graph, updates):
        before, after = known[path], updates[path]
        assert before.const_value is not None
        assert before.name is not None
        zero = not before.const_value.numpy().any()
        del graph.initializers[before.name]
        before.const_value = None
        name = _free_outside(graph, re.sub(r"\W", "_", path.removeprefix(f"{KEPT}.")))
        claim(graph, before, name)
        graph.inputs.append(before)
        output = _as_output(graph, after, before, _free_outside(graph, f"{name}_out"))
        set_state(model, State(name, output, zero))
        held.append(StateBuffer(path, name, output))
    return tuple(held)


def _values(graph: ir.Graph) -> dict[str, ir.Value]:
    found = [*graph.inputs, *graph.initializers.values(), *(out for node in graph for out in node.outputs)]
    return {value.name: value for value in found if value.name}


def _carrying(graph: ir.Graph, updates: Mapping[str, ir.Value]) -> list[str]:
    """The buffers whose previous value affects an output, or the update of another such buffer."""
    known: set[str] = set()
    before = weights(graph)
    wanted = list(graph.outputs)
    while True:
        reached = _ancestors(wanted)
        fresh = [p for p in updates if p not in known and before[p] in reached]
        if not fresh:
            return [p for p in updates if p in known]
        known.update(fresh)
        wanted += [updates[p] for p in fresh]


def _ancestors(values: Sequence[ir.Value]) -> set[ir.Value]:
    pending, seen = list(values), set(values)
    while pending:
        node = pending.pop().producer()
        for value in _read_by(node) if node is not None else ():
            if value not in seen:
                seen.add(value)
                pending.append(value)
    return seen


def _read_by(node: ir.Node) -> Iterator[ir.Value]:
    """A node's operands, and the outer values that its subgraphs read."""
    yield from (v for v in node.inputs if v is not None)
    for graph in subgraphs(node):
        for inner in graph:
            yield from _read_by(inner)
        yield from graph.outputs


def _as_output(graph: ir.Graph, value: ir.Value, before: ir.Value, name: str) -> str:
    """A separate graph output for the update, even if the value is an output or an input already."""
    node = ir.Node("", "Identity", [value], num_outputs=1)
    out = node.outputs[0]
    claim(graph, out, name)
    out.shape, out.type = before.shape, before.type
    graph.append(node)
    graph.outputs.append(out)
    return name


def _free_outside(graph: ir.Graph, wanted: str) -> str:
    """The name, with a number appended if an input or output has it."""
    taken = {value.name for value in (*graph.inputs, *graph.outputs)}
    name, count = wanted, 0
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


@contextmanager
def buffers_restored(module: torch.nn.Module, paths: Sequence[str] | None = None) -> Iterator[None]:
    """Restore the buffers (all, or those of `paths`) afterwards. With all, buffers that change their shape or type are
    kept: they are reported by the analysis of states.
    """
    owned = [
        (owner, leaf, tensor, tensor.clone())
        for prefix, owner in module.named_modules()
        for leaf, tensor in owner.named_buffers(recurse=False)
        if paths is None or ".".join(filter(None, (prefix, leaf))) in paths
    ]
    try:
        yield
    finally:
        for owner, leaf, tensor, content in owned:
            if paths is None and not _has_form(owner._buffers.get(leaf), content):
                continue
            if not is_same_tensor(tensor.detach(), content):  # whose version says nothing of what `.data` wrote
                with torch.no_grad():
                    tensor.copy_(content)
            if getattr(owner, leaf, None) is not tensor:
                setattr(owner, leaf, tensor)


def _has_form(now: torch.Tensor | None, before: torch.Tensor) -> bool:
    return now is not None and now.shape == before.shape and now.dtype == before.dtype


def fill(module: torch.nn.Module, held: Sequence[StateBuffer], inputs: Mapping[str, Array]) -> None:
    """Set the buffers to the values under their inputs' names."""
    with torch.no_grad():
        for buffer in held:
            attrgetter(buffer.path)(module).copy_(torch.from_numpy(inputs[buffer.input].copy()))


def contents(module: torch.nn.Module, held: Sequence[StateBuffer]) -> dict[str, Array]:
    """The values of the buffers, by their outputs' names."""
    found: dict[str, Any] = {b.output: attrgetter(b.path)(module).detach().clone().numpy() for b in held}
    return found
