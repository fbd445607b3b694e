"""Writes to slices of a tensor (`mask[:, 2:5] = 1`) in functional form: the tensor is assembled anew."""

from __future__ import annotations

from torch.fx import Node

from edgec.frontend.torch.functionalization.operators import FRESH, MUTATING, aten, is_fresh, keeps_type
from edgec.frontend.torch.fx_call import call_before


def written_part(node: Node) -> Node | None:
    """A write to a slice as a new value; later uses of the whole tensor read a new tensor that contains it.

    None unless nothing else shares the memory: the whole was created by an operator with a fresh result, its earlier
    uses keep no view of it, and each slice in between has one use. If the whole is used later, the slice must not be:
    another write could change it.
    """
    cuts = _cuts(node.args[0])
    if not cuts or not keeps_type(node):
        return None
    whole = cuts[-1].args[0]
    if not isinstance(whole, Node) or not is_fresh(whole):
        return None
    one_use = all(list(cut.users) == [user] for user, cut in zip((node, *cuts), cuts, strict=False))
    earlier = [user for user in whole.users if user < node and user is not cuts[-1]]
    later = [user for user in whole.users if user > node]
    if not one_use or any(user.target not in FRESH for user in earlier) or (later and node.users):
        return None
    if any(user.op == "output" for user in later):  # the signature refers to outputs by node name
        return None
    value = call_before(node, MUTATING[node.target], *node.args, **node.kwargs)
    if later:
        after = value
        for cut in cuts:
            after = call_before(node, aten.slice_scatter.default, cut.args[0], after, *cut.args[1:])
        whole.replace_all_uses_with(after, lambda user: user > node)
    return value


def _cuts(value: object) -> list[Node]:
    """The chain of slices that produced a value, the last one first."""
    cuts = []
    while isinstance(value, Node) and value.target is aten.slice.Tensor and not value.kwargs:
        cuts.append(value)
        value = value.args[0]
    return cuts
