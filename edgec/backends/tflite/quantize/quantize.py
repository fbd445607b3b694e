"""The stage between a program of floats and one in integers."""

from __future__ import annotations

from edgec.backends.base import Program
from edgec.backends.tflite.quantize.integers import in_integers
from edgec.backends.tflite.quantize.observe import observed
from edgec.backends.tflite.quantize.weights import with_narrow_weights
from edgec.calibration.calibration import Calibration
from edgec.passes.remarks import Remark
from edgec.spec.target import Target


def quantize(program: Program, target: Target, calibration: Calibration) -> tuple[Program, list[Remark]]:
    """What the target's numerics ask for: values and weights in integers, or weights alone."""
    if target.numerics.activations is None:
        narrowed, told = with_narrow_weights(program, target.numerics.weights)
        return narrowed, [told]
    seen = observed(program, target, calibration.samples)
    made = in_integers(program, seen, target.numerics)
    return made.program, []
