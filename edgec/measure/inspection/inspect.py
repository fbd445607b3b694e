"""The reader of each format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgec.artifact.files import sha256_of, size_of
from edgec.diag import error
from edgec.measure.inspection.summary import Content, Feature, Summary


def inspect(path: Path) -> Summary:
    """Read a `.tflite`, `.mlpackage`, `.onnx` or `.engine`. Raises `EdgecError` E0604 or E0203 for a broken file."""
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise error("E0604", f"`{path.name}` is of no format that edgec reads", help=[f"one of {', '.join(_READERS)}"])
    found = reader(path)
    return Summary(
        format=path.suffix[1:],
        sha256=sha256_of(path),
        bytes=size_of(path),
        inputs=tuple(found.inputs),
        outputs=tuple(found.outputs),
        ops=dict(sorted(found.ops.items(), key=lambda item: (-item[1], item[0]))),
        weights=tuple(sorted(found.weights, key=lambda w: (-w.bytes, w.name))),
        metadata=found.metadata,
    )


def inputs_of(path: Path, function: str | None = None) -> tuple[Feature, ...]:
    """What an artifact takes, or one function of it."""
    if function is None or path.suffix != ".mlpackage":
        return inspect(path).inputs
    from edgec.measure.inspection.mlpackage import read_mlpackage

    return tuple(read_mlpackage(path, function).inputs)


def _tflite(path: Path) -> Content:
    from edgec.measure.inspection.tflite import read_tflite

    return read_tflite(path)


def _mlpackage(path: Path) -> Content:
    from edgec.measure.inspection.mlpackage import read_mlpackage

    return read_mlpackage(path)


def _onnx(path: Path) -> Content:
    from edgec.measure.inspection.onnx import read_onnx

    return read_onnx(path)


def _engine(path: Path) -> Content:
    """An engine is opaque off its GPU; the ONNX that it was built from tells of it."""
    beside = path.with_suffix(".onnx")
    if not beside.is_file():
        return Content([], [], {}, [], {"note": "an engine is opaque without the ONNX that it was built from"})
    found = _onnx(beside)
    found.metadata["note"] = f"read from {beside.name}, which the engine came from"
    return found


_READERS: dict[str, Callable[[Path], Content]] = {
    ".tflite": _tflite,
    ".mlpackage": _mlpackage,
    ".onnx": _onnx,
    ".engine": _engine,
}
