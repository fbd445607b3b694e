"""`torch.onnx.export` without its second trace, for programs that do not need one.

The exporter traces every program again to make it functional and to decompose unsupported operators, which takes about
a sixth of a build. Most programs mutate only their own intermediate values (`relu_` after a convolution) and consist of
supported operators, so replacing a few calls in place gives the same program. Other programs are left to torch.
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
    """Try to make a program functional and fully supported by replacing single calls; otherwise torch decomposes it.

    The graph is rewritten in place, possibly only in part; each replaced call computes the same value.
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
    """An in-place operation as a new value, which all later uses of its operand read instead.

    Valid if nothing else shares the operand's memory: it was created by an operator with a fresh result, and its
    earlier uses keep no view of it.
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
