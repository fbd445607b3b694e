"""Views of indexing operators. Negative indices count from the end."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ops.base import Op, Reader, Value


@dataclass(frozen=True, eq=False)
class Gather(Op):
    """`y = take(x, indices, axis)`: the indices' dimensions replace the axis."""

    x: Value
    indices: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> Gather:
        x = r.input(0)
        return Gather(r.node, x, r.input(1), r.axis(r.integer("axis", 0), r.rank(x)))


@dataclass(frozen=True, eq=False)
class GatherElements(Op):
    """`y[i][j][k] = x[index[i][j][k]][j][k]` for axis 0: numpy.take_along_axis."""

    x: Value
    indices: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> GatherElements:
        x = r.input(0)
        return GatherElements(r.node, x, r.input(1), r.axis(r.integer("axis", 0), r.rank(x)))


@dataclass(frozen=True, eq=False)
class GatherND(Op):
    """The last dimension of `indices` addresses the leading dimensions of x after `batch_dims`."""

    x: Value
    indices: Value
    batch_dims: int

    @staticmethod
    def decode(r: Reader) -> GatherND:
        return GatherND(r.node, r.input(0), r.input(1), r.integer("batch_dims", 0))


@dataclass(frozen=True, eq=False)
class ScatterElements(Op):
    """Writes `updates` into a copy of x along an axis; `reduction` is none, add, mul, max or min."""

    x: Value
    indices: Value
    updates: Value
    axis: int
    reduction: str

    @staticmethod
    def decode(r: Reader) -> ScatterElements:
        x = r.input(0)
        axis = r.axis(r.integer("axis", 0), r.rank(x))
        return ScatterElements(r.node, x, r.input(1), r.input(2), axis, r.string("reduction", "none"))


@dataclass(frozen=True, eq=False)
class ScatterND(Op):
    """Writes slices `updates` into a copy of x at `indices`; `reduction` is none, add, mul, max or min."""

    x: Value
    indices: Value
    updates: Value
    reduction: str

    @staticmethod
    def decode(r: Reader) -> ScatterND:
        return ScatterND(r.node, r.input(0), r.input(1), r.input(2), r.string("reduction", "none"))


@dataclass(frozen=True, eq=False)
class OneHot(Op):
    """One-hot along `axis` of the output; `values` is (2): off, on. `depth` is None if computed."""

    indices: Value
    depth_value: Value
    depth: int | None
    values: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> OneHot:
        indices, depth = r.input(0), r.const_ints(1)
        axis = r.axis(r.integer("axis", -1), r.rank(indices) + 1)
        return OneHot(r.node, indices, r.input(1), depth[0] if depth else None, r.input(2), axis)


@dataclass(frozen=True, eq=False)
class NonZero(Op):
    """Indices of the non-zero elements, (rank, count); the count depends on the data."""

    x: Value

    @staticmethod
    def decode(r: Reader) -> NonZero:
        return NonZero(r.node, r.input(0))


@dataclass(frozen=True, eq=False)
class NonMaxSuppression(Op):
    """boxes (B, N, 4), scores (B, C, N) -> selected (count, 3) int64: batch, class, box."""

    boxes: Value
    scores: Value
    max_output: int | None
    iou_threshold: float | None
    score_threshold: float | None
    center_point_box: bool

    @staticmethod
    def decode(r: Reader) -> NonMaxSuppression:
        count = r.const_scalar(2) if r.optional(2) is not None else 0
        iou = r.const_scalar(3) if r.optional(3) is not None else 0.0
        score = r.const_scalar(4) if r.optional(4) is not None else float("-inf")
        return NonMaxSuppression(
            r.node,
            r.input(0),
            r.input(1),
            None if count is None else int(count),
            None if iou is None else float(iou),
            None if score is None else float(score),
            bool(r.integer("center_point_box", 0)),
        )
