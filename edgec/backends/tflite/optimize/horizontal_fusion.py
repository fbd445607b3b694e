"""Merging of FULLY_CONNECTEDs with the same input of few rows, where each call costs more than its arithmetic.

A step of a recurrent cell, or of a decoder with its projections to queries, keys and values, has one row.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Argument, Array, Const, Instr, Program, Ref, TensorType

_MOST_ROWS = 4
"""The most rows for which merging pays (measured on XNNPACK: 1.6 us per call)."""
_LARGEST = 1 << 20
"""The most elements of a merged weight, which is in memory twice while the file is written."""

_FC = "FULLY_CONNECTED"


def merge_products(program: Program) -> Program:
    """Merge products of the same value with constant weights into one product and a SLICE for each."""
    groups: dict[Hashable, list[Instr]] = {}
    for instr in program.instrs:
        key = _key(instr)
        if key is not None:
            groups.setdefault(key, []).append(instr)
    merger = _Merger()
    instead: dict[int, list[Instr]] = {}
    for group in groups.values():
        if len(group) > 1 and _elements(group) <= _LARGEST:
            instead.update({id(instr): [] for instr in group[1:]})
            instead[id(group[0])] = merger.merged(group)
    kept = [new for instr in program.instrs for new in instead.get(id(instr), [instr])]
    return replace(program, instrs=tuple(kept))


def _key(instr: Instr) -> Hashable | None:
    """The properties that merged products must share; None if the instruction cannot be merged."""
    x, weights, bias = (instr.input(name) for name in ("input", "weights", "bias"))
    shape = instr.outputs[0].type.shape
    if instr.op != _FC or not isinstance(x, Ref) or not isinstance(weights, Const) or not isinstance(bias, Const):
        return None
    rows = [d for d in shape[:-1] if isinstance(d, int)]
    if len(rows) < len(shape) - 1 or math.prod(rows) > _MOST_ROWS:
        return None
    return x.name, shape[:-1], instr.attrs


def _elements(group: list[Instr]) -> int:
    return sum(math.prod(_const(instr, "weights").type.sizes) for instr in group)


def _const(instr: Instr, name: str) -> Const:
    found = instr.input(name)
    assert isinstance(found, Const)
    return found


@dataclass
class _Merger:
    """Builds merged products. Steps of one cell have the same weights, which are concatenated once."""

    _joined: dict[Hashable, ir.TensorProtocol] = field(default_factory=dict)

    def merged(self, group: list[Instr]) -> list[Instr]:
        """One product and the slices of its result, with the old names."""
        first, out = group[0], group[0].outputs[0]
        widths = [instr.outputs[0].type.sizes[-1] for instr in group]
        lead = out.type.shape[:-1]
        whole = Ref(f"{out.name}/all", TensorType(out.type.dtype, (*lead, sum(widths))))
        inputs: list[tuple[str, Argument]] = [
            (name, self._join(group, name) if name in ("weights", "bias") else value) for name, value in first.inputs
        ]
        instrs = [replace(first, inputs=tuple(inputs), outputs=(whole,))]
        starts = np.cumsum([0, *widths[:-1]])
        for instr, start, width in zip(group, starts, widths, strict=True):
            begin, size = [0] * len(lead) + [int(start)], [*lead, width]
            result = instr.outputs[0]
            bounds = (("begin", _ints(begin, result, "begin")), ("size", _ints(size, result, "size")))
            instrs.append(Instr("SLICE", (("input", whole), *bounds), (), (result,), place=instr.place))
        return instrs

    def _join(self, group: list[Instr], name: str) -> Const:
        parts = [_const(instr, name) for instr in group]
        key = tuple(_identity(part.numpy()) for part in parts)
        if key not in self._joined:
            self._joined[key] = ir.Tensor(np.concatenate([part.numpy() for part in parts]), name=parts[0].name)
        tensor = self._joined[key]
        return Const(f"{parts[0].name}/all", TensorType(parts[0].type.dtype, tuple(tensor.shape.numpy())), tensor)


def _identity(array: Array) -> Hashable:
    """The identity of an array's memory: equal views of one constant are the same."""
    interface: dict[str, Any] = array.__array_interface__
    return interface["data"][0], array.shape, array.strides


def _ints(values: list[Any], result: Ref, hint: str) -> Const:
    table = np.asarray(values, dtype=np.int32)
    return Const(f"{result.name}/{hint}", TensorType("int32", table.shape), ir.Tensor(table, name=hint))
