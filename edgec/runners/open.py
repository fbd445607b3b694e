"""The runner that executes an artifact here, by its format."""

from __future__ import annotations

from pathlib import Path

from edgec.artifact.shown import Shown
from edgec.diag import error
from edgec.runners.base import Runner


def open_runner(
    path: Path,
    precision: str | None = None,
    *,
    as_source: Shown | bool = False,
    function: str | None = None,
    on: str = "local",
) -> Runner:
    """A runner for a file or package.

    With `as_source`, which says what the artifact shows otherwise (True: layouts and types alone), it takes and gives
    what the artifact's source does.
    `on` is `local`, or `qemu`: a TFLite file by LiteRT's Arm kernels, emulated. A Core ML package runs on `mac`: by
    Core ML on this Mac, or on `apple:DEVICE:APP`: in an app on a device.
    `precision` is for Core ML packages: `float16` (the default) rounds where the package says so, `float32` never.
    `function` names one of a package that has several; the default one runs otherwise.
    Raises `EdgecError` E0101 for a precision or function elsewhere, E0603 for an engine without its ONNX and for what
    QEMU does not run, E0701 for another place.
    """
    shown = Shown() if as_source is True else as_source or None
    if on != "local" and precision is not None:
        raise error("E0101", "`--precision` is for the MIL interpreter, which is `--on local`")
    if on == "mac" or on.startswith("apple:"):
        return _apple(path, on, function)
    if on != "local" and function is None:
        return _elsewhere(path, on, as_source=shown is not None)
    if path.suffix == ".mlpackage":
        from edgec.runners.mil import MilRunner
        from edgec.runners.mil.as_source import SourceRunner

        if shown is not None:
            return SourceRunner(path, shown, function)
        return MilRunner(path, "float32" if precision == "float32" else "float16", function)
    if function is not None:
        raise error("E0101", f"`--function` is for Core ML packages; `{path.name}` has one function")
    if precision is not None:
        raise error("E0101", f"`--precision` is for Core ML packages; `{path.name}` computes as it was built")
    if path.suffix == ".tflite":
        from edgec.runners.litert import LiteRTRunner

        return LiteRTRunner(path, as_source=shown is not None)
    from edgec.runners.onnxruntime import OnnxRuntimeRunner

    source = path.with_suffix(".onnx")
    if not source.is_file():
        raise error("E0603", f"`{path.name}` cannot be executed here", notes=["it needs a GPU, or its ONNX beside it"])
    return OnnxRuntimeRunner(source, optimize=False)


def _elsewhere(path: Path, on: str, *, as_source: bool) -> Runner:
    if on != "qemu":
        known = "`local` is this machine, `qemu` an emulated Arm, `mac` and `apple:DEVICE:APP` Apple's own kernels"
        raise error("E0701", f"`{on}` cannot be reached", help=[known])
    if path.suffix != ".tflite":
        raise error("E0603", f"`{path.name}` does not run under QEMU", notes=["TFLite files do"])
    from edgec.runners.qemu import QemuRunner

    return QemuRunner(path, as_source=as_source)


def _apple(path: Path, on: str, function: str | None) -> Runner:
    if path.suffix != ".mlpackage":
        raise error("E0603", f"`{path.name}` is not for Core ML", notes=["packages (.mlpackage) are"])
    if on == "mac":
        from edgec.runners.apple.mac import MacRunner

        return MacRunner(path, function=function)
    from edgec.runners.apple.devicectl import AppleDeviceRunner

    _, device, app = [*on.split(":", 2), ""][:3]
    if function is not None:
        raise error("E0101", "`--function` is for `--on local` and `--on mac`")
    if not device or not app:
        raise error("E0101", f"`--on {on}` is not apple:DEVICE:APP", help=["`xcrun devicectl list devices` lists them"])
    return AppleDeviceRunner(path, device, app.rstrip(":"))
