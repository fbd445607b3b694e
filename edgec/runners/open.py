"""The runner that executes an artifact here, by its format."""

from __future__ import annotations

from pathlib import Path

from edgec.diag import error
from edgec.runners.base import Runner


def open_runner(
    path: Path,
    precision: str | None = None,
    *,
    as_source: bool = False,
    function: str | None = None,
    on: str = "local",
) -> Runner:
    """A runner for a file or package.

    With `as_source` it takes and gives what the artifact's source does, where their layouts differ.
    `on` is `local`, or `qemu`: a TFLite file by LiteRT's Arm kernels, emulated.
    `precision` is for Core ML packages: `float16` (the default) rounds where the package says so, `float32` never.
    `function` names one of a package that has several; the default one runs otherwise.
    Raises `EdgecError` E0101 for a precision or function elsewhere, E0603 for an engine without its ONNX and for what
    QEMU does not run, E0701 for another place.
    """
    if on != "local" and function is None and precision is None:
        return _elsewhere(path, on, as_source=as_source)
    if path.suffix == ".mlpackage":
        from edgec.runners.mil import MilRunner

        return MilRunner(path, "float32" if precision == "float32" else "float16", function)
    if function is not None:
        raise error("E0101", f"`--function` is for Core ML packages; `{path.name}` has one function")
    if precision is not None:
        raise error("E0101", f"`--precision` is for Core ML packages; `{path.name}` computes as it was built")
    if path.suffix == ".tflite":
        from edgec.runners.litert import LiteRTRunner

        return LiteRTRunner(path, as_source=as_source)
    from edgec.runners.onnxruntime import OnnxRuntimeRunner

    source = path.with_suffix(".onnx")
    if not source.is_file():
        raise error("E0603", f"`{path.name}` cannot be executed here", notes=["it needs a GPU, or its ONNX beside it"])
    return OnnxRuntimeRunner(source)


def _elsewhere(path: Path, on: str, *, as_source: bool) -> Runner:
    if on != "qemu":
        raise error("E0701", f"`{on}` cannot be reached", help=["`local` is this machine, `qemu` an emulated Arm"])
    if path.suffix != ".tflite":
        raise error("E0603", f"`{path.name}` does not run under QEMU", notes=["TFLite files do"])
    from edgec.runners.qemu import QemuRunner

    return QemuRunner(path, as_source=as_source)
