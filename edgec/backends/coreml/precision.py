"""float16 made visible: every cast is in the graph, and what would overflow or lose stays in float32."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, constant, is_constant
from edgec.ir.provenance import RULE
from edgec.passes.log import RewriteLog

_HALF, _SINGLE = ir.DataType.FLOAT16, ir.DataType.FLOAT
LARGEST = 65504.0
"""The largest finite float16."""

_SINGLE_OPS = frozenset({"Softplus", "Exp", "Log", "ReduceSum", "ReduceProd", "Pow", "CumSum", "LogSoftmax", "LRN"})
"""Sums of exponentials, long sums and powers: in float16 softplus is 0 from x = 10.4, logsumexp infinite from 11.1."""

_SINGLE_RULES = frozenset(
    {
        "rms-norm-to-reduce",
        "layer-norm-to-reduce",
        "group-norm-to-reduce",
        "composed-reduction",
        "mean-variance-to-reduce",
    }
)
"""Variances and norms: squares overflow from 256 on, and an epsilon below 6e-5 is subnormal."""


def to_half(model: Model, log: RewriteLog) -> None:
    """Compute in float16, in place, with float32 islands. The interface keeps its types: casts stand at its border."""
    graph = model.graph
    casts = _Casts(graph)
    islands = 0
    for node in list(graph):
        single = node.op_type in _SINGLE_OPS or node.metadata_props.get(RULE) in _SINGLE_RULES
        islands += single
        _retype(node, _SINGLE if single else _HALF, casts)
    for i, output in enumerate(graph.outputs):
        if output.dtype == _HALF:
            _restore_output(graph, i, output)
    log.fired("float32-islands", islands)


def _retype(node: ir.Node, wanted: ir.DataType, casts: _Casts) -> None:
    """Give a node operands of the wanted type and mark its float results with it."""
    floats = (_HALF, _SINGLE)
    if node.op_type == "Cast" and node.outputs[0].dtype in floats:
        node.attributes["to"] = ir.AttrInt64("to", int(wanted))
        node.outputs[0].type = ir.TensorType(wanted)
        return
    for i, value in enumerate(node.inputs):
        if value is not None and value.dtype in floats and value.dtype != wanted and not _keeps(node, i):
            node.replace_input_with(i, casts.to(value, wanted, node))
    for out in node.outputs:
        if out.dtype in floats:
            out.type = ir.TensorType(wanted)


def _keeps(node: ir.Node, index: int) -> bool:
    """Parameters that are read when the graph is lowered, not when it runs."""
    return node.op_type == "Resize" and index > 0


class _Casts:
    """Each value is converted once to each type: constants here and now, others by a Cast behind their maker."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._made: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def to(self, value: ir.Value, dtype: ir.DataType, before: ir.Node) -> ir.Value:
        """The value as `dtype`."""
        key = (value, dtype)
        if key not in self._made:
            self._made[key] = self._constant(value, dtype) if is_constant(value) else self._cast(value, dtype, before)
        return self._made[key]

    def _constant(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Finite stays finite: what float16 cannot hold (masks of -3.4e38) becomes its largest number."""
        array = constant(value)
        assert array is not None
        content = array.astype(np.float32)
        if dtype == _HALF:
            content = np.where(np.isfinite(content), np.clip(content, -LARGEST, LARGEST), content)
        name = f"{value.name}/{'float16' if dtype == _HALF else 'float32'}"
        tensor = ir.tensor(content.astype(dtype.numpy()).reshape(array.shape), name=name)
        made = ir.Value(name=name, shape=value.shape, type=ir.TensorType(dtype), const_value=tensor)
        self._graph.initializers[name] = made
        return made

    def _cast(self, value: ir.Value, dtype: ir.DataType, before: ir.Node) -> ir.Value:
        builder = GraphBuilder(self._graph, [before], "float16")
        out = builder.op("Cast", value, to=int(dtype))
        out.name = f"{value.name}/{'float16' if dtype == _HALF else 'float32'}"
        out.shape, out.type = value.shape, ir.TensorType(dtype)
        builder.commit(before)
        return out


def _restore_output(graph: ir.Graph, index: int, output: ir.Value) -> None:
    node = ir.node("Cast", [output], {"to": int(_SINGLE)})
    out = node.outputs[0]
    out.shape, out.type = output.shape, ir.TensorType(_SINGLE)
    graph.append(node)
    graph.outputs[index] = out
    out.name, output.name = output.name, f"{output.name}/float16"
