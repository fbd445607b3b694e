"""A channels-last graph in standard ONNX operators between transposes, so that an engine can verify a pass."""

from __future__ import annotations

import onnx_ir as ir

from edgec.backends.tflite.layout import channels_first, channels_last
from edgec.backends.tflite.ops import NHWC
from edgec.ir.model import Model, all_graphs


def in_onnx(model: Model) -> Model:
    """A copy without operators of the private domain."""
    plain = model.clone()
    for graph in all_graphs(plain):
        for node in [n for n in graph if n.domain == NHWC]:
            node.domain = ""
            if node.op_type != "Resize":  # its sizes and scales follow the axes
                _between_transposes(graph, node)
    plain.graph.opset_imports.pop(NHWC, None)
    return plain


def _between_transposes(graph: ir.Graph, node: ir.Node) -> None:
    """Insert transposes: the first operand and the first result are channels-last."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None
    rank = len(x.shape or ())
    before = ir.node("Transpose", [x], {"perm": channels_first(rank)})
    before.outputs[0].name, before.outputs[0].type = f"{y.name}/first", x.type
    users, shows = list(y.uses()), y.is_graph_output()
    after = ir.node("Transpose", [y], {"perm": channels_last(rank)})
    last = after.outputs[0]
    last.type, last.shape = y.type, y.shape
    for use in users:
        use.node.replace_input_with(use.idx, last)
    if shows:
        graph.outputs[list(graph.outputs).index(y)] = last
    last.name, y.name = y.name, f"{y.name}/first/result"
    y.shape = None
    node.replace_input_with(0, before.outputs[0])
    graph.insert_before(node, before)
    graph.insert_after(node, after)
