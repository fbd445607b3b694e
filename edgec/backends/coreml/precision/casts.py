"""Conversion to float16 with explicit casts; marked operators stay in float32."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.backends.coreml.precision.value_ranges import CARRIES, LARGEST
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model, captured, changed_copy, constant, is_constant, subgraphs

_HALF, _SINGLE = ir.DataType.FLOAT16, ir.DataType.FLOAT


def to_half(model: Model, islands: Collection[ir.Node], states: Collection[str] = ()) -> None:
    """Compute in float16, in place, except for `islands`.

    The interface keeps its types, with casts inside. Inputs and outputs named in `states` are float16.
    """
    graph = model.graph
    for value in graph.inputs:
        if value.name in states:
            value.type = ir.TensorType(_HALF)
    casts = _Casts(graph)
    for node in list(graph):
        inner = subgraphs(node)
        _retype(node, _SINGLE if node in islands or inner else _HALF, casts)
        for value in captured(*inner):
            if value.dtype == _HALF:
                _replace_captures(casts.to(value, _SINGLE, node), value, inner)
    for i, output in enumerate(graph.outputs):
        wanted = _HALF if output.name in states else _SINGLE
        if output.dtype in (_HALF, _SINGLE) and output.dtype != wanted:
            _restore_output(graph, i, output, wanted)


def _retype(node: ir.Node, wanted: ir.DataType, casts: _Casts) -> None:
    """Give a node operands of the wanted type and mark its float results with it."""
    floats = (_HALF, _SINGLE)
    if node.op_type == "Cast" and node.outputs[0].dtype == _HALF:
        return  # a rounding cast of the source
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


def _replace_captures(single: ir.Value, half: ir.Value, inner: Sequence[ir.Graph]) -> None:
    """Blocks are computed in float32: replace the value that they capture."""
    for graph in inner:
        for i, output in enumerate(graph.outputs):
            if output is half:
                graph.outputs[i] = single
        for node in graph:
            for i, value in enumerate(node.inputs):
                if value is half:
                    node.replace_input_with(i, single)
            _replace_captures(single, half, subgraphs(node))


def _keeps(node: ir.Node, index: int) -> bool:
    """Parameters that are read at lowering, not at run time; coordinates, which MIL supports in float32."""
    return (node.op_type == "Resize" and index > 0) or (node.op_type == "GridSample" and index == 1)


class _Casts:
    """Converts each value once to each type: constants at compile time, others with a Cast."""

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
        """The constant in another type, converted lazily: only the original is kept in memory."""
        source, name = value.const_value, f"{value.name}/{'float16' if dtype == _HALF else 'float32'}"
        assert source is not None

        def convert() -> ir.Tensor[NDArray[np.generic]]:
            return ir.Tensor(changed_copy(source, lambda array: _finite(array, dtype)), name=name)

        tensor = ir.LazyTensor(convert, dtype, shape=ir.Shape(source.shape.numpy()), name=name)
        made = ir.Value(name=name, shape=value.shape, type=ir.TensorType(dtype), const_value=tensor)
        self._graph.initializers[name] = made
        return made

    def _cast(self, value: ir.Value, dtype: ir.DataType, before: ir.Node) -> ir.Value:
        builder = GraphBuilder(self._graph, [before], "float16")
        held = (
            builder.op("Clip", value, *_float16_limits(builder)) if dtype == _HALF and _may_be_masked(value) else value
        )
        out = builder.op("Cast", held, to=int(dtype))
        out.name = f"{value.name}/{'float16' if dtype == _HALF else 'float32'}"
        out.shape, out.type = value.shape, ir.TensorType(dtype)
        builder.commit(before)
        return out


_PROPAGATES = CARRIES | set("Add Clip Concat Gather Max Min Mul Neg Pad Slice Split Sub Trilu Where".split())


def _may_be_masked(value: ir.Value) -> bool:
    """Whether the value may contain a constant beyond float16, such as a mask's -3.4e38: cast, it is infinite, and the
    softmax of a row of only those is NaN.
    """
    pending, seen = [value], set[ir.Value]()
    while pending:
        current = pending.pop()
        if current in seen or current.dtype != _SINGLE:
            continue
        seen.add(current)
        node = current.producer()
        if node is not None and not node.domain and node.op_type in _PROPAGATES:
            pending.extend(v for v in node.inputs if v is not None)
        elif is_constant(current) and _is_beyond(current):
            return True
    return False


def _is_beyond(value: ir.Value) -> bool:
    array = constant(value)
    if array is None or max(float(array.max(initial=0)), -float(array.min(initial=0))) <= LARGEST:
        return False
    return bool((np.isfinite(array) & (np.abs(array) > LARGEST)).any())


def _float16_limits(g: GraphBuilder) -> tuple[ir.Value, ir.Value]:
    return g.const(np.float32(-LARGEST)), g.const(np.float32(LARGEST))


def _restore_output(graph: ir.Graph, index: int, output: ir.Value, wanted: ir.DataType) -> None:
    node = ir.node("Cast", [output], {"to": int(wanted)})
    out = node.outputs[0]
    out.shape, out.type = output.shape, ir.TensorType(wanted)
    graph.append(node)
    graph.outputs[index] = out
    out.name, output.name = output.name, f"{output.name}/{'float16' if wanted == _SINGLE else 'float32'}"


def _finite(array: NDArray[np.generic], dtype: ir.DataType) -> NDArray[np.generic]:
    """Cast, clamping finite values beyond float16 (masks of -3.4e38) to its largest."""
    with np.errstate(over="ignore"):
        converted: NDArray[np.generic] = array.astype(dtype.numpy())
    if dtype != _HALF or np.isfinite(converted).all():
        return converted
    return np.where(np.isfinite(array), np.clip(array, -LARGEST, LARGEST), array).astype(np.float16)
