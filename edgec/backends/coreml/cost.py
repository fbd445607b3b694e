"""Multiply-accumulates of MIL instructions."""

from __future__ import annotations

import math

from edgec.backends.base import Instr, TensorType


def _dims(kind: TensorType) -> list[int]:
    return [d if isinstance(d, int) else 1 for d in kind.shape]


def macs(instr: Instr) -> int:
    """Multiply-accumulates of convolutions and matrix products; 0 for everything else."""
    types = {name: _dims(v.type) for name, v in instr.inputs if v is not None and not isinstance(v, tuple)}
    out = math.prod(_dims(instr.outputs[0].type))
    match instr.op:
        case "conv":
            return out * math.prod(types["weight"][1:])
        case "conv_transpose":
            return math.prod(types["x"]) * math.prod(types["weight"][1:])
        case "linear":
            return out * types["weight"][1]
        case "matmul":
            transposed = dict(instr.attrs).get("transpose_x")
            return out * types["x"][-2 if transposed else -1]
        case _:
            return 0
