"""Decomposes an exported program: replaces calls, in place, by the operators of their decompositions."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from edgec.diag import EdgecError, error
from edgec.extension import TorchOperator
from edgec.frontend.extensions import Extension
from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.decompositions.kernels import called, exported_body
from edgec.frontend.torch.decompositions.table import DECOMPOSITIONS
from edgec.frontend.torch.fx_call import place_in_source
from edgec.frontend.torch.splicing import carry, holders, spliced
from edgec.frontend.torch.weight_folding import add_constant
from edgec.frontend.user_code import user_code

BODIES = "edgec_bodies"
"""Metadata of a program: the computations of its calls to kernels, by name."""


def decompose(program: torch.export.ExportedProgram, own: Extension | None = None) -> None:
    """Replace, in `program` and its subgraphs, each call that an entry of `DECOMPOSITIONS` applies to, or that is
    defined in the user's extension `own`.

    Raises what a decomposition raises: `EdgecError` E0202 if it is unsupported, E0201 if the user's own fails.
    """
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            _Decomposing(program, module.graph, own or Extension()).run()
            module.recompile()
    rename_outputs(program)


class _Decomposing:
    """One graph of a program; calls are replaced until none has a decomposition."""

    def __init__(self, program: torch.export.ExportedProgram, graph: torch.fx.Graph, own: Extension) -> None:
        self._program, self._graph, self._own = program, graph, own

    def run(self) -> None:
        """Replace the calls, and those in their replacements."""
        pending = list(self._graph.nodes)
        changed = False
        while pending:
            node = pending.pop()
            if node.op != "call_function":
                continue
            if _is_empty(node):
                _fill(self._graph, node)
                changed = True
                continue
            said = self._own.torch_operator(str(node.target))
            if said is not None and said.tflite is not None:
                found: Decomposition | None = self._call(node, said)
            else:
                found = _of_user(said) if said is not None else _decomposition(str(node.target))
            if found is not None and found.applies(*_values(node.args), **_values(node.kwargs)):
                pending += self._splice(node, found)
                changed = True
        if changed:
            self._graph.eliminate_dead_code()

    def _call(self, node: torch.fx.Node, said: TorchOperator) -> Decomposition:
        """A call that remains one, for a kernel. Its computation is stored with the program, as another program."""
        _, program = exported_body(node, said)
        plain = Extension({name: replace(op, tflite=None) for name, op in self._own.torch.items()})
        decompose(program, plain)
        bodies = self._program.graph_module.meta.setdefault(BODIES, {})
        name = f"{said.name.replace('::', '_').replace('.', '_')}_{len(bodies)}"
        bodies[name] = program
        return Decomposition(called(node, said, name))

    def _splice(self, node: torch.fx.Node, found: Decomposition) -> list[torch.fx.Node]:
        """Replace `node` by the computation of `found`; returns the new nodes."""
        traced, inputs = _traced(node, found)
        known = dict(zip(holders(traced), inputs, strict=True)) | self._constants(traced, node)
        result, new = spliced(self._graph, node, traced, known)
        if any(n.target is node.target and found.applies(*_values(n.args), **_values(n.kwargs)) for n in new):
            raise _unfit(node, "decomposes into itself", "decomposes-into-itself")
        _replace(self._graph, node, result)
        return new

    def _constants(self, traced: torch.fx.GraphModule, node: torch.fx.Node) -> dict[torch.fx.Node, torch.fx.Node]:
        """The tensors captured in the trace, as constants of the program."""
        held = [n for n in traced.graph.nodes if n.op == "get_attr"]
        if held and self._graph is not self._program.graph:
            raise _unfit(node, "contains a constant tensor inside a branch", "constant-in-branch")
        constants: dict[str, torch.fx.Node] = {}
        for name in dict.fromkeys(str(n.target) for n in held):
            value = getattr(traced, name)
            with _mode_of([node.meta["val"], *_values(node.args)]) as mode:
                shown = value if mode is None else mode.from_tensor(value)
            constants[name] = add_constant(self._program, f"{node.name}{name}", shown, value)
        return {n: constants[str(n.target)] for n in held}


def _unfit(node: torch.fx.Node, what: str, label: str) -> EdgecError:
    return error("E0202", f"`{node.target}` {what}", place=place_in_source(node), notes=[f"rejected by `{label}`"])


def _is_empty(node: torch.fx.Node) -> bool:
    """Whether a call computes an empty tensor, which several operators of ONNX cannot."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor) or value.is_complex() or not node.all_input_nodes:
        return False
    return all(isinstance(size, int) for size in value.shape) and value.numel() == 0


