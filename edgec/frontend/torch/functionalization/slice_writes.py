"""Writes into slices of a tensor (`mask[:, 2:5] = 1`) as values: the tensor is put together anew."""

from __future__ import annotations

from torch.fx import Node

from edgec.frontend.torch.functionalization.operators import FRESH, MUTATING, aten, is_fresh, keeps_type
from edgec.frontend.torch.fx_call import call_before


def written_part(node: Node) -> Node | None:
    """A mutation of a slice as a new value; what reads the whole afterwards reads a whole with that part in it.

    None unless nobody else holds the memory: an operator with a new result made the whole, what read it before kept
    none of it, and each slice on the way has one use. Where the whole is read afterwards, the part may not be: another
    write could reach it.
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
    if any(user.op == "output" for user in later):  # the signature names outputs by their nodes
        return None
    value = call_before(node, MUTATING[node.target], *node.args, **node.kwargs)
    if later:
        after = value
        for cut in cuts:
            after = call_before(node, aten.slice_scatter.default, cut.args[0], after, *cut.args[1:])
        whole.replace_all_uses_with(after, lambda user: user > node)
    return value


def _cuts(value: object) -> list[Node]:
    """The slices that a value was cut out by, the last first."""
    cuts = []
    while isinstance(value, Node) and value.target is aten.slice.Tensor and not value.kwargs:
        cuts.append(value)
        value = value.args[0]
    return cuts
