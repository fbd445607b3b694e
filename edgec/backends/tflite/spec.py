"""The TFLite backend's properties that are needed before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgec.backends.tflite.options import tflite_options
from edgec.spec.backend import BackendSpec, Rewriting
from edgec.spec.optional_package import OptionalPackage
from edgec.spec.reader import Checker
from edgec.spec.target import Target

if TYPE_CHECKING:
    from edgec.backends.base import Backend


def _load() -> Backend:
    from edgec.backends.tflite.backend import TFLITE

    return TFLITE


def _onnx2tf() -> Backend:
    from edgec.backends.tflite.via.backend import ONNX2TF

    return ONNX2TF


def _rewriting() -> Rewriting:
    from edgec.backends.tflite.legalize import OPTIONAL, OWN

    return Rewriting(OWN, OPTIONAL)


def _check(c: Checker, target: Target) -> None:
    """Check the number formats that LiteRT's kernels support."""
    weights, values = target.numerics.weights, target.numerics.activations
    if weights.is_float:
        return
    if values is not None and (values.type != "int8" or values.symmetric):
        c.problem(f"activations in TFLite are int8 per tensor, asymmetric, not {values}", "activations")
    if weights.type != "int8" or weights.granularity == "block" or not weights.symmetric:
        c.problem(f"weights in TFLite are int8 per channel or tensor, symmetric, not {weights}", "weights")


SPEC = BackendSpec(
    "tflite",
    "TFLite",
    tflite_options,
    _load,
    _rewriting,
    check=_check,
    takes_layouts=True,
    emitters={"onnx2tf": _onnx2tf},
    packages=(OptionalPackage("ai-edge-litert", "ai_edge_litert", "TFLite files and their verification", "tflite"),),
)
