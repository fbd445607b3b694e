"""`torch.onnx.export` without its second trace, for programs that need none.

The exporter traces every program again to make it functional and to decompose what it has no translation for: about a
sixth of a whole build. Most programs change nothing but values of their own (`relu_` after a convolution) and consist
of translated operators, so that a few calls rewritten where they stand give the same program. All others are left to
torch.
"""

from __future__ import annotations

import operator

from torch.export import ExportedProgram
from torch.fx import Node

from edgec.frontend.torch.decompositions.table import NODE_DECOMPOSITIONS
from edgec.frontend.torch.functionalization.operators import FRESH, MUTATING, SHARING, aten, is_fresh, keeps_type
from edgec.frontend.torch.functionalization.slice_writes import written_part
from edgec.frontend.torch.fx_call import call_before


def make_functional(program: ExportedProgram) -> bool:
    """Whether single calls rewritten give a functional program of translated operators; else torch has to decompose it.

    Its graph is rewritten in place, as far as that goes: each call by itself computes the same.
    """
    graph, signature = program.graph, program.graph_signature
    for node in graph.nodes:
        if node.op == "call_function" and node.target not in _PLAIN:
            instead = _unshared(node) or written_part(node) if node.target in MUTATING else _rewritten(node)
            if instead is None:
                return False
            node.replace_all_uses_with(instead)
            signature.replace_all_uses(node.name, instead.name)
            graph.erase_node(node)
    return True


_PLAIN = FRESH | SHARING | {operator.getitem, aten._assert_tensor_metadata.default}


def _rewritten(node: Node) -> Node | None:
    rewrite = NODE_DECOMPOSITIONS.get(node.target)
    return rewrite(node) if rewrite is not None else None


def _unshared(node: Node) -> Node | None:
    """A mutation as a new value, which everything after it reads in place of its operand.

    Sound where nobody else holds the operand's memory: an operator with a new result made it, and what read it before
    kept none of it.
    """
    operand = node.args[0]
    if not isinstance(operand, Node) or not is_fresh(operand) or not keeps_type(node):
        return None
    earlier = [user for user in operand.users if user < node]
    if any(user.target not in FRESH for user in earlier):
        return None
    value = call_before(node, MUTATING[node.target], *node.args, **node.kwargs)
    operand.replace_all_uses_with(value, lambda user: user > node)
    return value
