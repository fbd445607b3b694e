"""torch's implicit type promotions as explicit casts, since ONNX has no promotion.

The exporter's own pass executes the whole program again to obtain types. They are already known here, so only operators
that promote are examined.
"""

from __future__ import annotations

import torch
from torch._dispatch.python import enable_python_dispatcher
from torch._guards import detect_fake_mode
from torch.fx import traceback as fx_traceback
from torch.onnx._internal.fx.passes.type_promotion import (
    TypePromotionTable,
    _TypePromotionInterpreter,
    get_type_promotion_rule,
)


def insert_type_promotions(program: torch.export.ExportedProgram) -> None:
    """Cast the operands of each operator that promotes, in place, in the program and its subgraphs."""
    table = TypePromotionTable()
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            _promote(module, table)


def _promote(module: torch.fx.GraphModule, table: TypePromotionTable) -> None:
    graph = module.graph
    promoting = [(node, rule) for node in graph.nodes if (rule := get_type_promotion_rule(node, table)) is not None]
    if not promoting:
        return
    interpreter = _TypePromotionInterpreter(module, table)
    interpreter.env = {node: node.meta["val"] for node in graph.nodes if "val" in node.meta}
    mode = detect_fake_mode(list(interpreter.env.values()))
    assert mode is not None
    with mode, enable_python_dispatcher(), fx_traceback.preserve_node_meta():
        for node, rule in promoting:
            with interpreter._set_current_node(node):
                interpreter._maybe_promote_node(node, rule)
