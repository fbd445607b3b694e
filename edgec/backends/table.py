"""The backends by name. Each is imported when it is asked for: a missing vendor SDK of one never harms another."""

from __future__ import annotations

from edgec.backends.base import Backend
from edgec.diag import error


def backend(name: str, via: str | None = None) -> Backend:
    """The backend of that name: `coreml`, `tflite` or `tensorrt`; with `via`, through another emitter.

    Raises `EdgecError` E0101 for an emitter that the backend does not have.
    """
    if via is not None:
        return _via(name, via)
    if name == "coreml":
        from edgec.backends.coreml.backend import COREML

        return COREML
    if name == "tflite":
        from edgec.backends.tflite.backend import TFLITE

        return TFLITE
    if name == "tensorrt":
        from edgec.backends.tensorrt.backend import TENSORRT

        return TENSORRT
    raise ValueError(f"no backend `{name}`")


def _via(name: str, via: str) -> Backend:
    if (name, via) != ("tflite", "onnx2tf"):
        raise error("E0101", f"`--via {via}` is not for {name} targets", help=["`--via onnx2tf` is for TFLite targets"])
    from edgec.backends.tflite.via.backend import ONNX2TF

    return ONNX2TF
