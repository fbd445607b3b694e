"""Memory traffic and work of instructions."""

from __future__ import annotations

import math

from edgec.backends.base import Const, Instr, Operand
from edgec.backends.work import Kind, Window, Work

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


_SETTING = 8
"""Constants of at most this many elements are parameters of an operator (axes, sizes, a scalar), not weights."""


def counted(instr: Instr, kind: Kind, macs: int, window: Window | None = None) -> Work:
    """Count what an instruction reads and writes. A dynamic dimension counts as 1."""
    read = sum(_elements(v) for v in instr.operands() if not isinstance(v, Const))
    held = (_elements(v) for v in instr.operands() if isinstance(v, Const))
    weights = sum(count for count in held if count > _SETTING)
    written = sum(map(_elements, instr.outputs))
    if kind in (Kind.BINARY, Kind.UNARY, Kind.MATH) and instr.outputs[0].type.dtype not in _REAL:
        kind = Kind.INTEGER
    return Work(_product_kind(kind, window), macs, read, written, weights, window, _bits(instr))


def _product_kind(kind: Kind, window: Window | None) -> Kind:
    if kind is not Kind.CONV or window is None:
        return kind
    if window.space >= 3:
        return Kind.CONV3D
    if window.groups > 1:
        return Kind.DEPTHWISE if window.depth == 1 else Kind.GROUPED
    return kind


_REAL = frozenset({"float16", "float32", "float64", "int8", "uint8"})
_BITS = {"bool": 8, "int8": 8, "uint8": 8, "float16": 16, "int16": 16, "uint16": 16, "int64": 64, "float64": 64}


def _bits(instr: Instr) -> int:
    return _BITS.get(instr.outputs[0].type.dtype, 32)


def _elements(value: Operand) -> int:
    return math.prod(value.type.sizes)
