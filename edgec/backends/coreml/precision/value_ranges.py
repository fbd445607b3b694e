"""Observed value ranges of a graph on the verification samples, executed in float32."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Array
from edgec.backends.coreml.precision.decision_margins import decides, margins, operands
from edgec.calibration.calibration import Calibration
from edgec.calibration.node_values import run_nodes
from edgec.ir.model import Model
from edgec.ops.base import Reader
from edgec.passes.base import Pass
from edgec.passes.remarks import Remark


@dataclass(frozen=True)
class Range:
    """Observed magnitudes: the largest, and the smallest nonzero one (infinite if not tracked).

    Positive infinity counts. Values that mean "masked" (minus infinity or -3.4e38) and NaN (the softmax of a fully
    masked row) are the same in float16 and do not count.
    """

    high: float
    low: float

    def joined(self, other: Range) -> Range:
        """The union of both."""
        return Range(max(self.high, other.high), min(self.low, other.low))


LARGEST = 65504.0
"""The largest finite float16."""

SMALLEST_NORMAL = 2.0**-14
"""Below this (6.1e-5) float16 loses digits, below 6e-8 it is zero."""

MARGIN = 2.0
"""Other inputs than the samples may be this many times larger."""

STANDS_FOR_INFINITY = 1e30
"""Magnitudes from here on (the -3.4e38 of masks) mean infinity: float16's largest has the same effect."""

VARIANCE = "/variance"
"""Suffix of a normalization's output name: the variances."""

DECISION = "/margin"
"""Suffix of a decision's output name: the margins, relative to the operand's largest magnitude."""

SENSITIVE = {"Div": 1, "Reciprocal": 0, "Log": 0, "Sqrt": 0, "Pow": 0}
"""Operators sensitive to a small operand, and its index: lost digits of a divisor are lost in the quotient."""

CARRIES = frozenset("Expand Flatten Identity Reshape Squeeze Tile Transpose Unsqueeze".split())
"""Operators whose result has exactly the elements of their first input."""

BOUNDED = frozenset("Sigmoid Tanh Softmax HardSigmoid Erf Sin Cos Softsign Sign".split())
"""Operators whose result is at most 1 in magnitude."""

_NORMALIZATIONS = frozenset({"LayerNormalization", "InstanceNormalization"})

HEAVY = frozenset("Conv ConvTranspose Gemm MatMul LayerNormalization InstanceNormalization Softmax".split())
"""The search for small operands ends here: sums of many terms are rarely small."""


@dataclass(frozen=True)
class Ranges:
    """Ranges by value name; values that were not observed are missing."""

    seen: Mapping[str, Range] = field(default_factory=dict)

    def of(self, value: ir.Value | None) -> Range | None:
        """The range of a value, or of the value whose elements it has."""
        while value is not None and (node := value.producer()) is not None and node.op_type in CARRIES:
            value = node.inputs[0]
        return None if value is None else self.seen.get(value.name or "")

    def ending(self, end: float) -> Ranges:
        """The ranges with the largest magnitudes clamped to `end`."""
        return Ranges({name: Range(min(seen.high, end), seen.low) for name, seen in self.seen.items()})

    def renamed(self, names: Mapping[str, str]) -> Ranges:
        """The ranges, with those of old values also for new values with the same elements: `names` maps new to old."""
        kept = {f"{new}{end}": self.seen[old + end] for new, old in names.items() for end in ("", VARIANCE, DECISION)
                if old + end in self.seen}  # fmt: skip
        return Ranges({**self.seen, **kept})

    def variance(self, node: ir.Node) -> Range | None:
        """The variances of a normalization."""
        return self.seen.get((node.outputs[0].name or "") + VARIANCE)

    def margin(self, node: ir.Node) -> float:
        """The smallest margin of a decision, relative to its operand's largest magnitude; infinite if not observed."""
        seen = self.seen.get((node.outputs[0].name or "") + DECISION)
        return np.inf if seen is None else seen.low

    def divisor(self, node: ir.Node) -> float | None:
        """The smallest nonzero variance of a normalization, plus epsilon; None if not observed."""
        variance = self.variance(node)
        return None if variance is None else variance.low + Reader(node).number("epsilon", 1e-5)


