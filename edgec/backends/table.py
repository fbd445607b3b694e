"""The backends by name. Each is imported when it is asked for: a missing vendor SDK of one never harms another."""

from __future__ import annotations

from edgec.backends.base import Backend


def backend(name: str) -> Backend:
    """The backend of that name: `coreml`, `tflite` or `tensorrt`."""
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
