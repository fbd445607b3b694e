"""Multiply-accumulates of ONNX instructions."""

from __future__ import annotations

import math

from edgec.backends.base import Instr


def macs(instr: Instr) -> int:
    """Multiply-accumulates of Conv, ConvTranspose, Gemm and MatMul; 0 for everything else."""
    shapes = [v.type.shape for v in instr.operands()]
    if len(shapes) < 2 or instr.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    first, weight = ([d if isinstance(d, int) else 1 for d in s] for s in shapes[:2])
    out = math.prod(d if isinstance(d, int) else 1 for d in instr.outputs[0].type.shape)
    if instr.op == "Conv":
        return out * math.prod(weight[1:])
    if instr.op == "ConvTranspose":
        return math.prod(first) * math.prod(weight[1:])
    transposed = dict(instr.attrs).get("transA")
    return out * (first[0] if instr.op == "Gemm" and transposed else first[-1])
