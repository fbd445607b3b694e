"""Opens the runner for an artifact, by its format."""

from __future__ import annotations

from pathlib import Path

from edgec.artifact.format import RunOptions, format_of
from edgec.artifact.shown import Shown
from edgec.diag import error
from edgec.runners.base import Runner
from edgec.spec.reach import DeviceUse, is_device_address, reach_of

_PLACES = (
    "`local` is this machine, `qemu` an emulated Arm, `adb:SERIAL` and `ssh://HOST` a device or board, `mac` and "
    "`apple:DEVICE:APP` Apple's own kernels"
)


def open_runner(
    path: Path,
    precision: str | None = None,
    *,
    as_source: Shown | bool = False,
    function: str | None = None,
    on: str = "local",
) -> Runner:
    """A runner for a file or package.

    With `as_source`, its inputs and outputs are those of the artifact's source. It describes how the artifact's
    interface differs (True: in layouts and types only).
    `on` is `local`, or `qemu`: a TFLite file with LiteRT's Arm kernels, emulated, or `adb:SERIAL` or `ssh://HOST`: with
    LiteRT on a device. A Core ML package runs on `mac`, with Core ML on this Mac, or on `apple:DEVICE:APP`, in an app.
    `precision` is for Core ML packages: `float16` (the default) rounds where the package declares float16, `float32`
    never does. `function` selects a function of a package that has several, instead of its default.
    Raises `EdgecError` E0101 for a precision or function of other formats, E0603 for an engine without its ONNX and
    for formats that do not run there, E0701 for another place.
    """
    if on != "local" and precision is not None:
        raise error("E0101", "`--precision` is for the MIL interpreter, which is `--on local`")
    device = DeviceUse(reach_of(on)) if is_device_address(on) else None
    if device is None and on not in ("local", "qemu", "mac") and not on.startswith("apple:"):
        raise error("E0701", f"`{on}` cannot be reached", help=[_PLACES])
    shown = Shown() if as_source is True else as_source or None
    return format_of(path).open(path, RunOptions(on, shown, precision, function, device))
