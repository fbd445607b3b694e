"""Views of operators that move elements without computing on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Array, constant, static_shape
from edgec.ops.base import Ints, Op, Reader, Value


@dataclass(frozen=True, eq=False)
class Reshape(Op):
    """Reshape. `shape` is as in ONNX (0 copies unless `allow_zero`, -1 infers); None if computed.

    `target` is the static shape of the result if it is known.
    """

    x: Value
    shape_value: Value
    shape: Ints | None
    allow_zero: bool

    @property
    def target(self) -> Ints | None:
        """The static output shape, or None."""
        return static_shape(self.y)

    @staticmethod
    def decode(r: Reader) -> Reshape:
        return Reshape(r.node, r.input(0), r.input(1), r.const_ints(1), bool(r.integer("allowzero", 0)))


@dataclass(frozen=True, eq=False)
class Flatten(Op):
    """Flatten to a matrix at `axis` (0 to rank inclusive)."""

    x: Value
    axis: int

    @staticmethod
    def decode(r: Reader) -> Flatten:
        x = r.input(0)
        axis, rank = r.integer("axis", 1), r.rank(x)
        return Flatten(r.node, x, axis + rank if axis < 0 else axis)


@dataclass(frozen=True, eq=False)
class Transpose(Op):
    """`y.shape[i] = x.shape[perm[i]]`."""

    x: Value
    perm: Ints

    @staticmethod
    def decode(r: Reader) -> Transpose:
        x = r.input(0)
        return Transpose(r.node, x, r.ints("perm", tuple(reversed(range(r.rank(x))))))


@dataclass(frozen=True, eq=False)
class Squeeze(Op):
    """Removes dimensions of size 1; `axes` is None if computed."""

    x: Value
    axes: Ints | None

    @staticmethod
    def decode(r: Reader) -> Squeeze:
        x, axes = r.input(0), r.const_ints(1)
        if axes is not None:
            return Squeeze(r.node, x, r.axes(axes, r.rank(x)))
        shape = static_shape(x)
        if r.optional(1) is not None or shape is None:
            return Squeeze(r.node, x, None)
        return Squeeze(r.node, x, tuple(i for i, d in enumerate(shape) if d == 1))


@dataclass(frozen=True, eq=False)
class Unsqueeze(Op):
    """Inserts dimensions of size 1 at `axes` of the output (sorted); None if computed."""

    x: Value
    axes: Ints | None

    @staticmethod
    def decode(r: Reader) -> Unsqueeze:
        x, axes = r.input(0), r.const_ints(1)
        if axes is None:
            return Unsqueeze(r.node, x, None)
        return Unsqueeze(r.node, x, tuple(sorted(r.axes(axes, r.rank(x) + len(axes)))))


@dataclass(frozen=True, eq=False)
class Concat(Op):
    """Concatenation along one axis."""

    xs: tuple[Value, ...]
    axis: int

    @staticmethod
    def decode(r: Reader) -> Concat:
        return Concat(r.node, r.variadic(), r.axis(r.integer("axis"), r.rank(r.input(0))))


@dataclass(frozen=True, eq=False)
class Split(Op):
    """Split along one axis into parts of the given `sizes` (None if not known)."""

    x: Value
    axis: int
    sizes: Ints | None

    @staticmethod
    def decode(r: Reader) -> Split:
        x = r.input(0)
        axis = r.axis(r.integer("axis", 0), r.rank(x))
        if r.optional(1) is not None:
            return Split(r.node, x, axis, r.const_ints(1))
        assert x.shape is not None
        size, parts = x.shape[axis], r.integer("num_outputs", len(r.node.outputs))
        if not isinstance(size, int):
            return Split(r.node, x, axis, None)
        step = -(-size // parts)
        return Split(r.node, x, axis, tuple(max(0, min(step, size - i * step)) for i in range(parts)))


@dataclass(frozen=True, eq=False)
class Slice(Op):
    """Strided slice. The four lists match `axes`; values are as in ONNX (negative, beyond the end), None if computed.

    `starts_value` and `ends_value` are the operands.
    """

    x: Value
    starts: Ints | None
    ends: Ints | None
    axes: Ints | None
    steps: Ints | None
    starts_value: Value
    ends_value: Value

    @property
    def is_constant(self) -> bool:
        """Whether starts, ends, axes and steps are all known."""
        return None not in (self.starts, self.ends, self.axes, self.steps)

    @staticmethod
    def decode(r: Reader) -> Slice:
        x, rank = r.input(0), r.rank(r.input(0))
        starts, ends, axes, steps = (r.const_ints(i) for i in (1, 2, 3, 4))
        count = len(starts) if starts is not None else (static_shape(r.input(1)) or (rank,))[0]
        if axes is None and r.optional(3) is None:
            axes = tuple(range(count))
        if steps is None and r.optional(4) is None:
            steps = (1,) * count
        axes = None if axes is None else r.axes(axes, rank)
        return Slice(r.node, x, starts, ends, axes, steps, r.input(1), r.input(2))


@dataclass(frozen=True, eq=False)
class Expand(Op):
    """Broadcasts x against `shape` (either may be larger in a dimension); None if computed."""

    x: Value
    shape_value: Value
    shape: Ints | None

    @staticmethod
    def decode(r: Reader) -> Expand:
        return Expand(r.node, r.input(0), r.input(1), r.const_ints(1))


@dataclass(frozen=True, eq=False)
class Tile(Op):
    """Repeats x; one count for each dimension, None if computed."""

    x: Value
    repeats_value: Value
    repeats: Ints | None

    @staticmethod
    def decode(r: Reader) -> Tile:
        return Tile(r.node, r.input(0), r.input(1), r.const_ints(1))


@dataclass(frozen=True, eq=False)
class Pad(Op):
    """Padding; `begin` and `end` have one entry for each dimension of x (negative crops), None if `pads` is computed.

    `mode` is constant, reflect, edge or wrap. `value` is the constant fill (None, with `fill_value`, if computed).
    """

    x: Value
    pads: Value
    axes: Ints | None
    begin: Ints | None
    end: Ints | None
    mode: str
    value: int | float | bool | None
    fill_value: Value | None

    @staticmethod
    def decode(r: Reader) -> Pad:
        x, pads, rank = r.input(0), r.const_ints(1), r.rank(r.input(0))
        fill = r.optional(2)
        value = r.const_scalar(2) if fill is not None else 0
        mode = r.string("mode", "constant")
        axes = r.const_ints(3) if r.optional(3) is not None else tuple(range(rank))
        named = None if axes is None else tuple(r.axes(axes, rank))
        if pads is None or named is None:
            return Pad(r.node, x, r.input(1), named, None, None, mode, value, fill)
        begin, end = [0] * rank, [0] * rank
        for i, axis in enumerate(named):
            begin[axis], end[axis] = pads[i], pads[i + len(named)]
        return Pad(r.node, x, r.input(1), named, tuple(begin), tuple(end), mode, value, fill)


@dataclass(frozen=True, eq=False)
class Shape(Op):
    """The shape of x from `start` to `end` (both resolved) as int64."""

    x: Value
    start: int
    end: int

    @staticmethod
    def decode(r: Reader) -> Shape:
        x = r.input(0)
        rank = r.rank(x)
        start, end = (
            min(max(i + rank if i < 0 else i, 0), rank) for i in (r.integer("start", 0), r.integer("end", rank))
        )
        return Shape(r.node, x, start, end)


@dataclass(frozen=True, eq=False)
class ConstantOfShape(Op):
    """A tensor of one repeated value; `shape` is None if computed."""

    shape_value: Value
    shape: Ints | None
    value: int | float | bool
    dtype: ir.DataType

    @staticmethod
    def decode(r: Reader) -> ConstantOfShape:
        attr = r.node.attributes.get("value")
        tensor = ir.Tensor(np.zeros(1, np.float32)) if attr is None else attr.as_tensor()
        return ConstantOfShape(r.node, r.input(0), r.const_ints(0), tensor.numpy().reshape(-1)[0].item(), tensor.dtype)


@dataclass(frozen=True, eq=False)
class Range(Op):
    """`start, start+delta, …` below `limit`; the numbers are None if computed."""

    start_value: Value
    limit_value: Value
    delta_value: Value
    start: int | float | None
    limit: int | float | None
    delta: int | float | None

    @staticmethod
    def decode(r: Reader) -> Range:
        values = (r.input(0), r.input(1), r.input(2))
        return Range(r.node, *values, r.const_scalar(0), r.const_scalar(1), r.const_scalar(2))


@dataclass(frozen=True, eq=False)
class DepthToSpace(Op):
    """(N, C, H, W) -> (N, C/b², H*b, W*b). `crd`: column-row-depth order (torch's pixel_shuffle), else DCR."""

    x: Value
    block: int
    crd: bool

    @staticmethod
    def decode(r: Reader) -> DepthToSpace:
        return DepthToSpace(r.node, r.input(0), r.integer("blocksize"), r.string("mode", "DCR") == "CRD")


@dataclass(frozen=True, eq=False)
class SpaceToDepth(Op):
    """(N, C, H, W) -> (N, C*b², H/b, W/b); the position in the block is the slow part of the new channel."""

    x: Value
    block: int

    @staticmethod
    def decode(r: Reader) -> SpaceToDepth:
        return SpaceToDepth(r.node, r.input(0), r.integer("blocksize"))


@dataclass(frozen=True, eq=False)
class Trilu(Op):
    """The upper or lower triangle of the last two dimensions; `k` is None if computed."""

    x: Value
    upper: bool
    k: int | None

    @staticmethod
    def decode(r: Reader) -> Trilu:
        k = 0 if r.optional(1) is None else r.const_scalar(1)
        return Trilu(r.node, r.input(0), bool(r.integer("upper", 1)), None if k is None else int(k))


@dataclass(frozen=True, eq=False)
class ReverseSequence(Op):
    """Reverses the first `lengths[b]` elements along `time_axis` of each batch entry."""

    x: Value
    lengths: Value
    time_axis: int
    batch_axis: int

    @staticmethod
    def decode(r: Reader) -> ReverseSequence:
        return ReverseSequence(r.node, r.input(0), r.input(1), r.integer("time_axis", 0), r.integer("batch_axis", 1))


@dataclass(frozen=True, eq=False)
class Constant(Op):
    """A constant; canonical graphs have initializers instead."""

    value: Array | None

    @staticmethod
    def decode(r: Reader) -> Constant:
        return Constant(r.node, constant(r.node.outputs[0]))
