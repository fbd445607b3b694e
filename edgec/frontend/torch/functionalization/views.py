"""Views that are taken apart later: while anything is written to their memory, they have to stay views.

A view by strides is one of memory, not of a tensor's elements. Here it becomes one of the tensor that owns the memory,
in the order in which its elements lie there, so that everything after it may take that tensor for contiguous.
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
    """The program with its views by strides as said above, and functional where it writes through a view, or to what
    has a view, of a kind that is taken apart.

    Raises `EdgecError` E0202 for views by strides of memory that is not one dense tensor of known size.
    """
    graphs = [module for module in program.graph_module.modules() if isinstance(module, GraphModule)]
    reached = [_place_graph(module) for module in graphs]
    rename_outputs(program)
    return program.run_decompositions({}) if any(reached) else program


def _place_graph(module: GraphModule) -> bool:
    """Whether something is written to memory that has a view of these kinds."""
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
"""Views that decompositions give as new tensors, or whose writes torch makes something else of: of windows with gaps
between them it gives a tensor with zeros in the gaps.
"""


def _fill_by_strides(node: Node) -> None:
    """`fill_diagonal_` as torch does it: by strides, the diagonal of a tall matrix with `wrap` begun anew below it."""
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
    """Whether a view has open sizes, or is one of a tensor of open sizes that lies in memory as it is."""
    view, value = node.meta["val"], owner.meta["val"]
    layout = (*value.shape, *view.shape, *view.stride(), view.storage_offset())
    if all(isinstance(number, int) for number in layout) or not isinstance(value.storage_offset(), int):
        return False
    return not value.storage_offset() and bool(value.is_contiguous())


def _of_open_owner(node: Node, owner: Node) -> None:
    """The same view of the tensor that the memory was made for."""
    offset = node.args[3] if len(node.args) > 3 and node.args[3] is not None else node.meta["val"].storage_offset()
    new = call_before(node, aten.as_strided.default, owner, *node.args[1:3], offset)
    node.replace_all_uses_with(new)
    node.graph.erase_node(node)


def _of_owner(node: Node, owners: dict[int, Node]) -> None:
    """The view as one of the elements, in their order in memory, of the tensor that the memory was made for."""
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
    """The owner's elements as they lie in memory; everything after it uses a view of that in the owner's shape."""
    following = owner.next
    turned = call_before(following, aten.permute.default, owner, order)
    memory = call_before(following, aten.clone.default, turned, memory_format=torch.contiguous_format)
    back = call_before(following, aten.permute.default, memory, [order.index(axis) for axis in range(len(order))])
    owner.replace_all_uses_with(back, lambda user: user is not turned)
    return memory


def _memory(node: Node) -> int:
    """What is the same for all tensors of one memory."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return id(node)
    return int(StorageWeakRef(value.untyped_storage()).cdata)  # type: ignore[no-untyped-call]
