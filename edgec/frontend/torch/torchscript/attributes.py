"""Attributes that a scripted forward assigns: those that are states of the model, and those local to a call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch

from edgec.diag import EdgecError, Place, error

_CHANGING = frozenset(
    f"aten::{name}" for name in ("_set_item", "append", "extend", "insert", "pop", "clear", "Delete", "reverse")
)
"""Operators that change a list or dictionary in place."""


class Attributes:
    """The attributes of a script module that its graph reads and assigns, by their dotted paths.

    `tensors`: those that are read before they are assigned, so that a call reads the value of the previous call.
    Raises `EdgecError` E0219 for values other than tensors that are kept for the next call.
    """

    def __init__(self, script: Any, graph: Any) -> None:
        self._paths: dict[str, str] = {next(graph.inputs()).debugName(): ""}
        self.assigned: dict[str, None] = {}
        read_first: dict[str, None] = {}
        held: set[str] = set()
        places: dict[str, Place] = {}
        for node in _nodes(graph):
            if node.kind() == "prim::GetAttr":
                path = self.path(node)
                if path not in self.assigned:
                    read_first[path] = None
                self._paths[node.output().debugName()] = path
                held.add(node.output().debugName())
            elif node.kind() == "prim::SetAttr":
                places.setdefault(self.path(node), _place(node))
                self.assigned[self.path(node)] = None
            elif node.kind() in _CHANGING and next(node.inputs()).debugName() in held:
                raise _refused(self._paths[next(node.inputs()).debugName()], "container", _place(node))
        read = {path: _value(script, path) for path in read_first}
        self.tensors = {path: value for path, value in read.items() if isinstance(value, torch.Tensor)}
        for path in self.assigned:
            if path in read and path not in self.tensors:
                raise _refused(path, "empty" if read[path] is None else "number", places[path])

    def path(self, node: Any) -> str:
        """The attribute that a node gets or sets."""
        owner = self._paths.get(next(node.inputs()).debugName(), "?")
        return f"{owner}.{node.s('name')}" if owner else str(node.s("name"))

    def key(self, node: Any) -> str | None:
        """The name under which an attribute's value is kept while the graph runs; None if it is never assigned."""
        path = self.path(node) if node.kind() in ("prim::GetAttr", "prim::SetAttr") else ""
        return f".{path}" if path in self.assigned else None


def _nodes(block: Any) -> Iterator[Any]:
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _value(script: Any, path: str) -> Any:
    for part in path.split("."):
        script = getattr(script, part)
    return script


def _place(node: Any) -> Place:
    computed = [value.node() for value in node.inputs()][1:]  # an assignment has no line, but its value does
    ranges = " ".join(n.sourceRange() for n in (node, *computed))
    found = re.search(r'File "([^"]+)", line (\d+)', ranges)
    return Place(found[1], int(found[2])) if found else Place("TorchScript")


def _refused(path: str, label: str, place: Place) -> EdgecError:
    what = {
        "container": "in a list or dictionary that is changed in place",
        "empty": "and does not exist before the first call",
        "number": "as a value that is not a tensor, so it cannot become a state",
    }[label]
    return error(
        "E0219",
        f"`{path}` is kept between calls, {what}",
        place=place,
        notes=["a later call uses it", f"rejected by `memory-{label}`"],
        help=["keep a tensor of one shape: `register_buffer` in `__init__`, then `torch.jit.script` again"],
    )
