"""The physics of a run: which parameters there are, and how much of each an instruction uses.

An instruction takes the longer of its arithmetic and the streaming of its weights, then the moving of its values (more
where they do not fit the unit's own memory), then what starting it costs. A run adds the interface and a fixed part.
The roofline is Williams, Waterman and Patterson, CACM 52(4), 2009; the rest is what a fit can tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.latency.features import FUSED, FUSED_MATH, Features, Numbers

COMPUTE = ("conv", "linear", "matmul", "grouped", "depthwise", "conv3d")
"""Products by their rate, in 10⁹ multiply-accumulates a second."""

CLASSES = {
    "product": "conv grouped depthwise conv3d transposed linear recurrent",
    "matmul": "matmul",
    "elementwise": "binary unary norm integer",
    "math": "math",
    FUSED: FUSED,
    FUSED_MATH: FUSED_MATH,
    "softmax": "softmax",
    "reduce": "reduce pool",
    "move": "transpose copy gather resize",
    "view": "view other",
}
"""Kinds that share a bandwidth (10⁹ bytes a second) and a cost of starting (microseconds)."""

STREAMS = ("weights", "spill", "interface")
"""Further bandwidths: constants, values beyond the unit's own memory, the program's inputs and outputs."""

PARAMETERS = (
    *(f"{name}_gmacs" for name in COMPUTE),
    *(f"{name}_gbs" for name in (*STREAMS, *CLASSES)),
    *(f"{name}_us" for name in CLASSES),
    "crossing_us",
    "run_us",
)
ROLES = tuple({"gmacs": "compute", "gbs": "bandwidth", "us": "overhead"}[p.rpartition("_")[2]] for p in PARAMETERS)
"""The device's own factor that each parameter is scaled by."""

INDEX = {name: i for i, name in enumerate(PARAMETERS)}
IS_RATE = np.array([role != "overhead" for role in ROLES])

_RATE_OF = {"transposed": "conv", "recurrent": "linear"}
_CLASS_OF = {kind: name for name, kinds in CLASSES.items() for kind in kinds.split()}


@dataclass(frozen=True)
class Format:
    """How a unit holds numbers: bytes of a value and of a weight, output channels computed together, own memory."""

    value_bytes: float
    weight_bytes: float
    lanes: int
    own_mib: float


@dataclass(frozen=True)
class Terms:
    """For each instruction, the amount of each term (microseconds at a rate of 1) and its parameter."""

    arithmetic: Numbers
    arithmetic_by: NDArray[np.intp]
    weights: Numbers
    moved: Numbers
    moved_by: NDArray[np.intp]
    spilled: Numbers
    started_by: NDArray[np.intp]
    interface: float
    crossings: float

    def __len__(self) -> int:
        return len(self.arithmetic)


def terms(features: Features, held: Format) -> Terms:
    """What a program uses of each parameter on a unit that holds numbers so."""
    lanes = np.maximum(features.lanes, 1)
    whole = np.ceil(lanes / held.lanes) * held.lanes / lanes
    alone = np.array([kind in ("depthwise", "grouped", "matmul") for kind in features.kinds], dtype=bool)
    macs = features.macs * np.where(alone, 1.0, whole)
    moved = features.moved * held.value_bytes
    beyond = np.maximum(moved - held.own_mib * 2**20, 0.0)
    rates = [INDEX[f"{_rate(kind)}_gmacs"] for kind in features.kinds]
    classes = [_CLASS_OF[kind] for kind in features.kinds]
    return Terms(
        macs * 1e-3,
        np.array(rates, dtype=np.intp),
        features.weights * held.weight_bytes * 1e-3,
        moved * 1e-3,
        np.array([INDEX[f"{name}_gbs"] for name in classes], dtype=np.intp),
        beyond * 1e-3,
        np.array([INDEX[f"{name}_us"] for name in classes], dtype=np.intp),
        features.interface * held.value_bytes * 1e-3,
        float(features.crossings),
    )


def _rate(kind: str) -> str:
    name = _RATE_OF.get(kind, kind)
    return name if name in COMPUTE else COMPUTE[0]
