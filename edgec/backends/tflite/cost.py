"""Multiply-accumulates of TFLite instructions."""

from __future__ import annotations

import math

from edgec.backends.base import Instr


def macs(instr: Instr) -> int:
    """Multiply-accumulates of convolutions and matrix products; 0 for other operators."""
    types = {name: v.type.sizes for name, v in instr.inputs if v is not None and not isinstance(v, tuple)}
    out = math.prod(instr.outputs[0].type.sizes)
    match instr.op:
        case "CONV_2D":
            return out * math.prod(types["filter"][1:])
        case "DEPTHWISE_CONV_2D":
            return out * math.prod(types["filter"][1:3])
        case "CONV_3D":
            return out * math.prod(types["filter"][:4])
        case "TRANSPOSE_CONV":
            return math.prod(types["input"]) * math.prod(types["filter"][:3])
        case "FULLY_CONNECTED":
            return out * types["weights"][1]
        case "BATCH_MATMUL":
            return out * types["a"][-1]
        case _:
            return 0
