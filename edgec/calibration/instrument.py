"""Instrumented graphs: copies in which inner values are outputs or inputs."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from edgec.ir.model import Model

_GIVEN = "/given"


def observable(model: Model) -> list[str]:
    """The names of the values that nodes of the main graph compute, in graph order."""
    return [v.name for node in model.graph for v in node.outputs if v.name and v.type is not None]


def showing(model: Model, names: Sequence[str]) -> Model:
    """A copy of the graph with the named values as additional outputs."""
    shown = model.clone()
    values = _by_name(shown.graph)
    shown.graph.outputs.extend(values[name] for name in names if not values[name].is_graph_output())
    return shown


def given(name: str) -> str:
    """The name of the input that replaces a value in `fed`."""
    return f"{name}{_GIVEN}"


def fed(model: Model, names: Sequence[str]) -> Model:
    """A copy in which each named value is an output, and its uses read a new input instead (named by `given`)."""
    shown = showing(model, names)
    values = _by_name(shown.graph)
    for name in names:
        value = values[name]
        source = ir.Value(name=given(name), shape=value.shape, type=value.type)
        for user, index in list(value.uses()):
            user.replace_input_with(index, source)
        shown.graph.inputs.append(source)
    return shown


def _by_name(graph: ir.Graph) -> dict[str, ir.Value]:
    return {v.name: v for node in graph for v in node.outputs if v.name}
