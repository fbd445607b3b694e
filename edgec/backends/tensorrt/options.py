"""The options of a TensorRT target."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.diag import EdgecError, error
from edgec.spec.reader import Checker, Table
from edgec.spec.target import Target

COMPUTE_CAPABILITIES = ("SM75", "SM80", "SM86", "SM87", "SM89", "SM120", "SM121")
"""The GPUs that TensorRT-RTX 1.7 builds for, and SM87 (Orin), for which TensorRT builds on the board."""


@dataclass(frozen=True)
class TensorRTOptions:
    """`build`: `ahead-of-time` here for `compute_capabilities` (SM86 …), or `on-device` on the board itself."""

    build: str = "ahead-of-time"
    compute_capabilities: tuple[str, ...] = ("SM89",)


def tensorrt_options(c: Checker, table: Table) -> TensorRTOptions:
    """Read and check `[options]`."""
    c.known(table, ("build", "compute_capabilities"), "options.")
    capabilities = c.strings(table, "compute_capabilities") or TensorRTOptions().compute_capabilities
    for name in capabilities:
        if name not in COMPUTE_CAPABILITIES:
            known = ", ".join(COMPUTE_CAPABILITIES)
            c.problem(f"`{name}` is not a compute capability", "compute_capabilities", f"one of {known}")
    build = c.choice(table, "build", ("ahead-of-time", "on-device"), "ahead-of-time")
    return TensorRTOptions(build, capabilities)


def elsewhere(target: Target) -> EdgecError | None:
    """E0503 for a target whose engines are built on the board, otherwise None."""
    assert isinstance(target.options, TensorRTOptions)
    if target.options.build == "ahead-of-time":
        return None
    return error(
        "E0503",
        f"target `{target.name}` is built by the TensorRT on the board itself",
        notes=["an engine fits one TensorRT version and one GPU; the board's wheels are not on the public index"],
        help=["build for `rtx`, or take the ONNX (`--emit onnx --target rtx`) to the board: trtexec --onnx=FILE"],
    )
