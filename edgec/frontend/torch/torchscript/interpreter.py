"""A TorchScript graph as a module whose forward runs it node by node, so that torch.export can trace it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from edgec.frontend.torch.autograph.operators.branches import Branch, State
from edgec.frontend.torch.autograph.operators.control_flow import Runtime
from edgec.frontend.torch.autograph.operators.loop_bounds import Range
from edgec.frontend.torch.autograph.operators.select import UNDEFINED, Site
from edgec.frontend.torch.torchscript.attributes import Attributes
from edgec.frontend.torch.torchscript.operators import NUMBERS, PYTHON, apply

Values = dict[str, Any]

_ENDLESS = 2**63 - 1
"""The trip count of a `while`."""


@dataclass(frozen=True)
class _Member:
    """A submodule, by its dotted path."""

    path: str

    def child(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


class ScriptGraph(torch.nn.Module):
    """Runs the inlined graph of a script module. Its weights are buffers, so that the export keeps their names."""

    def __init__(self, script: Any) -> None:
        super().__init__()
        self._script = [script]  # in a list, in which torch does not look for submodules
        self._graph = script.inlined_graph
        self._attributes = Attributes(script, self._graph)
        tensors = {**self._attributes.tensors, **dict([*script.named_parameters(), *script.named_buffers()])}
        self.weights = _holders(tensors)
        self.runtime = Runtime()

    @property
    def is_straight(self) -> bool:
        """Whether the graph contains no branches, not even on Python values."""
        return not (self._graph.findAllNodes("prim::If") or self._graph.findAllNodes("prim::Loop"))

    @property
    def is_quantized(self) -> bool:
        """Whether some operator uses torch's packed quantized weights."""
        return "quantized::" in str(self._graph)

    def forward(self, *inputs: Any) -> Any:
        """Run the graph on its inputs."""
        own, *parameters = self._graph.inputs()
        values: Values = {own.debugName(): _Member("")}
        values.update(zip((p.debugName() for p in parameters), inputs, strict=True))
        kept = [path for path in self._attributes.assigned if _has_buffer(self.weights, path)]
        values.update({f".{path}": self.weights.get_buffer(path) for path in kept})
        self._run(self._graph.nodes(), values)
        for path in kept:
            owner, _, leaf = path.rpartition(".")
            setattr(self.weights.get_submodule(owner), leaf, values[f".{path}"])
        results: tuple[Any, ...] = tuple(values[o.debugName()] for o in self._graph.outputs())
        return results[0] if len(results) == 1 else results

    def _run(self, nodes: Any, values: Values) -> None:
        for node in nodes:
            results = self._node(node, values)
            values.update(zip((o.debugName() for o in node.outputs()), results, strict=True))

    def _node(self, node: Any, values: Values) -> tuple[Any, ...]:
        kind = node.kind()
        if kind == "prim::Constant":
            return (node.output().toIValue(),)
        key = self._attributes.key(node)
        if kind == "prim::GetAttr":
            if key is not None and key in values:
                return (values[key],)
            return (self._attribute(values[node.input().debugName()], node.s("name")),)
        arguments = [values[i.debugName()] for i in node.inputs()]
        if key is not None:
            values[key] = arguments[1]
            return ()
        if kind == "prim::If":
            return self._if(node, arguments[0], values)
        if kind == "prim::Loop":
            return self._loop(node, arguments, values)
        if kind in NUMBERS:
            return (self.runtime.number(NUMBERS[kind], arguments[0]),)
        if kind in ("aten::__not__", "aten::__and__", "aten::__or__") and _traced_truth(arguments):
            return (self._logic(kind, arguments),)
        if kind in PYTHON:
            return PYTHON[kind](node, arguments)
        return apply(node, arguments)

    def _logic(self, kind: str, arguments: list[Any]) -> Any:
        if kind == "aten::__not__":
            return self.runtime.negated(arguments[0])
        logic = self.runtime.both if kind == "aten::__and__" else self.runtime.either
        return logic(arguments[0], lambda: arguments[1])

    def _attribute(self, owner: Any, name: str) -> Any:
        if not isinstance(owner, _Member):
            return getattr(owner, name)
        path = owner.child(name)
        found = self._script[0]
        for part in path.split("."):
            found = getattr(found, part)
        if isinstance(found, torch.Tensor):
            return self.weights.get_buffer(path) if _has_buffer(self.weights, path) else found
        return _Member(path) if isinstance(found, torch.nn.Module) else found

    def _if(self, node: Any, test: Any, values: Values) -> tuple[Any, ...]:
        yes, no = node.blocks()
        if isinstance(test, torch.Tensor) and (_raises(yes) or _raises(no)):
            test = _raises(no)  # a graph continues as if the check succeeded
            self.runtime.unchecked.setdefault(_site("if", node))
        names = self._free(yes, values) | self._free(no, values)
        attributes = frozenset(name for name in names if name.startswith("."))
        branch = Branch(_site("if", node), tuple(names), attributes, returns=True)
        state = tuple(values.get(n, UNDEFINED) for n in names)
        sides = (self._block(yes, values, branch.names), self._block(no, values, branch.names))
        results, after = self.runtime.branch(test, *sides, state, branch)
        self._take_attributes(values, names, after)
        return tuple(results)

    def _take_attributes(self, values: Values, names: Iterable[str], after: Iterable[Any]) -> None:
        """Copy the attributes that blocks assigned; all other names are in single-assignment form."""
        found = zip(names, after, strict=True)
        values.update({n: v for n, v in found if n.startswith(".") and v is not UNDEFINED})

    def _block(self, block: Any, values: Values, names: tuple[str, ...]) -> Any:
        def run(*state: Any) -> tuple[Any, State]:
            inner = {**values, **dict(zip(names, state, strict=True))}
            self._run(block.nodes(), inner)
            return tuple(inner[o.debugName()] for o in block.outputs()), tuple(inner[n] for n in names)

        return run

    def _loop(self, node: Any, arguments: list[Any], values: Values) -> tuple[Any, ...]:
        trips, going, *carried = arguments
        (block,) = node.blocks()
        parameters = [p.debugName() for p in block.inputs()]
        free = tuple(self._free(block, values))
        names = (*parameters, "going", *free)

        def test(*state: Any) -> Any:
            condition = state[len(parameters)]
            if isinstance(trips, int) and trips == _ENDLESS:
                return condition
            inside = Range(0, trips, 1).holds(state[0])
            return inside if condition is True else self.runtime.both(condition, lambda: inside)

        def body(*state: Any) -> State:
            inner = {**values, **dict(zip(names, state, strict=True))}
            self._run(block.nodes(), inner)
            going, *results = (inner[o.debugName()] for o in block.outputs())
            return (state[0] + 1, *results, going, *(inner[n] for n in free))

        branch = Branch(_site("loop", node), names, frozenset(names))
        state = (0, *carried, going, *(values.get(n, UNDEFINED) for n in free))
        after = self.runtime.loop(test, body, state, branch)
        self._take_attributes(values, free, after[len(parameters) + 1 :])
        return after[1 : len(parameters)]

    def _free(self, block: Any, values: Values) -> dict[str, None]:
        """The outer names that a block uses, in order, and the attributes that it gets or sets."""
        found: dict[str, None] = {}
        for node in block.nodes():
            for used in node.inputs():
                if used.debugName() in values and not isinstance(values[used.debugName()], _Member):
                    found[used.debugName()] = None
            if (key := self._attributes.key(node)) is not None:
                found[key] = None
            for inner in node.blocks():
                found.update(self._free(inner, values))
        for output in block.outputs():
            if output.debugName() in values:
                found[output.debugName()] = None
        return found


class _Holder(torch.nn.Module):
    """A node of the tree of weights."""


def _holders(tensors: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    root = _Holder()
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        owner: torch.nn.Module = root
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, _Holder())
            owner = owner.get_submodule(part)
        owner.register_buffer(leaf, tensor.detach())
    return root


def _has_buffer(root: torch.nn.Module, path: str) -> bool:
    try:
        root.get_buffer(path)
    except AttributeError:
        return False
    return True


def _raises(block: Any) -> bool:
    return any(n.kind() == "prim::RaiseException" for n in block.nodes())


def _traced_truth(arguments: list[Any]) -> bool:
    return any(isinstance(a, torch.Tensor) and a.dim() == 0 for a in arguments)


def _site(kind: str, node: Any) -> Site:
    """The source line recorded in the archive, in the format of `torch.jit`."""
    found = re.search(r'File "(.+)", line (\d+)', node.sourceRange())
    file, line = (found[1], int(found[2])) if found else ("TorchScript", 0)
    return Site(kind, file, line, (line, line))


__all__ = ["UNDEFINED", "ScriptGraph"]
