"""Data movement on channels-first tokens, with four dimensions if it is along one axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import onnx_ir as ir

from edgec.backends.coreml.channels.maker import Maker, form, shape_of
from edgec.ir.model import constant, static_shape
from edgec.ops.base import Ints, Reader, Value
from edgec.ops.gather import Gather
from edgec.ops.shape import Concat, Pad, Slice, Split, Transpose
from edgec.ops.table import view
from edgec.rules.axes import merged

_HIGHEST = 5
"""Dimensions of Core ML's tensors."""


def grouped(shape: Ints, axis: int) -> tuple[Ints, int]:
    """The channels-first shape, of four dimensions, in which one axis of `shape` is a dimension: (shape, axis)."""
    channels, sizes = shape[-1], shape[:-1]
    if axis == len(sizes):
        return form(shape), 1
    before, after = prod(sizes[:axis]), prod(sizes[axis + 1 :])
    if after == 1:
        return (1, channels, before, sizes[axis]), 3
    return ((1, channels, sizes[axis], after) if before == 1 else (channels, before, sizes[axis], after)), 2


def can_move(node: ir.Node) -> bool:
    """Whether the movement is supported, within Core ML's maximum rank."""
    if any(static_shape(v) is None or 0 in (static_shape(v) or ()) or not v.shape for v in node.outputs):
        return False
    match op := view(node):
        case Concat():
            return len(op.xs) > 1 and all(constant(x) is None or len(shape_of(x)) == len(shape_of(op.y)) for x in op.xs)
        case Split():
            return op.sizes is not None
        case Slice():
            return op.is_constant
        case Pad():
            return op.begin is not None and op.value is not None and op.mode == "constant"
        case Gather():
            index = constant(op.indices)
            return index is not None and index.ndim == 0 and op.axis < len(shape_of(op.x)) - 1
        case Transpose():
            last = len(op.perm) - 1
            return op.perm[last] == last and len(_channels_last_merged(op)[0]) <= _HIGHEST
        case _:
            return False


def _concat(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Concat.decode(Reader(node))
    parts = []
    for x in op.xs:
        part = m.operand(x, x)
        assert part is not None
        parts.append(m.reshape(part, grouped(shape_of(x), op.axis)[0]))
    y = m.g.op("Concat", *parts, axis=grouped(shape_of(op.y), op.axis)[1])
    return [m.reshape(y, form(shape_of(op.y)))]


def _split(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Split.decode(Reader(node))
    shape, axis = grouped(shape_of(op.x), op.axis)
    sizes = m.g.ints(*(op.sizes or ()))
    parts = m.g.multi("Split", len(node.outputs), m.reshape(m.x(op.x), shape), sizes, axis=axis)
    return [m.reshape(part, form(shape_of(old))) for part, old in zip(parts, node.outputs, strict=True)]


def _slice(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Slice.decode(Reader(node))
    y, shape = m.x(op.x), shape_of(op.x)
    for start, end, axis, step in zip(op.starts or (), op.ends or (), op.axes or (), op.steps or (), strict=True):
        kept = range(*slice(start, end, step).indices(shape[axis]))
        if len(kept) == shape[axis] and step == 1:
            continue
        y = _sliced(y, shape, axis, (start, end, step), m)
        shape = (*shape[:axis], len(kept), *shape[axis + 1 :])
    return [m.reshape(y, form(shape_of(op.y)))]


def _sliced(x: Value, shape: Ints, axis: int, bounds: tuple[int, int, int], m: Maker) -> Value:
    low, at = grouped(shape, axis)
    start, end, step = bounds
    return m.g.op("Slice", m.reshape(x, low), m.g.ints(start), m.g.ints(end), m.g.ints(at), m.g.ints(step))


def _pad(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Pad.decode(Reader(node))
    y, shape = m.x(op.x), shape_of(op.x)
    for axis, (before, after) in enumerate(zip(op.begin or (), op.end or (), strict=True)):
        if not before and not after:
            continue
        low, at = grouped(shape, axis)
        pads = [0] * (2 * len(low))
        pads[at], pads[at + len(low)] = before, after
        y = m.g.op("Pad", m.reshape(y, low), m.g.ints(*pads), op.fill_value)
        shape = (*shape[:axis], shape[axis] + before + after, *shape[axis + 1 :])
    return [m.reshape(y, form(shape_of(op.y)))]


def _gather(node: ir.Node, m: Maker) -> Sequence[Value]:
    """A gather of one token is a slice."""
    op = Gather.decode(Reader(node))
    index = constant(op.indices)
    assert index is not None
    shape = shape_of(op.x)
    at = int(index) % shape[op.axis]
    return [m.reshape(_sliced(m.x(op.x), shape, op.axis, (at, at + 1, 1), m), form(shape_of(op.y)))]


def _channels_last_merged(op: Transpose) -> tuple[Ints, Ints]:
    """The transpose of the tokens after the leading channels, merged to the fewest axes: (sizes, permutation)."""
    shape = shape_of(op.x)
    return merged((shape[-1], *shape[:-1]), (0, *(p + 1 for p in op.perm[:-1])))


def _transpose(node: ir.Node, m: Maker) -> Sequence[Value]:
    op = Transpose.decode(Reader(node))
    sizes, perm = _channels_last_merged(op)
    if list(perm) == sorted(perm):
        return [m.reshape(m.x(op.x), form(shape_of(op.y)))]
    return [m.reshape(m.g.op("Transpose", m.reshape(m.x(op.x), sizes), perm=list(perm)), form(shape_of(op.y)))]


MOVES: Mapping[str, Callable[[ir.Node, Maker], Sequence[Value]]] = {
    "Concat": _concat,
    "Gather": _gather,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Transpose": _transpose,
}
"""The rewrite of each operator to channels-first tokens."""
