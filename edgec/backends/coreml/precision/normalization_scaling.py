"""Normalizations of small values, scaled so that their variances are normal float16 numbers."""

from __future__ import annotations

import math
from typing import ClassVar

import onnx_ir as ir

from edgec.backends.coreml.precision.value_ranges import (
    LARGEST,
    MARGIN,
    SMALLEST_NORMAL,
    VARIANCE,
    Range,
    Ranges,
    keep_ranges,
    ranges_of,
)
from edgec.ir.build import GraphBuilder
from edgec.ir.model import Model
from edgec.ops.base import Reader
from edgec.passes.base import OptionalPass
from edgec.passes.remarks import Remark, fired

_LEAST = 2.0**-20
"""Below a deviation of 2^-10 (a thousandth), epsilon included, float16's rounding of the values themselves shows."""


class ScaleNormalizations(OptionalPass):
    """Normalizes k * x instead of x, k a power of two, if observed variances are below float16's normal range.

    The result is equal with k² times the epsilon. The ranges of the new values are added.
    """

    name = "scaled-normalization"
    needs: ClassVar[frozenset[str]] = frozenset({"ranges"})

    def run(self, model: Model) -> list[Remark]:
        """Applies to the normalizations of the main graph."""
        before = ranges_of(model)
        after, count = _scaled(model, before)
        keep_ranges(model, after)
        return fired(self.name, count)


def _scaled(model: Model, ranges: Ranges) -> tuple[Ranges, int]:
    """The ranges including those of new values, and the number of changed normalizations."""
    seen, count = dict(ranges.seen), 0
    for node in model.graph:
        factor = _factor(node, ranges)
        if factor is None:
            continue
        g = GraphBuilder(model.graph, [node], ScaleNormalizations.name)
        assert node.inputs[0] is not None
        multiple = g.op("Mul", node.inputs[0], g.like(factor, node.inputs[0]))
        g.commit(node)
        node.replace_input_with(0, multiple)
        node.attributes["epsilon"] = ir.AttrFloat32("epsilon", Reader(node).number("epsilon", 1e-5) * factor**2)
        variance, x = ranges.variance(node), ranges.of(multiple.producer().inputs[0])  # type: ignore[union-attr]
        assert variance is not None
        assert x is not None
        seen[(node.outputs[0].name or "") + VARIANCE] = _times(variance, factor**2)
        seen[multiple.name or ""] = _times(x, factor)
        count += 1
    return Ranges(seen), count


def _times(seen: Range, factor: float) -> Range:
    return Range(seen.high * factor, seen.low * factor)


def _factor(node: ir.Node, ranges: Ranges) -> float | None:
    """The power of two that brings the smallest variance near 1, if the largest value then fits."""
    least, x = ranges.divisor(node), ranges.of(node.inputs[0]) if node.inputs else None
    if least is None or x is None or node.domain or not _LEAST <= least < SMALLEST_NORMAL:
        return None
    room = math.floor(math.log2(LARGEST / (MARGIN * max(x.high, SMALLEST_NORMAL))))
    exponent = min(math.ceil(-math.log2(least) / 2), room)
    return 2.0**exponent if least * 4.0**exponent >= MARGIN * SMALLEST_NORMAL else None
