"""Views of reductions, sorts and scans."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Ints, Op, Reader, Value

REDUCTIONS = frozenset(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare".split()
)


@dataclass(frozen=True, eq=False)
class Reduce(Op):
    """A reduction. `axes` lists all reduced axes, () for none; None if they are computed."""

    kind: str
    x: Value
    axes: Ints | None
    keepdims: bool

    @staticmethod
    def decode(r: Reader) -> Reduce:
        x = r.input(0)
        rank = r.rank(x)
        axes = r.const_ints(1)
        if axes is not None and axes:
            axes = r.axes(axes, rank)
        elif axes is not None or r.optional(1) is None:
            axes = () if r.integer("noop_with_empty_axes", 0) else tuple(range(rank))
        return Reduce(r.node, r.node.op_type, x, axes, bool(r.integer("keepdims", 1)))


@dataclass(frozen=True, eq=False)
class ArgReduce(Op):
    """ArgMax or ArgMin -> int64 indices; `select_last`: the last of equal elements is chosen."""

    kind: str
    x: Value
    axis: int
    keepdims: bool
    select_last: bool

    @staticmethod
    def decode(r: Reader) -> ArgReduce:
        x = r.input(0)
        axis = r.axis(r.integer("axis", 0), r.rank(x))
        keepdims, last = bool(r.integer("keepdims", 1)), bool(r.integer("select_last_index", 0))
        return ArgReduce(r.node, r.node.op_type, x, axis, keepdims, last)


@dataclass(frozen=True, eq=False)
class TopK(Op):
    """The k largest (or smallest) along an axis: values and int64 indices. Equal elements keep their order."""

    x: Value
    k: int | None
    k_value: Value
    axis: int
    largest: bool
    sorted: bool

    @staticmethod
    def decode(r: Reader) -> TopK:
        x, k = r.input(0), r.const_ints(1)
        axis = r.axis(r.integer("axis", -1), r.rank(x))
        largest, is_sorted = bool(r.integer("largest", 1)), bool(r.integer("sorted", 1))
        return TopK(r.node, x, k[0] if k else None, r.input(1), axis, largest, is_sorted)


@dataclass(frozen=True, eq=False)
class CumSum(Op):
    """Running sum along an axis; `axis` is None if computed."""

    x: Value
    axis: int | None
    exclusive: bool
    reverse: bool

    @staticmethod
    def decode(r: Reader) -> CumSum:
        x, axis = r.input(0), r.const_ints(1)
        resolved = r.axis(axis[0], r.rank(x)) if axis else None
        return CumSum(r.node, x, resolved, bool(r.integer("exclusive", 0)), bool(r.integer("reverse", 0)))
