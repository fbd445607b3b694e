"""`y[mask] = f(x[mask])` as `where(mask, f(x), y)`, in which no size depends on data."""

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
    """Replace every assignment through a mask whose value can be computed for all elements, selected or not.

    The value is a number, a tensor broadcast to all selected elements, or an elementwise function of elements selected
    by the same mask. Other assignments are kept.
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
    """`masked_select(x, mask)` as `x[mask]`, which the exporter supports; the operands are broadcast first."""
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
    """The mask, if it is the only index."""
    given = [i for i in indices if i is not None]
    if len(given) != 1 or indices[0] is None or given[0].meta["val"].dtype != torch.bool:
        return None
    node: Node = given[0]
    return node


def _everywhere(value: Node, x: Node, mask: Node, put: Node) -> Node | None:
    """The assigned value for every element of `x`: broadcast, or computed from the masked tensor."""
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
    """Whether each element of the value is a function of the element selected by the same mask at that position."""
    masks = [m for n in chain if _takes(n) and (m := _mask(n.args[1])) is not None]
    if not masks or not all(_takes(n) or _is_elementwise(n, chain) for n in chain):
        return False
    return all(_same(m, mask) for m in masks) and not _mutates(min([*chain, *masks]), put, chain)


def _is_last_use(node: Node) -> bool:
    """Whether nothing reads the first operand after the node, except its size."""
    operand = node.args[0]
    assert isinstance(operand, Node)
    return all(user is node or user < node or user.target is aten.sym_size.int for user in operand.users)


def _chain(value: Node) -> Iterator[Node]:
    """The value and the nodes it is computed from, as far as their sizes depend on data; users first."""
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
    """Whether it is elementwise, with other operands scalar. In place only as the last use of its first operand."""
    if torch.Tag.pointwise not in getattr(node.target, "tags", ()):
        return False
    if writes(node) and not (node.target in MUTATING and _is_last_use(node)):
        return False
    return all(n in chain or n.meta["val"].dim() == 0 for n in node.all_input_nodes)


def _same(one: Node, other: Node) -> bool:
    """Whether both are the same mask: the same node, or the same comparison of the same operands."""
    return one is other or (one.target, one.args, one.kwargs) == (other.target, other.args, other.kwargs)


def _mutates(first: Node, last: Node, own: list[Node]) -> bool:
    """Whether a node between the two changes a tensor in place, which may be the mask's or the masked tensor's data."""
    node: Any = first
    while node is not last:
        if writes(node) and node not in own:
            return True
        node = node.next
    return False


def _forget_sizes(module: GraphModule) -> None:
    """Remove assertions on sizes that are not used otherwise."""
    for node in reversed(list(module.graph.nodes)):
        if node.target is aten._assert_scalar.default and all(_counts_unused(n) for n in node.all_input_nodes):
            module.graph.erase_node(node)


def _counts_unused(node: Node) -> bool:
    """Whether the number is the size of a masked selection and is not used for anything else."""
    if node.target is aten.sym_size.int:
        return _takes(node.all_input_nodes[0]) and all(_only_asserts(user) for user in node.all_input_nodes[0].users)
    return bool(node.all_input_nodes) and all(_counts_unused(n) for n in node.all_input_nodes)


def _only_asserts(node: Node) -> bool:
    if node.target is aten._assert_scalar.default:
        return True
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) and all(_only_asserts(user) for user in node.users)
