"""Folds factorizations and similar operators on weights, computed by torch; the exporter does not support them."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument
from torch.fx import Node
from torch.fx.node import map_arg

from edgec.frontend.torch.functionalization.mutations import changed_buffers, writes

_FOLDED = (
    "aten.linalg_", "aten._linalg_", "aten.fft_fftfreq", "aten.fft_rfftfreq", "aten.cholesky", "aten.householder",
    "aten.inverse", "aten.matrix_exp", "aten.orgqr", "aten.ormqr", "aten.pinverse", "aten.qr", "aten.svd",
    "aten.triangular_solve", "aten.special_",
)  # fmt: skip
"""The prefixes of the operators' names."""


def fold_weights(program: torch.export.ExportedProgram) -> None:
    """Replace each call of such an operator that depends on no input by its value, in place."""
    found = [n for n in program.graph.nodes if n.op == "call_function" and str(n.target).startswith(_FOLDED)]
    if not found:
        return
    known = _Known(program)
    for node in (n for n in found if known.has(n)):
        whole = isinstance(node.meta.get("val"), torch.Tensor)
        for made in [node] if whole else [user for user in node.users if user.target is operator.getitem]:
            made.replace_all_uses_with(
                add_constant(program, f"{made.name}_folded", made.meta["val"], known.value(made))
            )
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()


class _Known:
    """The values of nodes that depend only on parameters, buffers and constants."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        signature = program.graph_signature
        changed = changed_buffers(program)
        held = {**program.constants, **program.state_dict}
        self._values: dict[Node, Any] = {}
        self._has: dict[Node, bool] = {}
        holders = [n for n in program.graph.nodes if n.op == "placeholder"]
        for node, spec in zip(holders, signature.input_specs, strict=True):
            known = isinstance(held.get(spec.target or ""), torch.Tensor) and spec.target not in changed
            self._has[node] = known
            if known:
                self._values[node] = held[spec.target or ""]

    def has(self, node: Node) -> bool:
        """Whether the node's value is known before the model runs."""
        if node not in self._has:
            drawn = torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
            plain = node.op == "call_function" and not drawn and not writes(node)
            self._has[node] = plain and all(self.has(n) for n in node.all_input_nodes)
        return self._has[node]

    def value(self, node: Node) -> Any:
        """The value of a node for which `has` is true."""
        if node not in self._values:
            args, kwargs = map_arg((node.args, node.kwargs), self.value)
            with torch.no_grad():
                self._values[node] = node.target(*args, **kwargs)  # type: ignore[operator]
        return self._values[node]


def add_constant(program: torch.export.ExportedProgram, name: str, shown: Any, value: torch.Tensor) -> Node:
    """Add a constant to the program, before its inputs; `shown` is its fake tensor."""
    specs = program.graph_signature.input_specs
    place = next((i for i, s in enumerate(specs) if s.kind == InputKind.USER_INPUT), len(specs))
    holders = [n for n in program.graph.nodes if n.op == "placeholder"]
    before = holders[place] if place < len(holders) else holders[-1].next
    with program.graph.inserting_before(before):
        made: Node = program.graph.placeholder(name)
    made.meta["val"] = shown
    specs.insert(place, InputSpec(InputKind.CONSTANT_TENSOR, TensorArgument(name=made.name), made.name))
    program.constants[made.name] = value.detach().contiguous()
    return made
