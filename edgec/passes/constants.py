"""Constant folding: `Constant` nodes become initializers, and nodes with constant inputs are evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from edgec.ir.infer import infer_types
from edgec.ir.model import OPSET, Array, Model, all_graphs, constant, is_constant, static_shape, subgraphs
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark, fired
from edgec.passes.rewrite import remove_dead, replace_value

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
_MAY_GROW = frozenset({"Expand", "Tile", "ConstantOfShape", "Range", "OneHot", "Pad", "Resize", "EyeLike"})
_LARGEST_GROWTH = 1 << 16
"""An operator that repeats its input is folded only up to this many output elements, to keep artifacts small."""


class ConstantsToInitializers(Pass):
    """`Constant` nodes become initializers of their graph."""

    name = "constants-to-initializers"
    needs: ClassVar[frozenset[str]] = frozenset()
    gives: ClassVar[frozenset[str]] = frozenset({"initializers"})

    def run(self, model: Model) -> list[Remark]:
        """Replace all `Constant` nodes, in subgraphs too."""
        moved = 0
        for graph in all_graphs(model):
            for node in list(graph):
                if node.op_type == "Constant" and node.domain == "":
                    array = constant(node.outputs[0])
                    if array is not None:
                        _replace_with(graph, node, [array])
                        moved += 1
        return fired(self.name, moved)


class FoldConstants(Pass):
    """Evaluates nodes whose inputs are all constant, and `Shape` and `Size` of static shapes.

    They are evaluated by onnx's reference implementation, so the result does not depend on any runtime's kernels.
    """

    name = "fold-constants"
    needs: ClassVar[frozenset[str]] = frozenset({"initializers"})
    gives: ClassVar[frozenset[str]] = frozenset({"types"})

    def run(self, model: Model) -> list[Remark]:
        """One sweep in topological order, inferring types along the way: later nodes benefit from folded ones."""
        return fired(self.name, sum(fold_nodes(graph, list(graph)) for graph in all_graphs(model)))


def fold_nodes(graph: ir.Graph, nodes: Sequence[ir.Node]) -> int:
    """Fold nodes given in topological order; returns how many were folded."""
    folded = 0
    for node in nodes:
        if node.graph is not graph:
            continue
        infer_types(node)
        arrays = fold(node)
        if arrays is not None:
            _replace_with(graph, node, arrays)
            folded += 1
    return folded


def fold_spliced(
    graph: ir.Graph, nodes: Sequence[ir.Node], outputs: Sequence[ir.Value], before: ir.Node
) -> list[ir.Value]:
    """Fold nodes whose `outputs` have no users yet; returns the values that replace the outputs."""
    holder = ir.Node("edgec", "Hold", list(outputs), num_outputs=1)
    graph.insert_before(before, holder)
    fold_nodes(graph, nodes)
    kept = [value for value in holder.inputs if value is not None]
    graph.remove(holder, safe=True)
    return kept


def fold(node: ir.Node) -> list[Array] | None:
    """The outputs of a node that can be evaluated at compile time, or None."""
    if node.domain != "":
        return None
    if node.op_type in ("Shape", "Size"):
        return _fold_shape(node)
    if not subgraphs(node) and (empty := _empty_results(node)) is not None:
        return empty
    if node.op_type in RANDOM or subgraphs(node) or not node.inputs or len(node.outputs) == 0:
        return None
    if not all(v is None or is_constant(v) for v in node.inputs) or _too_large(node):
        return None
    return _evaluate(node)


def _empty_results(node: ir.Node) -> list[Array] | None:
    """Empty arrays if all outputs have no elements: shape and type determine them."""
    found = []
    for out in (out for out in node.outputs if out.name):
        shape, dtype = static_shape(out), out.dtype
        if not shape or min(shape) != 0 or dtype is None or dtype == ir.DataType.STRING:
            return None
        found.append(np.zeros(shape, dtype.numpy()))
    return found or None


def _fold_shape(node: ir.Node) -> list[Array] | None:
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    dims = list(value.shape)
    if node.op_type == "Shape":
        start = node.attributes["start"].as_int() if "start" in node.attributes else 0
        end = node.attributes["end"].as_int() if "end" in node.attributes else len(dims)
        dims = dims[start:end]
    if not all(isinstance(d, int) for d in dims):
        return None
    sizes = np.asarray(dims, dtype=np.int64)
    return [sizes if node.op_type == "Shape" else np.asarray(sizes.prod(), dtype=np.int64)]


def _too_large(node: ir.Node) -> bool:
    if node.op_type == "Range":
        start, limit, step = (np.asarray(constant(v), dtype=np.float64).reshape(-1)[0] for v in node.inputs)
        return step == 0 or not (limit - start) / step <= _LARGEST_GROWTH
    shape = static_shape(node.outputs[0])
    return node.op_type in _MAY_GROW and (shape is None or int(np.prod(shape, dtype=np.int64)) > _LARGEST_GROWTH)


def _evaluate(node: ir.Node) -> list[Array] | None:
    """Evaluate one node with onnx's reference implementation; None if it does not implement the operator."""
    feeds = {v.name or "": constant(v) for v in node.inputs if v is not None}
    proto = ir.serde.serialize_node(node)
    graph = onnx.helper.make_graph(
        [proto],
        "fold",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), None)
            for n, a in feeds.items()
            if a is not None
        ],
        [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    try:
        if node.op_type == "GatherElements":
            return [_gather_elements(node)]
        if node.op_type == "CumSum":
            return [_running_sum(node)]
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, feeds)
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError):
        return None  # left for the runtime; the node stays as it is
    return [np.asarray(r) for r in results] if all(isinstance(r, np.ndarray | np.generic) for r in results) else None


