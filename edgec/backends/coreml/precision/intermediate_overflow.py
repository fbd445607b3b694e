"""Intermediate values that leave float16's range: from a square, product, exponential or sum to the root, logarithm or
quotient that brings them back."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from edgec.backends.coreml.precision.annotations import is_held
from edgec.backends.coreml.precision.sign_analysis import never_above_zero
from edgec.backends.coreml.precision.value_ranges import BOUNDED, CARRIES, LARGEST, Ranges
from edgec.ir.model import Model, is_constant
from edgec.rules.match import is_float, scalar

EVIDENCE = (
    "lies between a square, product, exponential or sum and the root, logarithm or quotient that brings it back: "
    "in between, float16 overflows at 65504 and loses digits below 6.1e-5"
)

_MOVES = CARRIES | {"Concat", "Gather", "GatherElements", "GatherND", "Pad", "Slice", "Split", "Trilu"}

_PASSES = _MOVES | set(
    "Abs Add AveragePool Clip CumSum Max Min MaxPool Mul Neg ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu "
    "Sub Where".split()
)
"""Operators whose results are about as large as their operands."""

_LINEAR = frozenset({"Conv", "Gemm", "MatMul"})


def excursions(model: Model, ranges: Ranges) -> Iterator[tuple[ir.Node, str]]:
    """Each operator from one that may leave the range to one that returns to it, with its evidence.

    A squared difference is included: `x - mean(x)` cancels. Float32 outputs need not return to the range.
    """
    before = _before_a_return(model)
    yield from _square_outputs(model)
    away: set[ir.Node] = set()
    for node in model.graph:
        begins = leaves(node) and not _has_room(node, ranges)
        if node not in before or not (begins or any(v is not None and v.producer() in away for v in node.inputs)):
            continue
        if begins or not _returns(node):
            away.add(node)
        yield node, EVIDENCE
        if begins:
            yield from ((maker, EVIDENCE) for maker in _difference(node))


def _before_a_return(model: Model) -> set[ir.Node]:
    """The operators that return to the range, and those that lead to one."""
    found: set[ir.Node] = set()
    pending: list[ir.Node] = []
    for node in model.graph:
        if _returns(node):
            found.add(node)
            pending.append(node)
    while pending:
        node = pending.pop()
        for value in data(node):
            maker = value.producer()
            if maker is not None and maker not in found and (_passes(maker) or leaves(maker)):
                found.add(maker)
                if maker.op_type != "Exp":  # its operand may be rounded like any value
                    pending.append(maker)
    return found


_ROOM = 64.0
"""Results of learned layers may be four times as large as on the samples: q (kᵀ v) grows with their third power."""


def _has_room(node: ir.Node, ranges: Ranges) -> bool:
    """Whether a product of two computed matrices (linear attention) or a sum is far from overflow on the samples.

    Not for squares: norms must work for values of any magnitude.
    """
    seen = ranges.of(node.outputs[0]) if node.op_type in ("MatMul", "ReduceSum") else None
    return seen is not None and seen.high * _ROOM <= LARGEST


_SUMS = frozenset({"Add", "Neg", "ReduceMean", "ReduceSum", "Sub"})


def _square_outputs(model: Model) -> Iterator[tuple[ir.Node, str]]:
    """Squares and sums of squares that are outputs."""
    summed: set[ir.Node] = set()
    for node in model.graph:
        gains = node.op_type in ("Div", "Mul") and len(data(node)) == 1
        sums = (gains or node.op_type in _SUMS) and any(v.producer() in summed for v in data(node))
        if not node.domain and (is_square(node) or sums):
            summed.add(node)
    pending = [v.producer() for v in model.graph.outputs]
    while pending:
        maker = pending.pop()
        if maker is not None and maker in summed:
            yield maker, EVIDENCE
            pending.extend(v.producer() for v in ([] if is_square(maker) else data(maker)))


def leaves(node: ir.Node) -> bool:
    """Whether the result may be far larger or smaller than the operands: 256², e¹²."""
    if node.domain or not is_float(node.outputs[0]) or is_held(node):
        return False
    if node.op_type in ("Mul", "MatMul"):
        operands = data(node)
        return len(operands) == 2 and not any(is_bounded(v) for v in operands)
    if node.op_type == "Pow":
        exponent = scalar(node.inputs[1])
        return exponent is None or exponent > 1
    if node.op_type == "Exp":
        return not never_above_zero(node.inputs[0])
    return node.op_type in ("ReduceProd", "ReduceSum", "CumSum")


def _returns(node: ir.Node) -> bool:
    """Whether the result is back in range."""
    if node.domain or not is_float(node.outputs[0]):
        return False
    if node.op_type == "Pow":
        exponent = scalar(node.inputs[1])
        return exponent is not None and exponent < 1
    if node.op_type == "Div":
        return not is_constant(node.inputs[1])
    return node.op_type in ("Sqrt", "Reciprocal", "Log") or _divides(node)


def _divides(node: ir.Node) -> bool:
    """Whether it is a product with a reciprocal."""
    makers = [v.producer() for v in data(node)] if node.op_type == "Mul" else []
    return any(m is not None and (m.op_type == "Reciprocal" or (m.op_type == "Pow" and _returns(m))) for m in makers)


def _passes(node: ir.Node) -> bool:
    if node.domain:
        return False
    if node.op_type == "Div":
        return is_constant(node.inputs[1])
    return node.op_type in _PASSES or _filters_squares(node)


def _filters_squares(node: ir.Node) -> bool:
    """Whether it is a constant filter over squares: bands of a power spectrum, local energies."""
    if node.op_type not in _LINEAR or not is_constant(node.inputs[1]):
        return False
    pending, seen = [node.inputs[0]], set[ir.Node]()
    while pending:
        value = pending.pop()
        maker = None if value is None else value.producer()
        if maker is None or maker in seen:
            continue
        seen.add(maker)
        if is_square(maker):
            return True
        if maker.op_type in {"Add", "Clip", "Max", "Pow", "Sqrt", *_MOVES}:
            pending.extend(data(maker))
    return False


def is_square(node: ir.Node) -> bool:
    """x * x, or x to the power of 2."""
    if node.op_type == "Mul":
        return node.inputs[0] is node.inputs[1]
    return node.op_type == "Pow" and scalar(node.inputs[1]) == 2.0


def _difference(node: ir.Node) -> Iterator[ir.Node]:
    """The difference that is squared, and the mean that it subtracts."""
    for value in data(node):
        maker = value.producer()
        if maker is None or maker.op_type != "Sub":
            continue
        yield maker
        for operand in data(maker):
            mean = operand.producer()
            if mean is not None and mean.op_type == "ReduceMean":
                yield mean


def data(node: ir.Node) -> list[ir.Value]:
    """The float operands that are not constants."""
    return [v for v in node.inputs if v is not None and is_float(v) and not is_constant(v)]


def is_bounded(value: ir.Value) -> bool:
    """Whether all elements are at most 1 in magnitude for any input: a gate, a mask."""
    node = value.producer()
    while node is not None and node.op_type in _MOVES and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    if node is None or node.domain:
        return False
    if node.op_type == "Exp":
        return never_above_zero(node.inputs[0])
    is_mask = node.op_type == "Cast" and node.inputs[0] is not None and node.inputs[0].dtype == ir.DataType.BOOL
    return is_mask or node.op_type in BOUNDED
