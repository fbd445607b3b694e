"""Moves transposes and reshapes through element-wise operators so that they cancel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import constant, is_constant, static_shape
from edgec.ops.base import Reader
from edgec.ops.elementwise import BINARY, UNARY
from edgec.ops.shape import Transpose
from edgec.rules.base import NOT_HERE, Example, Miss, Replacement, Rule
from edgec.rules.match import only_use, producer

_FARTHEST = 8
"""The longest chain of element-wise operators that a transpose is moved through."""

_POINTWISE = (
    UNARY | BINARY | {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Where", "Cast", "Max", "Min"}
)


@dataclass
class _Region:
    """Element-wise nodes before a transpose, and the transposes at which they begin."""

    inner: set[ir.Node] = field(default_factory=set)
    sources: set[ir.Node] = field(default_factory=set)

    def collect(self, value: ir.Value, rank: int, steps: int) -> bool:
        """Add the producers of the value; returns whether all of them are element-wise, transposes or constants."""
        if is_constant(value):
            return True
        node = value.producer()
        if static_shape(value) is None or len(static_shape(value) or ()) != rank or node is None or node.domain != "":
            return False
        if node in self.inner or node in self.sources:
            return True
        if node.op_type == "Transpose":
            self.sources.add(node)
            return True
        if node.op_type not in _POINTWISE or steps == 0 or len(node.outputs) > 1:
            return False
        self.inner.add(node)
        return all(v is None or self.collect(v, rank, steps - 1) for v in node.inputs)

    def is_closed(self, root: ir.Node) -> bool:
        """Whether the values inside have no users outside the region and its root."""
        outputs = [node.outputs[0] for node in (*self.inner, *self.sources)]
        inside = {root, *self.inner}
        return not any(out.is_graph_output() or any(use.node not in inside for use in out.uses()) for out in outputs)


class CancelTransposes(Rule):
    """Transpose(f(Transpose(x), …)) -> f(x, …) or one Transpose fewer, if the element-wise f has no other users."""

    name = "cancel-transposes"
    roots = ("Transpose",)
    examples = (
        Example(
            "float[2,3,4] x",
            "t = Transpose<perm = [2, 0, 1]>(x)  r = Relu(t)  y = Transpose<perm = [1, 2, 0]>(r)",
            "y = Relu(x)",
        ),
        Example(
            "float[2,3] x",
            "t = Transpose<perm = [1, 0]>(x)  s = Sigmoid(t)  m = Mul(t, s)  y = Transpose<perm = [1, 0]>(m)",
            "s = Sigmoid(x)  y = Mul(x, s)",
        ),
        Example(
            "float[2,3] x",
            "t = Transpose<perm = [1, 0]>(x)  a = Add(t, c)  y = Transpose<perm = [1, 0]>(a)",
            "y = Add(x, d)",
            constants="float[2] c = {1, 2}",
        ),
        Example(
            "float[2,3] x, float[3,2] z",
            "t = Transpose<perm = [1, 0]>(x)  a = Add(t, z)  y = Transpose<perm = [1, 0]>(a)",
            None,
        ),
        Example(
            "float[2,3] x",
            "t = Transpose<perm = [1, 0]>(x)  r = Relu(t)  u = Transpose<perm = [1, 0]>(r)  "
            "s = ReduceSum<keepdims = 0>(r)  y = Add(u, s)",
            None,
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        x = node.inputs[0]
        if x is None or producer(x, "Transpose") is not None or is_constant(x):
            return NOT_HERE
        perm, region = Transpose.decode(Reader(node)).perm, _Region()
        if not region.collect(x, len(perm), _FARTHEST) or not region.sources or not region.is_closed(node):
            return NOT_HERE
        return [_move(x, perm, {}, g)]  # at most one transpose for each source, and none for the root


def _is_identity(inner: tuple[int, ...], outer: tuple[int, ...]) -> bool:
    together = [inner[i] for i in outer]
    return together == sorted(together)


def _move(value: ir.Value, perm: tuple[int, ...], moved: dict[ir.Value, ir.Value], g: GraphBuilder) -> ir.Value:
    """The transposed value, computed from before the source transposes. Shared values stay shared."""
    if value not in moved:
        moved[value] = _moved(value, perm, moved, g)
    return moved[value]


def _moved(value: ir.Value, perm: tuple[int, ...], moved: dict[ir.Value, ir.Value], g: GraphBuilder) -> ir.Value:
    array = constant(value)
    if array is not None:
        if array.size == 1:
            return value
        full = array.reshape((1,) * (len(perm) - array.ndim) + array.shape)
        return g.const(np.ascontiguousarray(full.transpose(perm)), dtype=value.dtype)
    node = value.producer()
    assert node is not None
    if node.op_type == "Transpose":
        inner, source = Transpose.decode(Reader(node)).perm, node.inputs[0]
        assert source is not None
        return source if _is_identity(inner, perm) else g.op("Transpose", source, perm=[inner[i] for i in perm])
    attributes: dict[str, Any] = {k: a.value for k, a in node.attributes.items()}
    operands = [None if v is None else _move(v, perm, moved, g) for v in node.inputs]
    return g.op(node.op_type, *operands, **attributes)


class CancelReshapes(Rule):
    """Reshape(f(Reshape(x))) -> Reshape(f(x)) for a unary element-wise f of one use; often no Reshape is left."""

    name = "cancel-reshapes"
    roots = ("Reshape",)
    examples = (
        Example(
            "float[2,3,4] x",
            "h = Reshape(x, s)  r = Relu(h)  y = Reshape(r, t)",
            "r = Relu(x)  y = Reshape(r, t)",
            constants="int64[1] s = {24}, int64[2] t = {4, 6}",
        ),
        Example(
            "float[2,3,4] x, float[24] z",
            "h = Reshape(x, s)  r = Add(h, z)  y = Reshape(r, t)",
            None,
            constants="int64[1] s = {24}, int64[2] t = {4, 6}",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        between = None if node.inputs[0] is None else node.inputs[0].producer()
        if (
            between is None
            or between.domain != ""
            or between.op_type not in _SINGLE
            or not only_use(between.outputs[0])
        ):
            return NOT_HERE
        first = producer(between.inputs[0], "Reshape")
        if (
            first is None
            or not only_use(first.outputs[0])
            or any(v is not None and _size(v) != 1 for v in between.inputs[1:])
        ):
            return NOT_HERE
        attributes: dict[str, Any] = {k: a.value for k, a in between.attributes.items()}
        mapped = g.op(between.op_type, first.inputs[0], *between.inputs[1:], **attributes)
        return [g.op("Reshape", mapped, *node.inputs[1:], allowzero=Reader(node).integer("allowzero", 0) or None)]


_SINGLE = UNARY | {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Cast"}


def _size(value: ir.Value) -> int | None:
    shape = static_shape(value)
    return None if shape is None else int(np.prod(shape))
