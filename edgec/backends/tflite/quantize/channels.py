"""The weight operand of each builtin, and the dimension of its per-channel scales.

Source: LiteRT, tflite/kernels/kernel_util.cc (PopulateConvolutionQuantizationParams) and the 8-bit quantization
specification (ai.google.dev/edge/litert/models/quantization_spec).
"""

from __future__ import annotations

from edgec.backends.base import Const, Instr

_WEIGHTS = {
    "CONV_2D": ("filter", 0), "DEPTHWISE_CONV_2D": ("filter", 3), "TRANSPOSE_CONV": ("filter", 0),
    "CONV_3D": ("filter", 4), "CONV_3D_TRANSPOSE": ("filter", 3), "FULLY_CONNECTED": ("weights", 0),
    "BATCH_MATMUL": ("b", -1), "GATHER": ("input", 0),
}  # fmt: skip
"""By builtin: the weight operand, and the dimension of its output channels (of a table, its rows)."""


def weight_of(instr: Instr) -> tuple[str, Const, int] | None:
    """The constant weight of an instruction: operand name, constant, channel dimension. None if it has none."""
    name, axis = _WEIGHTS.get(instr.op, ("", 0))
    found = instr.input(name)
    if not isinstance(found, Const) or found.type.dtype != "float32":
        return None
    if instr.op == "BATCH_MATMUL" and dict(instr.attrs)["adjY"]:
        axis = -2
    rank = len(found.type.shape)
    return (name, found, axis % rank) if rank else None
