"""Views of Resize, GridSample and other image operators."""

from __future__ import annotations

from dataclasses import dataclass

from edgec.ir.model import static_shape
from edgec.ops.base import Ints, Op, Reader, Value


@dataclass(frozen=True, eq=False)
class Resize(Op):
    """Resize. `scales` and `out_shape` have one entry for each dimension of x; None if not known.

    `scales` are the factors of the coordinate transform: those given, or output size / input size if sizes are given.
    `mode` is nearest, linear or cubic; `transform` is the coordinate_transformation_mode; `roi` is used only by
    tf_crop_and_resize. Axes that keep their size have scale 1. `sizes_value` holds the new sizes of `axes`.
    """

    x: Value
    mode: str
    transform: str
    nearest: str
    cubic_a: float
    exclude_outside: bool
    extrapolation: float
    antialias: bool
    scales: tuple[float, ...] | None
    out_shape: Ints | None
    roi: tuple[float, ...] | None
    axes: Ints
    sizes_value: Value | None

    @staticmethod
    def decode(r: Reader) -> Resize:
        x = r.input(0)
        rank = r.rank(x)
        axes = r.axes(r.ints("axes", tuple(range(rank))), rank)
        out = static_shape(r.node.outputs[0])
        return Resize(
            r.node,
            x,
            r.string("mode", "nearest"),
            r.string("coordinate_transformation_mode", "half_pixel"),
            r.string("nearest_mode", "round_prefer_floor"),
            r.number("cubic_coeff_a", -0.75),
            bool(r.integer("exclude_outside", 0)),
            r.number("extrapolation_value", 0.0),
            bool(r.integer("antialias", 0)),
            _scales(r, x, axes),
            out,
            _roi(r, axes, rank),
            axes,
            r.optional(3),
        )

    @property
    def is_stretched(self) -> bool:
        """Whether each axis is resized to the given size, without preserving the aspect ratio."""
        policy = self.node.attributes.get("keep_aspect_ratio_policy")
        return policy is None or policy.as_string() == "stretch"

    def sizes(self) -> Ints | None:
        """The output sizes if they determine the scales exactly, else None: in float32, a scale of 1.2 is not 6/5."""
        shape = static_shape(self.x)
        if shape is None or self.out_shape is None or self.scales is None:
            return None
        exact = all(i and o / i == s for o, i, s in zip(self.out_shape, shape, self.scales, strict=True))
        return self.out_shape if exact else None


def _scales(r: Reader, x: Value, axes: Ints) -> tuple[float, ...] | None:
    """The scale of each dimension; given scales take precedence. keep_aspect_ratio_policy gives all axes one scale."""
    rank = r.rank(x)
    given = r.const_floats(2)
    if given:
        scales = [1.0] * rank
        for axis, scale in zip(axes, given, strict=True):
            scales[axis] = scale
        return tuple(scales)
    sizes, shape = r.const_ints(3), static_shape(x)
    if not sizes or shape is None:
        return None
    ratios = [size / shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    policy = r.string("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        common = min(ratios) if policy == "not_larger" else max(ratios)
        ratios = [common] * len(ratios)
    scales = [1.0] * rank
    for axis, ratio in zip(axes, ratios, strict=True):
        scales[axis] = ratio
    return tuple(scales)


def _roi(r: Reader, axes: Ints, rank: int) -> tuple[float, ...] | None:
    """The region of interest as starts, then ends, of all dimensions; (0…, 1…) by default."""
    roi = [0.0] * rank + [1.0] * rank
    if r.optional(1) is None:
        return tuple(roi)
    given = r.const_floats(1)
    if given is None:
        return None
    if given:
        for i, axis in enumerate(axes):
            roi[axis], roi[axis + rank] = given[i], given[i + len(axes)]
    return tuple(roi)


@dataclass(frozen=True, eq=False)
class GridSample(Op):
    """x (N, C, spatial…), grid (N, out…, n) in [-1, 1], last dimension x first -> (N, C, out…).

    `mode` is linear, nearest or cubic; `padding` is zeros, border or reflection.
    """

    x: Value
    grid: Value
    mode: str
    padding: str
    align_corners: bool

    @staticmethod
    def decode(r: Reader) -> GridSample:
        return GridSample(
            r.node,
            r.input(0),
            r.input(1),
            r.string("mode", "linear"),
            r.string("padding_mode", "zeros"),
            bool(r.integer("align_corners", 0)),
        )
