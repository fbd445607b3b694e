"""Latency predicted from a program, first version: a roofline for each instruction.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009, with a fixed
cost for each instruction and each run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgec.backends.base import Instr, Operand, Program
from edgec.diag import error
from edgec.spec.device import DeviceProfile, Roofline


@dataclass(frozen=True)
class Prediction:
    """Milliseconds for one run at batch as built; the truth is expected between `low_ms` and `high_ms`."""

    p50_ms: float
    low_ms: float
    high_ms: float
    method: str


def predict(program: Program, macs: Callable[[Instr], int], device: DeviceProfile, backend: str) -> Prediction:
    """Predict a run of the program. Raises `EdgecError` E0702 when the device has no model for this backend."""
    model = device.latency.get(backend)
    if model is None:
        known = ", ".join(device.latency) or "none"
        raise error("E0702", f"device `{device.name}` has no latency model for {backend}", notes=[f"it has {known}"])
    total = model.fixed_ms.value + sum(instruction_ms(i, macs(i), model) for i in program.instrs)
    spread = model.spread.value
    return Prediction(total, total / spread, total * spread, f"roofline on {model.unit}")


def instruction_ms(instr: Instr, macs: int, model: Roofline) -> float:
    """Milliseconds of one instruction."""
    arithmetic = macs / (model.gmacs.value * 1e6)
    traffic = bytes_moved(instr) / (model.bandwidth_gbs.value * 1e6)
    return model.overhead_us.value * 1e-3 + max(arithmetic, traffic)


def bytes_moved(instr: Instr) -> int:
    """Bytes of every operand and result. A dynamic dimension counts as 1."""
    values: list[Operand] = [*instr.operands(), *instr.outputs]
    return sum(_bytes(v) for v in values)


def _bytes(value: Operand) -> int:
    dims = [d if isinstance(d, int) else 1 for d in value.type.shape]
    return int(np.prod(dims, dtype=np.int64)) * _ITEM_BYTES.get(value.type.dtype, 4)


_ITEM_BYTES = {"bool": 1, "int8": 1, "uint8": 1, "float16": 2, "int16": 2, "uint16": 2, "int64": 8, "float64": 8}
