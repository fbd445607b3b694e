"""Float32 islands: operators that stay in float32 in a float16 program, by observed ranges or by what they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import onnx_ir as ir

from edgec.backends.coreml.expand.half import has_product, is_long, is_product
from edgec.backends.coreml.options import CoreMLOptions
from edgec.backends.coreml.precision.error_accumulation import recurrences
from edgec.backends.coreml.precision.error_amplification import decisions
from edgec.backends.coreml.precision.intermediate_overflow import data, excursions
from edgec.backends.coreml.precision.preprocessing import on_inputs
from edgec.backends.coreml.precision.sign_analysis import never_overflows
from edgec.backends.coreml.precision.value_ranges import (
    CARRIES,
    HEAVY,
    LARGEST,
    MARGIN,
    SENSITIVE,
    SMALLEST_NORMAL,
    STANDS_FOR_INFINITY,
    Range,
    Ranges,
)
from edgec.ir.model import Model, constant, is_constant, static_shape
from edgec.ir.provenance import place_of
from edgec.passes.remarks import KeptInFloat32
from edgec.rules.match import is_float
from edgec.spec.target import Target

BEYOND = f"a constant is beyond float16's largest number, {LARGEST:.0f}"

_BY_KIND = {
    "Exp": "exponentials overflow above x = 11.1",
    "Log": "the logarithm of a sum loses its small terms",
    "ReduceSum": "long sums lose their small terms",
    "ReduceProd": "products overflow",
    "Pow": "powers overflow",
    "CumSum": "long sums lose their small terms",
    "LogSoftmax": "the logarithm of a sum of exponentials",
    "LRN": "squares overflow above 256",
}

_MOVES = CARRIES | {"Concat", "Gather", "Pad", "Slice", "Split"}
"""Operators that only move values."""

_SENSITIVE_TO_FLOOR = frozenset({"Log", "Sqrt", "Pow"})
"""Operators that are sensitive to a tiny lower bound: log(0 + 1e-7). A quotient 0 / (0 + 1e-7) is 0 with any."""

_PERIODIC = frozenset({"Sin", "Cos", "Tan"})
_LARGEST_ANGLE = 16.0
"""float16 represents an angle of 16 to 0.008."""

_FINE = 2.0**-8
"""An offset of this part of a pixel changes a sample as much as float16's rounding of the pixels."""


@dataclass
class Islands:
    """Nodes that stay in float32, each with its evidence."""

    ranges: Ranges
    chosen: dict[ir.Node, str]

    def add(self, node: ir.Node | None, evidence: str) -> None:
        """Add a node; the first evidence is kept."""
        if node is not None and node not in self.chosen:
            self.chosen[node] = evidence

    def report(self) -> list[KeptInFloat32]:
        """The records for the manifest, in the order of the graph."""
        return [KeptInFloat32(n.op_type, n.name or "", place_of(n).module or "", why) for n, why in self.chosen.items()]


def choose(model: Model, target: Target, ranges: Ranges) -> Islands:
    """The operators of a legal float32 graph that must not be computed in float16."""
    islands = Islands(ranges, {})
    for node in model.graph:
        for evidence in _reasons(node, target):
            islands.add(node, evidence)
        _overflow(node, islands)
        _underflow(node, islands)
        _small_variance(node, islands)
        _angle(node, islands)
        _coordinates(node, islands)
        _decides_loop(node, islands)
    for value in model.graph.inputs:
        _large_input(value, islands)
    found = [excursions(model, ranges), on_inputs(model), recurrences(model)]
    if target.numerics.float32 == "decisions":
        found.append(decisions(model))
    for node, evidence in chain.from_iterable(found):
        islands.add(node, evidence)
    _bridge(model, islands)
    order = {node: i for i, node in enumerate(model.graph) if _has_floats(node)}
    outermost = ((node, why) for node, why in islands.chosen.items() if node in order)  # blocks are always float32
    islands.chosen = dict(sorted(outermost, key=lambda item: order[item[0]]))
    return islands