def _fill(graph: torch.fx.Graph, node: torch.fx.Node) -> None:
    """Replace `node` by an empty tensor of its shape and type."""
    value = node.meta["val"]
    with graph.inserting_before(node):
        new = graph.call_function(torch.ops.aten.zeros.default, (list(value.shape),), {"dtype": value.dtype})
    new.meta["val"] = value
    carry(node, new)
    node.replace_all_uses_with(new)
    graph.erase_node(node)


def _decomposition(target: str) -> Decomposition | None:
    """The decomposition of the operator, or, for an in-place operator, that of its functional form."""
    found = DECOMPOSITIONS.get(target)
    name, _, overload = target.rpartition(".")
    if found is not None or not name.endswith("_") or name.endswith("__"):
        return found
    plain = DECOMPOSITIONS.get(f"{name[:-1]}.{overload}")
    return None if plain is None else Decomposition(_in_place(plain.compute), plain.applies)


def _of_user(said: TorchOperator) -> Decomposition:
    """The user's decomposition of the operator; an exception in it is reported with its line."""

    def compute(*args: Any, **kwargs: Any) -> Any:
        with user_code(f"computing `{said.name}` by its extension"):
            return said.compute(*args, **kwargs)

    return Decomposition(compute)


def _in_place(compute: Callable[..., Any]) -> Callable[..., Any]:
    def change(x: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        return x.copy_(compute(x, *rest, **more))

    return change


def _traced(node: torch.fx.Node, found: Decomposition) -> tuple[torch.fx.GraphModule, list[torch.fx.Node]]:
    """The computation of `found` for this call, and the nodes that are its inputs."""
    leaves, spec = pytree.tree_flatten((node.args, node.kwargs), is_leaf=_is_node)
    inputs = [leaf for leaf in leaves if _is_node(leaf)]

    def call(*given: Any) -> Any:
        values = iter(given)
        args, kwargs = pytree.tree_unflatten([next(values) if _is_node(leaf) else leaf for leaf in leaves], spec)
        return found.compute(*args, **kwargs)

    values = [n.meta["val"] for n in inputs]
    with torch.no_grad(), _mode_of(values):
        return make_fx(call)(*values), inputs


@contextlib.contextmanager
def _mode_of(values: list[Any]) -> Iterator[FakeTensorMode | None]:
    """The fake-tensor mode of the program's own tensors: otherwise each new tensor would get its own mode, and torch's
    passes reject a program with several. Real tensors, which the user's code may hold, are accepted.
    """
    modes = [v.fake_mode for v in pytree.tree_leaves(values) if isinstance(v, FakeTensor)]
    if not modes:
        yield None
        return
    with modes[0] as mode:
        before, mode.allow_non_fake_inputs = mode.allow_non_fake_inputs, True
        try:
            yield mode
        finally:
            mode.allow_non_fake_inputs = before


def _replace(graph: torch.fx.Graph, node: torch.fx.Node, result: Any) -> None:
    if isinstance(result, torch.fx.Node):
        node.replace_all_uses_with(result)
    else:
        for user in list(node.users):
            assert user.target is operator.getitem
            if not user.users:
                graph.erase_node(user)
                continue
            part = result[user.args[1]]
            if part is None:
                raise error(
                    "E0202",
                    f"result {user.args[1]} of `{node.target}` cannot be exported",
                    notes=["rejected by `second-result`"],
                )
            user.replace_all_uses_with(part)
            graph.erase_node(user)
    graph.erase_node(node)


def rename_outputs(program: torch.export.ExportedProgram) -> None:
    """Update the output names in the program's signature after nodes were replaced."""
    (values,) = program.graph_module.graph.output_node().args
    for spec, value in zip(program.graph_signature.output_specs, values, strict=True):
        if isinstance(value, torch.fx.Node):
            spec.arg.name = value.name


def _values(arguments: Any) -> Any:
    """The arguments, with nodes replaced by fake tensors of their shapes and types."""
    return torch.fx.node.map_arg(arguments, lambda n: n.meta.get("val"))


def _is_node(leaf: Any) -> bool:
    return isinstance(leaf, torch.fx.Node)
