"""Rows about the checks of kernels' `Prepare`: the types and constants of one operator must agree.

Shapes of computed values are not checked: the runtime infers them again, whatever the file declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgec.ledger.row import Breach, Row
from edgec.ledger.tflite.file import Operator, TFLiteFile, listed

_ELEMENTWISE = """
    ADD SUB MUL DIV MAXIMUM MINIMUM POW FLOOR_DIV FLOOR_MOD SQUARED_DIFFERENCE EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER
    GREATER_EQUAL
"""
_ALIKE = {
    **{name: slice(0, 2) for name in _ELEMENTWISE.split()},
    **{name: slice(0, None) for name in ("CONCATENATION", "PACK")},
    **{name: slice(1, 3) for name in ("SELECT", "SELECT_V2")},
}
"""The operands that must have the same element type."""
_CHANNELS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
"""The dimension of the weights that is the output channels."""


def _one_type(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        kinds = [file.dtype(t) for t in op.tensors(op.table.inputs)[_ALIKE.get(op.name, slice(0, 0))]]
        if len(set(kinds)) > 1:
            yield Breach(op.where, f"it takes {' and '.join(sorted(set(kinds))).lower()}")


def _weighted(file: TFLiteFile) -> Iterator[tuple[Operator, Any, int, list[Any]]]:
    """Operators with constant weights: the operator, the weights, their channels, all operands."""
    for op in file.operators:
        tensors, dimension = op.tensors(op.table.inputs), _CHANNELS.get(op.name)
        if dimension is None or len(tensors) < 2 or not file.is_constant(tensors[1]):
            continue
        shape = listed(tensors[1].shape)
        if len(shape) > dimension:
            yield op, tensors[1], shape[dimension], tensors


def _bias(file: TFLiteFile) -> Iterator[Breach]:
    for op, _, channels, tensors in _weighted(file):
        if len(tensors) > 2 and file.is_constant(tensors[2]):
            count = int(np.prod(listed(tensors[2].shape), dtype=np.int64))
            if count != channels:
                yield Breach(op.where, f"{count} biases for {channels} channels")


def _scales(file: TFLiteFile) -> Iterator[Breach]:
    for op, weights, channels, tensors in _weighted(file):
        quantization = weights.quantization
        scales = 0 if quantization is None or quantization.scale is None else len(quantization.scale)
        if scales > 1 and file.dtype(tensors[0]) in ("INT8", "INT16") and op.name != "FULLY_CONNECTED":
            if scales != channels:
                yield Breach(op.where, f"{scales} scales for {channels} channels")
            elif quantization.quantizedDimension != _CHANNELS[op.name]:
                yield Breach(op.where, f"scales along dimension {quantization.quantizedDimension}")


def _numbers(file: TFLiteFile, op: Operator, position: int) -> Any:
    """A constant int32 operand as an array; None for others."""
    tensors = op.tensors(op.table.inputs)
    if len(tensors) <= position or file.dtype(tensors[position]) != "INT32":
        return None
    tensor, shape = tensors[position], listed(tensors[position].shape)
    if not file.is_constant(tensor):
        return None
    content = np.frombuffer(file.bytes_of(file.model.buffers[tensor.buffer]), np.int32)
    return content.reshape(shape) if content.size == np.prod(shape, dtype=np.int64) else None


def _permutations(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        order = _numbers(file, op, 1) if op.name == "TRANSPOSE" else None
        if order is None or not order.size:
            continue
        counted = [place + order.size if place < 0 else place for place in order.reshape(-1).tolist()]
        if sorted(counted) != list(range(order.size)):
            yield Breach(op.where, f"its order is {order.tolist()}")


def _paddings(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        widths = _numbers(file, op, 1) if op.name in ("PAD", "PADV2", "MIRROR_PAD") else None
        if widths is None:
            continue
        if widths.ndim != 2 or widths.shape[1] != 2:
            yield Breach(op.where, f"its paddings have shape {list(widths.shape)}")
        elif widths.size and widths.min() < 0:
            yield Breach(op.where, f"its paddings are {widths.tolist()}")


def _steps(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        options = op.table.builtinOptions
        for field in ("strideW", "strideH", "strideD", "filterWidth", "filterHeight"):
            step = getattr(options, field, None) if op.name in _STEPPED else None
            if step is not None and step < 1:
                yield Breach(op.where, f"{field} is {step}")


_STEPPED = frozenset("CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV CONV_3D AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D".split())
_BY = "the runtime"

ROWS: tuple[Row[TFLiteFile], ...] = (
    Row(
        "kernel-one-type",
        "operands that are concatenated or combined have the same type",
        _BY,
        "LiteRT, tflite/kernels, Prepare: TF_LITE_ENSURE_TYPES_EQ, `input1->type != input2->type`",
        _one_type,
    ),
    Row(
        "kernel-bias",
        "the bias has one element per channel",
        _BY,
        "LiteRT, tflite/kernels/conv.cc, depthwise_conv.cc and fully_connected.cc, Prepare: NumElements(bias)",
        _bias,
    ),
    Row(
        "kernel-scales",
        "weights have one scale, or one per channel along the channel dimension",
        _BY,
        "LiteRT, tflite/kernels/kernel_util.cc, PopulateConvolutionQuantizationParams",
        _scales,
    ),
    Row(
        "kernel-permutation",
        "a transpose's permutation has each dimension once",
        _BY,
        "LiteRT, tflite/kernels/transpose.cc: Transpose op permutations array is out of bounds",
        _permutations,
    ),
    Row(
        "kernel-paddings",
        "paddings are pairs of non-negative numbers",
        _BY,
        "LiteRT, tflite/kernels/pad.cc: Pad value has to be greater than equal to 0",
        _paddings,
    ),
    Row(
        "options-step",
        "strides and windows are at least 1",
        _BY,
        "LiteRT, tflite/kernels/padding.h, ComputeOutSize divides by the stride",
        _steps,
    ),
)
