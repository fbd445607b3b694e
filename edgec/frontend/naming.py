"""Names of the values of an exported graph: unique, with inputs and outputs named as the user named them.

torch names weights by path, values by operator and inputs by parameter, independently of each other: `mean` may be the
name of one of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from edgec.ir.model import subgraphs

_PATH = "edgec.path"


def weights(graph: ir.Graph) -> dict[str, ir.Value]:
    """The graph's weights by their paths in the module."""
    return {value.metadata_props.get(_PATH, name): value for name, value in graph.initializers.items()}


def separate_weights(graph: ir.Graph) -> None:
    """Rename each weight whose name is also that of another value."""
    taken = {value.name for value in computed(graph)}
    for name in sorted(taken & set(graph.initializers), key=str):
        value = graph.initializers.pop(str(name))
        value.metadata_props.setdefault(_PATH, str(name))
        value.name = free(graph, f"{name}_weight")
        graph.initializers.add(value)


def name_interface(graph: ir.Graph, outputs: Sequence[str]) -> list[str]:
    """Give the graph's outputs these names, or similar ones if taken by an input; returns the names of the inputs."""
    taken = {v.name for v in graph.inputs}
    for i, name in enumerate(outputs):
        value = _carried(graph, i)
        while name in taken:
            name = f"{name}_out"
        taken.add(name)
        claim(graph, value, name)
    return [v.name or "" for v in graph.inputs]


def claim(graph: ir.Graph, value: ir.Value, name: str) -> None:
    """Give the value this name, and rename the inner value that has it."""
    for other in list(computed(graph)):
        if other is not value and other.name == name:
            other.name = free(graph, f"{name}_inner")
    value.name = name


def free(graph: ir.Graph, wanted: str) -> str:
    """The name, with a number appended if it is taken."""
    taken = {value.name for value in computed(graph)} | set(graph.initializers)
    name, count = wanted, 0
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


def computed(graph: ir.Graph) -> Iterator[ir.Value]:
    """The graph's inputs and the values its nodes compute, including those in branches and loops."""
    yield from graph.inputs
    for node in graph:
        yield from node.outputs
        for inner in subgraphs(node):
            yield from computed(inner)


def _carried(graph: ir.Graph, i: int) -> ir.Value:
    """Output `i` as a value with its own name, also if it is an input, a constant or a repeated output."""
    value = graph.outputs[i]
    if value.producer() is not None and value not in list(graph.outputs)[:i]:
        return value
    node = ir.Node("", "Identity", [value], num_outputs=1)
    node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
    graph.append(node)
    graph.outputs[i] = node.outputs[0]
    return node.outputs[0]
