"""Rows about single operators: forms of known operators that TensorRT's parser rejects.

Each was observed: TensorRT-RTX 1.7's parser rejected a file of one operator with the cited message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from onnx import TensorProto

from edgec.ledger.row import Breach, Row
from edgec.ledger.tensorrt.file import PARSER, OnnxFile, attribute, lacking, where

_SEEN = "TensorRT-RTX 1.7's parser"
_INTEGERS: dict[int, str] = {TensorProto.INT32: "int32", TensorProto.INT64: "int64"}
_COORDINATES = {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"}
_POOLS = ("AveragePool", "MaxPool", "LpPool")
_RECURRENT = {"LSTM": 3, "GRU": 2, "RNN": 1}
"""The number of activation functions of one direction."""
_PLUGINS = frozenset({"CausalConvWithState", "LinearAttention", "NonZero", "RoiAlign"})
_SPATIAL = range(1, 4)


def _each(*kinds: str) -> Callable[[Callable[[OnnxFile, Any], str | None]], Callable[[OnnxFile], Iterator[Breach]]]:
    """Turn a function that says what is wrong with a node, or None, into a check of all nodes of these operators."""

    def made(wrong: Callable[[OnnxFile, Any], str | None]) -> Callable[[OnnxFile], Iterator[Breach]]:
        def check(file: OnnxFile) -> Iterator[Breach]:
            for node in file.nodes():
                if node.domain in ("", "ai.onnx") and (not kinds or node.op_type in kinds):
                    told = wrong(file, node)
                    if told:
                        yield Breach(where(node), told)

        return check

    return made


def _given(node: Any, number: int) -> str:
    """The name of an input; empty if it is absent."""
    return str(node.input[number]) if len(node.input) > number else ""


@_each("Conv", "ConvTranspose")
def _conv(file: OnnxFile, node: Any) -> str | None:
    rank = file.rank(_given(node, 1)) or file.rank(_given(node, 0))
    return f"{rank - 2} spatial dimensions" if rank is not None and rank - 2 not in _SPATIAL else None


@_each(*_POOLS)
def _pool(file: OnnxFile, node: Any) -> str | None:
    sides = attribute(node, "kernel_shape", ())
    return f"{len(sides)} spatial dimensions" if len(sides) not in _SPATIAL else None


@_each(*_POOLS)
def _dilated(file: OnnxFile, node: Any) -> str | None:
    dilations = list(attribute(node, "dilations", ()))
    return f"dilations {dilations}" if any(d != 1 for d in dilations) else None


@_each("LpPool")
def _norm(file: OnnxFile, node: Any) -> str | None:
    power = attribute(node, "p", 2)
    return f"p is {power}" if power not in (1, 2) else None


@_each("Resize")
def _coordinates(file: OnnxFile, node: Any) -> str | None:
    mode = attribute(node, "coordinate_transformation_mode", "half_pixel")
    return f"`{mode}`" if mode not in _COORDINATES else None


@_each("Resize")
def _resize(file: OnnxFile, node: Any) -> str | None:
    if attribute(node, "antialias", 0):
        return "antialias"
    policy = attribute(node, "keep_aspect_ratio_policy", "stretch")
    return f"keep_aspect_ratio_policy is `{policy}`" if policy != "stretch" else None


@_each("Resize")
def _resized_type(file: OnnxFile, node: Any) -> str | None:
    return _INTEGERS.get(file.element_type(_given(node, 0)))


@_each("Squeeze", "Unsqueeze", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
       "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare")  # fmt: skip
def _axes(file: OnnxFile, node: Any) -> str | None:
    name = _given(node, 1)
    return f"its axes are the input `{name[:80]}`" if name in file.inputs else None


@_each("BatchNormalization", "Dropout")
def _training(file: OnnxFile, node: Any) -> str | None:
    if attribute(node, "training_mode", 0):
        return "training_mode is 1"
    if node.op_type == "Dropout" and _given(node, 2):
        mode = file.constant(node.input[2])
        return "training_mode is not false" if mode is None or bool(np.any(mode)) else None
    return None


@_each("BatchNormalization", "LayerNormalization")
def _statistics(file: OnnxFile, node: Any) -> str | None:
    further = [name for name in node.output[1:] if name]
    return f"it has the further output `{further[0][:80]}`" if further else None


@_each("Attention")
def _attention(file: OnnxFile, node: Any) -> str | None:
    further = [name for name in node.output[1:] if name]
    if further:
        return f"it has the further output `{further[0][:80]}`"
    if attribute(node, "softcap", 0.0):
        return "softcap is set"
    return "softmax_precision is set" if attribute(node, "softmax_precision", 0) else None


@_each("LSTM")
def _coupled(file: OnnxFile, node: Any) -> str | None:
    return "input_forget is 1" if attribute(node, "input_forget", 0) else None


@_each(*_RECURRENT)
def _activations(file: OnnxFile, node: Any) -> str | None:
    found, count = list(attribute(node, "activations", ())), _RECURRENT[node.op_type]
    differ = len(found) == 2 * count and found[:count] != found[count:]
    return f"activations {', '.join(found)}" if differ else None


@_each("MatMul", "Gemm")
def _products(file: OnnxFile, node: Any) -> str | None:
    return _INTEGERS.get(file.element_type(_given(node, 0)))


@_each("ReduceMax", "ReduceMin")
def _truths(file: OnnxFile, node: Any) -> str | None:
    return "bool" if file.element_type(_given(node, 0)) == TensorProto.BOOL else None


@_each("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")
def _bytes(file: OnnxFile, node: Any) -> str | None:
    return "uint8" if file.element_type(_given(node, 0)) == TensorProto.UINT8 else None


@_each("Range")
def _ranged(file: OnnxFile, node: Any) -> str | None:
    is_float = file.element_type(_given(node, 0)) in (TensorProto.FLOAT, TensorProto.FLOAT16)
    given = [name for name in node.input if name in file.inputs]
    return f"it depends on the input `{given[0][:80]}`" if is_float and given else None


@_each("QuantizeLinear", "DequantizeLinear")
def _scales(file: OnnxFile, node: Any) -> str | None:
    scale = file.constant(_given(node, 1))
    wide = None if scale is None else np.asarray(scale, dtype=np.float64)
    return f"scale {wide.min():g}" if wide is not None and wide.size and wide.min() <= 0 else None


@_each(*_PLUGINS)
def _plugins(file: OnnxFile, node: Any) -> str | None:
    return f"`{node.op_type}`"


@_each("Cast", "CastLike")
def _cast(file: OnnxFile, node: Any) -> str | None:
    kind = attribute(node, "to", 0) if node.op_type == "Cast" else file.element_type(_given(node, 1))
    told = lacking(kind)
    return f"to {told}" if told else None


def _row(label: str, demand: str, said: str, check: Callable[[OnnxFile], Iterator[Breach]]) -> Row[OnnxFile]:
    return Row(label, demand, PARSER, f"{_SEEN}: {said}", check)


ROWS: tuple[Row[OnnxFile], ...] = (
    _row(
        "conv-dimensions",
        "a convolution has 1 to 3 spatial dimensions",
        "condition: (kernelSize).nbDims == 2 ||",
        _conv,
    ),
    _row("pool-dimensions", "a pool has 1 to 3 spatial dimensions", "nbSpatialDims == 2 || nbSpatialDims == 3", _pool),
    _row("pool-dilations", "a pool is not dilated", "does not support dilations other than 1", _dilated),
    _row("pool-norm", "the p of LpPool is 1 or 2", "Only L1 and L2 normalization are supported", _norm),
    _row("resize-coordinates", "a resize has a supported coordinate mode", "transformationMode ==", _coordinates),
    _row(
        "resize-form",
        "a resize does not antialias or keep the aspect ratio",
        "Antialiasing is not supported currently",
        _resize,
    ),
    _row(
        "resize-type",
        "the data of a resize are floats",
        "first input has type Int32 but must have type Float",
        _resized_type,
    ),
    _row("axes-constant", "axes are constants", "Axis input must resolve to a build-time constant", _axes),
    _row(
        "training-mode",
        "no operator is in training mode",
        "does not support training_mode == 1 in BatchNormalization",
        _training,
    ),
    _row("one-result", "a normalization has one output", "doesn't support mode than 1 outputs", _statistics),
    _row("attention-form", "attention has one output and no softcap", "Setting softcap is not supported", _attention),
    _row("lstm-coupled", "gates of LSTM are not coupled", "Coupled input/forget is unsupported", _coupled),
    _row(
        "same-activations",
        "both directions have the same activations",
        "does not currently support cases",
        _activations,
    ),
    _row(
        "product-type",
        "the operands of a matrix product are floats",
        "Found unsupported input type of INT32",
        _products,
    ),
    _row("reduce-type", "the data of a reduction are numbers", "Found unsupported input type of BOOL", _truths),
    _row("byte-arithmetic", "no arithmetic is in uint8", "requires inputs with type kFLOAT, kHALF, kBF16", _bytes),
    _row("range-constant", "a float range is constant", "Assertion !isInFlight(p.second.symbolicRep)", _ranged),
    _row("quantize-scale", "scales are positive", "Scale coefficients must all be positive", _scales),
    _row("onnx-plugin", "no operator needs a plugin", "plugin was not found in the plugin registry", _plugins),
    _row("cast-type", "no cast is to a type that TensorRT lacks", "Unsupported data type for the Cast operator", _cast),
)
