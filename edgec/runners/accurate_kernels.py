"""Replacements for kernels of ONNX Runtime 1.31 that are accurate relative to 1, but not relative to their results.

Sigmoid has an error of 1.4e-7 everywhere: at -11, the value of a detector's heat map where there is nothing, that is
0.6 %. Elu is exp(x) - 1, with an error of 6e-8 however small x is. PyTorch, LiteRT and TensorRT are accurate to the
last digits there, and a check against ONNX Runtime's kernels would reject them. CumSum loses a digit in some thousands
of terms. GroupNormalization is the mean of squares minus the square of the mean, which is wrong for a large mean.
Attention treats float32's lowest number in a mask as minus infinity: a query whose keys are all masked gets zeros, not
the mean of the values, as in PyTorch, onnx's reference implementation and the softmax of such a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.model import Model


def accurate(model: Model) -> Model:
    """The model with these operators replaced in float32: itself if it has none, else a changed copy."""
    if not any(_is_inaccurate(node) for node in _nodes(model)):
        return model
    own = model.clone()
    for number, node in enumerate([node for node in _nodes(own) if _is_inaccurate(node)]):
        graph = node.graph
        assert graph is not None
        made = _REPLACEMENTS[node.op_type](node)
        results, names = made[-1].outputs, [out.name for out in node.outputs]
        for old, new in zip(node.outputs, results, strict=True):
            new.shape, new.type = old.shape, old.type
        for i, out in enumerate(out for part in made for out in part.outputs):
            out.name = f"accurate.{number}.{i}"  # graphs inside graphs share their names
        graph.insert_before(node, made)
        ir.convenience.replace_all_uses_with(node.outputs, results, replace_graph_outputs=True)
        graph.remove(node, safe=True)
        for new, name in zip(results, names, strict=True):
            new.name = name
    return own


def accurate_file(path: Path) -> Model | None:
    """The model of a file with these operators replaced; None if it has none, so that the file can run as it is."""
    model = ir.load(path)
    changed = accurate(model)
    return None if changed is model else changed


def _nodes(model: Model) -> Iterable[ir.Node]:
    for graph in model.graphs():
        yield from graph
    for function in model.functions.values():
        yield from function


def _is_inaccurate(node: ir.Node) -> bool:
    if node.op_type not in _REPLACEMENTS or node.domain != "":
        return False
    position = _MASK if node.op_type == "Attention" else 0
    x = node.inputs[position] if len(node.inputs) > position else None
    return x is not None and x.dtype == ir.DataType.FLOAT


_MASK = 3
"""The index of Attention's mask, which is added to the scores."""


def _sigmoid(node: ir.Node) -> list[ir.Node]:
    """1 / (1 + exp(-x)): exp overflows to infinity only where the quotient is below the smallest float32."""
    negative = ir.node("Neg", [node.inputs[0]])
    power = ir.node("Exp", [negative.outputs[0]])
    one = _constant(1.0)
    below = ir.node("Add", [power.outputs[0], one.outputs[0]])
    return [negative, power, one, below, ir.node("Div", [one.outputs[0], below.outputs[0]])]


def _elu(node: ir.Node) -> list[ir.Node]:
    """alpha (exp(x) - 1) below 0, as alpha 2t / (1 - t) with t = tanh(x / 2)."""
    alpha = node.attributes["alpha"].as_float() if "alpha" in node.attributes else 1.0
    zero, half, one, twice = (_constant(number) for number in (0.0, 0.5, 1.0, 2.0 * alpha))
    low = ir.node("Min", [node.inputs[0], zero.outputs[0]])
    halved = ir.node("Mul", [low.outputs[0], half.outputs[0]])
    t = ir.node("Tanh", [halved.outputs[0]])
    above = ir.node("Mul", [t.outputs[0], twice.outputs[0]])
    below = ir.node("Sub", [one.outputs[0], t.outputs[0]])
    negative = ir.node("Div", [above.outputs[0], below.outputs[0]])
    is_positive = ir.node("Greater", [node.inputs[0], zero.outputs[0]])
    chosen = ir.node("Where", [is_positive.outputs[0], node.inputs[0], negative.outputs[0]])
    return [zero, half, one, twice, low, halved, t, above, below, negative, is_positive, chosen]


def _running_sum(node: ir.Node) -> list[ir.Node]:
    """The sum in float64, as in PyTorch."""
    wide = ir.node("Cast", [node.inputs[0]], {"to": ir.DataType.DOUBLE})
    total = ir.node("CumSum", [wide.outputs[0], node.inputs[1]], dict(node.attributes))
    return [wide, total, ir.node("Cast", [total.outputs[0]], {"to": ir.DataType.FLOAT})]


def _group_norm(node: ir.Node) -> list[ir.Node]:
    """InstanceNormalization of groups, which subtracts the mean first, then scale and bias by channel."""
    x, scale, bias = node.inputs[:3]
    assert x is not None
    assert x.shape is not None
    groups = node.attributes["num_groups"].as_int()
    epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else 1e-5
    split, column = _integers(0, groups, -1), _integers(-1, *(1,) * (len(x.shape) - 2))
    one, zero = (_constant(np.full(groups, number)) for number in (1.0, 0.0))
    grouped = ir.node("Reshape", [x, split.outputs[0]])
    parts = [grouped.outputs[0], one.outputs[0], zero.outputs[0]]
    normal = ir.node("InstanceNormalization", parts, {"epsilon": epsilon})
    shape = ir.node("Shape", [x])
    back = ir.node("Reshape", [normal.outputs[0], shape.outputs[0]])
    scales, biases = (ir.node("Reshape", [v, column.outputs[0]]) for v in (scale, bias))
    scaled = ir.node("Mul", [back.outputs[0], scales.outputs[0]])
    total = ir.node("Add", [scaled.outputs[0], biases.outputs[0]])
    return [split, column, one, zero, grouped, normal, shape, back, scales, biases, scaled, total]


def _attention(node: ir.Node) -> list[ir.Node]:
    """Attention with the lowest number in the mask replaced by the next one, which masks as well."""
    lowest = np.finfo(np.float32).min
    end, next_one = _constant(float(lowest)), _constant(float(np.nextafter(lowest, np.float32(0))))
    mask = node.inputs[_MASK]
    is_lowest = ir.node("Equal", [mask, end.outputs[0]])
    above = ir.node("Where", [is_lowest.outputs[0], next_one.outputs[0], mask])
    inputs = [above.outputs[0] if i == _MASK else x for i, x in enumerate(node.inputs)]
    again = ir.Node("", "Attention", inputs, node.attributes.values(), num_outputs=len(node.outputs))
    return [end, next_one, is_lowest, above, again]


def _integers(*numbers: int) -> ir.Node:
    return ir.node("Constant", [], {"value": ir.Tensor(np.asarray(numbers, np.int64))})


def _constant(number: float | NDArray[np.float64]) -> ir.Node:
    return ir.node("Constant", [], {"value": ir.Tensor(np.asarray(number, np.float32))})


_REPLACEMENTS = {
    "Attention": _attention,
    "CumSum": _running_sum,
    "Elu": _elu,
    "GroupNormalization": _group_norm,
    "Sigmoid": _sigmoid,
}
