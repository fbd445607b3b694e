"""Custom operators, which the app registers with the runtime."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.backends.base import Lowering, Operand
from edgec.backends.builder import Builder, tensor_type
from edgec.backends.tflite.ops import CustomCall


def _custom(op: CustomCall, b: Builder) -> Sequence[Operand]:
    inputs = {"inputs": tuple(b.operand(v) for v in op.node.inputs if v is not None)}
    types = tuple(tensor_type(value) for value in op.outputs)
    return b.multi("CUSTOM", inputs, types, customCode=op.kernel.code, customOptions=tuple(op.kernel.options))


LOWERINGS = (Lowering(CustomCall, _custom),)
