"""MIL's own operators expressed in ONNX, so that an engine can run the graph to verify a pass."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.ops import MIL, ChannelNormalization, ChannelProduct, SliceUpdate, view_coreml
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, all_graphs
from edgec.passes.rewrite import replace_value


def in_onnx(model: Model) -> Model:
    """A copy without operators of the private domain."""
    plain = model.clone()
    for graph in all_graphs(plain):
        for node in [n for n in graph if n.domain == MIL]:
            g = GraphBuilder(graph, [node], "in-onnx")
            found = _expanded(g, node)
            g.commit(node)
            replace_value(graph, node.outputs[0], found)
            graph.remove(node, safe=True)
    plain.graph.opset_imports.pop(MIL, None)
    return plain


def _expanded(g: GraphBuilder, node: ir.Node) -> ir.Value:
    match view_coreml(node):
        case SliceUpdate(x=x, update=update, start=start, axis=axis):
            assert update.shape is not None
            first = g.op("Reshape", start, g.ints(1))
            behind = g.op("Add", first, g.const(np.asarray([update.shape[axis]], np.int64)))
            end = g.const(np.asarray([np.iinfo(np.int64).max], np.int64))
            head = g.op("Slice", x, g.ints(0), first, g.ints(axis))
            return g.op("Concat", head, update, g.op("Slice", x, behind, end, g.ints(axis)), axis=axis)
        case ChannelNormalization(x=x, scale=scale, bias=bias, epsilon=epsilon):
            last = g.op("Transpose", x, perm=[0, 2, 3, 1])
            operands = [last, scale] if bias is None else [last, scale, bias]
            y = g.op("LayerNormalization", *operands, axis=-1, epsilon=epsilon)
            return g.op("Transpose", y, perm=[0, 3, 1, 2])
        case ChannelProduct(a=a, b=b):
            return g.op("Einsum", a, b, equation="bmhk,bkhn->bmhn")
    raise ValueError(f"`{node.op_type}` is not an operator of the private domain")