def _has_floats(node: ir.Node) -> bool:
    return any(v is not None and is_float(v) for v in (*node.inputs, *node.outputs))


def _reasons(node: ir.Node, target: Target) -> Iterator[str]:
    """Reasons that do not depend on samples."""
    if node.op_type in ("If", "Loop"):
        yield "branches and loops are computed in float32: with rounded states a loop may never end"
    if node.op_type in _BY_KIND and any(is_float(out) for out in node.outputs) and not _is_accurate(node):
        yield _BY_KIND[node.op_type]
    options = target.options
    if node.op_type in ("LSTM", "GRU", "RNN") and isinstance(options, CoreMLOptions) and options.is_before("iOS17"):
        yield "recurrent layers have no float16 form before iOS 17"
    if any(is_constant(v) and _beyond(v) for v in node.inputs):
        yield BEYOND


def _is_accurate(node: ir.Node) -> bool:
    """Whether an operator of these kinds is accurate in float16 here."""
    if node.op_type == "Exp":
        return never_overflows(node.inputs[0])
    if node.op_type == "ReduceSum":
        return has_product(node) or not is_long(node)
    if node.op_type == "CumSum":
        return not is_long(node)
    return node.op_type == "Pow" and is_product(node)


def _beyond(value: ir.Value | None) -> bool:
    if value is None or value.dtype != ir.DataType.FLOAT:
        return False
    array = constant(value)
    if array is None or array.size == 0 or max(float(array.max()), -float(array.min())) <= LARGEST:
        return False
    size = np.abs(array)
    return bool(((size > LARGEST) & (size < STANDS_FOR_INFINITY)).any())


def _overflow(node: ir.Node, islands: Islands) -> None:
    """A value that may overflow in float16 is computed and used in float32."""
    for value in node.outputs:
        seen = islands.ranges.of(value)
        if seen is None or seen.high * MARGIN <= LARGEST:
            continue
        evidence = f"reaches {seen.high:.3g} on the samples, float16 ends at {LARGEST:.0f}"
        islands.add(node, evidence)
        for user in {use.node: None for use in value.uses()}:
            islands.add(user, f"uses a value that {evidence}")


def _large_input(value: ir.Value, islands: Islands) -> None:
    """An input that may overflow in float16 is used in float32."""
    seen = islands.ranges.of(value) if value.dtype == ir.DataType.FLOAT else None
    if seen is not None and seen.high * MARGIN > LARGEST:
        for user in {use.node: None for use in value.uses()}:
            islands.add(
                user, f"uses an input that reaches {seen.high:.3g} on the samples, float16 ends at {LARGEST:.0f}"
            )


def _bridge(model: Model, islands: Islands) -> None:
    """An operator whose producers and users are all in float32 stays in it: no rounding between islands."""
    changed = True
    while changed:
        changed = False
        for node in model.graph:
            if node not in islands.chosen and _lies_between(node, islands):
                islands.add(node, "lies between operators that stay in float32")
                changed = True


def _lies_between(node: ir.Node, islands: Islands) -> bool:
    given = [v.producer() for v in data(node)]
    users = {use.node for out in node.outputs if is_float(out) for use in out.uses()}
    return bool(given) and bool(users) and all(m in islands.chosen for m in given) and users <= islands.chosen.keys()


def _underflow(node: ir.Node, islands: Islands) -> None:
    """A divisor or operand of a root or logarithm that loses digits in float16 is computed and used in float32."""
    index = SENSITIVE.get(node.op_type)
    if index is None or (node.op_type == "Pow" and is_product(node)):
        return
    operand = node.inputs[index]
    seen, bound = islands.ranges.of(operand), _floor(operand)
    if seen is not None and _is_small(seen):
        evidence = f"goes down to {seen.low:.3g} on the samples, below float16's normal numbers (6.1e-5)"
    elif bound is not None and node.op_type in _SENSITIVE_TO_FLOOR:
        evidence = f"has the lower bound {bound:.3g}, below float16's normal numbers (6.1e-5)"
    else:
        return
    islands.add(node, evidence)
    for maker in _makers(operand, lambda value: _is_small(islands.ranges.of(value))):
        islands.add(maker, f"computes the operand of `{node.op_type}`, which {evidence}")


