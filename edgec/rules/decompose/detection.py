"""NonMaxSuppression in the form that kernels have: one image, one class, boxes by their corners."""

from __future__ import annotations

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.gather import NonMaxSuppression
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule

MOST_CLASSES = 512
"""The largest number of images times classes: each of them becomes one operator."""


class CenteredBoxesToCorners(Rule):
    """NonMaxSuppression of boxes (centre x, centre y, width, height) -> of boxes (y, x, y, x)."""

    name = "centered-boxes-to-corners"
    roots = ("NonMaxSuppression",)
    examples = (
        Example(
            "float[1,6,4] x, float[1,1,6] s",
            "k = Abs(x)  y = NonMaxSuppression<center_point_box = 1>(k, s, n)",
            "k = Abs(x)  a, b, w, h = Split<axis = 2>(k, p)  u = Mul(w, f)  v = Mul(h, f)  c = Sub(b, v)  "
            "d = Sub(a, u)  e = Add(b, v)  g = Add(a, u)  z = Concat<axis = 2>(c, d, e, g)  "
            "y = NonMaxSuppression(z, s, n)",
            constants="int64 n = {3}",
            output="int64",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = NonMaxSuppression.decode(Reader(node))
        if not op.center_point_box:
            return NOT_HERE
        x, y, width, height = g.multi("Split", 4, op.boxes, g.ints(1, 1, 1, 1), axis=2)
        half_width, half_height = (g.op("Mul", v, g.like(0.5, v)) for v in (width, height))
        low = g.op("Sub", y, half_height), g.op("Sub", x, half_width)
        high = g.op("Add", y, half_height), g.op("Add", x, half_width)
        corners = g.op("Concat", *low, *high, axis=2)
        return [g.op("NonMaxSuppression", corners, *node.inputs[1:])]


class SuppressionByClass(Rule):
    """NonMaxSuppression over images and classes -> one for each image and class, with their rows concatenated."""

    name = "suppression-by-class"
    roots = ("NonMaxSuppression",)
    examples = (
        Example(
            "float[1,6,4] x, float[1,2,6] s",
            "y = NonMaxSuppression(x, s, n)",
            "b = Slice(s, b0, b1, ax)  p = NonMaxSuppression(x, b, n)  c = Slice(s, c0, c1, ax)  "
            "q = NonMaxSuppression(x, c, n)  r = Add(q, one)  y = Concat<axis = 0>(p, r)",
            constants="int64 n = {3}",
            output="int64",
        ),
        Example(
            "float[1,6,4] x, float[1,1,6] s",
            "y = NonMaxSuppression(x, s, n)",
            None,
            constants="int64 n = {3}",
            output="int64",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = NonMaxSuppression.decode(Reader(node))
        shape = None if op.scores.shape is None else op.scores.shape[:2]
        if shape is None or not all(isinstance(d, int) for d in shape):
            return Miss("the number of images or of classes is not static")
        images, classes = (int(d) for d in shape if isinstance(d, int))
        if (images, classes) == (1, 1):
            return NOT_HERE
        if not 0 < images * classes <= MOST_CLASSES:
            return Miss(f"{images} images times {classes} classes")
        rows = []
        for image in range(images):
            boxes = _part(op.boxes, 0, image, images, g)
            scores = _part(op.scores, 0, image, images, g)
            for number in range(classes):
                own = _part(scores, 1, number, classes, g)
                found = g.op("NonMaxSuppression", boxes, own, *node.inputs[2:])
                rows.append(found if image == number == 0 else g.op("Add", found, g.ints(image, number, 0)))
        return [g.op("Concat", *rows, axis=0)]


def _part(value: Value, axis: int, index: int, count: int, g: GraphBuilder) -> Value:
    """One element along an axis, which is kept."""
    return value if count == 1 else g.op("Slice", value, g.ints(index), g.ints(index + 1), g.ints(axis))


def is_single(op: NonMaxSuppression) -> bool:
    """Whether it has one image, one class and corners, as after these rules."""
    shape = op.scores.shape
    return shape is not None and list(shape[:2]) == [1, 1] and not op.center_point_box


def box_count(op: NonMaxSuppression) -> int | None:
    """The number of boxes; None if it depends on the data."""
    for shape, axis in ((static_shape(op.boxes), 1), (static_shape(op.scores), 2)):
        if shape is not None:
            return shape[axis]
    return None
