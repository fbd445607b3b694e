"""Integers beyond 32 bits, which Core ML lacks: values that may exceed them are checked on the samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.calibration.calibration import Calibration, Samples
from edgec.calibration.node_values import run_nodes
from edgec.diag import Diagnostic, EdgecError
from edgec.ir.model import Model, static_shape
from edgec.ir.provenance import place_of
from edgec.rules.intervals import Interval, interval_of, whole_range
from edgec.spec.ranges import InputRange

_GROWS = frozenset("Add Sub Mul Neg Abs Pow CumSum ReduceSum ReduceProd MatMul Cast BitShift".split())
"""Operators whose result may be larger than their operands."""

_LIMITS = np.iinfo(np.int32)

_BITS = 31
"""Magnitude bits of int32."""


def check_integers(model: Model, calibration: Calibration, ranges: Sequence[InputRange] = ()) -> None:
    """Raise one `EdgecError` (E0401) with every operator whose int64 result exceeds int32 on a sample, or with every

    input whose range does. Results that interval arithmetic proves to fit, given `ranges`, are not run; without
    samples none are.
    """
    given = intervals(ranges)
    _check_inputs(model, given)
    suspects = [node for node in model.graph if _may_leave(node, given)]
    if not suspects or not calibration.samples:
        return
    reached = calibration.observe(model, reached_integers)
    found = [
        Diagnostic(
            "E0401",
            f"`{node.op_type}` gives {number} on a sample, beyond Core ML's largest integer, {_LIMITS.max}",
            place_of(node),
            ("rejected by `integer-beyond-int32`",),
            ("compute it in float32 or with smaller numbers, or declare the inputs' ranges: `--range NAME=LOW..HIGH`",),
        )
        for node in suspects
        if not _LIMITS.min <= (number := reached.get(node.outputs[0].name or "", 0)) <= _LIMITS.max
    ]
    if found:
        raise EdgecError(found)


def _check_inputs(model: Model, given: Mapping[str, Interval]) -> None:
    names = {v.name for v in model.graph.inputs if v.dtype is not None and v.dtype.numpy().kind in "iu"}
    found = [
        Diagnostic(
            "E0401",
            f"`{name}` may be {interval.low} to {interval.high}, but Core ML's integers have 32 bits",
            None,
            ("rejected by `integer-beyond-int32`",),
            ("declare a narrower range, or give the model two inputs: a quotient and a remainder",),
        )
        for name, interval in given.items()
        if name in names and not interval.within(ir.DataType.INT32)
    ]
    if found:
        raise EdgecError(found)


def intervals(ranges: Sequence[InputRange]) -> dict[str, Interval]:
    """The integers within each range."""
    return {r.name: Interval(math.ceil(r.low), math.floor(r.high)) for r in ranges}


@dataclass(frozen=True)
class Limit:
    """The magnitude up to which an input provably keeps all results in 32 bits, and the first node to exceed them."""

    size: int
    node: ir.Node


def limits(model: Model, ranges: Sequence[InputRange]) -> dict[str, Limit]:
    """The limits of integer inputs without a range, by name. Other inputs have no limit below int32's."""
    given = intervals(ranges)
    found: dict[str, Limit] = {}
    for node in model.graph:
        names = _open_inputs(node, given) if _may_leave(node, given) else []
        size = _largest(node, names, given) if names else 0
        for name in names:
            if size and (name not in found or size < found[name].size):
                found[name] = Limit(size, node)
    return found


def _largest(node: ir.Node, names: Sequence[str], given: Mapping[str, Interval]) -> int:
    """The largest 2^k - 1 that is proven safe for the inputs; 0 if none is."""
    fits, leaves = 0, _BITS + 1
    while leaves - fits > 1:
        bits = (fits + leaves) // 2
        size = (1 << bits) - 1
        if _may_leave(node, {**given, **dict.fromkeys(names, Interval(-size, size))}):
            leaves = bits
        else:
            fits = bits
    return (1 << fits) - 1


def _open_inputs(node: ir.Node, given: Mapping[str, Interval]) -> list[str]:
    """The integer inputs without a range on which the node's result depends."""
    pending, seen, found = [*node.inputs], set[ir.Value](), []
    while pending:
        value = pending.pop()
        if value is None or value in seen:
            continue
        seen.add(value)
        maker = value.producer()
        if maker is not None:
            pending.extend(maker.inputs)
        elif value.is_graph_input() and value.name not in given and whole_range(value.dtype) is not None:
            found.append(value.name or "")
    return found


def _may_leave(node: ir.Node, given: Mapping[str, Interval]) -> bool:
    """Whether the node computes int64 values that are not proven to fit 32 bits."""
    out = node.outputs[0]
    if node.op_type not in _GROWS or node.domain or out.dtype != ir.DataType.INT64:
        return False
    shape, interval = static_shape(out), interval_of(out, given)
    return 0 not in (shape or ()) and (interval is None or not interval.within(ir.DataType.INT32))


def reached_integers(model: Model, samples: Samples) -> dict[str, int]:
    """The value of largest magnitude of each int64 result that may exceed int32, by value name."""
    growing = {node.outputs[0]: 0 for node in model.graph if _may_leave(node, {})}
    for node, values in run_nodes(model, samples, growing):
        if (value := node.outputs[0]) in growing and (found := values[value]).size:
            growing[value] = max(growing[value], int(found.max()), int(found.min()), key=abs)
    return {value.name or "": number for value, number in growing.items()}
