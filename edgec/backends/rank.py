"""Operators above a target's maximum rank, rewritten to fewer dimensions: window attention, pixel unshuffle."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.backends.groups import Grouping, Ints, aligned, broadcast_grouping, grouped
from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.elementwise import BINARY, UNARY, VARIADIC
from edgec.ops.gather import Gather, GatherND, ScatterND
from edgec.ops.reduce import Reduce
from edgec.ops.shape import Expand, Pad, Slice, Tile, Transpose
from edgec.rules.axes import merged
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule


def _rank(node: ir.Node) -> int:
    """The highest rank among the node's inputs and outputs."""
    return max((len(v.shape or ()) for v in (*node.inputs, *node.outputs) if v is not None), default=0)


def _shape(value: Value) -> Ints:
    shape = static_shape(value)
    assert shape is not None
    return shape


def _reshape(value: Value, shape: Ints, g: GraphBuilder) -> Value:
    return value if _shape(value) == shape else g.op("Reshape", value, g.ints(*shape))


def _attributes(node: ir.Node, **changed: Any) -> dict[str, Any]:
    return {**{name: attr.value for name, attr in node.attributes.items()}, **changed}


def _transpose(node: ir.Node, g: GraphBuilder, highest: int) -> Replacement:
    op = Transpose.decode(Reader(node))
    y, shape = op.x, _shape(op.x)
    for perm in steps(shape, op.perm, highest):
        sizes, small = merged(shape, perm)
        shape = tuple(shape[i] for i in perm)
        y = g.op("Reshape", g.op("Transpose", _reshape(y, sizes, g), perm=list(small)), g.ints(*shape))
    return [y]


def steps(shape: Ints, perm: Ints, highest: int) -> list[Ints]:
    """The fewest transposes that compose to `perm`, each of at most `highest` dimensions once `merged` (breadth first).

    All but the last swap two neighbouring blocks of axes, which needs four dimensions.
    """
    rank = len(perm)
    pending: deque[tuple[Ints, list[Ints]]] = deque([(tuple(range(rank)), [])])
    while True:
        order, done = pending.popleft()
        rest = tuple(order.index(axis) for axis in perm)
        now = tuple(shape[axis] for axis in order)
        if len(merged(now, rest)[0]) <= highest:
            return [*done, rest]
        for a, b, c in combinations(range(rank + 1), 3):
            swap = (*range(a), *range(b, c), *range(a, b), *range(c, rank))
            pending.append((tuple(order[i] for i in swap), [*done, swap]))


def _elementwise(node: ir.Node, g: GraphBuilder) -> Replacement:
    """Operands that broadcast against each other; a scalar parameter (Clip's bounds) is kept."""
    out = _shape(node.outputs[0])
    shapes = [_shape(v) for v in node.inputs if v is not None]
    grouping = broadcast_grouping(shapes, out)
    inputs = [v if v is None or not _shape(v) else _grouped_operand(v, grouping, len(out), g) for v in node.inputs]
    return [_reshape(g.op(node.op_type, *inputs, **_attributes(node)), out, g)]


def _grouped_operand(value: Value, grouping: Grouping, rank: int, g: GraphBuilder) -> Value:
    return _reshape(value, grouping.shape(aligned(_shape(value), rank)), g)


def _expand(node: ir.Node, g: GraphBuilder) -> Replacement:
    op = Expand.decode(Reader(node))
    out = _shape(op.y)
    grouping = broadcast_grouping([_shape(op.x)], out)
    x = _grouped_operand(op.x, grouping, len(out), g)
    return [_reshape(g.op("Expand", x, g.ints(*grouping.shape(out))), out, g)]


def _matmul(node: ir.Node, g: GraphBuilder) -> Replacement:
    """Neighbouring batch dimensions that broadcast alike become one."""
    a, b, out = *(_shape(v) for v in node.inputs if v is not None), _shape(node.outputs[0])
    rank = len(out)
    batches = [aligned(s, rank)[:-2] for s in (a, b)]
    grouping = broadcast_grouping(batches, out[:-2])
    operands = [
        _reshape(v, (*grouping.shape(batch), *_shape(v)[-2:]), g)
        for v, batch in zip((v for v in node.inputs if v is not None), batches, strict=True)
    ]
    return [_reshape(g.op("MatMul", *operands), out, g)]


