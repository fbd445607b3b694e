"""Compares two graphs of one quantized model segment by segment, each from the same quantized inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.calibration.instrument import fed, given, showing
from edgec.diag import error
from edgec.ir.model import Array, Model
from edgec.measure.fidelity import Difference, compare
from edgec.runners.onnxruntime import OnnxRuntimeRunner

STEPS = (ir.DataType.UINT8, ir.DataType.INT8, ir.DataType.UINT16, ir.DataType.INT16)
"""Element types of quantized values."""


@dataclass(frozen=True)
class Segment:
    """The difference of one quantized value between both graphs, in quantization steps.

    `off` of its `size` elements differ, none by more than `largest`; `balance` is the sum of the differences.
    """

    name: str
    size: int
    off: int
    largest: int
    balance: int

    @property
    def is_same(self) -> bool:
        """Whether the difference is explained by rounding alone.

        Near a boundary, an element may be one step off, in either direction equally often; a wrong zero point or scale
        moves elements in one direction. The sum of n fair steps deviates by at most about the root of n.
        """
        return self.largest <= 1 and abs(self.balance) <= _BIASED * self.size + 3 * math.sqrt(self.off)


_BIASED = 0.01
"""The share of elements that may be off in one direction: more than boundaries explain indicates another scale."""


@dataclass(frozen=True)
class Segments:
    """The comparison of two graphs on one sample: quantized values, and outputs that are not quantized."""

    quantized: list[Segment]
    outputs: list[Difference]

    @property
    def off(self) -> int:
        """The number of elements of quantized values that differ."""
        return sum(p.off for p in self.quantized)

    @property
    def size(self) -> int:
        """The number of elements of quantized values."""
        return sum(p.size for p in self.quantized)

    def check(self, name: str, max_rel: float) -> None:
        """Raise `EdgecError` E0205 if a quantized value differs, or an output by more than `max_rel`."""
        wrong = [p for p in self.quantized if not p.is_same]
        notes = [
            f"`{p.name}`: {p.off} of {p.size} elements differ, by {p.largest} steps at most and {p.balance} together"
            for p in wrong
        ]
        notes += [
            f"output `{d.output}`: relative error {d.max_rel:.3g}" for d in self.outputs if not d.max_rel <= max_rel
        ]
        if notes:
            message = f"`{name}` computes different results where it quantizes"
            raise error("E0205", message, notes=notes[:_SHOWN])


_SHOWN = 5

_OTHER_SHAPE = 1 << 16
"""The difference in steps for a value of another shape: the whole range."""


def quantized_values(model: Model) -> list[str]:
    """The names of the quantized values in the graph, in its order, without those inside branches."""
    return [v.name for node in model.graph for v in node.outputs if v.dtype in STEPS and v.name]


def compare_pieces(source: Model, other: Model, names: Sequence[str], inputs: Mapping[str, Array]) -> Segments:
    """Run `source`, then `other` with each use of a named value replaced by `source`'s.

    Raises `EdgecError` E0602 if ONNX Runtime fails on one of them.
    """
    with OnnxRuntimeRunner(showing(source, names), optimize=False) as runner:
        expected = runner.run(inputs)
    fed_by = {given(name): expected[name] for name in names}
    with OnnxRuntimeRunner(fed(other, names), optimize=False) as runner:
        found = runner.run({**inputs, **fed_by})
    outputs = [v.name for v in other.graph.outputs if v.name and v.name not in fed_by and v.name not in names]
    return Segments(
        [_segment(n, expected[n], found[n]) for n in names], [compare(n, expected[n], found[n]) for n in outputs]
    )


def _segment(name: str, expected: Array, found: Array) -> Segment:
    if expected.shape != found.shape:
        return Segment(name, found.size, found.size, _OTHER_SHAPE, 0)
    apart = found.astype(np.int64) - expected.astype(np.int64)
    return Segment(name, apart.size, int(np.count_nonzero(apart)), int(np.abs(apart).max(initial=0)), int(apart.sum()))