def _gather_elements(node: ir.Node) -> Array:
    """onnx's reference implementation is limited to 64 positions along the axis."""
    data, where = constant(node.inputs[0]), constant(node.inputs[1])
    assert data is not None
    assert where is not None
    index = where.astype(np.int64)
    axis = (node.attributes["axis"].as_int() if "axis" in node.attributes else 0) % data.ndim
    part = data[tuple(slice(None) if d == axis else slice(size) for d, size in enumerate(index.shape))]
    found: Array = np.take_along_axis(part, np.where(index < 0, index + data.shape[axis], index), axis)
    return found


def _running_sum(node: ir.Node) -> Array:
    """onnx's reference implementation accepts only a scalar axis; exporters write a tensor of one element."""
    data, axis = constant(node.inputs[0]), constant(node.inputs[1])
    assert data is not None
    assert axis is not None
    along, flags = int(axis.reshape(-1)[0]), node.attributes
    exclusive, reverse = (name in flags and flags[name].as_int() for name in ("exclusive", "reverse"))
    total: Array = np.cumsum(np.flip(data, along) if reverse else data, along, dtype=data.dtype)
    if exclusive:
        total = np.delete(np.insert(total, 0, 0, along), -1, along)
    return np.flip(total, along) if reverse else total


def _replace_with(graph: ir.Graph, node: ir.Node, arrays: list[Array]) -> None:
    """Replace a node's outputs by initializers."""
    named = [out for out in node.outputs if out.name]
    for out, array in zip(named, arrays, strict=True):
        dtype = out.dtype.numpy() if out.dtype is not None else array.dtype
        name = _free_name(graph, out)
        tensor = ir.Tensor(np.asarray(array.astype(dtype, copy=False)), name=name)  # a transposed weight stays a view
        value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        graph.initializers[name] = value
        replace_value(graph, out, value)
    remove_dead(graph, [node])


def _free_name(graph: ir.Graph, out: ir.Value) -> str:
    """The value's own name, unless it is an output of the graph."""
    name = out.name or "constant"
    if not out.is_graph_output():
        out.name = None
    while name in graph.initializers or (out.is_graph_output() and name == out.name):
        name += "_c"
    return name
