"""The quantization stage: from a float program to a quantized one."""

from __future__ import annotations

from pathlib import Path

from edgec.backends.base import Program
from edgec.backends.tflite.quantize.integers import InIntegers, in_integers
from edgec.backends.tflite.quantize.observe import observed
from edgec.backends.tflite.quantize.weights import with_narrow_weights
from edgec.calibration.calibration import Calibration
from edgec.calibration.data import Pass
from edgec.diag import Diagnostic, error, warning
from edgec.passes.remarks import Remark, Told
from edgec.quantization.remarks import Calibrated, FloatOp, IntegerProgram
from edgec.spec.target import Target


def quantize(program: Program, target: Target, calibration: Calibration) -> tuple[Program, list[Remark]]:
    """Quantize as the target's numerics ask: values and weights, or only weights.

    Raises `EdgecError` E0107 if there are no samples to observe.
    """
    if target.numerics.activations is None:
        narrowed, told = with_narrow_weights(program, target.numerics.weights)
        return narrowed, [told]
    assert calibration.data is not None
    samples = Pass(calibration.data)
    seen = observed(program, target, samples)
    if not samples.count:
        raise error("E0107", f"`{calibration.data.origin}` holds no samples to calibrate on")
    made = in_integers(program, seen, target.numerics)
    return made.program, [_decided(made, samples, target), *map(Told, _doubts(samples, target))]


def _decided(made: InIntegers, samples: Pass, target: Target) -> IntegerProgram:
    floats = tuple(
        FloatOp(instr.op, instr.outputs[0].name, instr.place.module or "", reason) for instr, reason in made.floats
    )
    numerics = target.numerics
    origin = Path(samples.data.origin).name
    calibrated = Calibrated(samples.count, origin, samples.sha256, numerics.calibration)
    return IntegerProgram(str(numerics.weights), str(numerics.activations), made.integers, floats, calibrated)


def _doubts(samples: Pass, target: Target) -> list[Diagnostic]:
    if samples.data.is_drawn:
        message = f"target `{target.name}` is calibrated on {samples.count} inputs drawn like the example"
        notes = ["what an app passes may lie outside the ranges that were observed on them, and is clipped"]
        return [warning("E0620", message, notes=notes, help=["add `--calibrate DATA` with some 64 typical inputs"])]
    doubts = samples.doubts()
    if not doubts:
        return []
    message = f"the samples of `{samples.data.origin}` say little about real inputs"
    return [warning("E0621", message, notes=doubts, help=["calibrate on some 64 inputs as the app passes them"])]
