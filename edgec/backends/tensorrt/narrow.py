"""8- and 16-bit integers computed in int32: TensorRT has uint8 only at the interface, next to Casts, and no int16."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from edgec.diag import EdgecError, error
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, constant, subgraphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired
from edgec.passes.rewrite import replace_value
from edgec.rules.decompose.quantize import NARROW

_INT32 = int(ir.DataType.INT32)
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
_NO_INTERFACE = (ir.DataType.INT16, ir.DataType.UINT16)

_NEVER_OVERFLOWS = frozenset(
    "ArgMax ArgMin Clip Concat DepthToSpace Equal Expand Gather GatherElements GatherND Greater GreaterOrEqual "
    "Identity Less LessOrEqual Max MaxPool Min Pad ReduceMax ReduceMin Relu Reshape ScatterElements ScatterND Sign "
    "Slice SpaceToDepth Split Squeeze Tile TopK Transpose Trilu Unsqueeze Where".split()
)
"""Operators whose results are operands or lie between operands: they cannot overflow the narrow type."""


class HoldInInt32(Pass):
    """8- and 16-bit integers are computed in int32, each result modulo 2^n."""

    name = "narrow-in-int32-values"

    def run(self, model: Model) -> list[Remark]:
        """Leaves quantized values and int8 next to them alone. Raises `EdgecError` E0401 for a 16-bit interface."""
        return fired(self.name, _widen(model))


def _widen(model: Model) -> int:
    """The number of rebuilt nodes."""
    graph = model.graph
    if refused := [_refusal(v) for v in (*graph.inputs, *graph.outputs) if v.dtype in _NO_INTERFACE]:
        raise EdgecError(refused[0].diagnostics)
    quantizers = [node for node in graph if node.op_type in _QUANTIZERS]
    kinds = [kind for kind in NARROW if not quantizers or kind != ir.DataType.INT8]
    inner = [node for node in graph if subgraphs(node)]
    if any(
        _touches(node, kinds) for node in (*quantizers, *inner, *(n for i in inner for g in subgraphs(i) for n in g))
    ):
        return 0
    held = _Widened(graph, kinds)
    for node in list(graph):
        if _touches(node, kinds):
            held.rebuild(node)
    held.finish()
    return len(held.rebuilt)


def _touches(node: ir.Node, kinds: Sequence[ir.DataType]) -> bool:
    return any(v is not None and v.dtype in kinds for v in (*node.inputs, *node.outputs))


class _Widened:
    """The int32 values that replace narrow ones."""

    def __init__(self, graph: ir.Graph, kinds: Sequence[ir.DataType]) -> None:
        self.graph, self.kinds = graph, kinds
        self.rebuilt: list[ir.Node] = []
        self._wide: dict[ir.Value, ir.Value] = {}

    def rebuild(self, node: ir.Node) -> None:
        """Insert the node's int32 equivalent before it, and use its results for the narrow outputs from here on."""
        g = GraphBuilder(self.graph, [node], HoldInInt32.name)
        inputs = [self._of(value, g) for value in node.inputs]
        made = self._cast(node, inputs[0], g) if node.op_type == "Cast" else _rebuilt(node, inputs, g)
        shown = []
        for old, new in zip(node.outputs, made, strict=True):
            if old.dtype is not None and old.dtype in self.kinds:
                self._wide[old] = new if node.op_type in _NEVER_OVERFLOWS else _modulo(new, old.dtype, g)
                if old.is_graph_output():
                    shown.append((old, g.op("Cast", self._wide[old], to=int(old.dtype))))
            else:
                shown.append((old, new))
        g.commit(node)
        for old, new in shown:
            if old in self._wide:
                self._wide[new] = self._wide[old]
            replace_value(self.graph, old, new)
        self.rebuilt.append(node)

    def finish(self) -> None:
        """Remove the narrow nodes."""
        for node in reversed(self.rebuilt):
            self.graph.remove(node, safe=True)

    def _of(self, value: ir.Value | None, g: GraphBuilder) -> ir.Value | None:
        if value is None or value.dtype not in self.kinds:
            return value
        content = constant(value)
        if content is not None:
            return g.const(content.astype(np.int32))
        if value not in self._wide:
            self._wide[value] = g.op("Cast", value, to=_INT32)
        return self._wide[value]

    def _cast(self, node: ir.Node, source: ir.Value | None, g: GraphBuilder) -> Sequence[ir.Value]:
        wanted = node.outputs[0].dtype
        assert source is not None
        assert wanted is not None
        kind = _INT32 if wanted in self.kinds else int(wanted)
        return [source if source.dtype == kind else g.op("Cast", source, to=kind)]


def _rebuilt(node: ir.Node, inputs: Sequence[ir.Value | None], g: GraphBuilder) -> Sequence[ir.Value]:
    if node.op_type == "Relu":  # the parser supports it for int8, but not for int32
        return [g.op("Max", inputs[0], g.const(np.int32(0)))]
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    if node.op_type == "ConstantOfShape" and "value" in attributes:
        attributes["value"] = ir.Tensor(attributes["value"].numpy().astype(np.int32))
    return g.multi(node.op_type, len(node.outputs), *inputs, **attributes)


def _modulo(value: ir.Value, kind: ir.DataType, g: GraphBuilder) -> ir.Value:
    """The value of the type that is equal modulo 2^n. Runtimes differ in the sign of Mod; either is correct here."""
    size = 1 << kind.bitwidth
    half = size // 2 if kind in (ir.DataType.INT8, ir.DataType.INT16) else 0
    full, shift = g.const(np.int32(size)), g.const(np.int32(size + half))
    found = g.op("Mod", g.op("Add", g.op("Mod", value, full), shift), full)
    return g.op("Sub", found, g.const(np.int32(half))) if half else found


def _refusal(value: ir.Value) -> EdgecError:
    kind = "" if value.dtype is None else value.dtype.name.lower()
    return error(
        "E0401",
        f"`{value.name}` is {kind}, which TensorRT does not support",
        notes=["rejected by `interface-16-bits`"],
        help=["use int32 in the interface, and convert inside the model: `x.to(torch.int16)`"],
    )
