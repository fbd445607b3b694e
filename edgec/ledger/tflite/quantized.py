"""Requirements of the 8-bit quantization specification on the scales and zero points of integer operators.

Most kernels do not check them: an artifact that does not meet them runs, and computes something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgec.ledger.row import Breach, Row
from edgec.ledger.tflite.file import Operator, TFLiteFile, is_quantized, listed

_SPECIFICATION = "LiteRT 8-bit quantization specification (ai.google.dev/edge/litert/models/quantization_spec)"

_LINEAR = {
    "CONV_2D": (0, 1, 2, 0), "DEPTHWISE_CONV_2D": (0, 1, 2, 3), "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}  # fmt: skip
"""Indices of input, weights and bias, and the dimension of the weights that may have per-channel scales."""

_FIXED = {
    "LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0), "L2_NORMALIZATION": (1 / 128, 0),
    "LOG_SOFTMAX": (16 / 256, 127),
}  # fmt: skip
_SAME = frozenset(
    """
    AVERAGE_POOL_2D CONCATENATION DEPTH_TO_SPACE GATHER MAXIMUM MAX_POOL_2D MINIMUM MIRROR_PAD PAD PADV2 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SELECT_V2 SLICE SPACE_TO_DEPTH SPLIT SPLIT_V SQUEEZE STRIDED_SLICE TRANSPOSE
    """.split()
)

_CLOSE = 1e-5
"""The relative tolerance within which two float32 scales are equal."""


def _scales(tensor: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(tensor.quantization.scale, np.float64)


def _zeros(tensor: Any) -> list[int]:
    return listed(tensor.quantization.zeroPoint)


def _integer(file: TFLiteFile, tensor: Any) -> bool:
    return is_quantized(tensor) and file.dtype(tensor) == "INT8"


def _linear(file: TFLiteFile) -> Iterator[tuple[Operator, list[Any]]]:
    """Integer operators with weights: input, weights and, if present, bias."""
    for op in file.operators:
        places = _LINEAR.get(op.name, ())[:3]
        numbers = [i for i in listed(op.table.inputs) if i >= 0]
        if any(i >= len(op.graph.tensors or ()) for i in numbers):
            continue  # `operator-tensors` reports it
        tensors = [op.graph.tensors[numbers[place]] for place in places if place < len(numbers)]
        if len(tensors) > 1 and all(_integer(file, tensor) for tensor in tensors[:2]):
            yield op, tensors


def _weights(file: TFLiteFile) -> Iterator[Breach]:
    for op, (_, weights, *_) in _linear(file):
        if any(_zeros(weights)):
            yield Breach(op.where, "its weights have a zero point")
        if file.is_constant(weights):
            content = np.frombuffer(file.bytes_of(file.model.buffers[weights.buffer]), np.int8)
            if content.size and content.min() == -128:
                yield Breach(op.where, "a weight is -128")


def _axes(file: TFLiteFile) -> Iterator[Breach]:
    for op, (_, weights, *_) in _linear(file):
        count, axis = len(_scales(weights)), int(weights.quantization.quantizedDimension)
        if count > 1 and axis != _LINEAR[op.name][3]:
            yield Breach(op.where, f"{count} scales along dimension {axis}")


def _biases(file: TFLiteFile) -> Iterator[Breach]:
    for op, (source, weights, *rest) in _linear(file):
        for bias in rest:
            if file.dtype(bias) != "INT32" or not is_quantized(bias):
                yield Breach(op.where, f"its bias is {file.dtype(bias).lower()} without a scale")
            elif any(_zeros(bias)) or not _alike(_scales(source) * _scales(weights), _scales(bias)):
                yield Breach(
                    op.where, "the scale of its bias is not the product of the input's and the weights' scales"
                )


def _alike(wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> bool:
    return wanted.shape == found.shape and bool(np.all(np.abs(found - wanted) <= _CLOSE * wanted))


def _fixed(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        for result in op.tensors(op.table.outputs) if op.name in _FIXED else ():
            scale, zero = _FIXED[op.name]
            if _integer(file, result) and not (_alike(np.array([scale]), _scales(result)) and _zeros(result) == [zero]):
                yield Breach(op.where, f"its result has scale {_scales(result)[0]:.6g}, zero point {_zeros(result)[0]}")


def _same(file: TFLiteFile) -> Iterator[Breach]:
    for op in file.operators:
        if op.name not in _SAME:
            continue
        tensors = [t for t in (*op.tensors(op.table.inputs), *op.tensors(op.table.outputs)) if _integer(file, t)]
        for tensor in tensors[1:]:
            if not _alike(_scales(tensors[0]), _scales(tensor)) or _zeros(tensors[0]) != _zeros(tensor):
                yield Breach(op.where, "its operands and results have different scales")
                break


_BY = "the runtime"

ROWS: tuple[Row[TFLiteFile], ...] = (
    Row("integer-weights", "integer weights are -127 to 127, with zero point 0", _BY, _SPECIFICATION, _weights),
    Row("integer-axes", "scales of weights are along the output channels", _BY, _SPECIFICATION, _axes),
    Row(
        "integer-biases",
        "a bias is int32, with the product of the input's and the weights' scales",
        _BY,
        _SPECIFICATION,
        _biases,
    ),
    Row("integer-ranges", "sigmoid, softmax, tanh and norms have fixed scales", _BY, _SPECIFICATION, _fixed),
    Row("integer-scales", "data movement, concatenation and pooling keep the scale", _BY, _SPECIFICATION, _same),
)