def observe(model: Model, samples: Sequence[Mapping[str, Array]]) -> Ranges:
    """Observe the float inputs and the float results of all nodes, over all samples."""
    small = _may_be_small(model.graph)
    watched = {v: v in small for node in model.graph for v in node.outputs if _is_watched(v, node, small)}
    normalized = {
        v for node in model.graph if node.op_type in _NORMALIZATIONS for v in node.inputs[:1] if v is not None
    }
    decided = {v for node in model.graph if decides(node) for v in (operands(node)[0], node.outputs[0])}
    seen: dict[str, Range] = {}
    floats = [v.name or "" for v in model.graph.inputs if v.dtype == ir.DataType.FLOAT]
    for sample in samples:
        _join(seen, {name: _range(sample[name], low=True) for name in floats if name in sample})
    for node, values in run_nodes(model, samples, watched.keys() | normalized | decided):
        found = {v.name or "": _range(values[v], low=watched[v]) for v in node.outputs if v in watched}
        if node.op_type in _NORMALIZATIONS and node.inputs[0] in values:
            found[(node.outputs[0].name or "") + VARIANCE] = _range(_variances(node, values), low=True)
        if decides(node) and operands(node)[0] in values:
            found[(node.outputs[0].name or "") + DECISION] = _margin(node, values[operands(node)[0]])
        _join(seen, found)
    return Ranges(seen)


_KEY = "edgec.ranges"


class ObserveRanges(Pass):
    """Run the model on the samples and attach the observed ranges to it, without changes."""

    name = "observe-ranges"
    gives: ClassVar[frozenset[str]] = frozenset({"ranges"})

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration

    def run(self, model: Model) -> list[Remark]:
        """Runs before any operators of the private domain are introduced."""
        keep_ranges(model, self.calibration.observe(model, observe))
        return []


def ranges_of(model: Model) -> Ranges:
    """The ranges attached to the model."""
    found = model.meta.get(_KEY)
    return found if isinstance(found, Ranges) else Ranges()


def keep_ranges(model: Model, ranges: Ranges) -> None:
    """Attach the ranges to the model."""
    model.meta[_KEY] = ranges


def _join(seen: dict[str, Range], found: Mapping[str, Range]) -> None:
    seen.update({name: r if name not in seen else seen[name].joined(r) for name, r in found.items()})


def _is_watched(value: ir.Value, node: ir.Node, small: Collection[ir.Value]) -> bool:
    if node.op_type in CARRIES or (node.op_type in BOUNDED and value not in small):
        return False
    return value.dtype == ir.DataType.FLOAT and bool(value.name)


def _range(array: Array, *, low: bool) -> Range:
    if array.size == 0:
        return Range(0.0, np.inf)
    sizes = np.abs(array) if low else np.zeros(0)
    return Range(_high(array), float(sizes[sizes > 0].min(initial=np.inf)))


def _high(array: Array) -> float:
    """The largest magnitude, without values that mean minus infinity; infinite if something overflowed."""
    numbers = array.astype(np.float64) if np.isnan(float(array.min())) else array
    numbers = numbers[~np.isnan(numbers)] if numbers is not array else array
    if numbers.size == 0:
        return 0.0
    least, most = float(numbers.min()), float(numbers.max())
    if least <= -STANDS_FOR_INFINITY:
        counted = numbers.astype(np.float64)
        least = float(counted[counted > -STANDS_FOR_INFINITY].min(initial=np.inf))
        least = least if np.isfinite(least) else 0.0
        most = 0.0 if most <= -STANDS_FOR_INFINITY else most
    return max(abs(least), abs(most))


def _variances(node: ir.Node, values: Mapping[ir.Value, Array]) -> Array:
    """The variances of a normalization, without epsilon."""
    r = Reader(node)
    x = values[r.input(0)]
    first = r.axis(r.integer("axis", -1), x.ndim) if node.op_type == "LayerNormalization" else 2
    with np.errstate(invalid="ignore"):  # variances of non-finite values
        return np.asarray(x.var(axis=tuple(range(first, x.ndim)), dtype=np.float64))


def _margin(node: ir.Node, operand: Array) -> Range:
    """The margins relative to the operand's largest magnitude."""
    peak = _high(operand) if operand.size else 0.0
    return _range(np.asarray(margins(node, operand) / peak), low=True) if 0 < peak < np.inf else Range(0.0, np.inf)


def _may_be_small(graph: ir.Graph) -> set[ir.Value]:
    """The operands whose lost digits matter, and the values they are computed from, back to `HEAVY` operators."""
    pending = [n.inputs[i] for n in graph if (i := SENSITIVE.get(n.op_type)) is not None]
    found: set[ir.Value] = set()
    while pending:
        value = pending.pop()
        node = None if value is None else value.producer()
        if value is None or node is None or value in found or node.op_type in HEAVY:
            continue
        found.add(value)
        pending.extend(node.inputs)
    return found
