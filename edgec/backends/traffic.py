"""Memory traffic of instructions."""

from __future__ import annotations

import math

from edgec.backends.base import Const, Instr, Operand

_ITEM_BYTES = {"bool": 1, "int8": 1, "uint8": 1, "float16": 2, "int16": 2, "uint16": 2, "int64": 8, "float64": 8}


def bytes_moved(instr: Instr) -> int:
    """Bytes of all operands and results; 0 for the widening of a constant, which happens once, at load time.

    A dynamic dimension counts as 1.
    """
    values: list[Operand] = [*instr.operands(), *instr.outputs]
    if len(values) == 2 and isinstance(values[0], Const) and values[0].type.quantization is not None:
        return 0
    return sum(bytes_of(v) for v in values)


def bytes_of(value: Operand) -> int:
    """Bytes of one operand. A dynamic dimension counts as 1."""
    return math.prod(value.type.sizes) * _ITEM_BYTES.get(value.type.dtype, 4)
