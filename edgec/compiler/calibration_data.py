"""The samples given for calibration."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.calibration.data import CalibrationData
from edgec.frontend.samples.inputs import Known
from edgec.frontend.samples.stream import open_stream
from edgec.ir.model import Model
from edgec.spec.ranges import InputRange


def calibration_data(text: str, model: Model, ranges: Sequence[InputRange]) -> CalibrationData:
    """The samples of `--calibrate` for the canonical inputs. Raises `EdgecError` E0102 if there are none."""
    inputs = {}
    for value in model.graph.inputs:
        assert value.dtype is not None
        shape = None if value.shape is None else tuple(d if isinstance(d, int) else None for d in value.shape)
        inputs[value.name or ""] = Known(shape, value.dtype.numpy().name, fixed=True)
    stream = open_stream(text, inputs, ranges)
    return CalibrationData(stream.origin, stream)
