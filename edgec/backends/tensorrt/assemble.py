"""Build a TensorRT-RTX engine from ONNX ahead of time, on a machine without a GPU."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from edgec.backends.onnx_program import OnnxProgram
from edgec.backends.tensorrt import engine
from edgec.backends.tensorrt.engine import Refused, Request, refusals
from edgec.backends.tensorrt.options import TensorRTOptions, elsewhere
from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.diag.foreign import said
from edgec.ir.dims import UNBOUNDED, dim_ranges
from edgec.ir.model import Model
from edgec.ir.save import save_onnx
from edgec.spec.target import Target


def assemble(program: OnnxProgram, target: Target, path: Path) -> None:
    """Write the engine to `path`, and next to it, as `.onnx`, the model that it was built from.

    Raises `EdgecError` E0501 if TensorRT rejects the model, E0502 if it is not installed, E0503 if the target's
    engines are built on the board.
    """
    options = target.options
    assert isinstance(options, TensorRTOptions)
    if (refused := elsewhere(target)) is not None:
        raise refused
    onnx_path = path.with_suffix(".onnx")
    save_onnx(program.model, onnx_path)
    path.write_bytes(_engine(onnx_path, program, options))


def _engine(onnx_path: Path, program: OnnxProgram, options: TensorRTOptions) -> bytes:
    """Build the engine in a separate process, so that a crash of TensorRT's builder does not crash this one."""
    if importlib.util.find_spec("tensorrt_rtx_bindings") is None:
        raise error("E0502", "TensorRT-RTX is not installed", help=["pip install 'edgec[tensorrt]'"])
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        Request(str(onnx_path.resolve()), tuple(options.compute_capabilities), _ranges(program.model)).write(job)
        command = [sys.executable, "-m", engine.__name__, str(job)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
        if found := refusals(job):
            raise EdgecError([_diagnostic(r, program) for r in found])
        if done.returncode or not (job / "engine").is_file():
            raise _crashed(done)
        return (job / "engine").read_bytes()


def _environment() -> dict[str, str]:
    """An environment in which the process imports edgec from the same place as this one."""
    root = str(Path(engine.__file__).parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


_WAY_OUT = "compute it with other operations in the source; `--emit onnx` keeps the ONNX that TensorRT was given"

_FULL = "No space left on device"


def _crashed(done: subprocess.CompletedProcess[str]) -> EdgecError:
    if done.returncode < 0:
        how = f"signal {-done.returncode}: {signal.strsignal(-done.returncode)}"
    else:
        how = f"exit code {done.returncode}"
    last = [said("it", line) for line in done.stderr.splitlines() if line.strip()][-1:]
    if _FULL in "".join(last):
        return error(
            "E0108",
            "no space left on the device for TensorRT's temporary files",
            notes=last,
            help=["set TMPDIR to another folder"],
        )
    return error(
        "E0501",
        "TensorRT's builder crashed on the model",
        notes=[how, *last],
        help=["the ONNX it was given: `--emit onnx`; TensorRT's maintainers can reproduce the crash with it"],
    )


def _diagnostic(refused: Refused, program: OnnxProgram) -> Diagnostic:
    """TensorRT's rejection as a diagnostic at the location of the node."""
    place = Place(node=refused.name or None)
    if 0 <= refused.node < len(program.instrs):
        place = program.instrs[refused.node].place or place
    return Diagnostic("E0501", refused.message, place, refused.notes, (_WAY_OUT,))


def _ranges(model: Model) -> dict[str, tuple[list[int], list[int]]]:
    """The smallest and the largest shape of each input with open dimensions."""
    ranges = dim_ranges(model)
    found = {}
    for value in model.graph.inputs:
        assert value.shape is not None
        sizes = [(d, d) if isinstance(d, int) else _bounded(str(d.value), ranges) for d in value.shape]
        if any(low != high for low, high in sizes):
            found[value.name or ""] = ([low for low, _ in sizes], [high for _, high in sizes])
    return found


def _bounded(name: str, ranges: dict[str, tuple[int, int]]) -> tuple[int, int]:
    low, high = ranges[name]
    if high == UNBOUNDED:
        raise error(
            "E0401",
            f"dimension `{name}` has no upper bound, which TensorRT needs to reserve memory",
            help=[f"give it a range, for example `{name}:1..16`"],
        )
    return low, high
