"""What is to be known of TFLite before the backend is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgec.backends.tflite.options import tflite_options
from edgec.spec.backend import BackendSpec, Rewriting
from edgec.spec.piece import Piece

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


SPEC = BackendSpec(
    "tflite",
    "TFLite",
    tflite_options,
    _load,
    _rewriting,
    takes_layouts=True,
    emitters={"onnx2tf": _onnx2tf},
    pieces=(Piece("ai-edge-litert", "ai_edge_litert", "TFLite files and their verification", "tflite"),),
)