def _along_axis(node: ir.Node, g: GraphBuilder) -> Replacement:
    """Operators along one axis whose tensors have equal sizes on all others."""
    x = Reader(node).input(0)
    default = 0 if node.op_type in ("Split", "Concat", "ArgMax", "ArgMin", "GatherElements", "ScatterElements") else -1
    axis = Reader(node).axis(Reader(node).integer("axis", default), len(_shape(x)))
    grouping = grouped(_shape(x), lambda _: None, (axis,))
    keeps_parameters = node.op_type in ("Split", "TopK")
    inputs = [
        v if v is None or (i > 0 and keeps_parameters) else _reshape(v, grouping.shape(_shape(v)), g)
        for i, v in enumerate(node.inputs)
    ]
    changed: dict[str, Any] = {"axis": grouping.axis(axis)}
    if node.op_type in ("ArgMax", "ArgMin"):
        changed["keepdims"] = 1
    results = g.multi(node.op_type, len(node.outputs), *inputs, **_attributes(node, **changed))
    return [_reshape(y, _shape(old), g) for y, old in zip(results, node.outputs, strict=True)]


def _gather(node: ir.Node, g: GraphBuilder) -> Replacement:
    """The dimensions of the indices, those before and those after the axis become one each."""
    op = Gather.decode(Reader(node))
    grouping = grouped(_shape(op.x), lambda _: None, (op.axis,))
    x = _reshape(op.x, grouping.shape(_shape(op.x)), g)
    indices = _reshape(op.indices, (_size(_shape(op.indices)),), g)
    return [_reshape(g.op("Gather", x, indices, axis=grouping.axis(op.axis)), _shape(op.y), g)]


def _gather_nd(node: ir.Node, g: GraphBuilder) -> Replacement:
    """The batch dimensions, those of the indices, and those that no index addresses become one each."""
    op = GatherND.decode(Reader(node))
    data, places, batch = _shape(op.x), _shape(op.indices), op.batch_dims
    reached = batch + places[-1]
    lead = (_size(data[:batch]),) if batch else ()
    x = _reshape(op.x, (*lead, *data[batch:reached], _size(data[reached:])), g)
    indices = _reshape(op.indices, (*lead, _size(places[batch:-1]), places[-1]), g)
    return [_reshape(g.op("GatherND", x, indices, batch_dims=min(batch, 1)), _shape(op.y), g)]


def _scatter_nd(node: ir.Node, g: GraphBuilder) -> Replacement:
    op = ScatterND.decode(Reader(node))
    data, places = _shape(op.x), _shape(op.indices)
    reached = places[-1]
    rest, count = _size(data[reached:]), _size(places[:-1])
    x = _reshape(op.x, (*data[:reached], rest), g)
    indices = _reshape(op.indices, (count, reached), g)
    updates = _reshape(op.updates, (count, rest), g)
    return [_reshape(g.op("ScatterND", x, indices, updates, reduction=op.reduction), _shape(op.y), g)]


def _size(dims: Ints) -> int:
    return int(np.prod(dims, dtype=np.int64))


def _reduce(node: ir.Node, g: GraphBuilder) -> Replacement:
    op = Reduce.decode(Reader(node))
    axes = op.axes or ()
    grouping = grouped(_shape(op.x), lambda axis: axis in axes)
    over = sorted({grouping.axis(a) for a in axes if _shape(op.x)[a] != 1})
    x = _reshape(op.x, grouping.shape(_shape(op.x)), g)
    y = g.op(op.kind, x, g.ints(*over), keepdims=1) if over else x
    return [_reshape(y, _shape(op.y), g)]