def _is_small(seen: Range | None) -> bool:
    return seen is not None and 0 < seen.low < SMALLEST_NORMAL


def _makers(value: ir.Value | None, further: Callable[[ir.Value], bool] = lambda _: False) -> Iterator[ir.Node]:
    """The producers of a value: through data movement, and through operands for which `further` holds."""
    pending = [value]
    while pending:
        current = pending.pop()
        node = None if current is None else current.producer()
        if node is None:
            continue
        yield node
        if node.op_type in _MOVES:
            pending.append(node.inputs[0])
        elif node.op_type not in HEAVY:  # sums of many terms: their rounding errors average out
            pending += [v for v in node.inputs if v is not None and further(v)]


def _floor(value: ir.Value | None) -> float | None:
    """The tiny constant that bounds a value from below: `x + 1e-12`, `max(x, 1e-12)`."""
    maker = next((n for n in _makers(value) if n.op_type not in _MOVES), None)
    if maker is None or maker.op_type not in ("Add", "Max", "Clip"):
        return None
    for operand in maker.inputs:
        array = constant(operand) if is_constant(operand) else None
        if array is not None and array.size == 1 and 0 < abs(float(array.reshape(-1)[0])) < SMALLEST_NORMAL:
            return float(array.reshape(-1)[0])
    return None


def _small_variance(node: ir.Node, islands: Islands) -> None:
    """A normalization whose variance is small."""
    least = islands.ranges.divisor(node)
    if least is not None and least < SMALLEST_NORMAL:
        evidence = f"has variances down to {least:.3g} on the samples, below float16's normal numbers (6.1e-5)"
        islands.add(node, evidence)
        for maker in _makers(node.inputs[0]):
            islands.add(maker, f"computes the operand of `{node.op_type}`, which {evidence}")


def _angle(node: ir.Node, islands: Islands) -> None:
    """Sines of large angles: the angle is computed in float32 too."""
    seen = islands.ranges.of(node.inputs[0]) if node.op_type in _PERIODIC else None
    if seen is None or seen.high <= _LARGEST_ANGLE:
        return
    evidence = f"angles reach {seen.high:.3g} on the samples, where float16's spacing is {_spacing(seen.high):.3g}"
    islands.add(node, evidence)
    for maker in _makers(node.inputs[0], _is_elementwise):
        islands.add(maker, f"computes an angle: {evidence}")


def _coordinates(node: ir.Node, islands: Islands) -> None:
    """Sampling of images: the coordinates are computed in float32."""
    shape = static_shape(node.inputs[0]) if node.op_type == "GridSample" and node.inputs[0] is not None else None
    if shape is None:
        return
    coarse = max(shape[2:]) / 2 * float(np.spacing(np.float16(0.5)))
    for maker in _makers(node.inputs[1], _is_elementwise) if coarse > _FINE else ():
        islands.add(maker, f"computes coordinates, which float16 represents to {coarse:.2g} pixels")


def _is_elementwise(value: ir.Value) -> bool:
    """Whether the value's precision depends on its producer's operands: positions times frequencies, plus phases."""
    node = value.producer()
    return node is not None and node.op_type in {"Add", "Sub", "Mul", "Div", "Neg", "Cast", *_MOVES}


def _spacing(value: float) -> float:
    return float(np.spacing(np.float16(min(value, LARGEST))))


def _decides_loop(node: ir.Node, islands: Islands) -> None:
    """The initial condition of a loop is computed in float32, like the condition in its body."""
    if node.op_type != "Loop":
        return
    for maker in _makers(node.inputs[1], lambda value: not _is_heavy(value)):
        if not _is_heavy(maker.outputs[0]):
            islands.add(maker, "computes the initial condition of a loop, whose body is in float32")


def _is_heavy(value: ir.Value) -> bool:
    maker = value.producer()
    return maker is not None and maker.op_type in HEAVY
