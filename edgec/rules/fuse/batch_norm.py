"""Folds BatchNormalization and constant factors and terms into the operator before them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant
from edgec.ops.base import Reader
from edgec.ops.norm import BatchNormalization
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, producer


class FoldBatchNorm(Rule):
    """BatchNormalization(Conv(x)) -> Conv(x) with scaled weights and bias; ConvTranspose and Gemm likewise."""

    name = "fold-batch-norm"
    roots = ("BatchNormalization",)
    examples = (
        Example(
            "float[1,2,4,4] x",
            "c = Conv(x, w)  y = BatchNormalization(c, s, b, m, v)",
            "y = Conv(x, w2, b2)",
            constants=(
                "float[1,2,1,1] w = {0.5, -1.5}, float[1] s = {2}, float[1] b = {0.25}, float[1] m = {0.1}, "
                "float[1] v = {0.7}"
            ),
        ),
        Example(
            "float[1,2,4,4] x, float[1] s",
            "c = Conv(x, w)  y = BatchNormalization(c, s, b, m, v)",
            None,
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1] b = {0.25}, float[1] m = {0.1}, float[1] v = {0.7}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = BatchNormalization.decode(Reader(node))
        inner = next((p for kind in _CHANNEL_AXIS if (p := producer(op.x, kind)) is not None), None)
        if inner is None:
            return NOT_HERE
        factor_and_shift = affine(op)
        if factor_and_shift is None or op.training:
            return Miss("the statistics are not constant")
        return scale_linear(inner, *factor_and_shift, g)


class BatchNormToMulAdd(Rule):
    """BatchNormalization(x) without a linear operator before it -> x * scale + bias."""

    name = "batch-norm-to-mul-add"
    roots = ("BatchNormalization",)
    examples = (
        Example(
            "float[1,2,4,4] x",
            "y = BatchNormalization(x, s, b, m, v)",
            "h = Mul(x, f)  y = Add(h, t)",
            constants=(
                "float[2] s = {2, -1}, float[2] b = {0.25, 0.5}, float[2] m = {0.1, 0.2}, float[2] v = {0.7, 0.9}"
            ),
        ),
        Example(
            "float[1,2,4,4] x, float[2] b",
            "y = BatchNormalization(x, s, b, m, v)",
            None,
            constants="float[2] s = {2, -1}, float[2] m = {0.1, 0.2}, float[2] v = {0.7, 0.9}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = BatchNormalization.decode(Reader(node))
        found = affine(op)
        if found is None or op.training:
            return Miss("the statistics are not constant")
        rank = Reader(node).rank(op.x)
        shape = (-1,) + (1,) * max(rank - 2, 0)
        factor, shift = (g.const(a.reshape(shape), dtype=op.x.dtype) for a in found)
        return [g.op("Add", g.op("Mul", op.x, factor), shift)]


class FoldMulIntoLinear(Rule):
    """Mul(Conv(x), constant for each channel), or Div -> Conv(x) with scaled weights; ConvTranspose, Gemm likewise."""

    name = "fold-mul-into-linear"
    roots = ("Mul", "Div")
    examples = (
        Example(
            "float[1,2,4,4] x",
            "c = Conv(x, w)  y = Mul(c, f)",
            "y = Conv(x, w2)",
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1,1,1] f = {3}",
        ),
        Example(
            "float[1,2,4,4] x",
            "c = Conv(x, w)  y = Div(f, c)",
            None,
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1,1,1] f = {3}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        found = _linear_and_constant(node)
        if found is None:
            return NOT_HERE
        inner, channels = found
        if node.op_type == "Div" and not np.all(channels):
            return Miss("a divisor is zero")
        return scale_linear(inner, 1 / channels if node.op_type == "Div" else channels, np.zeros(()), g)


class FoldAddIntoLinear(Rule):
    """Add(Conv(x), constant for each channel), or Sub -> Conv(x) with that bias; ConvTranspose and Gemm likewise."""

    name = "fold-add-into-linear"
    roots = ("Add", "Sub")
    examples = (
        Example(
            "float[1,2,4,4] x",
            "c = Conv(x, w)  y = Add(c, f)",
            "y = Conv(x, w, b)",
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1,1,1] f = {3}",
        ),
        Example(
            "float[1,2,4,4] x",
            "c = Conv(x, w)  y = Sub(c, f)",
            "y = Conv(x, w, b)",
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1,1,1] f = {3}",
        ),
        Example(
            "float[1,2,4,4] x",
            "c = Conv(x, w)  y = Add(c, f)",
            None,
            constants="float[1,2,1,1] w = {0.5, -1.5}, float[1,1,1,4] f = {1, 2, 3, 4}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        found = _linear_and_constant(node)
        if found is None:
            return NOT_HERE
        inner, channels = found
        return scale_linear(inner, np.ones(()), -channels if node.op_type == "Sub" else channels, g)


Array = NDArray[np.float64]

_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1}


def affine(op: BatchNormalization) -> tuple[Array, Array] | None:
    """The factor and shift of each channel in float64, or None if a statistic is not constant."""
    scale, bias, mean, var = (_float64(constant(v)) for v in (op.scale, op.bias, op.mean, op.var))
    if scale is None or bias is None or mean is None or var is None:
        return None
    factor = scale / np.sqrt(var + op.epsilon)
    return factor, bias - mean * factor


def _float64(array: NDArray[np.generic] | None) -> Array | None:
    return None if array is None else array.astype(np.float64)


def _linear_and_constant(node: ir.Node) -> tuple[ir.Node, Array] | None:
    """The linear node before a two-operand node, and the other operand as (1) or (channels), or None."""
    for this, other in ((0, 1),) if node.op_type in ("Sub", "Div") else ((0, 1), (1, 0)):
        inner = next((p for kind in _CHANNEL_AXIS if (p := producer(node.inputs[this], kind)) is not None), None)
        array = _float64(constant(node.inputs[other]))
        if inner is None or array is None or inner.outputs[0].shape is None:
            continue
        if inner.outputs[0].dtype is None or not inner.outputs[0].dtype.is_floating_point():
            continue
        channels = per_channel(array, len(inner.outputs[0].shape), 1)
        same_rank = node.outputs[0].shape is not None and len(node.outputs[0].shape) == len(inner.outputs[0].shape)
        if channels is not None and same_rank:
            return inner, channels
    return None


def per_channel(array: Array, rank: int, axis: int) -> Array | None:
    """A broadcast constant as (1) or (channels), or None if it varies along other axes than `axis`."""
    if array.ndim > rank:
        return None
    shape = (1,) * (rank - array.ndim) + array.shape
    if any(d != 1 for i, d in enumerate(shape) if i != axis):
        return None
    return array.reshape(-1)


def scale_linear(inner: ir.Node, factor: Array, shift: Array, g: GraphBuilder) -> Replacement | Miss:
    """A copy of a Conv, ConvTranspose or Gemm whose output is `factor * y + shift` for each channel."""
    weight = _float64(constant(inner.inputs[1]))
    bias = _float64(constant(inner.inputs[2])) if len(inner.inputs) > 2 else np.zeros(1)
    if weight is None or bias is None or weight.ndim == 0:
        return Miss("the weight or bias is not constant")
    if not only_use(inner.outputs[0]):
        return Miss("the unscaled result is used elsewhere")
    x, w = inner.inputs[0], inner.inputs[1]
    assert x is not None and w is not None  # noqa: PT018 - two required inputs
    alpha, beta = (inner.attributes[k].as_float() if k in inner.attributes else 1.0 for k in ("alpha", "beta"))
    attributes = {k: a.value for k, a in inner.attributes.items() if k not in ("alpha", "beta")}
    scaled = _scale_weight(inner, weight, factor * alpha)
    channels = _channels(inner, weight)
    if channels is None or scaled is None or (inner.op_type == "Gemm" and bias.ndim > 1 and bias.shape[0] != 1):
        return Miss("the bias is not one number for each channel")
    new_bias = np.broadcast_to(bias.reshape(-1) * beta * factor + shift, (channels,))
    new_weight = w if np.all(factor * alpha == 1) else g.const(scaled, dtype=w.dtype)
    no_bias = not np.any(new_bias) and inner.op_type != "Gemm"
    inputs = (x, new_weight) if no_bias else (x, new_weight, g.const(new_bias, dtype=w.dtype))
    return [g.op(inner.op_type, *inputs, **attributes)]


def _channels(inner: ir.Node, weight: Array) -> int | None:
    groups = inner.attributes["group"].as_int() if "group" in inner.attributes else 1
    if inner.op_type == "Conv":
        return int(weight.shape[0])
    if inner.op_type == "ConvTranspose":
        return int(weight.shape[1]) * groups
    transposed = "transB" in inner.attributes and inner.attributes["transB"].as_int()
    return int(weight.shape[0] if transposed else weight.shape[1])


def _scale_weight(inner: ir.Node, weight: Array, factor: Array) -> Array | None:
    """The weight with each output channel multiplied by its factor (a scalar or one for each channel)."""
    scale = np.asarray(factor).reshape(-1)
    if scale.size == 1:
        return np.asarray(weight * scale[0])
    if inner.op_type == "Conv":
        return np.asarray(weight * scale.reshape(-1, *(1,) * (weight.ndim - 1)))
    if inner.op_type == "ConvTranspose":
        groups = inner.attributes["group"].as_int() if "group" in inner.attributes else 1
        blocks = weight.reshape(groups, -1, *weight.shape[1:])
        scaled = blocks * scale.reshape(groups, 1, weight.shape[1], *(1,) * (weight.ndim - 2))
        return np.asarray(scaled.reshape(weight.shape))
    transposed = "transB" in inner.attributes and inner.attributes["transB"].as_int()
    return np.asarray(weight * (scale[:, None] if transposed else scale[None, :]))