def _slice(node: ir.Node, g: GraphBuilder) -> Replacement:
    op = Slice.decode(Reader(node))
    if op.axes is None or op.starts is None or op.ends is None or op.steps is None:
        return [g.op("Slice", *node.inputs)]
    y, shape = op.x, _shape(op.x)
    for start, end, axis, step in zip(op.starts, op.ends, op.axes, op.steps, strict=True):
        grouping = grouped(shape, lambda _: None, (axis,))
        low = _reshape(y, grouping.shape(shape), g)
        bounds = (g.ints(start), g.ints(end), g.ints(grouping.axis(axis)), g.ints(step))
        kept = len(range(*slice(start, end, step).indices(shape[axis])))
        shape = (*shape[:axis], kept, *shape[axis + 1 :])
        y = _reshape(g.op("Slice", low, *bounds), shape, g)
    return [y]


def _pad(node: ir.Node, g: GraphBuilder) -> Replacement:
    op = Pad.decode(Reader(node))
    if op.begin is None or op.end is None:
        return [g.op("Pad", *node.inputs, **_attributes(node))]
    y, shape = op.x, _shape(op.x)
    for axis, (before, after) in enumerate(zip(op.begin, op.end, strict=True)):
        if not before and not after:
            continue
        grouping = grouped(shape, lambda _: None, (axis,))
        pads = [0] * (2 * len(grouping.groups))
        pads[grouping.axis(axis)], pads[grouping.axis(axis) + len(grouping.groups)] = before, after
        low = _reshape(y, grouping.shape(shape), g)
        shape = (*shape[:axis], shape[axis] + before + after, *shape[axis + 1 :])
        y = _reshape(g.op("Pad", low, g.ints(*pads), op.fill_value, mode=op.mode), shape, g)
    return [y if y is not op.x else g.op("Identity", y)]


def _tile(node: ir.Node, g: GraphBuilder) -> Replacement:
    op = Tile.decode(Reader(node))
    if op.repeats is None:
        return [g.op("Tile", *node.inputs)]
    repeated = [i for i, r in enumerate(op.repeats) if r != 1]
    grouping = grouped(_shape(op.x), lambda _: None, repeated)
    repeats = [int(np.prod([op.repeats[i] for i in group])) for group in grouping.groups]
    x = _reshape(op.x, grouping.shape(_shape(op.x)), g)
    return [_reshape(g.op("Tile", x, g.ints(*repeats)), _shape(op.y), g)]


_Rewrite = Callable[[ir.Node, GraphBuilder], Replacement]

_REWRITES: Mapping[str, _Rewrite] = {
    **dict.fromkeys((*sorted(UNARY), *sorted(BINARY), *sorted(VARIADIC)), _elementwise),
    **dict.fromkeys(("Cast", "Clip", "Elu", "Gelu", "HardSigmoid", "LeakyRelu", "Mod", "Where"), _elementwise),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Concat", "Split", "ArgMax", "ArgMin", "TopK"), _along_axis),
    **dict.fromkeys(("GatherElements", "ScatterElements"), _along_axis),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"), _reduce),
    "Expand": _expand,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "MatMul": _matmul,
    "Pad": _pad,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Tile": _tile,
}
"""The rewrite of each operator except Transpose."""


class ReduceRank(Rule):
    """An operator above the target's rank -> the same one between reshapes that collapse dimensions it treats alike."""

    name = "reduce-rank"
    roots = (*_REWRITES, "Transpose")
    examples = (
        Example(
            "float[2,1,2,1,2,1,2] x, float[2,1,2,1,2,1,2] z",
            "y = Add(x, z)",
            "t = Reshape(x, c)  v = Reshape(z, d)  k = Add(t, v)  y = Reshape(k, e)",
        ),
    )

    def __init__(self, highest: Callable[[ir.Node], int]) -> None:
        """`highest` gives the maximum rank of each operator; Reshape has none."""
        self._highest = highest

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        """Rewrite the node if its rank exceeds the limit."""
        if not self._is_high(node):
            return NOT_HERE
        if any(static_shape(v) is None for v in (*node.inputs, *node.outputs) if v is not None):
            return Miss("a shape is not static")
        if node.op_type == "Transpose":
            result = _transpose(node, g, self._highest(node))
        else:
            result = _REWRITES[node.op_type](node, g)
        if any(self._is_high(n) for n in g.nodes if n.op_type != "Reshape"):
            return Miss("too many dimensions are treated differently")
        return result

    def _is_high(self, node: ir.Node) -> bool:
        return _rank(node) > self._highest(node)
