"""`y[mask] = f(x[mask])` as `where(mask, f(x), y)`, whose sizes do not depend on the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.fx.node import map_arg

from edgec.frontend.torch.functionalization.mutations import writes
from edgec.frontend.torch.functionalization.operators import MUTATING
from edgec.frontend.torch.fx_call import call_before

aten = torch.ops.aten

_PUTS = (aten.index_put.default, aten.index_put_.default)


def replace_masked_writes(program: torch.export.ExportedProgram) -> None:
    """Replace, in `program`, every assignment through one mask whose value is not of the mask's own making.

    The value is a number, a tensor that is the same at each place, or an elementwise function of what the same mask
    takes. Other assignments are left alone.
    """
    module = program.graph_module
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.target is aten.masked_select.default:
            _select_by_index(node)
    puts = [n for n in module.graph.nodes if n.op == "call_function" and n.target in _PUTS]
    replaced = [node for node in puts if _replace(node)]
    if replaced:
        _forget_sizes(module)
        module.graph.eliminate_dead_code()
        module.recompile()
        outputs = module.graph.output_node().args[0]
        for spec, value in zip(program.graph_signature.output_specs, outputs, strict=True):
            if isinstance(value, Node):
                spec.arg.name = value.name


def _select_by_index(node: Node) -> None:
    """`masked_select(x, mask)` as `x[mask]`, which the exporter knows; both as large as the larger."""
    x, mask = node.args
    assert isinstance(x, Node)
    assert isinstance(mask, Node)
    shape: Any = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        x.meta["val"].shape, mask.meta["val"].shape
    )
    wide, chosen = (v if v.meta["val"].shape == shape else call_before(node, aten.expand.default, v, list(shape))
                    for v in (x, mask))  # fmt: skip
    if all(isinstance(size, int) for size in shape):
        node.target, node.args = aten.index.Tensor, (wide, [chosen])


def _replace(node: Node) -> bool:
    x, indices, value, *accumulate = node.args
    mask = _mask(indices)
    if mask is None or any(accumulate) or not isinstance(x, Node) or not isinstance(value, Node):
        return False
    dense = _everywhere(value, x, mask, node)
    if dense is None:
        return False
    trailing = x.meta["val"].dim() - mask.meta["val"].dim()
    wide = (
        call_before(node, aten.reshape.default, mask, [*mask.meta["val"].shape, *[1] * trailing]) if trailing else mask
    )
    if dense.meta["val"].dtype != x.meta["val"].dtype:
        dense = call_before(node, aten._to_copy.default, dense, dtype=x.meta["val"].dtype)
    result = call_before(node, aten.where.self, wide, dense, x)
    if node.target is aten.index_put_.default:
        result = call_before(node, aten.copy_.default, x, result)
    node.replace_all_uses_with(result)
    node.graph.erase_node(node)
    return True


def _mask(indices: Any) -> Node | None:
    """The mask where it is all that indexes."""
    given = [i for i in indices if i is not None]
    if len(given) != 1 or indices[0] is None or given[0].meta["val"].dtype != torch.bool:
        return None
    node: Node = given[0]
    return node


def _everywhere(value: Node, x: Node, mask: Node, put: Node) -> Node | None:
    """What is assigned, for every place of `x`: the same at each, or computed from what the mask takes."""
    shape, rest = value.meta["val"].shape, x.meta["val"].dim() - mask.meta["val"].dim()
    if all(isinstance(size, int) for size in shape):
        if len(shape) <= rest:
            return value
        return (
            call_before(put, aten.reshape.default, value, list(shape[1:]))
            if len(shape) == rest + 1 and shape[0] == 1
            else None
        )
    chain = list(_chain(value))
    if not _is_replaced(chain, mask, put):
        return None
    dense: dict[Node, Node] = {}
    for node in reversed(chain):
        if _takes(node):
            taken = node.args[0]
            assert isinstance(taken, Node)
            dense[node] = taken
        else:
            args = map_arg(node.args, lambda n: dense.get(n, n))
            dense[node] = call_before(put, MUTATING.get(node.target, node.target), *args, **node.kwargs)
    return dense[value]


def _is_replaced(chain: list[Node], mask: Node, put: Node) -> bool:
    """Whether each element of the chain's value is a function of the element that the same mask takes there."""
    masks = [m for n in chain if _takes(n) and (m := _mask(n.args[1])) is not None]
    if not masks or not all(_takes(n) or _is_elementwise(n, chain) for n in chain):
        return False
    return all(_same(m, mask) for m in masks) and not _mutates(min([*chain, *masks]), put, chain)


def _is_last_use(node: Node) -> bool:
    """Whether nothing reads the first operand after the node, other than its size."""
    operand = node.args[0]
    assert isinstance(operand, Node)
    return all(user is node or user < node or user.target is aten.sym_size.int for user in operand.users)


def _chain(value: Node) -> Iterator[Node]:
    """The value and what it is computed from, as far as sizes depend on the data; each after all that use it."""
    found = {value}
    pending = [value]
    while pending:
        node = pending.pop()
        inputs = [] if _takes(node) else [n for n in node.all_input_nodes if _is_open(n)]
        pending += [n for n in inputs if n not in found]
        found.update(inputs)
    yield from sorted(found, reverse=True)


def _takes(node: Node) -> bool:
    return node.target is aten.index.Tensor and _mask(node.args[1]) is not None


def _is_open(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and not all(isinstance(size, int) for size in value.shape)


def _is_elementwise(node: Node, chain: list[Node]) -> bool:
    """One element from one element: other operands are single numbers. A change in place is that of its own copy."""
    if torch.Tag.pointwise not in getattr(node.target, "tags", ()):
        return False
    if writes(node) and not (node.target in MUTATING and _is_last_use(node)):
        return False
    return all(n in chain or n.meta["val"].dim() == 0 for n in node.all_input_nodes)


def _same(one: Node, other: Node) -> bool:
    """The same mask: one node, or the same comparison of the same operands."""
    return one is other or (one.target, one.args, one.kwargs) == (other.target, other.args, other.kwargs)


def _mutates(first: Node, last: Node, own: list[Node]) -> bool:
    """Whether anything else between the two changes a tensor: it may be what the mask is made from, or takes from."""
    node: Any = first
    while node is not last:
        if writes(node) and node not in own:
            return True
        node = node.next
    return False


def _forget_sizes(module: GraphModule) -> None:
    """Assertions on sizes that nothing else asks for any more."""
    for node in reversed(list(module.graph.nodes)):
        if node.target is aten._assert_scalar.default and all(_counts_unused(n) for n in node.all_input_nodes):
            module.graph.erase_node(node)


def _counts_unused(node: Node) -> bool:
    """Whether the number comes from the size of what a mask takes, and that is used for nothing else."""
    if node.target is aten.sym_size.int:
        return _takes(node.all_input_nodes[0]) and all(_only_asserts(user) for user in node.all_input_nodes[0].users)
    return bool(node.all_input_nodes) and all(_counts_unused(n) for n in node.all_input_nodes)


def _only_asserts(node: Node) -> bool:
    if node.target is aten._assert_scalar.default:
        return True
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) and all(_only_asserts(user) for user in node.users)
