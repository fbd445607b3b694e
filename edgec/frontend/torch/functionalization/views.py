"""Views that are decomposed later: they must stay views as long as their memory is written to.

A strided view refers to memory, not to a tensor's elements. It is rewritten as a view of the tensor that owns the
memory, in memory order, so that later steps may assume that this tensor is contiguous.
"""

from __future__ import annotations

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.multiprocessing.reductions import StorageWeakRef

from edgec.diag import error
from edgec.frontend.torch.decompositions.splice import rename_outputs
from edgec.frontend.torch.functionalization.mutations import written
from edgec.frontend.torch.functionalization.operators import aten
from edgec.frontend.torch.fx_call import call_before, place_in_source


def place_views(program: ExportedProgram) -> ExportedProgram:
    """Rewrite strided views as described above, and make the program functional if it writes to memory with a view of a
    kind that is decomposed.

    Raises `EdgecError` E0202 for views by strides of memory that is not one dense tensor of known size.
    """
    graphs = [module for module in program.graph_module.modules() if isinstance(module, GraphModule)]
    reached = [_place_graph(module) for module in graphs]
    rename_outputs(program)
    return program.run_decompositions({}) if any(reached) else program


def _place_graph(module: GraphModule) -> bool:
    """Whether memory that has a view of these kinds is written to."""
    for node in list(module.graph.nodes):
        if node.target is aten.fill_diagonal_.default:
            _fill_by_strides(node)
    calls = [node for node in module.graph.nodes if node.op == "call_function"]
    if not any(node.target in _APART for node in calls):
        return False
    owners: dict[int, Node] = {}
    for node in module.graph.nodes:
        owners.setdefault(_memory(node), node)
    changing = {_memory(value) for node in calls for value in written(node)}
    reached = any(_memory(node) in changing for node in calls if node.target in _APART)
    for node in calls:
        changes = _memory(node) in changing
        if node.target is aten.as_strided.default and not changes and _is_open(node, owners[_memory(node)]):
            _of_open_owner(node, owners[_memory(node)])
        elif node.target is aten.as_strided.default or (node.target is aten.unfold.default and changes):
            _of_owner(node, owners)
    module.recompile()
    return reached


_APART = frozenset({aten.as_strided.default, aten.diagonal.default, aten.squeeze.dims, aten.unfold.default})
"""Views that decompositions turn into new tensors, or whose writes torch translates wrongly: for windows with gaps it
creates a tensor with zeros in the gaps.
"""


def _fill_by_strides(node: Node) -> None:
    """`fill_diagonal_` by strides as in torch; with `wrap` the diagonal of a tall matrix restarts below it."""
    x, number, *wrap = node.args
    assert isinstance(x, Node)
    value = x.meta["val"]
    count, step, start = min(value.shape), sum(value.stride()), value.storage_offset()
    parts = [(count, start)]
    if value.dim() == 2 and any((*wrap, node.kwargs.get("wrap"))) and value.shape[0] > value.shape[1] + 1:
        width = value.shape[1] + 1
        parts.append((-(-value.numel() // width) - count, start + value.stride(0) * width))
    for length, offset in parts:
        view = call_before(node, aten.as_strided.default, x, [length], [step], offset)
        call_before(node, aten.fill_.Scalar, view, number)
    node.replace_all_uses_with(x)
    node.graph.erase_node(node)


def _is_open(node: Node, owner: Node) -> bool:
    """Whether a view has dynamic sizes, or refers to a contiguous tensor with dynamic sizes."""
    view, value = node.meta["val"], owner.meta["val"]
    layout = (*value.shape, *view.shape, *view.stride(), view.storage_offset())
    if all(isinstance(number, int) for number in layout) or not isinstance(value.storage_offset(), int):
        return False
    return not value.storage_offset() and bool(value.is_contiguous())


def _of_open_owner(node: Node, owner: Node) -> None:
    """The same view of the tensor that owns the memory."""
    offset = node.args[3] if len(node.args) > 3 and node.args[3] is not None else node.meta["val"].storage_offset()
    new = call_before(node, aten.as_strided.default, owner, *node.args[1:3], offset)
    node.replace_all_uses_with(new)
    node.graph.erase_node(node)


def _of_owner(node: Node, owners: dict[int, Node]) -> None:
    """The view as a selection of elements, in memory order, of the tensor that owns the memory."""
    view, owner = node.meta["val"], owners[_memory(node)]
    value = owner.meta["val"]
    order = sorted(range(value.dim()), key=lambda axis: -value.stride(axis))
    layout = (*value.shape, *value.stride(), *view.shape, *view.stride(), view.storage_offset())
    dense = all(isinstance(number, int) for number in layout) and value.permute(order).is_contiguous()
    turned = order != list(range(value.dim()))
    if not dense or value.storage_offset() or (turned and owner.op == "placeholder"):
        raise error(
            "E0202",
            "a strided view depends on a memory layout that an artifact does not have",
            place=place_in_source(node),
            notes=["rejected by `strided-view`", f"the memory is that of a tensor of {tuple(value.shape)}"],
            help=["make the view of a contiguous tensor of fixed sizes, or index with slices or `gather`"],
        )
    if turned:
        owner = owners[_memory(node)] = _contiguous(owner, order)
    sizes, strides = list(view.shape), list(view.stride())
    new = call_before(node, aten.as_strided.default, owner, sizes, strides, view.storage_offset())
    node.replace_all_uses_with(new)
    node.graph.erase_node(node)


def _contiguous(owner: Node, order: list[int]) -> Node:
    """The owner's elements in memory order; later nodes use a view of them in the owner's shape."""
    following = owner.next
    turned = call_before(following, aten.permute.default, owner, order)
    memory = call_before(following, aten.clone.default, turned, memory_format=torch.contiguous_format)
    back = call_before(following, aten.permute.default, memory, [order.index(axis) for axis in range(len(order))])
    owner.replace_all_uses_with(back, lambda user: user is not turned)
    return memory


def _memory(node: Node) -> int:
    """An id that all tensors sharing memory have in common."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return id(node)
    return int(StorageWeakRef(value.untyped_storage()).cdata)  # type: ignore[no-untyped-call]
