"""Replaces complex tensors by their real and imaginary parts before the exporter runs.

The exporter supports some operators on complex numbers, and represents a complex tensor as a real one with a trailing
dimension of two, which fails when a real tensor meets a complex one of lower rank.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._guards import detect_fake_mode
from torch.export import ExportedProgram
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from edgec.frontend.torch.decompositions.complex_numbers import Parts
from edgec.frontend.torch.decompositions.splice import rename_outputs
from edgec.frontend.torch.decompositions.table import COMPLEX_DECOMPOSITIONS
from edgec.frontend.torch.fx_call import call_before
from edgec.frontend.torch.splicing import holders, spliced

aten = torch.ops.aten


def split_complex(program: ExportedProgram) -> None:
    """Apply `COMPLEX_DECOMPOSITIONS` to a functional program, in place."""
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule) and any(_holds_complex(node) for node in module.graph.nodes):
            _Splitting(module.graph).run()
            module.graph.eliminate_dead_code()
            module.recompile()
    rename_outputs(program)


def _holds_complex(node: Node) -> bool:
    return any(isinstance(v, torch.Tensor) and v.is_complex() for v in pytree.tree_leaves(node.meta.get("val")))


class _Splitting:
    """The known parts of each complex node, while the graph is traversed in order."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[Node, Any] = {}
        self._joined: dict[Node, Node] = {}
        self._pairs: dict[Any, Parts] = {}
        self._start = next(node for node in graph.nodes if node.op not in ("placeholder", "get_attr"))
        self._mode = detect_fake_mode([node.meta.get("val") for node in graph.nodes]) or contextlib.nullcontext()

    def run(self) -> None:
        """Traverse the graph."""
        for node in list(self._graph.nodes):
            if node.op == "output":
                self._rejoin(node)
            elif (part := self._part(node)) is not None:
                node.replace_all_uses_with(part)
            elif node.target is operator.getitem and node.args[0] in self._known:
                self._become(node, self._known[node.args[0]][node.args[1]])
            elif _holds_complex(node) or any(source in self._known for source in node.all_input_nodes):
                decomposition = COMPLEX_DECOMPOSITIONS.get(_name(node)) if node.op == "call_function" else None
                if decomposition is None:
                    self._left(node)
                else:
                    result = self._spliced(node, decomposition)
                    if node.target is aten.view_as_real.default:
                        self._pairs[result] = self._known[node.all_input_nodes[0]]
                    self._become(node, result)

    def _part(self, node: Node) -> Node | None:
        """The part selected from a pair: torch's `z.real` is `view_as_real(z)[..., 0]`."""
        if node.target is not aten.select.int or node.args[0] not in self._pairs:
            return None
        pair: Any = node.args[0]
        dim, index = node.args[1:]
        if dim not in (-1, pair.meta["val"].dim() - 1) or index not in (0, 1):
            return None
        picked: Node = self._pairs[pair].imag if index else self._pairs[pair].real
        return picked

    def _become(self, node: Node, result: Any) -> None:
        """Replace the node by a real result, or record the parts of a complex one."""
        if isinstance(result, Node):
            node.replace_all_uses_with(result)
        else:
            self._known[node] = result

    def _spliced(self, node: Node, decomposition: Callable[..., Any]) -> Any:
        """The result of `decomposition`, with its operators inserted before `node`."""
        leaves, spec = pytree.tree_flatten((node.args, node.kwargs), is_leaf=lambda x: isinstance(x, Node))
        leaves = [self._known.get(leaf, leaf) if isinstance(leaf, Node) else leaf for leaf in leaves]
        given = [part for leaf in leaves for part in _nodes_of(leaf)]
        found: list[Any] = []

        def call(*values: Any) -> list[Any]:
            rest = iter(values)
            taken = [_filled(leaf, rest) for leaf in leaves]
            args, kwargs = pytree.tree_unflatten(taken, spec)
            flat, result = pytree.tree_flatten(decomposition(*args, **kwargs), is_leaf=lambda x: isinstance(x, Parts))
            found[:] = [result, [isinstance(x, Parts) for x in flat]]
            return [t for x in flat for t in ((x.real, x.imag) if isinstance(x, Parts) else (x,))]

        with torch.no_grad(), self._mode:
            traced = make_fx(call, pre_dispatch=True)(*(n.meta["val"] for n in given))
        copied, _ = spliced(self._graph, node, traced, dict(zip(holders(traced), given, strict=True)))
        made = iter(copied)
        result, complex_ = found
        pieces = [Parts(next(made), next(made)) if is_complex else next(made) for is_complex in complex_]
        return pytree.tree_unflatten(pieces, result)

    def _left(self, node: Node) -> None:
        """Leave the operator to the exporter: its operands are joined, its result is split."""
        if node.op == "call_function":
            self._rejoin(node)
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.is_complex():
            after = node.next if node.op == "call_function" else self._start
            pairs = call_before(after, aten.view_as_real.default, node)
            real, imag = (call_before(after, aten.select.int, pairs, value.dim(), i) for i in (0, 1))
            self._known[node] = Parts(real, imag)
            self._joined[node] = node

    def _rejoin(self, node: Node) -> None:
        """Recreate a complex tensor from its parts."""
        for source in node.all_input_nodes:
            parts = self._known.get(source)
            if isinstance(parts, Parts):
                if source not in self._joined:
                    self._joined[source] = call_before(node, aten.complex.default, parts.real, parts.imag)
                node.replace_input_with(source, self._joined[source])


def _name(node: Node) -> str:
    """The operator's name without its overload: `aten.add`."""
    return str(node.target).rpartition(".")[0]


def _nodes_of(leaf: Any) -> tuple[Node, ...]:
    if isinstance(leaf, Parts):
        return leaf.real, leaf.imag
    return (leaf,) if isinstance(leaf, Node) else ()


def _filled(leaf: Any, values: Iterator[Any]) -> Any:
    if isinstance(leaf, Parts):
        return Parts(next(values), next(values))
    return next(values) if isinstance(leaf, Node) else leaf
